"""The score over the number of clusters, and the clustering at its knee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ds_metrics._native import _core
from ds_metrics.arguments import check_integer
from ds_metrics.clustering.interval import check_level, confidence_interval
from ds_metrics.clustering.knee import find_knee
from ds_metrics.clustering.matrix import DistanceMatrix, as_matrix
from ds_metrics.clustering.result import Clustering, Curve, Solver
from ds_metrics.clustering.solvers import (
    MAX_ITER,
    WARM_STARTED,
    check_seed,
    check_solver,
    clustering_from,
    default_passes,
    kmedoids,
    solve,
)

FULL_GRID = 64
GRID_POINTS = 40


def dispersion_curve(
    distances: Any,
    n_clusters: Sequence[int] | NDArray[np.int64] | None = None,
    solver: Solver = "fasterpam",
    seed: int = 0,
) -> Curve:
    """Compute the Dispersion Score over the number of clusters, and its knee.

    The solution of each point is that of the point before with greedy additions, improved, so that the scores never
    increase. With ``"fasterpam"`` this is all, and the whole curve takes little more than its most expensive point
    would alone; with the other solvers it is the better of this and of a solution of its own.

    Args:
        distances: ``(N, N)`` array or tensor of pairwise distances, see :func:`kmedoids`.
        n_clusters: strictly ascending, each from 1 to N - 1. By default all of them up to N = 64; above,
            about 40 evenly spaced in the logarithm from 1 to N // 2, as the knee is where k is small against
            N, and beyond N / 2 most clusters are single samples.
        solver: see :func:`kmedoids`.
        seed: of the random starts.

    Returns:
        The grid, the scores on it, and the knee.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if ``distances`` is not a distance matrix or another argument is out of its range.

    Example:
        >>> import numpy as np
        >>> points = np.array([0.0, 1.0, 10.0, 11.0, 20.0, 21.0])
        >>> curve = dispersion_curve(np.abs(points[:, None] - points))
        >>> curve.scores * 6, curve.knee
        (array([41., 20.,  3.,  2.,  1.]), 3)
    """
    return _curve_and_path(DistanceMatrix(distances), n_clusters, solver, seed)[0]


def cluster(
    distances: Any,
    n_clusters: int | Literal["knee"] = "knee",
    solver: Solver = "fasterpam",
    seed: int = 0,
    confidence: float | None = None,
) -> Clustering:
    """Cluster samples, into as many clusters as the knee of the Dispersion Score says unless told otherwise.

    Args:
        distances: ``(N, N)`` array or tensor of pairwise distances, see :func:`kmedoids`.
        n_clusters: from 1 to N - 1, or ``"knee"`` (section 3.3 of the paper).
        solver: see :func:`kmedoids`.
        seed: of the random starts.
        confidence: level of a confidence interval of the score, such as 0.95, see :func:`confidence_interval`. It
            takes the number of clusters as given, also at the knee.

    Returns:
        The clustering; with ``"knee"`` the curve is in its ``curve``, with ``confidence`` the interval in its
        ``interval``.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if ``distances`` is not a distance matrix or another argument is out of its range.

    Example:
        >>> import numpy as np
        >>> points = np.array([0.0, 1.0, 10.0, 11.0, 20.0, 21.0])
        >>> found = cluster(np.abs(points[:, None] - points))
        >>> found.n_clusters, found.score, found.curve.knee_method
        (3, 0.5, 'kneedle')
    """
    level = None if confidence is None else check_level("confidence", confidence)
    matrix = as_matrix(distances)
    found = _cluster(matrix, n_clusters, solver, seed)
    return found if level is None else replace(found, interval=confidence_interval(matrix, found, level))


def _cluster(matrix: DistanceMatrix, n_clusters: int | Literal["knee"], solver: Solver, seed: int) -> Clustering:
    if isinstance(n_clusters, str):
        if n_clusters != "knee":
            raise ValueError(f'Argument `n_clusters` must be an integer or "knee", but got {n_clusters!r}')
        curve, path = _curve_and_path(matrix, None, solver, seed)
        at_knee = next(found for found in path if found.n_clusters == curve.knee)
        if solver not in WARM_STARTED:
            return replace(at_knee, curve=curve)
        # The curve spends little on each point; the one that is reported gets as much as `kmedoids` takes.
        thorough = solve(matrix, curve.knee, solver, seed)
        found = min(at_knee, thorough, key=lambda found: found.inertia)
        scores = np.where(curve.n_clusters >= curve.knee, np.minimum(curve.scores, found.score), curve.scores)
        return replace(found, curve=replace(curve, scores=scores))
    return kmedoids(matrix, n_clusters, solver, seed)


def _curve_and_path(
    matrix: DistanceMatrix, n_clusters: Sequence[int] | NDArray[np.int64] | None, solver: Solver, seed: int
) -> tuple[Curve, list[Clustering]]:
    check_solver(solver)
    seed = check_seed(seed, solver)
    grid = _default_grid(len(matrix)) if n_clusters is None else _check_grid(n_clusters, len(matrix))
    path = [solve(matrix, grid[0], solver, seed)]
    for k in grid[1:]:
        path.append(_next_point(matrix, path[-1], k, solver, seed))
    scores = np.array([found.score for found in path])
    knee = find_knee(grid, scores)
    return Curve(np.array(grid, dtype=np.int64), scores, knee.n_clusters, knee.method), path


def _next_point(matrix: DistanceMatrix, before: Clustering, k: int, solver: Solver, seed: int) -> Clustering:
    """A solution for ``k`` clusters that is no worse than that of the point before."""
    if solver == "fasterpam":
        passes = max(1, default_passes(len(matrix)) // 10)
        medoids = _core.kmedoids_grow(matrix.values, matrix.order, before.medoids, k, MAX_ITER, passes, seed)
        return clustering_from(matrix, medoids, solver, seed)
    own = solve(matrix, k, solver, seed)
    medoids = _core.kmedoids_extend(matrix.values, matrix.order, before.medoids, k)
    if solver in WARM_STARTED:
        medoids = _core.kmedoids_refine(matrix.values, matrix.order, medoids, solver, MAX_ITER)
    grown = clustering_from(matrix, medoids, solver, seed)
    worse = own.inertia > (grown if solver in WARM_STARTED else before).inertia
    return grown if worse else own


def _default_grid(n_samples: int) -> list[int]:
    if n_samples <= FULL_GRID:
        return list(range(1, n_samples))
    return [int(k) for k in np.unique(np.geomspace(1, n_samples // 2, GRID_POINTS).round())]


def _check_grid(n_clusters: Sequence[int] | NDArray[np.int64], n_samples: int) -> list[int]:
    grid = [check_integer("n_clusters", k, 1, n_samples - 1) for k in n_clusters]
    if not grid or any(after <= before for before, after in pairwise(grid)):
        raise ValueError(f"Argument `n_clusters` must be strictly ascending and not empty, but got {grid}")
    return grid
