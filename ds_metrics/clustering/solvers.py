"""A given number of medoids."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ds_metrics._native import _core
from ds_metrics.clustering.matrix import DistanceMatrix
from ds_metrics.clustering.result import Clustering, Solver

MAX_ITER = 100
FEWEST_STARTS, MOST_STARTS = 5, 100
START_BUDGET = 2**22  # matrix entries that the starts may read once: small problems afford many


def kmedoids(
    distances: Any,
    n_clusters: int,
    solver: Solver = "fasterpam",
    seed: int = 0,
    *,
    n_init: int | None = None,
    init: Sequence[int] | NDArray[np.int64] | None = None,
    max_iter: int = MAX_ITER,
) -> Clustering:
    """Cluster samples around ``n_clusters`` of their number so that the distances to them sum to little.

    Args:
        distances: ``(N, N)`` array or tensor of pairwise distances: finite, non-negative, symmetric up to
            ``1e-5`` of the largest, zero on the diagonal. Exactly symmetric float32 is read without a copy.
        n_clusters: the number of medoids, from 1 to N - 1.
        solver: ``"fasterpam"`` (Schubert & Rousseeuw 2021) or ``"alternate"`` (Park & Jun 2009, as in the
            paper). At the same seed the first is never above the second.
        seed: of the random starts. The same seed gives the same result on every platform.
        n_init: starts, of which the best counts. By default 1 for ``"alternate"``, as in the paper, and
            5 to 100 for ``"fasterpam"``, the more the fewer samples there are.
        init: indices of medoids to improve instead of random starts.
        max_iter: most rounds of each run of a solver.

    Returns:
        The medoids, each sample's label and the inertia.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if ``distances`` is not a distance matrix or another argument is out of its range.

    Example:
        >>> import numpy as np
        >>> points = np.array([0.0, 1.0, 2.0, 10.0, 11.0])
        >>> found = kmedoids(np.abs(points[:, None] - points), n_clusters=2)
        >>> found.medoids, found.labels, found.inertia
        (array([1, 3]), array([0, 0, 0, 1, 1]), 3.0)
    """
    check_solver(solver)
    seed = check_integer("seed", seed, 0, 2**64 - 1)
    max_iter = check_integer("max_iter", max_iter, 1, 2**31 - 1)
    matrix = DistanceMatrix(distances)
    n_init = default_starts(solver, len(matrix)) if n_init is None else check_integer("n_init", n_init, 1, 2**31 - 1)
    n_clusters = check_integer("n_clusters", n_clusters, 1, len(matrix) - 1)
    if init is None:
        return best_of_starts(matrix, n_clusters, solver, seed, n_init, max_iter)
    start = _check_init(init, n_clusters, len(matrix))
    medoids = _core.kmedoids_refine(matrix.values, matrix.order, start, solver, max_iter)
    return clustering_from(matrix, medoids, solver, seed)


def best_of_starts(
    matrix: DistanceMatrix, n_clusters: int, solver: Solver, seed: int, n_init: int, max_iter: int = MAX_ITER
) -> Clustering:
    """`kmedoids` from random starts, for a matrix and options that were checked."""
    medoids = _core.kmedoids_solve(matrix.values, matrix.order, n_clusters, solver, seed, n_init, max_iter)
    return clustering_from(matrix, medoids, solver, seed)


def default_starts(solver: Solver, n_samples: int) -> int:
    """Starts that cost little: one for ``"alternate"``, as in the paper; 5 to 100 for ``"fasterpam"``.

    Small problems need them: with few samples a single local optimum can be several per cent off the best.
    """
    if solver == "alternate":
        return 1
    return min(max(START_BUDGET // n_samples**2, FEWEST_STARTS), MOST_STARTS)


def clustering_from(matrix: DistanceMatrix, medoids: NDArray[np.int64], solver: Solver, seed: int) -> Clustering:
    """The result object for the given medoids: labels, inertia, largest cluster first."""
    labels, inertia = _core.kmedoids_assign(matrix.values, matrix.order, medoids)
    rank = np.lexsort((medoids, -np.bincount(labels, minlength=len(medoids))))
    return Clustering(
        medoids=medoids[rank],
        labels=np.argsort(rank)[labels],
        inertia=inertia,
        n_clusters=len(medoids),
        solver=solver,
        seed=seed,
    )


def check_solver(solver: str) -> None:
    """Raise ``ValueError`` for a solver that does not exist."""
    if solver not in get_args(Solver):
        raise ValueError(f"Argument `solver` must be one of {get_args(Solver)}, but got {solver!r}")


def check_integer(name: str, value: Any, least: int, most: int) -> int:
    """Return ``value`` as an ``int`` from ``least`` to ``most``, or raise."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"Argument `{name}` must be an integer, but got {value!r}") from None
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"Argument `{name}` must be an integer, but got {value!r}")
    if not least <= number <= most:
        raise ValueError(f"Argument `{name}` must be from {least} to {most}, but got {number}")
    return number


def _check_init(init: Any, n_clusters: int, n_samples: int) -> NDArray[np.int64]:
    medoids = np.asarray(init)
    if medoids.dtype.kind not in "iu" or medoids.shape != (n_clusters,):
        raise ValueError(f"Argument `init` must be {n_clusters} sample indices, but got {init}")
    distinct = np.unique(medoids)
    if len(distinct) < n_clusters or distinct[0] < 0 or distinct[-1] >= n_samples:
        raise ValueError(f"Argument `init` must hold distinct indices from 0 to {n_samples - 1}, but got {init}")
    return medoids.astype(np.int64)
