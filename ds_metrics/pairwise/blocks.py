"""Distances of a tile from blocks of clouds, each block prepared as seldom as memory allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ds_metrics.clouds import PackedClouds
from ds_metrics.pairwise.backends import Backend
from ds_metrics.pairwise.tiles import Tile

Tell = Callable[[int], None]


class Blocks:
    """Runs of clouds, prepared for a backend when first asked for; those not used for longest are let go.

    Args:
        clouds: All clouds.
        backend: Prepares them.
        capacity: Blocks to keep, 1 at least; 2 where rows and columns of a tile come from the same clouds.
    """

    def __init__(self, clouds: PackedClouds, backend: Backend, capacity: int) -> None:
        self._clouds = clouds
        self._backend = backend
        self._capacity = capacity
        self._starts = np.concatenate([[0], np.cumsum(clouds.lengths.numpy())])
        self._prepared: OrderedDict[range, Any] = OrderedDict()

    def clouds(self, block: range) -> PackedClouds:
        """The clouds of a block as they are."""
        points = self._clouds.points[self._starts[block.start] : self._starts[block.stop]]
        return PackedClouds(points, self._clouds.lengths[block.start : block.stop])

    def prepared(self, block: range) -> Any:
        """The clouds of a block, ready for the backend."""
        if block not in self._prepared:
            while len(self._prepared) >= self._capacity:
                self._prepared.popitem(last=False)
            self._prepared[block] = self._backend.prepare(self.clouds(block))
        self._prepared.move_to_end(block)
        return self._prepared[block]


def tile_distances(
    tile: Tile, rows: Any, columns: Any, pairs_per_call: int, backend: Backend, squared: bool, tell: Tell | None = None
) -> NDArray[np.float32]:
    """Distances between the prepared clouds of a tile's rows and columns, in its shape.

    Args:
        tile: Where in the matrix it lies.
        rows: The clouds of its rows, prepared by the backend.
        columns: Those of its columns.
        pairs_per_call: How many the backend is given at once.
        backend: Computes the distances.
        squared: Whether nearest distances are squared before the mean.
        tell: Called with the number of pairs done, now and then.

    Raises:
        ValueError: If a distance exceeds float32.
    """
    values = np.zeros(tile.shape, dtype=np.float32)
    i, j = tile.pair_indices()
    values[i, j] = pair_distances(tile, i, j, rows, columns, pairs_per_call, backend, squared, tell)
    return values + values.T if tile.on_diagonal else values


def pair_distances(
    tile: Tile,
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    rows: Any,
    columns: Any,
    pairs_per_call: int,
    backend: Backend,
    squared: bool,
    tell: Tell | None = None,
) -> NDArray[np.float32]:
    """Distances between the clouds ``i`` of a tile's rows and ``j`` of its columns, ``(K,)``; else as above."""
    values = np.empty(len(i), dtype=np.float32)
    for start in range(0, len(i), pairs_per_call):
        part = i[start : start + pairs_per_call], j[start : start + pairs_per_call]
        distances = backend.distances(rows, columns, *part, squared=squared)
        values[start : start + pairs_per_call] = _to_single(distances, part, tile)
        if tell is not None:
            tell(len(part[0]))
    return values


def _to_single(
    distances: NDArray[np.float64], pairs: tuple[NDArray[np.int64], NDArray[np.int64]], tile: Tile
) -> NDArray[np.float32]:
    with np.errstate(over="ignore", under="ignore"):
        single = distances.astype(np.float32)
    lost = ~np.isfinite(single) | ((single == 0) & (distances > 0))
    if lost.any():
        pair = int(np.flatnonzero(lost)[0])
        raise ValueError(
            f"Argument `x` must be of a scale whose distances fit float32, but samples "
            f"{tile.rows[int(pairs[0][pair])]} and {tile.columns[int(pairs[1][pair])]} are {distances[pair]:.3g} apart"
        )
    return single
