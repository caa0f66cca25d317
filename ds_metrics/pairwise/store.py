"""Where the tiles of a matrix are put together: in memory, or on disk with a record of the finished ones."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ds_metrics._files import NOT_OFFERED, atomic_write, claim_folder, map_file, write_at
from ds_metrics.pairwise.tiles import Tile, TilePlan

_COMMIT_SECONDS = 5.0  # work that a killed run loses at most, beside its unfinished tile
_MATRIX, _RECORD, _FINISHED = "distances.npy", "record.json", "finished"


class Matrix(Protocol):
    """Takes tiles and gives the matrix once all are in."""

    plan: TilePlan
    finished: NDArray[np.uint8]

    def __enter__(self) -> Matrix: ...

    def __exit__(self, *error: object) -> None: ...

    def put(self, tile: Tile, values: NDArray[np.float32]) -> None:
        """Take a tile, and its mirror image if the matrix is symmetric."""

    def result(self) -> Tensor:
        """The matrix."""


class MemoryMatrix:
    """A matrix in memory, of which nothing is there when it is begun."""

    def __init__(self, plan: TilePlan) -> None:
        self.plan = plan
        self.finished = np.zeros(len(plan), dtype=np.uint8)
        self._values = np.zeros((plan.n_rows, plan.n_columns), dtype=np.float32)

    def __enter__(self) -> MemoryMatrix:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def put(self, tile: Tile, values: NDArray[np.float32]) -> None:
        """Take a tile."""
        rows, columns = _slice(tile.rows), _slice(tile.columns)
        self._values[rows, columns] = values
        if self.plan.symmetric and not tile.on_diagonal:
            self._values[columns, rows] = values.T

    def result(self) -> Tensor:
        """The matrix."""
        return torch.from_numpy(self._values)


class DiskMatrix:
    """A matrix in a folder of its own; see `open` for how it comes about.

    The folder holds ``distances.npy`` (float32, for `numpy.load`), one byte a tile in ``finished``, and in
    ``record.json`` what the matrix is of. Tiles are written first and recorded once they are on the disk, so that a
    run that is killed at any moment loses seconds. A lock keeps a second run off.
    """

    def __init__(self, folder: Path, plan: TilePlan, lock: int) -> None:
        self.folder = folder
        self.plan = plan
        self._lock = lock
        self._matrix = os.open(folder / _MATRIX, os.O_RDWR)
        self._record = os.open(folder / _FINISHED, os.O_RDWR)
        self.finished = np.frombuffer(os.pread(self._record, len(plan), 0), dtype=np.uint8).copy()
        self._start = os.fstat(self._matrix).st_size - 4 * plan.n_rows * plan.n_columns
        self._uncommitted: list[int] = []
        self._committed_at = time.monotonic()

    @classmethod
    def open(cls, root: Path, key: Mapping[str, Any], plan: TilePlan) -> DiskMatrix:
        """Continue the matrix that ``root`` keeps under ``key``, or begin it.

        Args:
            root: Folder of matrices, made if need be. Each lies in a subfolder named by its key.
            key: What the matrix depends on: data, distance, versions; ready for JSON.
            plan: Its tiles; a matrix begun with others keeps those.

        Raises:
            OSError: If the folder can't be written, the disk is too small, or another process is at the matrix.
        """
        folder = root / hashlib.sha256(_canonical(key).encode()).hexdigest()[:20]
        with claim_folder(folder, "computing the distances in") as lock:
            found = _read_plan(folder, key)
            if found is None:
                _begin(folder, key, plan)
            return cls(folder, found or plan, lock)

    def __enter__(self) -> DiskMatrix:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.commit()
        finally:
            for descriptor in (self._matrix, self._record, self._lock):
                os.close(descriptor)

    def put(self, tile: Tile, values: NDArray[np.float32]) -> None:
        """Write a tile; it is recorded within seconds."""
        self._write(tile.rows, tile.columns, values)
        if self.plan.symmetric and not tile.on_diagonal:
            self._write(tile.columns, tile.rows, values.T)
        self._uncommitted.append(tile.index)
        if time.monotonic() - self._committed_at > _COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Record the tiles written so far."""
        if self._uncommitted:
            os.fsync(self._matrix)
            self.finished[self._uncommitted] = 1
            write_at(self._record, self.finished.tobytes(), 0)
            os.fsync(self._record)
            self._uncommitted = []
        self._committed_at = time.monotonic()

    def result(self) -> Tensor:
        """The matrix, mapped: read from disk as it is used. Changes to the tensor stay out of the file."""
        values = np.frombuffer(map_file(self._matrix), dtype="<f4", offset=self._start)
        return torch.from_numpy(values.reshape(self.plan.n_rows, self.plan.n_columns))

    def remove(self) -> None:
        """Delete the folder. A mapped result stays readable until it is let go."""
        shutil.rmtree(self.folder)

    def _write(self, rows: range, columns: range, values: NDArray[np.float32]) -> None:
        for row, line in zip(rows, values, strict=True):
            position = self._start + 4 * (row * self.plan.n_columns + columns.start)
            write_at(self._matrix, line.astype("<f4").tobytes(), position)


def default_root() -> Path:
    """Where matrices go that don't fit in memory: ``$DS_CACHE_DIR``, else a folder in the user's cache.

    Example:
        >>> default_root().parts[-1]
        'pairwise'
    """
    cache = os.environ.get("DS_CACHE_DIR")
    if cache:
        return Path(cache) / "pairwise"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dispersion-score" / "pairwise"


def _slice(numbers: range) -> slice:
    return slice(numbers.start, numbers.stop)


def _canonical(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)


def _read_plan(folder: Path, key: Mapping[str, Any]) -> TilePlan | None:
    """The plan of the matrix in a folder; ``None`` if there is none, or its files are damaged."""
    try:
        record = json.loads((folder / _RECORD).read_text())
        plan = TilePlan(**record["plan"])
        whole = record["key"] == key and (folder / _FINISHED).stat().st_size == len(plan)
        return plan if whole and (folder / _MATRIX).stat().st_size == record["bytes"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _begin(folder: Path, key: Mapping[str, Any], plan: TilePlan) -> None:
    """Fill a folder that is new or damaged; the record, written last, makes it whole."""
    (folder / _RECORD).unlink(missing_ok=True)
    try:
        with (folder / _MATRIX).open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (plan.n_rows, plan.n_columns)}
            np.lib.format.write_array_header_2_0(file, header)
            size = file.tell() + 4 * plan.n_rows * plan.n_columns
            _reserve(file.fileno(), size, folder)
        (folder / _FINISHED).write_bytes(bytes(len(plan)))
        with atomic_write(folder / _RECORD) as temporary:
            temporary.write_text(json.dumps({"key": dict(key), "plan": asdict(plan), "bytes": size}, indent=2))
    except OSError:
        shutil.rmtree(folder)
        raise


def _reserve(descriptor: int, size: int, folder: Path) -> None:
    """Find out now, not at the last tile, that the disk is too small."""
    try:
        os.truncate(descriptor, size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno in NOT_OFFERED and os.fstat(descriptor).st_size == size:
            return  # it is as long as it must be: only its space can't be reserved
        if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise
        free = shutil.disk_usage(folder).free
        raise OSError(
            f"the distances take {size / 1e9:.3g} GB on disk, but {folder.parent} has {free / 1e9:.3g} GB free; "
            "name another folder by `store` or by the environment variable DS_CACHE_DIR"
        ) from error
