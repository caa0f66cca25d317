"""What clustering returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Solver = Literal["fasterpam", "alternate"]


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
    """

    medoids: NDArray[np.int64]
    labels: NDArray[np.int64]
    inertia: float
    n_clusters: int
    solver: Solver
    seed: int
    curve: Curve | None = None

    @property
    def n_samples(self) -> int:
        """The number of samples, ``N``."""
        return len(self.labels)

    @property
    def score(self) -> float:
        """The Dispersion Score: inertia per sample (eq. 3 of the paper)."""
        return self.inertia / self.n_samples

    @property
    def sizes(self) -> NDArray[np.int64]:
        """``(k,)`` int64, the number of samples of each cluster, descending."""
        return np.bincount(self.labels, minlength=self.n_clusters)
