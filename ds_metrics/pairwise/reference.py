"""The backend in plain torch: any device, a bounded block of distances at a time; the readable definition."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ds_metrics.clouds import PackedClouds
from ds_metrics.pairwise import batches
from ds_metrics.pairwise.batches import Prepared

# Distances held at once. A CPU is fastest where a block stays in its cache, another device where it is busy for long.
_BLOCK, _BLOCK_ON_CPU = 2**23, 2**19


def prepare(clouds: PackedClouds) -> Prepared:
    """Find the scale of each cloud, once."""
    return batches.prepare(clouds)


def distances(x: Prepared, y: Prepared, i: np.ndarray, j: np.ndarray, squared: bool = True) -> np.ndarray:
    """Chamfer distances of the pairs ``(x[i], y[j])``, of shape ``(K,)``, float64."""
    block = _block(x.points.device)
    return batches.chamfer_pairs(x, y, i, j, squared, _minima, lambda n, m: block // (n * m))


def nearest(x: Prepared, y: Prepared) -> Tensor:
    """Index within ``y[b]`` of the point nearest to each point of ``x[b]``, of shape ``(T_x,)``."""
    block = _block(x.points.device)
    return batches.nearest(x, y, _nearest, lambda n, m: block // (n * m))


def _minima(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distance from each point of ``p[b]`` to the nearest of ``q[b]``, and the other way round."""
    to_q = []
    to_p = torch.full(q.shape[:2], torch.inf, dtype=p.dtype, device=p.device)
    for rows in torch.split(p, _rows(q), dim=1):
        block = _squares(rows, q)
        to_q.append(block.amin(dim=2))
        to_p = torch.minimum(to_p, block.amin(dim=1))
    return torch.cat(to_q, dim=1), to_p


def _nearest(p: Tensor, q: Tensor) -> Tensor:
    return torch.cat([_squares(rows, q).argmin(dim=2) for rows in torch.split(p, _rows(q), dim=1)], dim=1)


def _squares(p: Tensor, q: Tensor) -> Tensor:
    """Squared distances between all points of ``p[b]`` and ``q[b]``, ``(B, P, Q)``."""
    # The expansion |p|^2 + |q|^2 - 2pq loses digits, down to negative squares. torch.cdist is exact if told so,
    # but takes the root and, for three coordinates, a warp of the GPU for each distance.
    x, y, z = (p[:, :, None, axis] - q[:, None, :, axis] for axis in range(3))
    return x.square_().addcmul_(y, y).addcmul_(z, z)


def _rows(q: Tensor) -> int:
    return max(1, _block(q.device) // (q.shape[0] * q.shape[1]))


def _block(device: torch.device) -> int:
    return _BLOCK_ON_CPU if device.type == "cpu" else _BLOCK
