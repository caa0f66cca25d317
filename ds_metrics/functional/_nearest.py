"""Steps that the measures on pairs of clouds share."""

from __future__ import annotations

import torch
from torch import Tensor

from ds_metrics.clouds import Clouds, PackedClouds, pack_clouds
from ds_metrics.pairwise import nearest_points


def pack_pair(
    p: Clouds,
    q: Clouds,
    names: tuple[str, str],
    lengths: tuple[Tensor | None, Tensor | None] = (None, None),
    finite: bool = True,
) -> tuple[PackedClouds, PackedClouds]:
    """Check two batches of clouds that are compared one to one.

    Unless ``finite``, NaN and infinity are left to `nearest_points`, which any transform of a function can take.
    """
    x = pack_clouds(p, lengths[0], names[0], finite)
    y = pack_clouds(q, lengths[1], names[1], finite)
    if len(x.lengths) != len(y.lengths):
        raise ValueError(
            f"Arguments `{names[0]}` and `{names[1]}` must hold equally many clouds, "
            f"but got {len(x.lengths)} and {len(y.lengths)}"
        )
    if x.points.device != y.points.device:
        raise ValueError(
            f"Arguments `{names[0]}` and `{names[1]}` must be on one device, "
            f"but got {x.points.device} and {y.points.device}"
        )
    return x, y


def squared_distances(x: PackedClouds, y: PackedClouds, names: tuple[str, str]) -> tuple[Tensor, Tensor]:
    """Squared distance of each point of ``x[b]`` to the nearest of ``y[b]``, and of each of ``y[b]`` to ``x[b]``.

    Shapes ``(T_x,)`` and ``(T_y,)``. Differentiable in both: the neighbour is found without gradient, its distance
    is plain arithmetic. NaN, infinity, and scales whose squares leave the range of the dtype are refused.
    """
    in_y, in_x = nearest_points(x, y, names=names, needs_squares=True)
    return squared_to(x.points, y.points, in_y), squared_to(y.points, x.points, in_x)


def squared_to(points: Tensor, targets: Tensor, index: Tensor) -> Tensor:
    """Squared distance of each point to the target at its index."""
    difference = points - targets.index_select(0, index)
    return (difference * difference).sum(dim=1)


def mean_per_cloud(values: Tensor, clouds: PackedClouds) -> Tensor:
    """Mean of the points' values in each cloud, of shape ``(N,)``, summed in float64 (Apple's GPUs have none)."""
    dtype = torch.float32 if values.device.type == "mps" else torch.float64
    sums = torch.zeros(len(clouds.lengths), dtype=dtype, device=values.device)
    sums = sums.index_add(0, clouds.segments, values.to(dtype))
    return (sums / clouds.lengths.to(values.device)).to(values.dtype)


def root(values: Tensor) -> Tensor:
    """Square root whose gradient at zero is zero, not infinite."""
    positive = values > 0
    return torch.where(positive, torch.where(positive, values, 1.0).sqrt(), 0.0)


def fitting(values: Tensor, dtype: torch.dtype, name: str) -> Tensor:
    """Distances in a dtype that may hold less than they were computed in; refused where it holds none of them."""
    fit = values.to(dtype)
    lost = ~torch.isfinite(fit) | ((fit == 0) & (values > 0))
    if lost.any():
        pair = int(lost.nonzero()[0])
        raise ValueError(
            f"Argument `{name}` must be of a scale whose distances fit {dtype}, but pair {pair} is "
            f"{float(values[pair].detach()):.3g} apart"
        )
    return fit


def check_scale_of_squares(clouds: PackedClouds, name: str) -> None:
    """Refuse points whose squares leave the range in which they are computed, float64 (Apple's GPUs have none)."""
    if len(clouds.points) == 0:
        return
    dtype = torch.float32 if clouds.points.device.type == "mps" else torch.float64
    limits = torch.finfo(dtype)
    largest = float(clouds.points.detach().abs().max())
    if largest > limits.max**0.5 / 8 or 0 < largest < 2**10 * limits.tiny**0.5:
        raise ValueError(
            f"Argument `{name}` must be of a scale whose squared distances fit {dtype}, but its points reach "
            f"{largest:.3g}: scale all points"
        )
