"""The tiles of a matrix shared among the ranks of `torch.distributed`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from ds_metrics.pairwise.tiles import Tile

_ROUND_ENTRIES = 2**22  # matrix entries that a rank holds before it hands them over: 16 MB

Result = TypeVar("Result")


class Ranks:
    """The processes of a group, of which the first puts the matrix together.

    Args:
        group: A process group; ``None`` is the default one.
        device: Where the group's tensors live: a CUDA device for NCCL, the CPU for gloo.
    """

    def __init__(self, group: dist.ProcessGroup | None, device: torch.device) -> None:
        self._group = group
        self._device = device
        self._first = 0 if group is None else dist.get_global_rank(group, 0)
        self.rank = dist.get_rank(group)
        self.size = dist.get_world_size(group)
        self._deferred: Exception | None = None

    @property
    def is_first(self) -> bool:
        """Whether this process puts the matrix together."""
        return self.rank == 0

    def from_first(self, make: Callable[[], Result]) -> Result:
        """What the first rank makes, on every rank. What it raises is raised on every rank, lest the others wait."""
        outcome: list[Any] = [None, None]
        if self.is_first:
            try:
                outcome[0] = make()
            except Exception as error:
                outcome[1] = error
        dist.broadcast_object_list(outcome, src=self._first, group=self._group, device=self._device)
        if outcome[1] is not None:
            raise outcome[1]
        result: Result = outcome[0]
        return result

    @contextmanager
    def deferring(self) -> Iterator[None]:
        """Hold back an error of this rank until all can raise it: in their next round of `compute`, or in `settle`."""
        try:
            yield
        except Exception as error:
            self._deferred = error

    def settle(self) -> None:
        """Raise on every rank what one of them held back."""
        self._all_or_none(lambda share: [], [])

    def compute(
        self, tiles: Iterator[Tile], compute: Callable[[Tile], NDArray[np.float32]], edge: int
    ) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
        """Compute every tile on one of the ranks and yield all of them on the first, none on the others.

        Every rank calls it with the same tiles. They are dealt out in rounds, so that no rank holds more than a few
        beside the finished matrix of the first.
        """
        per_rank = max(1, _ROUND_ENTRIES // edge**2)
        while dealt := list(islice(tiles, per_rank * self.size)):
            shares = [dealt[rank :: self.size] for rank in range(self.size)]
            values = self._all_or_none(lambda share: [compute(tile) for tile in share], shares[self.rank])
            yield from self._gather(values, shares)

    def _all_or_none(
        self, work: Callable[[list[Tile]], list[NDArray[np.float32]]], share: list[Tile]
    ) -> list[NDArray[np.float32]]:
        """Do this rank's work; if any rank's fails, raise its error on all of them."""
        values: list[NDArray[np.float32]] = []
        failure, self._deferred = self._deferred, None
        if failure is None:
            try:
                values = work(share)
            except Exception as error:
                failure = error
        failures: list[Exception | None] = [None] * self.size
        dist.all_gather_object(failures, failure, group=self._group)
        for raised in failures:
            if raised is not None:
                raise raised
        return values

    def _gather(
        self, values: list[NDArray[np.float32]], shares: list[list[Tile]]
    ) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
        length = max(_entries(share) for share in shares)
        buffer = torch.zeros(length, dtype=torch.float32, device="cpu")
        if values:
            flat = torch.from_numpy(np.concatenate([value.ravel() for value in values]))
            buffer[: len(flat)] = flat
        buffer = buffer.to(self._device)
        gathered = [torch.empty_like(buffer) for _ in shares] if self.is_first else None
        dist.gather(buffer, gathered, dst=self._first, group=self._group)
        for share, flat in zip(shares, gathered or [], strict=bool(gathered)):
            yield from _cut(share, flat.cpu())


def _entries(tiles: list[Tile]) -> int:
    return sum(len(tile.rows) * len(tile.columns) for tile in tiles)


def _cut(tiles: list[Tile], flat: Tensor) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
    start = 0
    for tile in tiles:
        stop = start + len(tile.rows) * len(tile.columns)
        yield tile, flat[start:stop].numpy().reshape(tile.shape)
        start = stop
