"""What clustering returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Solver = Literal["fasterpam", "alternate", "sklearn-extra", "affinity-propagation", "hierarchical"]
Estimator = Literal["exact", "sampled"]


@dataclass(frozen=True, eq=False)
class Curve:
    """The Dispersion Score over the number of clusters.

    Attributes:
        n_clusters: ``(m,)`` int64, ascending.
        scores: ``(m,)`` float64, the score at each, never increasing.
        knee: the number of clusters past which more of them stop paying off.
        knee_method: how the knee was found, see :func:`~ds_metrics.clustering.find_knee`.
    """

    n_clusters: NDArray[np.int64]
    scores: NDArray[np.float64]
    knee: int
    knee_method: str


@dataclass(frozen=True)
class Interval:
    """How far a Dispersion Score can be trusted: see :func:`~ds_metrics.clustering.confidence_interval`.

    Attributes:
        low: lower end of the confidence interval of the expected score of as many samples, not below 0.
        high: upper end.
        level: how often such intervals cover it, such as 0.95.
        standard_error: standard deviation of the score over draws of the samples.
        solver_error: standard deviation of the score over starts of the solver. The interval includes both.
            0 if it was not estimated, as for a sampled score or the solvers of other libraries.
        n_resamples: how many resamples it is based on; none where the score is 0, or is sampled: then the interval
            is that of the mean distance to the medoids found.
    """

    low: float
    high: float
    level: float
    standard_error: float
    solver_error: float
    n_resamples: int


def largest_first(medoids: NDArray[np.int64], labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Medoids in the order in which `Clustering` has them, and labels to match."""
    rank = np.lexsort((medoids, -np.bincount(labels, minlength=len(medoids))))
    return medoids[rank], np.argsort(rank)[labels]


@dataclass(frozen=True, eq=False)
class Clustering:
    """Medoids and who belongs to them.

    Attributes:
        medoids: ``(k,)`` int64, sample indices; largest cluster first, then by index.
        labels: ``(N,)`` int64, each sample's nearest medoid as a position in ``medoids``. A medoid has its
            own label.
        inertia: sum of the distances of all samples to their medoids.
        n_clusters: the number of medoids, ``k``.
        solver: the algorithm that found them.
        seed: the seed of its starts.
        curve: the curve on which ``n_clusters`` was chosen, if it was.
        interval: confidence interval of the score, if it was asked for.
        estimator: ``"exact"``: the medoids were sought among all samples; ``"sampled"``: in a part of them.
        sample_size: the size of that part.
    """

    medoids: NDArray[np.int64]
    labels: NDArray[np.int64]
    inertia: float
    n_clusters: int
    solver: Solver
    seed: int
    curve: Curve | None = None
    interval: Interval | None = None
    estimator: Estimator = "exact"
    sample_size: int | None = None

    @property
    def n_samples(self) -> int:
        """The number of samples, ``N``."""
        return len(self.labels)

    @property
    def score(self) -> float:
        """The Dispersion Score, which is the inertia per sample (eq. 3 of the paper)."""
        return self.inertia / self.n_samples

    @property
    def sizes(self) -> NDArray[np.int64]:
        """``(k,)`` int64, the number of samples of each cluster, descending."""
        return np.bincount(self.labels, minlength=self.n_clusters)
