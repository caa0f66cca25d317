"""A matrix that grows with every batch of samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ds_metrics.clouds import PackedClouds
from ds_metrics.pairwise.backends import load_backend, resolve_backend
from ds_metrics.pairwise.blocks import tile_distances
from ds_metrics.pairwise.costs import pairs_per_call, points
from ds_metrics.pairwise.engine import check_vectors
from ds_metrics.pairwise.store import MemoryMatrix
from ds_metrics.pairwise.tiles import Tile, TilePlan

_FAR = 1e15  # numbers beyond may be too far apart for float32, which the next batch should not be told
_FEW = 16  # samples that are taken together: one by one, a call for each pair of batches would cost more than its work


class _Block(NamedTuple):
    samples: range
    prepared: Any
    points: int


class GrowingMatrix:
    """Distances among all samples so far, computed as they come; to the bit those of `pairwise_distance`.

    It costs what the whole matrix costs at the end, and keeps half of the matrix and the prepared clouds, about 20
    bytes a point in float32. Feature vectors agree in other batches to 1e-6 alone, and are kept as they came.

    Args:
        squared: Whether nearest distances are squared before the mean.
        backend: As for `ds_metrics.pairwise.pairwise_distance`; ``"features"`` for feature vectors.

    Raises:
        ValueError: If vectors are told not to be squared; on ``append``, if they differ in length.

    Example:
        >>> matrix = GrowingMatrix()
        >>> for batch in torch.tensor([[[0.0, 0, 0]], [[1.0, 0, 0]], [[3.0, 0, 0]]]):
        ...     matrix.append(PackedClouds(batch, torch.tensor([1])))
        >>> matrix.result()
        tensor([[ 0.,  2., 18.],
                [ 2.,  0.,  8.],
                [18.,  8.,  0.]])
    """

    def __init__(self, squared: bool = True, backend: str = "auto") -> None:
        check_vectors(backend, squared)
        self._squared = squared
        self._backend = backend
        self._batches: list[PackedClouds] = []
        self._waiting = 0  # batches at the end whose distances are not computed yet
        self._blocks: list[_Block] = []
        self._tiles: list[tuple[Tile, NDArray[np.float32]]] = []

    def append(self, clouds: PackedClouds) -> None:
        """Add samples, and compute their distances to all before and among themselves, as soon as there are a few.

        Those whose distances can't be computed are not added.
        """
        check_vectors(self._backend, self._squared, *self._batches[:1], clouds)
        self._batches.append(clouds)
        self._waiting += 1
        far = len(clouds.points) > 0 and bool(clouds.points.abs().max() > _FAR)
        if far or sum(len(batch.lengths) for batch in self._batches[-self._waiting :]) >= _FEW:
            try:
                self._catch_up()
            except ValueError:
                self._batches.pop()
                self._waiting -= 1
                raise

    def _catch_up(self) -> None:
        batches = self._batches[len(self._batches) - self._waiting :]
        lengths = torch.cat([torch.empty(0, dtype=torch.int64, device="cpu"), *(batch.lengths for batch in batches)])
        if len(lengths):
            rows = [batch.points for batch in batches]
            clouds = PackedClouds(torch.cat(rows) if len(rows) > 1 else rows[0], lengths)
            name = resolve_backend(self._backend, clouds.points.device, clouds.points.dtype)
            backend = load_backend(name)
            start = self._blocks[-1].samples.stop if self._blocks else 0
            block = _Block(range(start, start + len(lengths)), backend.prepare(clouds), points(clouds, name))
            tiles = []
            for other in (*self._blocks, block):
                tile = Tile(0, block.samples, other.samples, on_diagonal=other is block)
                at_once = pairs_per_call(block.points + other.points, name)
                values = tile_distances(tile, block.prepared, other.prepared, at_once, backend, self._squared)
                tiles.append((tile, values))
            self._tiles += tiles
            self._blocks.append(block)
        self._waiting = 0

    def covers(self, batches: Sequence[Tensor]) -> bool:
        """Whether it was made from these very tensors of points."""
        own = [batch.points for batch in self._batches]
        return len(batches) == len(own) and all(a is b for a, b in zip(batches, own, strict=True))

    def result(self) -> Tensor:
        """The matrix among all samples, float32, on the CPU."""
        self._catch_up()
        n_samples = self._blocks[-1].samples.stop if self._blocks else 0
        matrix = MemoryMatrix(TilePlan(n_samples, n_samples, edge=max(1, n_samples), symmetric=True))
        for tile, distances in self._tiles:
            matrix.put(tile, distances)
        return matrix.result()
