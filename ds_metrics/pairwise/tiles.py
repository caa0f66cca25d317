"""The matrix cut into tiles: the unit of work, of progress and of what an interrupted run keeps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TILE_POINTS = 2**28  # points that the pairs of a tile hold together: seconds of work on one core
_LARGEST_EDGE = 1024
_CACHED_CLOUDS = 8
_TILES_PER_WORKER = 8  # at least, if there are samples enough: a coarser cut leaves workers idle


@dataclass(frozen=True, slots=True)
class Tile:
    """Clouds ``rows`` against clouds ``columns``; of a tile on the diagonal of a symmetric matrix, each pair once."""

    index: int
    rows: range
    columns: range
    on_diagonal: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.columns)

    @property
    def pairs(self) -> int:
        """Distances to compute."""
        rows, columns = self.shape
        return rows * (rows - 1) // 2 if self.on_diagonal else rows * columns

    def pair_indices(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and column, counted within the tile, of each distance to compute.

        Eight rows by eight columns at a time: so many prepared clouds stay in a processor's cache together.
        """
        rows, columns = (
            np.arange(-(-size // _CACHED_CLOUDS) * _CACHED_CLOUDS).reshape(-1, _CACHED_CLOUDS) for size in self.shape
        )
        i, j = np.broadcast_arrays(rows[:, None, :, None], columns[None, :, None, :])
        wanted = (i < self.shape[0]) & (j < self.shape[1])
        if self.on_diagonal:
            wanted &= i < j
        return i[wanted], j[wanted]


@dataclass(frozen=True)
class TilePlan:
    """Tiles of at most ``edge`` rows and columns that cover a matrix, or the upper half of a symmetric one.

    Example:
        >>> plan = TilePlan(n_rows=5, n_columns=5, edge=3, symmetric=True)
        >>> [(tile.rows, tile.columns, tile.pairs) for tile in plan.tiles()]
        [(range(0, 3), range(0, 3), 3), (range(0, 3), range(3, 5), 6), (range(3, 5), range(3, 5), 1)]
        >>> len(plan), plan.pairs
        (3, 10)
    """

    n_rows: int
    n_columns: int
    edge: int
    symmetric: bool

    def __len__(self) -> int:
        rows, columns = -(-self.n_rows // self.edge), -(-self.n_columns // self.edge)
        return rows * (rows + 1) // 2 if self.symmetric else rows * columns

    @property
    def pairs(self) -> int:
        """Distances to compute in all."""
        return self.n_rows * (self.n_rows - 1) // 2 if self.symmetric else self.n_rows * self.n_columns

    def count_pairs(self, finished: NDArray[np.uint8]) -> int:
        """Distances in the finished tiles."""
        return sum(tile.pairs for tile in self.tiles() if finished[tile.index])

    def tiles(self, finished: NDArray[np.uint8] | None = None) -> Iterator[Tile]:
        """All tiles but the finished, along the rows: neighbours share their rows, so that these are prepared once."""
        index = 0
        for row in range(0, self.n_rows, self.edge):
            rows = range(row, min(row + self.edge, self.n_rows))
            for column in range(row if self.symmetric else 0, self.n_columns, self.edge):
                columns = range(column, min(column + self.edge, self.n_columns))
                if finished is None or not finished[index]:
                    yield Tile(index, rows, columns, on_diagonal=self.symmetric and row == column)
                index += 1


def choose_edge(n_samples: int, points_per_pair: int, bytes_per_cloud: int, budget: int, workers: int = 1) -> int:
    """Edge of the tiles: seconds of work each, some for every worker, and two blocks of clouds within ``budget``.

    Args:
        n_samples: Rows or columns of the matrix, whichever are more.
        points_per_pair: Points of the largest pair of clouds.
        bytes_per_cloud: Memory of the largest prepared cloud.
        budget: Memory for prepared clouds, in bytes.
        workers: Processes that share the tiles.

    Example:
        >>> choose_edge(n_samples=4000, points_per_pair=5000, bytes_per_cloud=50_000, budget=10**9)
        231
        >>> choose_edge(n_samples=4000, points_per_pair=5000, bytes_per_cloud=50_000, budget=3 * 10**6)
        30
    """
    by_work = min(math.isqrt(_TILE_POINTS // points_per_pair), _LARGEST_EDGE)
    by_memory = budget // (2 * bytes_per_cloud)
    by_workers = n_samples if workers == 1 else n_samples // (math.isqrt(2 * _TILES_PER_WORKER * workers) + 1)
    return max(1, min(by_work, by_memory, by_workers, n_samples))
