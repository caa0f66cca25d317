r"""Clusters of more samples than all pairs of them can be computed for.

``estimator="sampled"`` seeks the medoids in a part of the samples, and assigns all samples to them:

1. *Start.* All distances among a few samples, and k-medoids of them: CLARA (Kaufman & Rousseeuw 1990) ends here.
2. *Search.* Medoids that fit a few samples well fit all less well: with ten samples a cluster, by several per cent. So
   the search goes on in a part that is larger by far, by the same swaps of FasterPAM, on the distances that matter: a
   sample can only gain by a medoid that is near, so of each sample those to the samples of its nearest clusters are
   computed. Their number is the same for any number of clusters and of samples.
3. *Assignment.* The exact nearest medoid of every sample: :func:`~ds_metrics.pairwise.nearest_clouds`.

The score is the mean distance of **all** samples to the medoids found. It belongs to a real clustering, so it is never
below the best possible, and no estimate. With 100 clusters it is above that of ``"exact"`` by less than 1 % where the
part is everything, up to 15,000 samples, and by 1 to 1.5 % where it is not; `benchmarks/scaling.py` measures.
Steps 1 and 2 cost the same for any number of samples, step 3 is linear in it. With ``n_clusters="knee"`` the curve, and
its knee, are those of the start, a set of 4,500.

The interval that comes with it is that of a mean, of the samples' distances to these medoids: how far the score would
move with other samples. It covers neither the choice of the part nor what ``"exact"`` would have found below.

References:
    - A. de Mathelin, N. E. Cecchini, F. Deheeger, M. Mougeot, N. Vayatis. OneBatchPAM: A fast and frugal k-medoids
      algorithm. AAAI 2025. (Swaps too, by the distances of all samples to a batch: linear, but every distance counts.)
    - L. Kaufman, P. J. Rousseeuw. Finding Groups in Data, chapter 3. Wiley 1990.
    - E. Schubert, P. J. Rousseeuw. Fast and eager k-medoids clustering. Information Systems 101, 2021.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ds_metrics import clustering
from ds_metrics.arguments import check_flag, check_integer
from ds_metrics.clouds import PackedClouds
from ds_metrics.clustering import Clustering, Estimator, Interval, Solver
from ds_metrics.clustering.result import largest_first
from ds_metrics.clustering.solvers import check_solver
from ds_metrics.clustering.swaps import swap_medoids
from ds_metrics.pairwise import AllPairs, Nearest, NearestOf, Ranks, memory_bytes, neighbour_distances

EXACT_UP_TO = 10_000
_START = 1_000, 10, 4_500  # samples at least; a cluster; at most, where all distances are 10 million
_SEARCH = 4_000, 1_500  # samples at least; for the root of the number of clusters: 10 million distances for any number
_TABLE = 2**26  # distances from samples to medoids that the search may keep: 256 MB
_NEAR = 5, 3  # clusters whose samples a sample is compared with; where they are few
_FEW = 20

Choice = Literal["auto", "exact", "sampled"]


def check_estimator(estimator: str) -> None:
    """Raise ``ValueError`` for an estimator that does not exist."""
    if estimator not in get_args(Choice):
        raise ValueError(f"Argument `estimator` must be one of {get_args(Choice)}, but got {estimator!r}")


def choose_estimator(estimator: Choice, n_samples: int) -> Estimator:
    """What ``"auto"`` means: ``"exact"`` up to 10,000 samples, which is 50 million distances.

    Example:
        >>> choose_estimator("auto", 10_000), choose_estimator("auto", 10_001), choose_estimator("exact", 10_001)
        ('exact', 'sampled', 'exact')
    """
    if estimator == "auto":
        return "exact" if n_samples <= EXACT_UP_TO else "sampled"
    return estimator


def cluster_samples(
    x: PackedClouds,
    n_clusters: int | Literal["knee"],
    estimator: Choice = "auto",
    squared: bool = True,
    solver: Solver = "fasterpam",
    seed: int = 0,
    backend: str = "auto",
    memory_budget: int | str | None = None,
    store: str | Path | None = None,
    cluster: str | None = None,
) -> Clustering:
    """Clusters of samples by the estimator that is asked for, or that their number asks for.

    Arguments are those of `ds_metrics.functional.dispersion_score`.

    Example:
        >>> from ds_metrics.clouds import pack_clouds
        >>> x = pack_clouds(np.array([0.0, 0.2, 0.4, 9.0]).reshape(4, 1, 1) * np.ones(3))
        >>> cluster_samples(x, 2).medoids.tolist()
        [1, 3]
    """
    budget = memory_bytes(memory_budget)
    if choose_estimator(estimator, len(x.lengths)) == "sampled":
        return SampledClusters(x, n_clusters, squared, solver, seed, backend, budget, store, cluster).run()
    matrix = AllPairs(x, None, squared, backend, budget, store, cluster).run()
    return clustering.cluster(matrix, n_clusters, solver=solver, seed=seed)


def start_size(n_samples: int, n_clusters: int | Literal["knee"], solver: Solver) -> int:
    """Samples of which all distances are computed.

    Ten a cluster are enough where the search goes on from there, which it does for FasterPAM alone. The knee takes
    the most: it is sought on their curve.

    Example:
        >>> start_size(10**6, 10, "fasterpam"), start_size(10**6, 100, "fasterpam"), start_size(10**6, 100, "alternate")
        (1000, 1000, 4500)
    """
    least, per_cluster, most = _START
    if n_clusters == "knee" or solver != "fasterpam":
        least = most
    clusters = 1 if n_clusters == "knee" else n_clusters
    return min(max(least, min(per_cluster * clusters, most), 2 * clusters), n_samples)


def search_size(n_samples: int, n_clusters: int) -> int:
    """Samples among which medoids are sought.

    Example:
        >>> search_size(10**6, 4), search_size(10**6, 100), search_size(10**6, 500)
        (4000, 15000, 33541)
    """
    least, for_root = _SEARCH
    return min(max(least, int(for_root * math.sqrt(n_clusters))), max(least, _TABLE // n_clusters), n_samples)


@dataclass(frozen=True)
class SampledClusters:
    """Clusters of ``x`` by ``estimator="sampled"``, yet to be found.

    The other attributes are the arguments of `ds_metrics.functional.dispersion_score`, with the budget in bytes.
    """

    x: PackedClouds
    n_clusters: int | Literal["knee"]
    squared: bool
    solver: Solver
    seed: int
    backend: str
    memory_budget: int
    store: str | Path | None
    cluster: str | None
    confidence: float | None = None

    def __post_init__(self) -> None:
        check_solver(self.solver)
        check_flag("squared", self.squared)
        check_integer("seed", self.seed, 0, 2**64 - 1)
        if len(self.x.lengths) < 2:
            raise ValueError(f"Argument `samples` must hold at least 2 samples, but got {len(self.x.lengths)}")
        if self.n_clusters != "knee":
            check_integer("n_clusters", self.n_clusters, 1, len(self.x.lengths) - 1)

    def run(self, ranks: Ranks | None = None) -> Clustering:
        """Find them: in this process, or by ranks that call this together with the same samples."""
        order = np.random.default_rng(self.seed).permutation(len(self.x.lengths))
        start = order[: start_size(len(order), self.n_clusters, self.solver)]
        matrix = AllPairs(
            self.x.take(start), None, self.squared, self.backend, self.memory_budget, self.store, self.cluster
        ).run(ranks)

        def seek() -> tuple[Clustering, NDArray[np.int64], int]:
            found = clustering.cluster(matrix, self.n_clusters, solver=self.solver, seed=self.seed)
            part = order[: max(len(start), search_size(len(order), found.n_clusters))]
            if self.solver != "fasterpam" or len(part) == len(start):
                return found, start[found.medoids], len(start)
            return found, part[self._search(part, found.medoids)], len(part)

        found, medoids, size = seek() if ranks is None else ranks.from_first(seek)
        medoids.sort()
        task = NearestOf(self.x, self.x.take(medoids), self.squared, self.backend, self.store)
        nearest = task.run(ranks)

        def result() -> Clustering:
            assert nearest is not None  # in this process, and on the first rank
            return self._result(found, medoids, size, nearest)

        return result() if ranks is None else ranks.from_first(result)

    def _search(self, part: NDArray[np.int64], medoids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Better medoids, by swaps with the samples of a part that begins with those of the start."""
        near = _NEAR[1] if len(medoids) < _FEW else _NEAR[0]
        pairs = neighbour_distances(self.x, part, medoids, near, self.squared, self.backend)
        return swap_medoids(len(part), (pairs.i, pairs.j), pairs.distances, medoids, self.seed)

    def _result(self, found: Clustering, medoids: NDArray[np.int64], size: int, nearest: Nearest) -> Clustering:
        labels = nearest.candidate.copy()
        labels[medoids] = np.arange(len(medoids))  # a medoid that repeats another would go to the first of the two
        medoids, labels = largest_first(medoids, labels)
        return replace(
            found,
            medoids=medoids,
            labels=labels,
            inertia=float(nearest.distance.sum(dtype=np.float64)),
            interval=self._interval(nearest.distance),
            estimator="sampled",
            sample_size=size,
        )

    def _interval(self, distances: NDArray[np.float32]) -> Interval:
        """Of the mean distance to these medoids: how far other samples would move it."""
        level = 0.95 if self.confidence is None else self.confidence
        score = float(distances.mean(dtype=np.float64))
        error = float(distances.std(dtype=np.float64)) / math.sqrt(len(distances))
        reach = NormalDist().inv_cdf((1 + level) / 2) * error
        return Interval(max(0.0, score - reach), score + reach, level, error, solver_error=0.0, n_resamples=0)
