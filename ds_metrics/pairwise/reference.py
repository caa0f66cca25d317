"""The backend in plain torch: any device, a bounded block of distances at a time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ds_metrics.clouds import PackedClouds

_BLOCK = 2**24  # distances held at once: 64 MB in float32


class Cloud(NamedTuple):
    """Points of one cloud, ``(P, 3)``, and the largest absolute coordinate among them."""

    points: Tensor
    largest: float


def prepare(clouds: PackedClouds) -> list[Cloud]:
    """The clouds one by one."""
    points = PackedClouds(clouds.points.detach(), clouds.lengths).split()
    largest = torch.stack([cloud.abs().max() for cloud in points]).tolist() if points else []
    return [Cloud(*pair) for pair in zip(points, largest, strict=True)]


def chamfer_pairs(x: list[Cloud], y: list[Cloud], i: np.ndarray, j: np.ndarray, squared: bool = True) -> np.ndarray:
    """Chamfer distances of the pairs ``(x[i], y[j])``, of shape ``(K,)``, float64."""
    exponent = 2 if squared else 1
    values = []
    for a, b in zip(i, j, strict=True):
        unit = _unit(x[a], y[b])
        to_y, to_x = _minima(x[a].points / unit, y[b].points / unit)
        mean = (to_y.double() ** exponent).mean() + (to_x.double() ** exponent).mean()
        values.append(mean * unit**exponent)
    return torch.stack(values).cpu().numpy() if values else np.empty(0)


def nearest(x: PackedClouds, y: PackedClouds) -> Tensor:
    """Index within ``y[b]`` of the point nearest to each point of ``x[b]``, of shape ``(T_x,)``."""
    index = []
    for p, q in zip(prepare(x), prepare(y), strict=True):
        unit = _unit(p, q)
        targets = q.points / unit
        index += [_distances(rows / unit, targets).argmin(dim=1) for rows in torch.split(p.points, _rows(targets))]
    return torch.cat(index) if index else torch.empty(0, dtype=torch.int64)


def _unit(p: Cloud, q: Cloud) -> float:
    """Power of two that brings the largest coordinate of both to about 1, so that squares stay in the float range."""
    largest = max(p.largest, q.largest)
    return 2.0 ** math.frexp(largest)[1] if largest else 1.0


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
