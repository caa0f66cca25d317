"""Building a folder, item by item: in parallel, gone on with after any end, and with the same bytes every time.

An item's files have names and contents that depend on the item and the settings alone. They are written one by one,
each whole or not at all. A CRC-32 of each is noted, while the folder is being built in a file of its scratch folder and
then in the description of the data set: a file that another run finds there is kept if it is what was noted.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar

from ds_metrics._files import atomic_write, claim_folder, file_checksum, is_whole, say, say_damaged, write_text
from svr_baselines.data.manifest import CHECKSUMS, DOCUMENT, TABLE, Manifest, Sample, read_manifest, write_manifest
from svr_baselines.data.points import check_count
from svr_baselines.data.shapes import BadShape, describe_bad
from svr_baselines.documents import check_regular
from svr_baselines.parallel import available_cores, map_in_order

SCRATCH = ".building"  # inside the folder while it is being built: the settings, and files that are not whole yet
_SETTINGS = "settings.json"  # in its first line the settings, then a line for each file that has been written
_START_SECONDS = 5.0  # that processes take until they work

Progress = Callable[[int, int], None]


class Item(Protocol):
    """What a build has many of."""

    @property
    def id(self) -> str:
        """Its name, which no other item has."""


T = TypeVar("T", bound=Item)
M = TypeVar("M", bound=Item, contravariant=True)


@dataclass(frozen=True)
class Workers:
    """Who does the work.

    Attributes:
        processes: Number of processes; one is this process itself. They are spawned, so a script that asks for more
            keeps its own work under ``if __name__ == "__main__"``. `None` begins with one, and goes on with one a core
            where that saves more time than they take to start; at once where a run was ended, perhaps by an item.
        cluster: Dask scheduler or ``"local:N"`` to work on instead. All of it must see the same folders.
        progress: Called with (items finished, items in all).
    """

    processes: int | None = 1
    cluster: str | None = None
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.processes is not None:
            check_count("processes", self.processes)


@dataclass(frozen=True)
class Summary:
    """What a build did.

    Attributes:
        built: Items that were built now.
        kept: Items that an earlier run had finished.
        skipped: Items that can't be built, and why.
        folders: The data sets that they are in.
    """

    built: int
    kept: int
    skipped: tuple[BadShape, ...]
    folders: tuple[Path, ...]

    @property
    def total(self) -> int:
        """All items."""
        return self.built + self.kept + len(self.skipped)


@dataclass(frozen=True)
class Part:
    """A data set inside the folder that is built.

    Attributes:
        path: Its folder below the other, `"."` for that itself.
        settings: All that its files depend on beside the items, ready for JSON.
        samples: The samples of an item.
        files: Paths of an item's files below the folder; unless given, of the pictures and points of its samples.
    """

    path: str
    settings: Mapping[str, Any]
    samples: Callable[[Any], Sequence[Sample]] = field(compare=False)
    files: Callable[[Any], Sequence[str]] | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The settings and the version that made it."""
        return {**self.settings, "dispersion_score": version("dispersion-score")}

    def names(self, item: Any) -> dict[str, str]:
        """Paths of an item's files below this folder, and below the folder that is built."""
        if self.files is not None:
            own = list(self.files(item))
        else:
            own = [name for sample in self.samples(item) for name in (sample.image, sample.points) if name]
        return {name: str(PurePosixPath(self.path) / name) for name in own}


class Maker(Protocol[M]):
    """What builds an item; picklable."""

    def finished(self, item: M) -> bool:
        """Whether all files of the item are there."""

    def make(self, item: M, scratch: Path) -> None:
        """Write the files that are missing; raises a `ValueError` if the item is bad."""


