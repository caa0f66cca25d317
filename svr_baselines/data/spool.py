"""Shapes on disk once they are read: a folder of a million meshes is sampled once, and never held in memory."""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from svr_baselines.data.shapes import Kind

_COMMIT_SECONDS = 5.0  # reading that a killed run loses at most
_POINTS, _SHAPES = "points.bin", "shapes.jsonl"
_SCHEMA = 2  # of the folder: those of the first had no checksums, and are not trusted
_HEAD = '{"crc": "%08x", '  # of each line
_HEAD_BYTES = len(_HEAD % 0)

Outcome = tuple[npt.NDArray[Any], Kind] | str  # a shape, or what is wrong with it


class Spool:
    """Outcomes of reading, appended in order; see `open` for how it goes on.

    The folder holds all points in ``points.bin``, little-endian and end to end, and for each shape a line of JSON in
    ``shapes.jsonl``: what it came from, its number of points and their type; or what is wrong with it. Each line begins
    with a CRC-32 of the key, its place, its text and its points, which is checked when the folder is opened again:
    shapes from the first damaged one on are missing. Points are on the disk before their line is.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     with Spool.open(Path(root), "key") as spool:
        ...         spool.extend([(np.eye(3), "points"), "truncated"])
        ...     with Spool.open(Path(root), "key") as spool:
        ...         len(spool), [outcome if isinstance(outcome, str) else outcome[0].shape for outcome in spool]
        (2, [(3, 3), 'truncated'])
    """

    def __init__(self, folder: Path, key: str, lock: int) -> None:
        self._folder, self._lock = folder, lock
        self._key = zlib.crc32(key.encode())
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
        from ds_metrics._files import claim_folder, drop_irregular  # brings torch, which reading does without

        folder = root / ("shapes-" + hashlib.sha256(f"{_SCHEMA} {key}".encode()).hexdigest()[:20])
        with claim_folder(folder, "reading shapes into") as lock:
            drop_irregular(folder, (_POINTS, _SHAPES))
            return cls(folder, key, lock)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *error: object) -> None:
        with ExitStack() as stack:  # on a full disk any of them may raise
            stack.callback(os.close, self._lock)
            stack.callback(self._close, self._points)
            stack.callback(self._close, self._shapes)
            self._commit()

    def __len__(self) -> int:
        return len(self._records)

    def extend(self, outcomes: Iterable[Outcome]) -> None:
        """Append outcomes; what was taken is kept within seconds, whatever ends the process."""
        from ds_metrics._files import naming_full_disk

        committed = time.monotonic()
        for outcome in outcomes:
            points: Any = memoryview(b"")
            if isinstance(outcome, str):
                record: dict[str, Any] = {"fault": outcome}
            else:
                cloud, kind = outcome
                cloud = np.ascontiguousarray(cloud, dtype=cloud.dtype.newbyteorder("<"))
                record = {"kind": kind, "points": len(cloud), "dtype": cloud.dtype.str}
                points = cloud.reshape(-1).view(np.uint8).data
            text = json.dumps(record).encode()[1:] + b"\n"
            record, start, end = self._place(text)
            with naming_full_disk(self._folder):
                self._points.write(bytes(start - self._end))
                self._points.write(points)
            self._waiting.append(self._line(text, points))
            self._take(record, end)
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

    def _place(self, text: bytes) -> tuple[dict[str, Any], int, int]:
        """The record of the shape that comes next, by its line without the head, and where its points are."""
        if text not in self._known:
            self._known[text] = json.loads(b"{" + text)
        record = self._known[text]
        if "fault" in record:
            return record, self._end, self._end
        start = _start(record, self._end)
        return record, start, start + 3 * record["points"] * np.dtype(record["dtype"]).itemsize

    def _line(self, text: bytes, points: memoryview) -> bytes:
        """The whole line of the shape that comes next."""
        place = zlib.crc32(b"%d " % len(self), self._key)
        return (_HEAD % zlib.crc32(points, zlib.crc32(text, place))).encode() + text

    def _take(self, record: dict[str, Any], end: int) -> None:
        self._records.append(record)
        self._end = end

    def _commit(self) -> None:
        from ds_metrics._files import naming_full_disk

        if self._waiting:
            with naming_full_disk(self._folder):
                self._points.flush()
                os.fsync(self._points.fileno())
                self._shapes.write(b"".join(self._waiting))
                self._shapes.flush()
            self._waiting = []

    def _close(self, file: BinaryIO) -> None:
        from ds_metrics._files import naming_full_disk

        with naming_full_disk(self._folder):
            file.close()

    def _resume(self) -> None:
        """Take the shapes that are what was written, up to the first that is not; cut off the rest."""
        from ds_metrics._files import map_file, say_damaged

        size, kept = os.fstat(self._points.fileno()).st_size, 0
        points = memoryview(map_file(self._points.fileno()) if size else b"")
        self._shapes.seek(0)
        for line in self._shapes:
            if not line.endswith(b"\n"):  # the last one of a killed run
                break
            text = line[_HEAD_BYTES:]
            try:
                record, start, end = self._place(text)
                whole = end <= size and line == self._line(text, points[start:end])
            except Exception:  # whatever a damaged line leads to
                whole = False
            if not whole:
                say_damaged(self._folder, f"its shapes from the {len(self) + 1}. on", "read")
                break
            self._take(record, end)
            kept += len(line)
        self._shapes.truncate(kept)
        self._points.truncate(self._end)


def _start(record: dict[str, Any], end: int) -> int:
    """Where a shape starts after another's end: aligned for its type, and end to end where that allows."""
    size: int = np.dtype(record["dtype"]).itemsize
    return -(-end // size) * size
