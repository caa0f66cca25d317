"""Pieces of work whose results are kept, and what they need."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ds_metrics._files import write_json

FOLDER = "jobs"  # below that of the experiment: a file for each finished job

_SCHEMA = 1


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
    """What a job left."""

    result: dict[str, Any]
    seconds: float


def result_file(out: Path, job: Job) -> Path:
    """Where the result of a job is, once it is finished."""
    return out / FOLDER / f"{job.name}.json"


def read_finished(out: Path, job: Job) -> Finished | None:
    """The result of a job, or `None` while there is none.

    Raises:
        ValueError: If the file is damaged, or the job was done with other settings; the text names the difference.
    """
    file = result_file(out, job)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(
            f"{file}: not a readable JSON file ({error}); delete it, and the job is done again."
        ) from error
    if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
        raise ValueError(f"{file}: not a result of schema {_SCHEMA}; delete it, and the job is done again.")
    before, now = document["settings"], job.settings()
    if before != now:
        raise ValueError(f"{file}: {job.name} was done with other settings: {_difference(before, now)}.")
    return Finished(document["result"], document["seconds"])


def write_finished(out: Path, job: Job, finished: Finished) -> None:
    """Keep the result of a job."""
    file = result_file(out, job)
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {"schema": _SCHEMA, "settings": job.settings(), "seconds": finished.seconds, "result": finished.result}
    write_json(file, document)


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