def run_build(
    out: Path, parts: Sequence[Part], items: Sequence[T], maker: Maker[T], what: str, workers: Workers
) -> Summary:
    """Build all items that are not there yet, then write the manifests.

    Args:
        out: The folder; empty, missing, or of a build with the same settings.
        parts: The data sets in it.
        items: What to build; their order is that of the work.
        maker: How to.
        what: What items are called in messages, in the plural.
        workers: Who does it.

    Raises:
        OSError: If the folder can't be written, the disk is full, or another process is at it.
        ValueError: If the folder holds anything else, or data of other settings or of shapes that are not among the
            items; and if no item can be built.
    """
    ended = (out / SCRATCH).exists()
    with _open(out, parts) as scratch:
        ids = {item.id for item in items}
        for part in parts:
            _check_known(out / part.path, ids)
        _remove_damaged(out, parts, items)
        todo = [item for item in items if not maker.finished(item)]
        kept = len(items) - len(todo)
        skipped = []
        try:
            for done, bad in enumerate(_work(maker, todo, scratch, workers, ended), start=1):
                skipped += bad
                if workers.progress is not None:
                    workers.progress(kept + done, len(items))
        except OSError as error:
            raise OSError(f"{out}: {error.strerror or error}. What is built stays; the same call goes on.") from error
        bad_ids = {bad.name for bad in skipped}
        good = [item for item in items if item.id not in bad_ids]
        if not good:
            raise ValueError(describe_bad(what, str(out), skipped, len(items), skip_bad=True))
        noted = _read_noted(out, parts)
        for part in parts:
            samples = tuple(sample for item in good for sample in part.samples(item))
            (out / part.path).mkdir(parents=True, exist_ok=True)
            names = {own: name for item in good for own, name in part.names(item).items()}
            checksums = {own: noted[name] for own, name in names.items() if name in noted}
            write_manifest(out / part.path, Manifest(samples, part.to_json(), tuple(skipped)), checksums)
    return Summary(len(todo) - len(skipped), kept, tuple(skipped), tuple(out / part.path for part in parts))


def write_file(path: Path, scratch: Path, write: Callable[[Path], object]) -> None:
    """Let a function write a file, which then takes its place at once; its checksum is noted before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, scratch) as temporary:
        write(temporary)
        line = json.dumps([path.relative_to(scratch.parent).as_posix(), file_checksum(temporary)])
        with (scratch / _SETTINGS).open("ab", buffering=0) as notes:  # in one step: other processes do so, too
            notes.write(f"\n{line}".encode())


def _read_noted(out: Path, parts: Iterable[Part]) -> dict[str, int]:
    """Checksums of files by their paths below the folder: from finished data sets, and of what was built since."""
    noted: dict[str, int] = {}
    for part in parts:
        document = out / part.path / DOCUMENT
        checksums = _read_json(document).get(CHECKSUMS) if document.exists() else None
        if isinstance(checksums, dict):
            noted |= {str(PurePosixPath(part.path) / name): checksum for name, checksum in checksums.items()}
    for line in _read_settings(out)[1].splitlines():
        with suppress(ValueError, TypeError, RecursionError):  # half a line of a killed run
            name, checksum = json.loads(line)
            noted[name] = checksum
    return noted


def _remove_damaged(out: Path, parts: Sequence[Part], items: Iterable[Any]) -> None:
    """Remove the files of items of which one is not what was written; the maker makes them again."""
    noted = _read_noted(out, parts)
    damaged = []
    for part in parts:
        for item in items:
            names = part.names(item).values()
            there = [name for name in names if os.path.lexists(out / name)]
            wrong = [name for name in there if not is_whole(out / name, noted.get(name))]
            if wrong or len(there) < len(names):
                for name in there:
                    (out / name).unlink()
            damaged += wrong
    if damaged and noted:
        say_damaged(out, f"{len(damaged)} of its files, such as {damaged[0]},", "built")
    elif damaged:
        say(f"{out} was built without checksums: its files are built again")


def _work(maker: Maker[T], items: list[T], scratch: Path, workers: Workers, ended: bool) -> Iterator[list[BadShape]]:
    attempt, done, begun = partial(_attempt, maker, scratch), 0, time.monotonic()
    if workers.processes is None and workers.cluster is None and not ended:
        while done < len(items) and not _is_long(time.monotonic() - begun, done, len(items)):
            yield attempt(items[done])
            done += 1
    yield from map_in_order(
        attempt,
        items[done:],
        lost=lambda item: [_bad(item, "the process that built it was ended; has it memory enough?")],
        workers=min(workers.processes or available_cores(), len(items) - done),
        cluster=workers.cluster,
    )


def _is_long(seconds: float, done: int, total: int) -> bool:
    """Whether processes save time: at the pace so far, what is left takes twice as long as they take to start."""
    return seconds > _START_SECONDS and seconds / done * (total - done) > 2 * _START_SECONDS


def _attempt(maker: Maker[T], scratch: Path, item: T) -> list[BadShape]:
    try:
        maker.make(item, scratch)
    except ValueError as error:
        return [_bad(item, str(error).rstrip("."))]
    return []


def _bad(item: Item, reason: str) -> BadShape:
    return BadShape(item.id, getattr(item, "mesh", None) or item.id, reason)


@contextmanager
def _open(out: Path, parts: Sequence[Part]) -> Iterator[Path]:
    """Hold the folder, check that it is this build's, and yield its scratch folder, which is gone after a good end."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{str(out)!r}: {error.strerror}"
        raise OSError(f"Argument `out` must be a folder that can be made, but got {reason}.") from error
    with claim_folder(out, "building") as lock:
        settings = {part.path: part.to_json() for part in parts}
        _check_folder(out, settings)
        scratch = out / SCRATCH
        scratch.mkdir(exist_ok=True)
        notes = _read_settings(out)[1]
        write_text(scratch / _SETTINGS, json.dumps(settings) + notes)
        for file in scratch.iterdir():  # left by a run that was killed
            if file.name != _SETTINGS:
                file.unlink()
        yield scratch
        shutil.rmtree(scratch)
    os.close(lock)  # kept by `claim_folder` after a good end


