"""Distances between shapes, for the page: to a partner each, or among those that the matrix shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ds_metrics.functional import chamfer_distance
from ds_metrics.pairwise import pairwise_distance
from svr_baselines.data import ShapeSet
from svr_baselines.dispersion import Resources
from svr_baselines.inputs import as_clouds
from svr_baselines.report.shapes import take

_BATCH = 64  # pairs of clouds at once

Cloud = npt.NDArray[Any]


def pair_distances(first: Sequence[Cloud], second: Sequence[Cloud]) -> npt.NDArray[np.float64]:
    """Chamfer distances between clouds, one to one.

    Example:
        >>> pair_distances([np.zeros((1, 3))], [np.ones((2, 3))])
        array([6.])
    """
    found = [
        chamfer_distance(_tensors(first[start : start + _BATCH]), _tensors(second[start : start + _BATCH]))
        for start in range(0, len(first), _BATCH)
    ]
    return torch.cat(found).double().numpy()


def matrix_of(shapes: ShapeSet, chosen: npt.NDArray[np.int64], resources: Resources) -> npt.NDArray[np.float32]:
    """Distances among some shapes of a set.

    Args:
        shapes: The set.
        chosen: `(M,)` which of them, in any order, each once.
        resources: What computing may use. A store that has the distances of the whole set gives them where all are
            chosen.

    Returns:
        `(M, M)` distances in the order of ``chosen``.
    """
    samples = np.sort(chosen)  # the order in which a store has them
    few = shapes if len(samples) == len(shapes) else take(shapes, samples.tolist())
    distances = pairwise_distance(as_clouds(few), **resources.options(len(samples))).numpy()
    place = np.searchsorted(samples, chosen)
    return distances[np.ix_(place, place)]


def _tensors(clouds: Sequence[Cloud]) -> list[torch.Tensor]:
    return [torch.from_numpy(np.ascontiguousarray(cloud)) for cloud in clouds]
