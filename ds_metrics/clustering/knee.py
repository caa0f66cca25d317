"""The knee of a curve."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Knee(NamedTuple):
    """Number of clusters at the knee, and how it was found."""

    n_clusters: int
    method: str


def find_knee(n_clusters: Sequence[int] | np.ndarray, scores: Sequence[float] | np.ndarray) -> Knee:
    """Where more clusters stop paying off: Kneedle (Satopaa et al. 2011), appendix C of the paper.

    Kneedle can find none, on a straight line say. Then the knee is the point farthest below the chord from the first to
    the last point (``"chord"``), and where all scores are equal, or nothing lies below, the smallest number of clusters
    (``"flat"``).

    Args:
        n_clusters: Numbers of clusters, ascending.
        scores: Score at each, not increasing.

    Raises:
        ValueError: If the two differ in length or are empty, or ``n_clusters`` does not ascend.

    Example:
        >>> find_knee([1, 2, 3, 4, 5, 6], [10.0, 5.0, 1.0, 0.9, 0.8, 0.7])
        Knee(n_clusters=3, method='kneedle')
        >>> find_knee([1, 2, 3], [1.0, 1.0, 1.0])
        Knee(n_clusters=1, method='flat')
    """
    x, y = np.asarray(n_clusters), np.asarray(scores, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or not len(x) or (np.diff(x) <= 0).any():
        raise ValueError(
            f"Arguments `n_clusters` and `scores` must be equally long, with `n_clusters` ascending, "
            f"but got shapes {x.shape} and {y.shape}"
        )
    if len(x) < 3 or np.ptp(y) == 0:
        return Knee(int(x[0]), "flat")
    knee = _kneedle(x, y)
    if knee is not None:
        return Knee(knee, "kneedle")
    below = y[0] + (y[-1] - y[0]) * (x - x[0]) / (x[-1] - x[0]) - y
    if below.max() <= 1e-12 * np.ptp(y):
        return Knee(int(x[0]), "flat")
    return Knee(int(x[below.argmax()]), "chord")


def _kneedle(x: np.ndarray, y: np.ndarray) -> int | None:
    from kneed import KneeLocator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where it finds none, which the caller deals with
        knee = KneeLocator(x, y, curve="convex", direction="decreasing").knee
    return None if knee is None else int(knee)
