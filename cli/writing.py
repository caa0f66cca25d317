"""What a command leaves behind: checked before the work, written whole or not at all."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from ds_metrics import _files
from ds_metrics._files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_file(option: str, file: Path, *inputs: Path | None) -> None:
    """Find out before the work, not after, that a file can't be written; pipes, devices, inputs are not replaced."""
    if file.exists() and not file.is_file():
        raise ValueError(f"{option} must name a file, but {str(file)!r} is something else")
    if file.exists() and any(path is not None and path.exists() and path.samefile(file) for path in inputs):
        raise ValueError(f"{option} must not name what is read, but got {str(file)!r}")
    if not _can_write(_resolve(file).parent):
        raise ValueError(f"{option} must name a file in a folder that can be written, but got {str(file)!r}")


def check_json(json: str | None, *inputs: Path | None) -> None:
    """Likewise for `--json`, where ``-`` is stdout; a stream of the system's, such as ``/dev/null``, is written to."""
    if json is not None and json != "-" and not _is_stream(json):
        check_file("--json", Path(json), *inputs)


def check_folder(option: str, folder: Path | None) -> None:
    """Make a folder that will be written to, or find out that it can't be."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{option} must name a folder that can be made, but got {str(folder)!r}: {error}") from error
    if not _can_write(folder):
        raise ValueError(f"{option} must name a folder that can be written, but got {str(folder)!r}")


def _is_stream(json: str) -> bool:
    """Whether it is one of those that are there to be written to: the null device, a terminal, a shell's pipe."""
    return json in ("/dev/null", "/dev/stderr", "/dev/tty") or json.startswith("/dev/fd/")


def _resolve(file: Path) -> Path:
    try:
        return file.resolve()
    except RuntimeError as error:  # how Python before 3.13 says that links go round
        raise ValueError(f"{str(file)!r} is a link to itself") from error


def _can_write(folder: Path) -> bool:
    """Tried, as rights don't tell of disks that none may write to."""
    try:
        with TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def write_json(document: dict[str, Any], json: str | None) -> None:
    """Write what `--json` asks for, if it asks."""
    if json == "-":
        sys.stdout.write(_files.format_json(document))
    elif json is not None and _is_stream(json):
        Path(json).write_text(_files.format_json(document), encoding="utf-8")
    elif json is not None:
        _files.write_json(Path(json), document)


def write_figure(figure: Figure, file: Path) -> None:
    """Write a picture in the format of its suffix."""
    with atomic_write(file) as temporary:
        figure.savefig(temporary, dpi=150)
