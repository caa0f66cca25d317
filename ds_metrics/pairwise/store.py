"""Where the tiles of a matrix are put together: in memory, or on disk with a record of the finished ones."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import time
import zlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ds_metrics._files import (
    FULL,
    claim_folder,
    drop_irregular,
    map_file,
    naming_full_disk,
    reserve,
    say_damaged,
    write_at,
    write_text,
)
from ds_metrics.pairwise.tiles import Tile, TilePlan

_COMMIT_SECONDS = 5.0  # work that a killed run loses at most, beside its unfinished tile
_MATRIX, _RECORD, _FINISHED = "distances.npy", "record.json", "finished"
_SCHEMA = 2  # of the folder: those of the first had no checksums, and are not trusted


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

    The folder holds ``distances.npy`` (float32, for `numpy.load`), in ``finished`` four bytes a tile, and in
    ``record.json`` what the matrix is of. Tiles are written first and recorded once they are on the disk, so that a
    run that is killed at any moment loses seconds. The record of a tile is a CRC-32 of the matrix's key, the tile's
    place and all that was written of it, or 0 before; a tile that does not match it is computed again. A lock keeps a
    second run off.
    """

    def __init__(self, folder: Path, key: Mapping[str, Any], plan: TilePlan, lock: int) -> None:
        self.folder = folder
        self.plan = plan
        self._key = zlib.crc32(_format_record(key, plan).encode())
        self._lock = lock
        self._matrix = os.open(folder / _MATRIX, os.O_RDWR)
        self._record = os.open(folder / _FINISHED, os.O_RDWR)
        self._sums = np.frombuffer(os.pread(self._record, 4 * len(plan), 0), dtype="<u4").copy()
        self._start = len(_header(plan))
        self._check()
        self.finished = (self._sums != 0).astype(np.uint8)
        self._uncommitted: dict[int, int] = {}
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
        name = json.dumps({"schema": _SCHEMA, "key": dict(key)}, sort_keys=True)
        folder = root / hashlib.sha256(name.encode()).hexdigest()[:20]
        with claim_folder(folder, "computing the distances in") as lock:
            drop_irregular(folder, (_RECORD, _MATRIX, _FINISHED))
            found = _read_plan(folder, key, plan)
            if found is None:
                _begin(folder, key, plan)
            return cls(folder, key, found or plan, lock)

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
        with naming_full_disk(self.folder):
            self._write(tile.rows, tile.columns, values)
            if self.plan.symmetric and not tile.on_diagonal:
                self._write(tile.columns, tile.rows, values.T)
        self._uncommitted[tile.index] = self._checksum(tile, values, values.T)
        if time.monotonic() - self._committed_at > _COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Record the tiles written so far."""
        if self._uncommitted:
            with naming_full_disk(self.folder):
                os.fsync(self._matrix)
                for index, checksum in self._uncommitted.items():
                    self.finished[index], self._sums[index] = 1, checksum
                write_at(self._record, self._sums.tobytes(), 0)
                os.fsync(self._record)
            self._uncommitted = {}
        self._committed_at = time.monotonic()

    def result(self) -> Tensor:
        """The matrix, mapped: read from disk as it is used. Changes to the tensor stay out of the file."""
        return torch.from_numpy(self._map())

    def remove(self) -> None:
        """Delete the folder. A mapped result stays readable until it is let go."""
        shutil.rmtree(self.folder)

    def _map(self) -> NDArray[np.float32]:
        values = np.frombuffer(map_file(self._matrix), dtype="<f4", offset=self._start)
        return values.reshape(self.plan.n_rows, self.plan.n_columns)

    def _checksum(self, tile: Tile, values: NDArray[np.float32], mirrored: NDArray[np.float32]) -> int:
        """Of the tile, and of its mirror image if that is in the matrix."""
        both = (values, mirrored) if self.plan.symmetric and not tile.on_diagonal else (values,)
        checksum = zlib.crc32(b"%d" % tile.index, self._key)
        for part in both:
            data: Any = np.ascontiguousarray(part, dtype="<f4")
            checksum = zlib.crc32(data, checksum)
        return checksum or 1  # 0 is for what is not finished

    def _check(self) -> None:
        """Take tiles for unfinished that are not what was written, and write the header again where it is not."""
        values, damaged = self._map(), []
        for tile in self.plan.tiles((self._sums == 0).astype(np.uint8)):
            rows, columns = _slice(tile.rows), _slice(tile.columns)
            if self._checksum(tile, values[rows, columns], values[columns, rows]) != self._sums[tile.index]:
                damaged.append(tile.index)
        if damaged:
            self._sums[damaged] = 0
            say_damaged(self.folder, f"{len(damaged)} of {len(self.plan)} tiles of distances")
        header = _header(self.plan)
        if os.pread(self._matrix, len(header), 0) != header:
            write_at(self._matrix, header, 0)

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


def _header(plan: TilePlan) -> bytes:
    """What ``distances.npy`` begins with."""
    header = io.BytesIO()
    shape = (plan.n_rows, plan.n_columns)
    np.lib.format.write_array_header_2_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return header.getvalue()


def _matrix_bytes(plan: TilePlan) -> int:
    return len(_header(plan)) + 4 * plan.n_rows * plan.n_columns


def _format_record(key: Mapping[str, Any], plan: TilePlan) -> str:
    return json.dumps({"schema": _SCHEMA, "key": dict(key), "plan": asdict(plan)}, indent=2)


def _read_plan(folder: Path, key: Mapping[str, Any], plan: TilePlan) -> TilePlan | None:
    """The plan of the matrix in a folder, which may have other tiles; ``None`` if there is none, or it is damaged."""
    if not (folder / _RECORD).exists():  # not begun
        return None
    try:
        text = (folder / _RECORD).read_text()
        edge = json.loads(text)["plan"]["edge"]
        if type(edge) is int and edge > 0:
            found = replace(plan, edge=edge)
            sizes = (folder / _FINISHED).stat().st_size, (folder / _MATRIX).stat().st_size
            if text == _format_record(key, found) and sizes == (4 * len(found), _matrix_bytes(found)):
                return found
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    say_damaged(folder, "its distances")
    return None


def _begin(folder: Path, key: Mapping[str, Any], plan: TilePlan) -> None:
    """Fill a folder that is new or damaged; the record, written last, makes it whole."""
    for name in (_RECORD, _MATRIX, _FINISHED):
        (folder / name).unlink(missing_ok=True)
    try:
        with (folder / _MATRIX).open("wb") as file:
            file.write(_header(plan))
            file.flush()
            _reserve(file.fileno(), _matrix_bytes(plan), folder)
        (folder / _FINISHED).write_bytes(bytes(4 * len(plan)))
        write_text(folder / _RECORD, _format_record(key, plan))
    except OSError:
        shutil.rmtree(folder)
        raise


def _reserve(descriptor: int, size: int, folder: Path) -> None:
    """Find out now, not at the last tile, that the disk is too small."""
    try:
        reserve(descriptor, size)
    except OSError as error:
        if error.errno not in FULL:
            raise
        free = shutil.disk_usage(folder).free
        raise OSError(
            f"the distances take {size / 1e9:.3g} GB on disk, but {folder.parent} has {free / 1e9:.3g} GB free; "
            "name another folder by `store` or by the environment variable DS_CACHE_DIR"
        ) from error
