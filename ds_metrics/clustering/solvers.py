"""A given number of medoids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from ds_metrics._native import _core
from ds_metrics.arguments import check_integer
from ds_metrics.clustering.libraries import library_medoids, load_estimator
from ds_metrics.clustering.matrix import DistanceMatrix, as_matrix
from ds_metrics.clustering.result import Clustering, Solver, largest_first

MAX_ITER = 100
FEWEST_STARTS, MOST_STARTS = 5, 100
START_BUDGET = 2**22  # matrix entries that the starts may read once: small problems afford many
FEWEST_PASSES, MOST_PASSES = 10, 200
PASS_BUDGET = 2**27  # likewise, of the search for better optima
WARM_STARTED: frozenset[Solver] = frozenset({"fasterpam", "alternate"})  # can go on from given medoids; our own

_OPTIONS: dict[Solver, tuple[str, ...]] = {
    "fasterpam": ("n_init", "init", "max_iter"),
    "alternate": ("n_init", "init", "max_iter"),
    "sklearn-extra": ("max_iter",),
    "affinity-propagation": ("max_iter",),
    "hierarchical": (),
}


def kmedoids(
    distances: Any,
    n_clusters: int,
    solver: Solver = "fasterpam",
    seed: int = 0,
    *,
    n_init: int | None = None,
    init: Sequence[int] | NDArray[np.int64] | None = None,
    max_iter: int | None = None,
) -> Clustering:
    """Cluster samples around ``n_clusters`` of their number so that the distances to them sum to little.

    Args:
        distances: ``(N, N)`` array or tensor of pairwise distances: finite, non-negative, symmetric up to
            ``1e-5`` of the largest, zero on the diagonal. Exactly symmetric float32 is read without a copy.
        n_clusters: the number of medoids, from 1 to N - 1.
        solver: ``"fasterpam"`` (Schubert & Rousseeuw 2021) or ``"alternate"`` (Park & Jun 2009), the paper's
            algorithm; at the same seed the first is never above the second. Or one of another library:
            ``"sklearn-extra"``, ``"affinity-propagation"`` or ``"hierarchical"``, see
            :mod:`ds_metrics.clustering.libraries`.
        seed: of the random starts. The same seed gives the same result on every platform. Other libraries take
            32 bits, and ``"hierarchical"`` has nothing random.
        n_init: starts, of which the best counts. By default 1 for ``"alternate"``, as in the paper, and
            5 to 100 for ``"fasterpam"``, the more the fewer samples there are; that is then shaken. Not for the others.
        init: indices of medoids to improve instead of random starts; for these two as well.
        max_iter: most rounds of each run of a solver, by default 100, with ``"sklearn-extra"`` 300 and with
            ``"affinity-propagation"`` 200. Not for ``"hierarchical"``.

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
    _check_options(solver, n_init=n_init, init=init, max_iter=max_iter)
    seed = check_seed(seed, solver)
    max_iter = None if max_iter is None else check_integer("max_iter", max_iter, 1, 2**31 - 1)
    matrix = as_matrix(distances)
    n_init = None if n_init is None else check_integer("n_init", n_init, 1, 2**31 - 1)
    n_clusters = check_integer("n_clusters", n_clusters, 1, len(matrix) - 1)
    if init is None:
        return solve(matrix, n_clusters, solver, seed, n_init, max_iter)
    start = _check_init(init, n_clusters, len(matrix))
    medoids = _core.kmedoids_refine(matrix.values, matrix.order, start, solver, max_iter or MAX_ITER)
    return clustering_from(matrix, medoids, solver, seed)


def solve(
    matrix: DistanceMatrix,
    n_clusters: int,
    solver: Solver,
    seed: int,
    n_init: int | None = None,
    max_iter: int | None = None,
) -> Clustering:
    """`kmedoids` without given medoids, for a matrix and options that were checked.

    The solvers of other libraries run once, whatever ``n_init`` is.
    """
    if solver in WARM_STARTED:
        n_init = n_init or default_starts(solver, len(matrix))
        medoids = _core.kmedoids_solve(
            matrix.values,
            matrix.order,
            n_clusters,
            solver,
            seed,
            n_init,
            max_iter or MAX_ITER,
            passes=default_passes(len(matrix)),
            threads=torch.get_num_threads(),
        )
    else:
        medoids = library_medoids(matrix, n_clusters, solver, seed, max_iter)
    return clustering_from(matrix, medoids, solver, seed)


def default_starts(solver: Solver, n_samples: int) -> int:
    """Starts that cost little: 5 to 100 for ``"fasterpam"``; one for the others, as in the paper.

    Small problems need them: with few samples a single local optimum can be several per cent off the best.
    """
    if solver != "fasterpam":
        return 1
    return min(max(START_BUDGET // n_samples**2, FEWEST_STARTS), MOST_STARTS)


def default_passes(n_samples: int) -> int:
    """Effort of the search for better optima around the best start, as rounds of all candidates; for FasterPAM."""
    return min(max(PASS_BUDGET // n_samples**2, FEWEST_PASSES), MOST_PASSES)


def clustering_from(matrix: DistanceMatrix, medoids: NDArray[np.int64], solver: Solver, seed: int) -> Clustering:
    """The result object for the given medoids: labels, inertia, largest cluster first."""
    labels, inertia = _core.kmedoids_assign(matrix.values, matrix.order, medoids)
    medoids, labels = largest_first(medoids, labels)
    return Clustering(
        medoids=medoids,
        labels=labels,
        inertia=inertia,
        n_clusters=len(medoids),
        solver=solver,
        seed=seed,
    )


def check_solver(solver: str) -> None:
    """Raise ``ValueError`` for a solver that does not exist, or whose library does not load."""
    if solver not in get_args(Solver):
        raise ValueError(f"Argument `solver` must be one of {get_args(Solver)}, but got {solver!r}")
    if solver not in WARM_STARTED:
        load_estimator(solver)


def check_seed(seed: Any, solver: Solver) -> int:
    """Return ``seed`` as an ``int`` that the solver takes, or raise."""
    return check_integer("seed", seed, 0, 2**64 - 1 if solver in WARM_STARTED else 2**32 - 1)


def _check_options(solver: Solver, **options: Any) -> None:
    for name, value in options.items():
        if value is not None and name not in _OPTIONS[solver]:
            raise ValueError(f"Argument `{name}` must be left out with solver {solver!r}, but got {value!r}")


def _check_init(init: Any, n_clusters: int, n_samples: int) -> NDArray[np.int64]:
    medoids = np.asarray(init)
    if medoids.dtype.kind not in "iu" or medoids.shape != (n_clusters,):
        raise ValueError(f"Argument `init` must be {n_clusters} sample indices, but got {init}")
    distinct = np.unique(medoids)
    if len(distinct) < n_clusters or distinct[0] < 0 or distinct[-1] >= n_samples:
        raise ValueError(f"Argument `init` must hold distinct indices from 0 to {n_samples - 1}, but got {init}")
    return medoids.astype(np.int64)
