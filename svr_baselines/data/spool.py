"""Shapes on disk once they are read: a folder of a million meshes is sampled once, and never held in memory."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from svr_baselines.data.shapes import Kind

_COMMIT_SECONDS = 5.0  # reading that a killed run loses at most
_POINTS, _SHAPES = "points.bin", "shapes.jsonl"

Outcome = tuple[npt.NDArray[Any], Kind] | str  # a shape, or what is wrong with it


class Spool:
    """Outcomes of reading, appended in order; see `open` for how it goes on.

    The folder holds all points in ``points.bin``, little-endian and end to end, and for each shape a line of JSON in
    ``shapes.jsonl``: what it came from, its number of points and their type; or what is wrong with it. Points are on
    the disk before their line is.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     with Spool.open(Path(root), "key") as spool:
        ...         spool.extend([(np.eye(3), "points"), "truncated"])
        ...     with Spool.open(Path(root), "key") as spool:
        ...         len(spool), [outcome if isinstance(outcome, str) else outcome[0].shape for outcome in spool]
        (2, [(3, 3), 'truncated'])
    """

    def __init__(self, folder: Path, lock: int) -> None:
        self._lock = lock
        self._shapes = (folder / _SHAPES).open("a+b")
        self._points = (folder / _POINTS).open("a+b")
        self._records: list[dict[str, Any]] = []
        self._known: dict[bytes, dict[str, Any]] = {}  # most lines are the same: kept once
        self._waiting: list[bytes] = []
        self._end = 0
        self._resume()

    @classmethod
    def open(cls, root: Path, key: str) -> Spool:
        """Go on with the shapes that ``root`` keeps under ``key``, or begin.

        Args:
            root: Folder of such folders, made if need be.
            key: What the outcomes depend on: files, their sizes and times, and how they are read.

        Raises:
            OSError: If the folder can't be written, or another process is at it.
        """
        from ds_metrics._files import claim_folder  # brings torch, which reading does without

        folder = root / ("shapes-" + hashlib.sha256(key.encode()).hexdigest()[:20])
        with claim_folder(folder, "reading shapes into") as lock:
            return cls(folder, lock)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._commit()
        finally:
            self._shapes.close()
            self._points.close()
            os.close(self._lock)

    def __len__(self) -> int:
        return len(self._records)

    def extend(self, outcomes: Iterable[Outcome]) -> None:
        """Append outcomes; what was taken is kept within seconds, whatever ends the process."""
        committed = time.monotonic()
        for outcome in outcomes:
            if isinstance(outcome, str):
                record: dict[str, Any] = {"fault": outcome}
            else:
                cloud, kind = outcome
                cloud = np.ascontiguousarray(cloud, dtype=cloud.dtype.newbyteorder("<"))
                record = {"kind": kind, "points": len(cloud), "dtype": cloud.dtype.str}
                self._points.write(bytes(_start(record, self._end) - self._end))
                self._points.write(cloud.data)
            line = json.dumps(record).encode() + b"\n"
            self._take(line)
            self._waiting.append(line)
            if time.monotonic() - committed > _COMMIT_SECONDS:
                self._commit()
                committed = time.monotonic()

    def __iter__(self) -> Iterator[Outcome]:
        """All outcomes; points are mapped, and read from the disk as they are used."""
        from ds_metrics._files import map_file

        self._commit()
        points: Any = map_file(self._points.fileno()) if self._end else None
        end = 0
        for record in self._records:
            if "fault" in record:
                yield record["fault"]
                continue
            start = _start(record, end)
            cloud = np.frombuffer(points, record["dtype"], 3 * record["points"], start)
            end = start + cloud.nbytes
            yield cloud.reshape(-1, 3), record["kind"]

    def _take(self, line: bytes) -> None:
        if line not in self._known:
            self._known[line] = json.loads(line)
        record = self._known[line]
        if "fault" not in record:
            self._end = _start(record, self._end) + 3 * record["points"] * np.dtype(record["dtype"]).itemsize
        self._records.append(record)

    def _commit(self) -> None:
        if self._waiting:
            self._points.flush()
            os.fsync(self._points.fileno())
            self._shapes.write(b"".join(self._waiting))
            self._shapes.flush()
            self._waiting = []

    def _resume(self) -> None:
        """Take the lines that are whole and whose points are there; cut off the rest."""
        size, kept = os.fstat(self._points.fileno()).st_size, 0
        self._shapes.seek(0)
        for line in self._shapes:
            before = self._end
            try:
                self._take(line)
            except (ValueError, KeyError, TypeError):  # the last line of a killed run
                break
            if self._end > size:
                self._end = before
                self._records.pop()
                break
            kept += len(line)
        self._shapes.truncate(kept)
        self._points.truncate(self._end)


def _start(record: dict[str, Any], end: int) -> int:
    """Where a shape starts after another's end: aligned for its type, and end to end where that allows."""
    size: int = np.dtype(record["dtype"]).itemsize
    return -(-end // size) * size
