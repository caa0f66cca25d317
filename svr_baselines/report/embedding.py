"""A map of shapes on which near means alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from svr_baselines.report.requirements import require

LEAST = 5  # shapes that make a map
_PERPLEXITY = 30.0


def embed(distances: npt.NDArray[Any], seed: int = 0) -> npt.NDArray[np.float64] | None:
    """Positions in the plane by t-SNE (van der Maaten & Hinton 2008).

    The Chamfer distance is a mean of squares, so its root is what t-SNE takes as a distance. One thread computes it, as
    the order of several would show in the last digits.

    Args:
        distances: `(N, N)` Chamfer distances.
        seed: Seed of the start.

    Returns:
        `(N, 2)` positions, or ``None`` for fewer than 5 shapes.

    Raises:
        ValueError: If scikit-learn is not installed.

    Example:
        >>> points = np.arange(6.0)
        >>> embed((points[:, None] - points) ** 2).shape
        (6, 2)
    """
    if len(distances) < LEAST:
        return None
    manifold = require("sklearn.manifold", "scikit-learn", "the map of shapes")
    limits = require("threadpoolctl", "threadpoolctl", "the map of shapes").threadpool_limits
    perplexity = min(_PERPLEXITY, (len(distances) - 1) / 3)
    method = manifold.TSNE(metric="precomputed", init="random", perplexity=perplexity, random_state=seed, n_jobs=1)
    with limits(1):
        found: npt.NDArray[Any] = method.fit_transform(np.sqrt(np.asarray(distances, dtype=np.float64)))
    return found.astype(np.float64)
