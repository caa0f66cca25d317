"""k-medoids on a distance matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ds_metrics._native import _core
from ds_metrics.clustering.matrix import Matrix, check_matrix, check_n_clusters
from ds_metrics.clustering.result import Clustering

SOLVERS = ("fasterpam", "alternate")
_STARTS = {"fasterpam": 5, "alternate": 1}  # one start of `alternate` is what the paper took
_NO_INIT = np.empty(0, dtype=np.int64)


def kmedoids(
    distances: Matrix,
    n_clusters: int,
    solver: str = "fasterpam",
    seed: int = 0,
    *,
    n_init: int | None = None,
    init: Sequence[int] | np.ndarray | None = None,
    max_iter: int = 100,
) -> Clustering:
    r"""Choose ``n_clusters`` samples, the medoids, that the samples are nearest to in sum.

    .. math:: \min_{M \subset \{0 \dots N-1\},\, |M| = k} \; \sum_i \min_{m \in M} d_{im}

    Deterministic by ``seed``. The samples' order does not matter: they are brought into an order that depends on
    their distances alone, so that permuting them permutes the result (samples that no distance tells apart aside).

    Args:
        distances: Symmetric matrix with zero diagonal, of shape ``(N, N)``; float32 is used without a copy.
        n_clusters: ``k``, from 1 to ``N - 1``.
        solver: ``"fasterpam"`` or ``"alternate"``, see `ds_metrics.clustering`.
        seed: Seed of the starts, not negative.
        n_init: Starts of which the best is kept; by default 5 for FasterPAM and 1 for alternate.
        init: Medoids to start from, instead of random starts.
        max_iter: Bound on the rounds of one start.

    Raises:
        TypeError: If ``distances`` does not hold real numbers.
        ValueError: If ``distances`` is not a distance matrix, or an option is out of range.

    Example:
        >>> positions = np.array([0.0, 1.0, 2.0, 10.0, 11.0])
        >>> clusters = kmedoids(np.abs(positions[:, None] - positions), n_clusters=2)
        >>> clusters.labels.tolist(), clusters.inertia
        ([0, 0, 0, 1, 1], 3.0)
    """
    problem = Problem(check_matrix(distances), solver, seed, max_iter)
    k = check_n_clusters(n_clusters, problem.size)
    if n_init is not None and n_init < 1:
        raise ValueError(f"Argument `n_init` must be at least 1, but got {n_init}")
    if init is None:
        medoids = problem.solve(k, n_init or _STARTS[solver])
    else:
        medoids = problem.improve(_check_init(init, k, problem.size))
    return problem.result(medoids)


class Problem:
    """A checked matrix and the solver's settings: what one solution and a whole curve of them share."""

    def __init__(self, matrix: np.ndarray, solver: str, seed: int, max_iter: int = 100) -> None:
        if solver not in SOLVERS:
            raise ValueError(f"Argument `solver` must be one of {SOLVERS}, but got {solver!r}")
        if not 0 <= seed < 2**64:
            raise ValueError(f"Argument `seed` must lie between 0 and 2**64 - 1, but got {seed}")
        if max_iter < 1:
            raise ValueError(f"Argument `max_iter` must be at least 1, but got {max_iter}")
        self.matrix = matrix
        self.size = len(matrix)
        self.solver = solver
        self.seed = seed
        self.max_iter = max_iter
        self._order = _core.canonical_order(matrix)

    def solve(self, n_clusters: int, n_init: int | None = None) -> np.ndarray:
        """Medoids from the best of several random starts."""
        return self._run(n_clusters, n_init or _STARTS[self.solver], _NO_INIT)

    def improve(self, medoids: np.ndarray) -> np.ndarray:
        """Medoids that the solver reaches from given ones; never worse than those."""
        improved = self._run(len(medoids), 1, medoids)
        return improved if self.inertia(improved) <= self.inertia(medoids) else medoids

    def extend(self, medoids: np.ndarray, n_clusters: int) -> np.ndarray:
        """More medoids, each the sample that lowers the inertia most."""
        return _core.extend(self.matrix, self._order, medoids, n_clusters)

    def inertia(self, medoids: np.ndarray) -> float:
        """Sum of distances to the nearest medoid."""
        return _core.assign(self.matrix, self._order, medoids)[1]

    def result(self, medoids: np.ndarray) -> Clustering:
        """The clusters around medoids, largest first."""
        labels, inertia = _core.assign(self.matrix, self._order, medoids)
        sizes = np.bincount(labels, minlength=len(medoids))
        ranking = np.lexsort((medoids, -sizes))
        rank = np.empty_like(ranking)
        rank[ranking] = np.arange(len(medoids))
        return Clustering(medoids[ranking], rank[labels], inertia, len(medoids), self.solver, self.seed)

    def _run(self, n_clusters: int, n_init: int, init: np.ndarray) -> np.ndarray:
        swaps = self.solver == "fasterpam"
        return _core.solve(self.matrix, self._order, n_clusters, swaps, self.seed, n_init, init, self.max_iter)


def _check_init(init: Sequence[int] | np.ndarray, n_clusters: int, size: int) -> np.ndarray:
    medoids = np.asarray(init)
    if medoids.dtype.kind not in "iu" or medoids.shape != (n_clusters,) or len(np.unique(medoids)) != n_clusters:
        raise ValueError(f"Argument `init` must hold {n_clusters} different sample indices, but got {init!r}")
    if medoids.min() < 0 or medoids.max() >= size:
        raise ValueError(f"Argument `init` must index the {size} samples, but got {init!r}")
    return medoids.astype(np.int64)
