"""What clustering gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Curve:
    """Dispersion Score over the number of clusters.

    Attributes:
        n_clusters: Numbers of clusters, ascending, of shape ``(m,)``.
        scores: Score at each, of shape ``(m,)``, never increasing.
        knee: Number of clusters at the knee.
        knee_method: How the knee was found: ``"kneedle"``, ``"chord"`` or ``"flat"``, see `find_knee`.
    """

    n_clusters: np.ndarray
    scores: np.ndarray
    knee: int
    knee_method: str
    _medoids: tuple[np.ndarray, ...] = field(default=(), repr=False)

    def medoids_at(self, n_clusters: int) -> np.ndarray:
        """Medoids behind one point of the curve."""
        position = self.n_clusters.tolist().index(n_clusters)
        return self._medoids[position]


@dataclass(frozen=True, eq=False)
class Clustering:
    """Clusters around medoids.

    Attributes:
        medoids: Index of each medoid among the samples, largest cluster first, of shape ``(k,)``.
        labels: Cluster of each sample, as a position in ``medoids``, of shape ``(N,)``.
        inertia: Sum of the samples' distances to their medoids (equation 2 of the paper).
        n_clusters: ``k``.
        solver: Name of the solver.
        seed: Seed of its starts.
        curve: Score over k, where the number of clusters was chosen on it.
    """

    medoids: np.ndarray
    labels: np.ndarray
    inertia: float
    n_clusters: int
    solver: str
    seed: int
    curve: Curve | None = None

    @property
    def n_samples(self) -> int:
        """``N``."""
        return len(self.labels)

    @property
    def score(self) -> float:
        """Dispersion Score, inertia over samples (equation 3 of the paper)."""
        return self.inertia / self.n_samples

    @property
    def sizes(self) -> np.ndarray:
        """Samples in each cluster, of shape ``(k,)``."""
        return np.bincount(self.labels, minlength=self.n_clusters)
