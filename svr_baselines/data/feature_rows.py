"""Feature vectors by the content of their images: what holds them, and the holder in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[Any]  # (B, D)


class FeatureRows(Protocol):
    """Feature vectors by the digests of their images; `in` may be asked from any thread."""

    def __contains__(self, digest: object) -> bool: ...

    def append(self, digests: Sequence[bytes], rows: Rows) -> None:
        """Take the vectors of images."""

    def take(self, digests: Sequence[bytes]) -> Rows:
        """The `(N, D)` vectors of N images, all of which are there."""


class MemoryRows:
    """Feature vectors in one array, allocated once.

    Example:
        >>> rows = MemoryRows(3)
        >>> rows.append([b"a", b"b"], np.eye(2, dtype=np.float32))
        >>> rows.take([b"a", b"a", b"b"]).tolist()
        [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._slots: dict[bytes, int] = {}
        self._rows: Rows | None = None

    def __contains__(self, digest: object) -> bool:
        return digest in self._slots

    def append(self, digests: Sequence[bytes], rows: Rows) -> None:
        """Take the vectors of images that are not there yet."""
        if self._rows is None:
            self._rows = np.empty((self._total, rows.shape[1]), rows.dtype)
        start = len(self._slots)
        self._rows[start : start + len(rows)] = rows
        self._slots.update(zip(digests, range(start, start + len(rows)), strict=True))

    def take(self, digests: Sequence[bytes]) -> Rows:
        """The vectors, moved within their array: ends the collection. Digests come in the order of their rows."""
        assert self._rows is not None
        # A vector's place in a set is at or behind its row: from the back, none is written over before it is moved.
        for place in range(len(digests) - 1, -1, -1):
            slot = self._slots[digests[place]]
            if slot != place:
                self._rows[place] = self._rows[slot]
        return self._rows[: len(digests)]
