"""The solvers of other libraries: the one that the paper used, and the two that its appendix B compares with.

- ``"sklearn-extra"``: ``KMedoids`` of scikit-learn-extra, called as by the paper's official code. It agrees with that
  seed by seed, and alone of all solvers depends on the order of the samples. Extra ``[paper]``.
- ``"hierarchical"``: complete linkage (Defays 1977), by scikit-learn. Extra ``[ablation]``.
- ``"affinity-propagation"`` (Frey & Dueck 2007), by scikit-learn, on the similarities of the official code,
  -exp(D / std(D)). Extra ``[ablation]``. A preference decides on the number of clusters; up to 16 runs seek the one
  that gives the number asked for. Where the number jumps past that, the nearest is taken, and medoids are added (as by
  BUILD) or dropped, those that change the inertia most or least; where these would be more than half, it is refused.
  A run takes up to 200 rounds over all pairs: altogether some seconds for 1,000 samples and minutes for 4,000, with
  50 bytes of memory a pair.

The last two make clusters, not medoids: the medoids are the clusters' most central members. Labels and inertia then
come from the nearest medoid, as for every solver, so that the inertia is at most that of the clusters themselves.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ds_metrics._native import _core
from ds_metrics.clustering.matrix import DistanceMatrix

MAX_FITS = 16  # of affinity propagation: so many halvings of the range of its preference
_LARGEST_EXPONENT = 300.0  # sums of its exponential stay finite

_ESTIMATORS = {
    "sklearn-extra": ("sklearn_extra.cluster", "KMedoids", "paper"),
    "affinity-propagation": ("sklearn.cluster", "AffinityPropagation", "ablation"),
    "hierarchical": ("sklearn.cluster", "AgglomerativeClustering", "ablation"),
}


def load_estimator(solver: str) -> Any:
    """The class behind a solver.

    Raises:
        ValueError: if its library is missing or broken, with what to install.
    """
    module, name, extra = _ESTIMATORS[solver]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside the libraries
            return getattr(import_module(module), name)
    except Exception as error:  # with numpy 2, scikit-learn-extra fails with a ValueError
        wants = " with Python 3.10 or 3.11" if extra == "paper" else ""
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"Argument `solver` can't be {solver!r} here ({reason}): pip install 'dispersion-score[{extra}]'{wants}"
        ) from error


def library_medoids(
    matrix: DistanceMatrix, n_clusters: int, solver: str, seed: int, max_iter: int | None
) -> NDArray[np.int64]:
    """``n_clusters`` different medoids by a library's solver; `None` leaves it its own ``max_iter``."""
    estimator = load_estimator(solver)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what they warn of, such as an empty cluster, is dealt with here
        if solver == "sklearn-extra":
            return _sklearn_extra(estimator, matrix, n_clusters, seed, max_iter)
        # In canonical order, so that the order in which samples come decides no ties.
        distances = matrix.values[np.ix_(matrix.order, matrix.order)]
        if solver == "hierarchical":
            medoids = _hierarchical(estimator, distances, n_clusters)
        else:
            medoids = _affinity_propagation(estimator, distances, n_clusters, seed, max_iter)
    return _completed(matrix, matrix.order[medoids], n_clusters)


def _sklearn_extra(
    estimator: Any, matrix: DistanceMatrix, n_clusters: int, seed: int, max_iter: int | None
) -> NDArray[np.int64]:
    """As the official code calls it, the samples in the order in which they came."""
    options = {} if max_iter is None else {"max_iter": max_iter}
    kmedoids = estimator(n_clusters=n_clusters, metric="precomputed", init="k-medoids++", random_state=seed, **options)
    try:
        fitted = kmedoids.fit(matrix.values)
    except IndexError:  # its float32 sums let a draw in millions fall past the last sample
        fitted = kmedoids.fit(matrix.values.astype(np.float64))
    # With fewer different samples than clusters, it takes one as medoid several times.
    return _completed(matrix, np.unique(fitted.medoid_indices_), n_clusters)


def _hierarchical(estimator: Any, distances: NDArray[np.float32], n_clusters: int) -> NDArray[np.int64]:
    fitted = estimator(n_clusters=n_clusters, metric="precomputed", linkage="complete").fit(distances)
    return _central_members(distances, fitted.labels_)


