"""The backend on NVIDIA Kaolin's `sided_distance`, for CUDA GPUs."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ds_metrics.clouds import PackedClouds
from ds_metrics.pairwise import batches
from ds_metrics.pairwise.backends import import_quietly
from ds_metrics.pairwise.batches import Prepared

_POINTS = 2**22  # points a batch: 48 MB in float32, and far from where Kaolin's 32-bit indices end


def prepare(clouds: PackedClouds) -> Prepared:
    """Find the scale of each cloud, once."""
    return batches.prepare(clouds)


def distances(x: Prepared, y: Prepared, i: np.ndarray, j: np.ndarray, squared: bool = True) -> np.ndarray:
    """Chamfer distances of the pairs ``(x[i], y[j])``, of shape ``(K,)``, float64."""
    return batches.chamfer_pairs(x, y, i, j, squared, _minima, _capacity)


def nearest(x: Prepared, y: Prepared) -> Tensor:
    """Index within ``y[b]`` of the point nearest to each point of ``x[b]``, of shape ``(T_x,)``."""
    return batches.nearest(x, y, lambda p, q: _sided_distance(p, q)[1], _capacity)


def _minima(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    return _sided_distance(p, q)[0], _sided_distance(q, p)[0]


def _sided_distance(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distances to the nearest point and its index, in this order (Kaolin's documentation swaps them)."""
    squares, index = import_quietly("kaolin.metrics.pointcloud").sided_distance(p, q)
    return squares, index


def _capacity(n: int, m: int) -> int:
    return _POINTS // (n + m)
