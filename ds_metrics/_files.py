"""Files that no reader meets half of, that one process writes at a time, that are read as they are used."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import math
import mmap
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

# What file systems answer, cluster ones above all, that have no locks or can't reserve space: then it goes without.
NOT_OFFERED = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_PIECE = 2**20  # bytes of a file to read at once


@contextmanager
def atomic_write(path: Path, scratch: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it takes its place when the block ends well.

    Args:
        path: The file to write.
        scratch: Folder on the same file system for the temporary file, which a killed process leaves behind.

    Raises:
        ValueError: If there is something else than a regular file, such as a pipe, in its place.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic_write(folder / "a.txt") as temporary:
        ...     _ = temporary.write_text("whole")
        >>> [file.name for file in folder.iterdir()]
        ['a.txt']
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} can't be written, as there is something else than a regular file")
    handle, name = tempfile.mkstemp(dir=scratch or path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        with naming_full_disk(path):
            yield temporary
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)  # mkstemp makes files for their owner alone
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Make whatever a writer says of a full disk an ``OSError`` that names the path."""
    try:
        yield
    except Exception as error:
        if _is_of_full_disk(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise


def _is_of_full_disk(error: BaseException) -> bool:
    """Whether a writer has failed for lack of space: some say so by numbers, some in words, some by what they wrote."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    words = (*map(os.strerror, FULL), "requested and")  # numpy: "1000 requested and 24 written"
    return any(word in str(error) for word in words) and not isinstance(error, ValueError)


def create_array(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> BinaryIO:
    """An ``.npy`` file, open for its rows to be written one after another; their space is reserved.

    Example:
        >>> file = Path(tempfile.mkdtemp(), "a.npy")
        >>> with create_array(file, np.dtype("<f4"), (2, 3)) as opened:
        ...     _ = opened.write(np.ones((2, 3), dtype="<f4").tobytes())
        >>> np.load(file).shape
        (2, 3)
    """
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    file = path.open("wb")
    try:
        np.lib.format.write_array_header_2_0(file, header)
        file.flush()
        reserve(file.fileno(), file.tell() + math.prod(shape) * dtype.itemsize)
    except BaseException:
        file.close()
        raise
    return file


def reserve(descriptor: int, size: int) -> None:
    """Give a file its size and the space for it, where the file system offers that.

    Raises:
        OSError: If there is not so much space.
    """
    try:
        os.truncate(descriptor, size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        # As long as it must be, only its space can't be reserved?
        if error.errno not in NOT_OFFERED or os.fstat(descriptor).st_size != size:
            raise


def write_json(path: Path, document: Any) -> None:
    r"""Write what JSON can hold, whole or not at all; refuses NaN and infinity.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "a.json")
        >>> write_json(file, {"k": 2})
        >>> file.read_text()
        '{\n  "k": 2\n}\n'
    """
    write_text(path, format_json(document))


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def format_json(document: Any) -> str:
    """The text of what JSON can hold; refuses NaN and infinity."""
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def file_checksum(path: Path) -> int:
    """The CRC-32 of a file's bytes."""
    checksum = 0
    with path.open("rb") as file:
        while data := file.read(_PIECE):
            checksum = zlib.crc32(data, checksum)
    return checksum


def is_whole(path: Path, checksum: int | None) -> bool:
    """Whether a path is a regular file whose bytes have a CRC-32; nothing else is read, as that may take forever."""
    return path.is_file() and file_checksum(path) == checksum


def drop_irregular(folder: Path, names: Iterable[str]) -> None:
    """Remove links, pipes and devices that are in the place of a store's files: these are made again."""
    for path in (folder / name for name in names):
        if path.is_symlink() or (path.exists() and not path.is_file()):
            path.unlink()
            say(f"{path} was no regular file: it is made again")


def say_damaged(path: Path, what: str, again: str = "computed") -> None:
    """Say in one line that a kept file does not hold what was written into it, by the logger ``ds_metrics``.

    Without any set-up of `logging` the line goes to stderr.

    Args:
        path: The file or its folder.
        what: The part that is made again, in the plural.
        again: How it is made again.
    """
    say(f"{path} is damaged: {what} are {again} again")


def say(text: str) -> None:
    """Say a line by the logger ``ds_metrics``."""
    logging.getLogger("ds_metrics").warning("%s", text)


@contextmanager
def claim_folder(folder: Path, busy: str) -> Iterator[int]:
    """Make a folder if need be and yield the lock of `lock_folder`, which stays with whoever takes it over.

    If the block fails to, the lock is given back.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = lock_folder(folder, busy)
    try:
        yield lock
    except BaseException:
        os.close(lock)
        raise


def write_at(descriptor: int, data: bytes, position: int) -> None:
    """Write all of the data at a position of a file."""
    while data:
        written = os.pwrite(descriptor, data, position)
        data, position = data[written:], position + written


def lock_folder(folder: Path, busy: str) -> int:
    """Hold a folder until the returned descriptor is closed or the process ends.

    Args:
        folder: It must be there.
        busy: What the process is doing that holds it already, for the error message.

    Raises:
        OSError: If another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in NOT_OFFERED:
            return descriptor
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise
        raise OSError(f"another process is {busy} {folder}; wait for it, or name another store") from None
    return descriptor


def map_file(descriptor: int) -> mmap.mmap:
    """A file's bytes, read from disk as they are used. Changes stay out of the file."""
    # Without MAP_NORESERVE Linux would refuse a private map of more than its memory.
    flags = mmap.MAP_PRIVATE | getattr(mmap, "MAP_NORESERVE", 0x4000 if os.uname().sysname == "Linux" else 0)
    return mmap.mmap(descriptor, 0, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)