def _affinity_propagation(
    estimator: Any, distances: NDArray[np.float32], n_clusters: int, seed: int, max_iter: int | None
) -> NDArray[np.int64]:
    """The medoids of the number of clusters that is nearest to ``n_clusters``, without those too many."""
    runs = _runs_towards(estimator, distances, n_clusters, seed, max_iter)
    nearest = min(runs, key=lambda number: (abs(number - n_clusters), number))
    medoids = _central_members(distances, runs[nearest])
    inertia = distances[medoids].min(axis=0).sum(dtype=np.float64)
    if 2 * abs(nearest - n_clusters) > n_clusters and inertia > 0:  # at zero any more are as good
        raise ValueError(
            f"Argument `n_clusters` can't be {n_clusters} with solver 'affinity-propagation' on these distances: the "
            f"numbers of clusters that it was brought to make are {sorted(runs)}"
        )
    return _reduced(distances, medoids, n_clusters)


def _runs_towards(
    estimator: Any, distances: NDArray[np.float32], n_clusters: int, seed: int, max_iter: int | None
) -> dict[int, NDArray[np.int64]]:
    """Numbers of clusters and their labels, by runs whose preference closes in on ``n_clusters``.

    The preference is the similarity of a distance (in units of the deviation), of which the range is halved.
    """
    options = {} if max_iter is None else {"max_iter": max_iter}
    scale = float(distances.std(dtype=np.float64)) or 1.0
    similarities = -np.exp(np.minimum(distances / scale, _LARGEST_EXPONENT, dtype=np.float64))
    near, far = 0.0, np.log(-_preference_of_one_cluster(similarities))
    everyone = np.arange(len(distances))
    runs = {1: np.zeros_like(everyone), len(distances): everyone}  # at either end, as no run is needed to know
    for _ in range(MAX_FITS):
        if n_clusters in runs:
            break
        middle = (near + far) / 2
        fitted = estimator(
            affinity="precomputed",
            preference=-np.exp(middle),
            damping=0.75,  # the official code's; with 0.9 some runs stop before the messages have spread
            random_state=seed,
            **options,
        ).fit(similarities)
        number = int(fitted.labels_.max()) + 1
        near, far = (middle, far) if number > n_clusters else (near, middle)
        if fitted.n_iter_ < fitted.max_iter:  # else it did not converge
            runs[number] = fitted.labels_
    return runs


def _preference_of_one_cluster(similarities: NDArray[np.float64]) -> float:
    """A preference at which one exemplar is best: two would save no more than their own cost."""
    others = similarities.copy()
    np.fill_diagonal(others, -np.inf)
    best = np.sort(others.max(axis=1))
    np.fill_diagonal(others, 0)
    return float(others.sum(axis=0).max() - best[2:].sum())


def _central_members(distances: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The member of each cluster that is nearest to the others in sum."""
    medoids = []
    for label in range(int(labels.max()) + 1):
        members = np.flatnonzero(labels == label)
        sums = distances[np.ix_(members, members)].sum(axis=1, dtype=np.float64)
        medoids.append(members[sums.argmin()])
    return np.array(medoids, dtype=np.int64)


def _reduced(distances: NDArray[np.float32], medoids: NDArray[np.int64], n_clusters: int) -> NDArray[np.int64]:
    """The medoids without those, one after the other, that raise the inertia least."""
    while len(medoids) > n_clusters:
        to_medoids = distances[medoids]
        first, second = np.partition(to_medoids, 1, axis=0)[:2].astype(np.float64)
        rise = np.bincount(to_medoids.argmin(axis=0), second - first, minlength=len(medoids))
        medoids = np.delete(medoids, rise.argmin())
    return medoids


def _completed(matrix: DistanceMatrix, medoids: NDArray[np.int64], n_clusters: int) -> NDArray[np.int64]:
    """The medoids, and up to ``n_clusters`` those that lower the inertia most."""
    return _core.kmedoids_extend(matrix.values, matrix.order, medoids.astype(np.int64), n_clusters)
