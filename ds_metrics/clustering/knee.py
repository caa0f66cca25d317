"""Where a curve bends."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Knee(NamedTuple):
    """The number of clusters at the bend, and how it was found: ``"kneedle"``, ``"chord"`` or ``"flat"``."""

    n_clusters: int
    method: str


def find_knee(n_clusters: ArrayLike, scores: ArrayLike) -> Knee:
    """Find the knee of a convex, decreasing curve by Kneedle (Satopaa et al. 2011).

    Where Kneedle sees no knee, the point farthest below the straight line from the first point to the last
    is taken (``"chord"``; the smallest number of clusters where several are, as on a straight line). On a
    constant curve the smallest number of clusters is as good as any (``"flat"``).

    Args:
        n_clusters: ``(m,)``, strictly ascending.
        scores: ``(m,)``, finite, never increasing.

    Returns:
        The number of clusters at the knee, one of ``n_clusters``, and the method that found it.

    Raises:
        ValueError: if the two are not such sequences of one length.

    Example:
        >>> find_knee([1, 2, 3, 4, 5, 6], [10.0, 4.0, 1.0, 0.8, 0.6, 0.5])
        Knee(n_clusters=3, method='kneedle')
    """
    x, y = _check(n_clusters, scores)
    if y[0] == y[-1]:
        return Knee(int(x[0]), "flat")
    knee = _kneedle(x, y)
    if knee is not None:
        return Knee(knee, "kneedle")
    return Knee(_below_chord(x, y), "chord")


def _check(n_clusters: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    x, y = np.asarray(n_clusters), np.asarray(scores, dtype=np.float64)
    if x.ndim != 1 or x.size == 0 or x.dtype.kind not in "iu" or np.any(x[1:] <= x[:-1]):
        raise ValueError(f"Argument `n_clusters` must be strictly ascending integers, but got {x}")
    if y.shape != x.shape:
        raise ValueError(f"Argument `scores` must have shape {x.shape} as `n_clusters`, but got {y.shape}")
    if not np.isfinite(y).all() or np.any(y[1:] > y[:-1]):
        raise ValueError(f"Argument `scores` must be finite and never increase, but got {y}")
    return x.astype(np.int64), y


def _kneedle(x: NDArray[np.int64], y: NDArray[np.float64]) -> int | None:
    from kneed import KneeLocator  # brings scipy, which only a knee needs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "no knee found" is an answer, not an accident
        knee = KneeLocator(x, y, curve="convex", direction="decreasing").knee
    return None if knee is None else int(knee)


def _below_chord(x: NDArray[np.int64], y: NDArray[np.float64]) -> int:
    along = (x - x[0]) / (x[-1] - x[0])
    down = (y - y[0]) / (y[-1] - y[0])
    return int(x[np.argmax(down - along)])
