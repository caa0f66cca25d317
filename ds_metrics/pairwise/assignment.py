"""The nearest of a few clouds to each of many: one pass, in blocks, most distances ruled out by bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ds_metrics.clouds import Clouds, PackedClouds, pack_clouds
from ds_metrics.pairwise.backends import FEATURES, check_backend, load_backend, resolve_backend
from ds_metrics.pairwise.blocks import Blocks, pair_distances
from ds_metrics.pairwise.bounds import LowerBounds
from ds_metrics.pairwise.costs import pairs_per_call, points, points_per_pair
from ds_metrics.pairwise.engine import check_vectors, match, store_key
from ds_metrics.pairwise.fill import Tiles, fill
from ds_metrics.pairwise.progress import Counter
from ds_metrics.pairwise.ranks import Ranks
from ds_metrics.pairwise.store import DiskMatrix, Matrix, MemoryMatrix, default_root
from ds_metrics.pairwise.tiles import Tile, TilePlan

_BLOCK_POINTS = 2**19  # of the samples that are taken together: a block takes some 200 MB
_LARGEST_BLOCK = 1024
_BOUNDED_FROM = 16  # candidates: for fewer, bounds cost more than the distances they save
_MOST_CANDIDATES = 2**24  # indices are kept as float32

Distances = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]


class Nearest(NamedTuple):
    """Of each sample, the nearest candidate.

    Attributes:
        candidate: ``(N,)`` int64, which one; the first of several at the same distance.
        distance: ``(N,)`` float32, how far it is.
    """

    candidate: NDArray[np.int64]
    distance: NDArray[np.float32]


def nearest_clouds(
    x: Clouds,
    candidates: Clouds,
    *,
    squared: bool = True,
    backend: str = "auto",
    store: str | Path | None = None,
) -> Nearest:
    """Find the nearest of the candidates to each cloud, as ``pairwise_distance(x, candidates).min(1)`` would.

    The result is the same to the bit. The work is linear in the number of clouds, the memory beside the result
    independent of it, and most distances are never computed: see `ds_metrics.pairwise.bounds`.

    Args:
        x: Point clouds, ``(N, P, 3)`` or a sequence of ``(P_i, 3)``. A memory-mapped array is read block by block.
        candidates: Point clouds, at least one.
        squared: Whether nearest distances are squared before the mean.
        backend: As for `ds_metrics.pairwise.pairwise_distance`.
        store: Folder to keep the result in, where a killed or interrupted run goes on; as there.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If there is no candidate, an option is unknown, a cloud is empty or not finite, or a distance
            exceeds float32.

    Example:
        >>> clouds = np.array([[[0.0, 0, 0]], [[1.0, 0, 0]], [[3.0, 0, 0]]])
        >>> nearest_clouds(clouds, clouds[[0, 2]])
        Nearest(candidate=array([0, 0, 1]), distance=array([0., 2., 0.], dtype=float32))
    """
    check_backend(backend)
    chosen, samples = match(pack_clouds(candidates, name="candidates"), pack_clouds(x, name="x"), "candidates")
    nearest = NearestOf(samples, chosen, squared, backend, store).run()
    assert nearest is not None
    return nearest


@dataclass(frozen=True)
class NearestOf:
    """The nearest candidate of each cloud of ``x``, yet to be found; attributes as the arguments of `nearest_clouds`.

    The backend ``"features"`` takes feature vectors, as in `ds_metrics.pairwise.AllPairs`; of them no distance is ruled
    out, as a bound would cost what the distance costs. To the engine it is a matrix of two columns, index and distance,
    with tiles as high as a block.
    """

    x: PackedClouds
    candidates: PackedClouds
    squared: bool = True
    backend: str = "auto"
    store: str | Path | None = None

    def __post_init__(self) -> None:
        check_vectors(self.backend, self.squared, self.x, self.candidates)
        if not 1 <= len(self.candidates.lengths) <= _MOST_CANDIDATES:
            raise ValueError(
                f"Argument `candidates` must hold 1 to {_MOST_CANDIDATES:,} samples, "
                f"but got {len(self.candidates.lengths):,}"
            )

    def run(self, ranks: Ranks | None = None) -> Nearest | None:
        """Find them, in this process or shared among ranks; on all ranks but the first the result is ``None``."""
        self._backend_name()  # refused before anything is opened
        columns = fill(self._open, self._compute, self._finish, ranks)
        if columns is None:
            return None
        index, distance = columns.numpy().T
        return Nearest(index.astype(np.int64), distance.copy())

    def likely(self, count: int) -> NDArray[np.int64]:
        """The candidates that seem nearest to each cloud, nearest first, ``(N, count)``: an estimate."""
        search = _Search(self.x, self.candidates, self.squared, self._backend_name())
        n, size = len(self.x.lengths), block_size(self.x, self.backend)
        blocks = [search.likely(range(start, min(start + size, n)), count) for start in range(0, n, size)]
        return np.concatenate(blocks)

    def _open(self, workers: int) -> Matrix:
        plan = TilePlan(len(self.x.lengths), 2, block_size(self.x, self.backend), symmetric=False)
        if self.store is None or not plan.pairs:
            return MemoryMatrix(plan)
        return DiskMatrix.open(default_root() if self.store == "auto" else Path(self.store), self._key(), plan)

    def _compute(
        self, plan: TilePlan, tiles: Iterator[Tile], counter: Counter, ranks: Ranks | None, stack: ExitStack
    ) -> Tiles:
        search = _Search(self.x, self.candidates, self.squared, self._backend_name())
        if ranks is None:
            computed: Tiles = ((tile, search.nearest(tile.rows)) for tile in tiles)
        else:
            computed = ranks.compute(tiles, lambda tile: search.nearest(tile.rows), plan.edge)
        for tile, values in computed:
            yield tile, values
            counter.add(tile.pairs)

    def _finish(self, matrix: Matrix) -> Tensor:
        result = matrix.result()
        if isinstance(matrix, DiskMatrix) and self.store == "auto":
            matrix.remove()
        return result

    def _backend_name(self) -> str:
        return resolve_backend(self.backend, self.x.points.device, self.x.points.dtype)

    def _key(self) -> dict[str, Any]:
        return store_key(self.squared, self._backend_name(), x=self.x, candidates=self.candidates)


class _Search:
    """Finds the nearest candidates of a block of clouds."""

    def __init__(self, x: PackedClouds, candidates: PackedClouds, squared: bool, backend: str) -> None:
        self._backend = load_backend(backend)
        self._blocks = Blocks(x, self._backend, capacity=1)
        self._columns = range(len(candidates.lengths))
        self._prepared = self._backend.prepare(candidates)
        self._squared = squared
        self._at_once = pairs_per_call(points_per_pair(x, candidates, backend), backend)
        self._bounds: LowerBounds | None = None
        few = len(self._columns) < _BOUNDED_FROM
        if not few and backend != FEATURES and x.points.device.type != "mps":  # Apple's GPUs have no float64
            bounds = LowerBounds(candidates, squared, self._backend)
            self._bounds = bounds if bounds.are_possible else None

    def nearest(self, rows: range) -> NDArray[np.float32]:
        """Index and distance of the nearest candidate, ``(len(rows), 2)``."""
        if self._bounds is None:
            table = self._table(rows)
            return np.stack([table.argmin(axis=1).astype(np.float32), table.min(axis=1)], axis=1)
        bounds = self._bounds(self._blocks.clouds(rows), self._blocks.prepared(rows))
        return np.stack(search_nearest(bounds, lambda i, j: self._distances(rows, i, j)), axis=1)

    def likely(self, rows: range, count: int) -> NDArray[np.int64]:
        """The candidates that seem nearest, nearest first, ``(len(rows), count)``: by bounds if there are any."""
        if self._bounds is None:
            estimates: NDArray[Any] = self._table(rows)
        else:
            prepared = self._blocks.prepared(rows)
            estimates = self._bounds(self._blocks.clouds(rows), prepared, both_directions=True)
        return np.argsort(estimates, axis=1, kind="stable")[:, :count]

    def _table(self, rows: range) -> NDArray[np.float32]:
        """All distances of a block, ``(len(rows), k)``."""
        i, j = (index.ravel() for index in np.indices((len(rows), len(self._columns))))
        return self._distances(rows, i, j).reshape(len(rows), -1)

    def _distances(self, rows: range, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float32]:
        tile = Tile(0, rows, self._columns, on_diagonal=False)
        prepared = self._blocks.prepared(rows), self._prepared
        return pair_distances(tile, i, j, *prepared, self._at_once, self._backend, self._squared)


def block_size(clouds: PackedClouds, backend: str) -> int:
    """Clouds to take together; two at least, as a block is a tile of a matrix of two columns."""
    return max(2, min(_BLOCK_POINTS // points(clouds, backend), _LARGEST_BLOCK))


def search_nearest(
    bounds: NDArray[np.float64], distances: Distances, width: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find the least distance of each row, computing only those that bounds don't rule out.

    Candidates are taken in the order of their bounds, ``width`` in the first round and twice as many in each that
    follows, until the next bound is above the least distance so far.

    Args:
        bounds: ``(B, k)``, none above its distance.
        distances: Computes the distances of some rows ``i`` and columns ``j``.
        width: Candidates of each row in the first round.

    Returns:
        Column of the least distance (the first of several) and the distance, ``(B,)`` each.

    Example:
        >>> table = np.array([[3.0, 1.0, 2.0]], dtype=np.float32)
        >>> search_nearest(table.astype(float), lambda i, j: print(j) or table[i, j])
        [1]
        (array([1.], dtype=float32), array([1.], dtype=float32))
    """
    n_rows, n_columns = bounds.shape
    order = np.argsort(bounds, axis=1, kind="stable")
    best = np.full(n_rows, np.inf, dtype=np.float32)
    index = np.full(n_rows, n_columns)
    rows, start = np.arange(n_rows), 0
    while len(rows) and start < n_columns:
        columns = order[rows, start : start + width]
        due = bounds[rows[:, None], columns] <= best[rows, None]
        if not due.any():
            break
        values = np.full(columns.shape, np.inf, dtype=np.float32)
        values[due] = distances(np.broadcast_to(rows[:, None], due.shape)[due], columns[due])
        least = values.min(axis=1)
        first = np.where(due & (values == least[:, None]), columns, n_columns).min(axis=1)
        better = (least < best[rows]) | ((least == best[rows]) & (first < index[rows]))
        best[rows[better]], index[rows[better]] = least[better], first[better]
        rows = rows[due[:, -1]]
        start, width = start + width, 2 * width
    return index.astype(np.float32), best
