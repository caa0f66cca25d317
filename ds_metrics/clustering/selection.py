"""How many clusters: the score over k, and the clustering at its knee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ds_metrics.clustering.knee import find_knee
from ds_metrics.clustering.matrix import Matrix, check_matrix, check_n_clusters
from ds_metrics.clustering.result import Clustering, Curve
from ds_metrics.clustering.solvers import Problem, kmedoids

_EVERY_K = 64  # samples up to which each number of clusters is tried
_POINTS = 40  # on the grid above that
_COLD_STARTS = 512  # samples up to which each point of the curve also gets random starts


def dispersion_curve(
    distances: Matrix,
    n_clusters: Sequence[int] | None = None,
    solver: str = "fasterpam",
    seed: int = 0,
) -> Curve:
    """Dispersion Score over the number of clusters, and its knee.

    Each point starts from the medoids of the one before and the samples that improve on them most, so the curve never
    rises and costs little more than its most expensive point.

    Args:
        distances: As for `kmedoids`.
        n_clusters: Numbers of clusters, ascending, each from 1 to ``N - 1``. By default all of them up to 64 samples;
            above, 40 in geometric steps from 1 to ``N / 2``: beyond that most clusters are single samples, which says
            nothing of clusters and only stretches the axis that the knee is judged on.
        solver: As for `kmedoids`.
        seed: As for `kmedoids`.

    Raises:
        TypeError: If ``distances`` does not hold real numbers.
        ValueError: If ``distances`` is not a distance matrix, or ``n_clusters`` does not ascend within its range.

    Example:
        >>> positions = np.array([0.0, 1.0, 2.0, 10.0, 11.0])
        >>> curve = dispersion_curve(np.abs(positions[:, None] - positions))
        >>> curve.n_clusters.tolist(), curve.scores.round(1).tolist(), curve.knee
        ([1, 2, 3, 4], [4.0, 0.6, 0.4, 0.2], 2)
    """
    return _curve(Problem(check_matrix(distances), solver, seed), n_clusters)


def cluster(
    distances: Matrix,
    n_clusters: int | Literal["knee"] = "knee",
    solver: str = "fasterpam",
    seed: int = 0,
) -> Clustering:
    """Clusters of the samples, their number given or taken at the knee of the score over k.

    Args:
        distances: As for `kmedoids`.
        n_clusters: Number of clusters, or ``"knee"``; then the result holds the curve.
        solver: As for `kmedoids`.
        seed: As for `kmedoids`.

    Raises:
        TypeError: If ``distances`` does not hold real numbers.
        ValueError: If ``distances`` is not a distance matrix, or an option is out of range.

    Example:
        >>> positions = np.array([0.0, 1.0, 2.0, 10.0, 11.0])
        >>> cluster(np.abs(positions[:, None] - positions)).n_clusters
        2
    """
    if n_clusters != "knee":
        return kmedoids(distances, n_clusters, solver, seed)
    problem = Problem(check_matrix(distances), solver, seed)
    curve = _curve(problem)
    # The point on the curve came from one warm start; its clusters deserve the random ones too.
    medoids = min(curve.medoids_at(curve.knee), problem.solve(curve.knee), key=problem.inertia)
    result = problem.result(medoids)
    scores = np.minimum(curve.scores, np.where(curve.n_clusters >= curve.knee, result.score, np.inf))
    return replace(result, curve=replace(curve, scores=scores))


def _curve(problem: Problem, n_clusters: Sequence[int] | None = None) -> Curve:
    grid = _default_grid(problem.size) if n_clusters is None else _check_grid(n_clusters, problem.size)
    path: list[np.ndarray] = []
    for k in grid.tolist():
        starts = [problem.improve(problem.extend(path[-1], k))] if path else []
        if not path or problem.size <= _COLD_STARTS:
            starts.append(problem.solve(k))
        path.append(min(starts, key=problem.inertia))
    scores = np.array([problem.inertia(medoids) for medoids in path]) / problem.size
    knee = find_knee(grid, scores)
    return Curve(grid, scores, knee.n_clusters, knee.method, tuple(path))


def _default_grid(size: int) -> np.ndarray:
    if size <= _EVERY_K:
        return np.arange(1, size)
    return np.unique(np.geomspace(1, size // 2, _POINTS).round().astype(np.int64))


def _check_grid(n_clusters: Sequence[int], size: int) -> np.ndarray:
    grid = np.array([check_n_clusters(k, size) for k in n_clusters], dtype=np.int64)
    if not len(grid) or (np.diff(grid) <= 0).any():
        raise ValueError(f"Argument `n_clusters` must ascend and not be empty, but got {list(n_clusters)}")
    return grid