def begun_with(out: Path, paths: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Settings of the data sets of these paths in a folder, of those that a run has begun.

    Raises:
        ValueError: If a file of the folder is damaged.
    """
    there = _read_settings(out)[0]
    for path in paths:
        if (out / path / DOCUMENT).exists():
            with _naming(out / path / DOCUMENT):
                there[path] = _check_object(_read_json(out / path / DOCUMENT).get("settings", {}), " as settings")
    return there


def _check_folder(out: Path, settings: Mapping[str, Mapping[str, Any]]) -> None:
    there = begun_with(out, settings)
    if not there and any(name != SCRATCH for name in os.listdir(out)):
        raise ValueError(f"{out} must be empty or hold a build to go on with, but it holds other files.")
    for path, wanted in settings.items():
        if path in there and there[path] != json.loads(json.dumps(wanted)):
            raise ValueError(f"{out / path} was built with other settings: {_differences(there[path], wanted)}.")


def _read_settings(out: Path) -> tuple[dict[str, Any], str]:
    """Settings of the data sets of a run that has begun, and what it noted of its files."""
    path = out / SCRATCH / _SETTINGS
    if not path.exists():
        return {}, ""
    check_regular(path)
    text = path.read_text(encoding="utf-8", errors="replace")
    with _naming(path):
        settings, end = json.JSONDecoder().raw_decode(text)
        return {name: _check_object(own) for name, own in _check_object(settings).items()}, text[end:]


def _read_json(path: Path) -> dict[str, Any]:
    check_regular(path)
    with _naming(path):
        return _check_object(json.loads(path.read_text(encoding="utf-8")))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except TypeError as error:
        raise ValueError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a readable JSON file, perhaps truncated ({error})") from error


def _check_object(document: Any, what: str = "") -> dict[str, Any]:
    if not isinstance(document, dict):
        raise TypeError(f"expected an object{what}, but got {type(document).__name__}")
    return document


def _differences(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    keys = sorted(key for key in {*there, *wanted} if there.get(key) != wanted.get(key))
    return ", ".join(f"{key} {there.get(key)!r}, not {wanted.get(key)!r}" for key in keys)


def _check_known(folder: Path, ids: set[str]) -> None:
    """Refuse to go on where shapes have been removed since: their files would stay among the others."""
    if not (folder / TABLE).exists():
        return
    gone = sorted({sample.id for sample in read_manifest(folder).samples} - ids)
    if gone:
        raise ValueError(f"{folder} holds {len(gone)} shapes that are not among the meshes now, such as {gone[0]!r}.")
