"""Features on disk once they are computed: an image costs a pass through the network once, whatever set it is in."""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from svr_baselines.data.feature_rows import Rows

_COMMIT_SECONDS = 5.0  # computing that a killed run loses at most, beyond one batch
_FEATURES, _INDEX, _LAYOUT, _KEY = "features.bin", "rows.bin", "layout.json", "key.json"
_SCHEMA = 2  # of the folder: those of the first had a layout without a checksum
_DIGEST = 32  # bytes of SHA-256
_RECORD = _DIGEST + 4


class FeatureStore:
    """Feature vectors in a folder; see `open`.

    The folder holds the vectors in ``features.bin``, little-endian and end to end; for each, in ``rows.bin``, the
    SHA-256 of its image and a CRC-32 of both and the key; their length and type in ``layout.json``, with a CRC-32; and
    what they depend on in ``key.json``, for people. Vectors are on the disk before their records are, and a vector is
    checked before it is said to be there: one that is damaged is missing, and takes its old place when it comes again.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     with FeatureStore.open(Path(root), {"network": "mean"}) as store:
        ...         store.append([bytes(32)], np.ones((1, 2), dtype=np.float32))
        ...     with FeatureStore.open(Path(root), {"network": "mean"}) as store:
        ...         bytes(32) in store, store.take([bytes(32)]).tolist()
        (True, [[1.0, 1.0]])
    """

    def __init__(self, folder: Path, key: str, lock: int) -> None:
        self._folder, self._lock = folder, lock
        self._key = zlib.crc32(key.encode())
        flags = os.O_RDWR | os.O_CREAT
        self._features = os.open(folder / _FEATURES, flags, 0o666)
        self._index = os.open(folder / _INDEX, flags, 0o666)
        self._dtype, self._width = np.dtype(np.uint8), 0
        self._slots: dict[bytes, int] = {}
        self._sums = array("I")
        self._waiting: list[tuple[int, bytes]] = []
        self._committed = time.monotonic()
        self._said_damaged = False
        self._resume()

    @classmethod
    def open(cls, root: Path, key: Mapping[str, Any]) -> FeatureStore:
        """Go on with the vectors that ``root`` keeps under ``key``, or begin.

        Args:
            root: Folder of such folders, made if need be.
            key: All that a vector depends on beside its image, ready for JSON.

        Raises:
            OSError: If the folder can't be written, or another process is at it.
        """
        from ds_metrics._files import claim_folder, drop_irregular, write_text  # brings torch

        text = json.dumps(key, sort_keys=True, indent=2)
        folder = root / ("features-" + hashlib.sha256(f"{_SCHEMA} {text}".encode()).hexdigest()[:20])
        with claim_folder(folder, "computing features into") as lock:
            drop_irregular(folder, (_KEY, _FEATURES, _INDEX, _LAYOUT))
            write_text(folder / _KEY, text + "\n")
            return cls(folder, text, lock)

    def __enter__(self) -> FeatureStore:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._commit()
        finally:
            for descriptor in (self._features, self._index, self._lock):
                os.close(descriptor)

    def __contains__(self, digest: object) -> bool:
        slot = self._slots.get(digest)  # type: ignore[call-overload]
        if slot is None:
            return False
        row = os.pread(self._features, self._row_bytes, slot * self._row_bytes)
        whole = len(row) == self._row_bytes and self._checksum(digest, row) == self._sums[slot]  # type: ignore[arg-type]
        if not whole:
            self._say_damaged()
        return whole

    def append(self, digests: Sequence[bytes], rows: Rows) -> None:
        """Keep vectors; what was taken is on the disk within seconds, whatever ends the process.

        Raises:
            ValueError: If they differ in length or type from those that are there.
        """
        from ds_metrics._files import naming_full_disk, write_at

        rows = np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder("<"))
        self._check_layout(rows)
        for digest, row in zip(digests, rows, strict=True):
            data = row.tobytes()
            slot = self._slots.get(digest, len(self._sums))
            with naming_full_disk(self._folder):
                write_at(self._features, data, slot * self._row_bytes)
            self._sums[slot : slot + 1] = array("I", [self._checksum(digest, data)])
            self._slots[digest] = slot
            self._waiting.append((slot, digest))
        if time.monotonic() - self._committed > _COMMIT_SECONDS:
            self._commit()

    def take(self, digests: Sequence[bytes]) -> Rows:
        """The vectors: read from the disk as they are used where they lie there in this order, otherwise copied."""
        from ds_metrics._files import map_file

        slots = np.array([self._slots[digest] for digest in digests])
        mapped: Any = map_file(self._features)
        if (np.diff(slots) == 1).all():
            start = int(slots[0]) * self._row_bytes
            return np.frombuffer(mapped, self._dtype, len(slots) * self._width, start).reshape(-1, self._width)
        rows: Rows = np.frombuffer(mapped, self._dtype, len(self._sums) * self._width).reshape(-1, self._width)[slots]
        return rows

    def _checksum(self, digest: bytes, row: bytes) -> int:
        return zlib.crc32(row, zlib.crc32(digest, self._key))

    @property
    def _row_bytes(self) -> int:
        return self._width * self._dtype.itemsize

    def _check_layout(self, rows: Rows) -> None:
        from ds_metrics._files import write_text

        if not self._width:
            self._width, self._dtype = rows.shape[1], rows.dtype
            write_text(self._folder / _LAYOUT, _format_layout(self._width, self._dtype))
        elif (rows.shape[1], rows.dtype) != (self._width, self._dtype):
            kept, came = f"{self._width} {self._dtype}", f"{rows.shape[1]} {rows.dtype}"
            advice = "remove it, or give the extractor another key"
            raise ValueError(f"{self._folder} holds features of {kept}, but the extractor gave {came}; {advice}.")

    def _commit(self) -> None:
        from ds_metrics._files import naming_full_disk, write_at

        self._committed = time.monotonic()
        if self._waiting:
            with naming_full_disk(self._folder):
                os.fsync(self._features)
                for slot, digest in self._waiting:
                    write_at(self._index, digest + self._sums[slot].to_bytes(4, "little"), slot * _RECORD)
            self._waiting = []

    def _resume(self) -> None:
        """Take the rows that are whole in both files; cut off the rest."""
        count, layout = 0, self._folder / _LAYOUT
        try:
            if layout.exists():
                text = layout.read_text()
                found = json.loads(text)
                width, dtype = int(found["width"]), np.dtype(found["dtype"])
                if text != _format_layout(width, dtype):
                    raise ValueError("it is not what was written")
                self._width, self._dtype = width, dtype
                sizes = os.fstat(self._index).st_size, os.fstat(self._features).st_size
                count = min(sizes[0] // _RECORD, sizes[1] // self._row_bytes)
        except Exception:  # whatever a damaged layout leads to
            self._say_damaged()
        os.ftruncate(self._index, count * _RECORD)
        os.ftruncate(self._features, count * self._row_bytes)
        records = memoryview((self._folder / _INDEX).read_bytes())
        for slot in range(count):
            record = records[slot * _RECORD : (slot + 1) * _RECORD]
            self._slots[bytes(record[:_DIGEST])] = slot
            self._sums.append(int.from_bytes(record[_DIGEST:], "little"))

    def _say_damaged(self) -> None:
        from ds_metrics._files import say_damaged

        if not self._said_damaged:
            self._said_damaged = True
            say_damaged(self._folder, "features")


def _format_layout(width: int, dtype: np.dtype[Any]) -> str:
    fields = {"width": width, "dtype": dtype.str}
    return json.dumps({**fields, "crc": zlib.crc32(json.dumps(fields).encode())}) + "\n"
