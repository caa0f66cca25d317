"""The backend in plain torch: any device, a bounded block of distances at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ds_metrics.clouds import PackedClouds

_BLOCK = 2**24  # distances held at once: 64 MB in float32


def prepare(clouds: PackedClouds) -> tuple[Tensor, ...]:
    """The clouds one by one."""
    return PackedClouds(clouds.points.detach(), clouds.lengths).split()


def chamfer_pairs(
    x: tuple[Tensor, ...], y: tuple[Tensor, ...], i: np.ndarray, j: np.ndarray, squared: bool = True
) -> np.ndarray:
    """Chamfer distances of the pairs ``(x[i], y[j])``, of shape ``(K,)``, float64."""
    exponent = 2 if squared else 1
    values = [
        (minima_x.double() ** exponent).mean() + (minima_y.double() ** exponent).mean()
        for minima_x, minima_y in (_minima(x[a], y[b]) for a, b in zip(i, j, strict=True))
    ]
    return torch.stack(values).cpu().numpy() if values else np.empty(0)


def nearest(x: PackedClouds, y: PackedClouds) -> Tensor:
    """Index within ``y[b]`` of the point nearest to each point of ``x[b]``, of shape ``(T_x,)``."""
    index = [
        torch.cat([_distances(rows, q).argmin(dim=1) for rows in torch.split(p, _rows(q))])
        for p, q in zip(prepare(x), prepare(y), strict=True)
    ]
    return torch.cat(index) if index else torch.empty(0, dtype=torch.int64)


def _minima(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Distance from each point of ``p`` to the nearest of ``q``, and the other way round."""
    to_q = []
    to_p = torch.full((len(q),), torch.inf, dtype=p.dtype, device=p.device)
    for rows in torch.split(p, _rows(q)):
        block = _distances(rows, q)
        to_q.append(block.amin(dim=1))
        to_p = torch.minimum(to_p, block.amin(dim=0))
    return torch.cat(to_q), to_p


def _distances(p: Tensor, q: Tensor) -> Tensor:
    # The expansion |p|^2 + |q|^2 - 2pq loses digits, down to negative squares.
    return torch.cdist(p, q, compute_mode="donot_use_mm_for_euclid_dist")


def _rows(q: Tensor) -> int:
    return max(1, _BLOCK // len(q))
