"""Pieces of work whose results are kept, and what they need."""

from __future__ import annotations

import glob
import hashlib
import json
import shutil
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import msgspec

from ds_metrics._files import file_checksum, is_whole, say_damaged, write_json
from svr_baselines.data.manifest import DOCUMENT
from svr_baselines.documents import check_document

FOLDER = "jobs"  # below that of the experiment: a file for each finished job

_SCHEMA = 2  # results of the first had no checksums: those jobs are done again
# Where a job leaves files, by the argument that names it: of a run, its network; of a data set, all.
_LEFT = {
    "distances": "{}",
    "result": "{}",
    "run": "{}/best.safetensors",
    "name": "predictions/{}/*",
    "folder": "{}/**/*",
}


@dataclass
class _Kept:
    """What the file of a finished job holds, beside its schema."""

    settings: dict[str, Any]
    seconds: Annotated[float, msgspec.Meta(ge=0)]
    result: dict[str, Any]
    files: dict[str, int]


@dataclass(frozen=True)
class Context:
    """What a job may use. No result depends on it, but for the order of sums.

    Attributes:
        out: Folder of the experiment; all that a job writes is below it.
        processes: Processes that a job may start.
        accelerator: Where networks are trained: `"auto"`, `"cpu"` or `"cuda"`.
        devices: Devices of each training.
    """

    out: Path
    processes: int = 1
    accelerator: str = "auto"
    devices: int = 1


Work = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Job:
    """A call whose result is kept: ``function(context, **arguments)``.

    Attributes:
        name: Path below the folder of finished jobs, such as `"train/S1I1/psgn-1"`.
        function: What to call; it returns what JSON can hold. Called again, it goes on where it was ended.
        arguments: Ready for JSON: all that the result depends on, but for that of the jobs it needs.
        needs: Jobs that must be finished before.
    """

    name: str
    function: Work
    arguments: Mapping[str, Any] = field(hash=False)
    needs: tuple[Job, ...] = ()

    def __call__(self, context: Context) -> dict[str, Any]:
        """Do the work."""
        return self.function(context, **self.arguments)

    def settings(self) -> dict[str, Any]:
        """What the result depends on, ready for JSON; of the jobs it needs, a hash."""
        settings: dict[str, Any] = {"work": self.function.__name__, "arguments": dict(self.arguments)}
        settings["needs"] = {job.name: job.key() for job in self.needs}
        copied: dict[str, Any] = json.loads(json.dumps(settings, sort_keys=True, allow_nan=False))
        return copied

    def key(self) -> str:
        """A hash of the settings."""
        return hashlib.sha256(json.dumps(self.settings(), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Finished:
    """What a job left.

    Attributes:
        result: What it returned.
        seconds: How long it took.
        files: CRC-32 of the files that it left, by their paths below the folder of the experiment.
    """

    result: dict[str, Any]
    seconds: float
    files: Mapping[str, int] = field(default_factory=dict)


def result_file(out: Path, job: Job) -> Path:
    """Where the result of a job is, once it is finished."""
    return out / FOLDER / f"{job.name}.json"


def read_finished(out: Path, job: Job) -> Finished | None:
    """The result of a job, or `None` while there is none, or none that is whole.

    Raises:
        ValueError: If the job was done with other settings, or by a later version; the text names the difference.
    """
    file = result_file(out, job)
    if not file.is_file():
        return None
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        checksum = document.pop("crc")
        if _checksum(document) != checksum:
            return None
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return None
    if document.get("schema") != _SCHEMA:
        raise ValueError(f"{file}: not a result of schema {_SCHEMA}; delete it, and the job is done again")
    check_document(document, _Kept, str(file))
    before, now = document["settings"], job.settings()
    if before != now:
        raise ValueError(f"{file}: {job.name} was done with other settings: {_difference(before, now)}.")
    return Finished(document["result"], document["seconds"], document["files"])


def write_finished(out: Path, job: Job, finished: Finished) -> None:
    """Keep the result of a job, and the checksums of the files that it left."""
    file = result_file(out, job)
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {"schema": _SCHEMA, "settings": job.settings(), "seconds": finished.seconds, "result": finished.result}
    document["files"] = {name: file_checksum(out / name) for name in _files_left(out, job)}
    write_json(file, {**document, "crc": _checksum(json.loads(json.dumps(document)))})


def drop_damaged(out: Path, jobs: Sequence[Job]) -> None:
    """Remove results that are damaged, or whose files are, and those files: the jobs are done again.

    Raises:
        ValueError: See `read_finished`.
    """
    for job in jobs:
        file = result_file(out, job)
        if not file.exists():
            continue
        found = read_finished(out, job)
        left = {} if found is None else found.files
        damaged = [name for name, checksum in left.items() if not is_whole(out / name, checksum)]
        if found is None or damaged:
            say_damaged(file, f"{job.name} and what it left", "made")
            file.unlink()
            _drop_left(out, job, damaged)


def _drop_left(out: Path, job: Job, damaged: Sequence[str]) -> None:
    """Remove damaged files: a job that goes on where it was would take them for its own."""
    for name in set(damaged).intersection(_files_left(out, job)):
        (out / name).unlink()
    folder = job.arguments.get("folder")
    if folder is not None and any(PurePosixPath(name).name == DOCUMENT for name in damaged) and (out / folder).exists():
        shutil.rmtree(out / folder)  # without it a build knows nothing of its files


def _files_left(out: Path, job: Job) -> list[str]:
    """Files that a job has left, by their paths below the folder of the experiment."""
    found: list[Path] = []
    for argument, pattern in _LEFT.items():
        value = job.arguments.get(argument)
        if isinstance(value, str) and not Path(value).is_absolute():
            found += [path for path in out.glob(pattern.format(glob.escape(value))) if path.is_file()]
    return sorted({path.relative_to(out).as_posix() for path in found})


def _checksum(document: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(document, sort_keys=True).encode())


def check_jobs(jobs: Sequence[Job]) -> None:
    """Refuse jobs that are called the same, or that come before what they need.

    Raises:
        ValueError: If they are.
    """
    seen: set[str] = set()
    for job in jobs:
        if job.name in seen:
            raise ValueError(f"Argument `jobs` must have a name each, but got {job.name!r} twice.")
        missing = [other.name for other in job.needs if other.name not in seen]
        if missing:
            raise ValueError(f"Argument `jobs` must hold what {job.name!r} needs before it, but lacks {missing[0]!r}.")
        seen.add(job.name)


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    old, new = _flatten(before), _flatten(now)
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return ", ".join(f"{key} {old.get(key)!r}, not {new.get(key)!r}" for key in keys[:3])


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = key if key != "arguments" else ""
        path = f"{prefix}{name}"
        if isinstance(value, dict):
            flat |= _flatten(value, f"{path}." if path else "")
        else:
            flat[path] = value
    return flat
