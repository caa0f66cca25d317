"""The backend on the C++ core: exact, vectorised, on the CPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ds_metrics._native import _core
from ds_metrics.clouds import PackedClouds


def prepare(clouds: PackedClouds) -> _core.Clouds:
    """Sort each cloud for searching, once."""
    # Unaligned only as a view into raw bytes, which tensors from numpy can be.
    points = np.require(clouds.points.detach().numpy(), requirements=["C_CONTIGUOUS", "ALIGNED"])
    return _core.Clouds(points, clouds.lengths.numpy(), threads=torch.get_num_threads())


def distances(x: _core.Clouds, y: _core.Clouds, i: np.ndarray, j: np.ndarray, squared: bool = True) -> np.ndarray:
    """Chamfer distances of the pairs ``(x[i], y[j])``, of shape ``(K,)``, float64."""
    return _core.chamfer_pairs(x, y, i, j, squared=squared, threads=torch.get_num_threads())


def nearest(x: _core.Clouds, y: _core.Clouds) -> Tensor:
    """Index within ``y[b]`` of the point nearest to each point of ``x[b]``, of shape ``(T_x,)``."""
    index = _core.nearest(x, y, threads=torch.get_num_threads())[1]
    return torch.from_numpy(index)
