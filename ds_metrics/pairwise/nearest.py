"""Nearest neighbours between clouds compared one to one, as an operator of torch.

An operator is one step to all that torch does with functions: `torch.compile` takes it as a whole, and the transforms
of `torch.func` lay a batch of calls end to end. So what depends on the values of points is checked inside, too.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ds_metrics.clouds import PackedClouds, check_finite
from ds_metrics.pairwise.backends import check_backend, load_backend, resolve_backend

_DIGITS = 64  # times the root of the smallest normal number: nearer, the squares of a pair lose digits


def nearest_points(
    x: PackedClouds,
    y: PackedClouds,
    backend: str = "auto",
    names: tuple[str, str] = ("x", "y"),
    needs_squares: bool = False,
) -> tuple[Tensor, Tensor]:
    """Rows of the nearest points between clouds ``x[b]`` and ``y[b]``, both ways from one preparation.

    Args:
        x: ``N`` clouds.
        y: As many clouds.
        backend: As for `ds_metrics.pairwise.pairwise_distance`.
        names: What error messages call the arguments.
        needs_squares: Whether squared distances are to be computed in the precision of the points.

    Returns:
        For each point of ``x.points`` the row of ``y.points`` that holds the nearest point, of shape ``(T_x,)``,
        and the same from ``y`` to ``x``, of shape ``(T_y,)``; int64.

    Raises:
        ValueError: If a point is NaN or infinite, or squared distances that are needed leave the range of the dtype.
    """
    check_backend(backend)
    found: tuple[Tensor, Tensor] = _nearest(
        x.points.detach(), y.points.detach(), x.lengths, y.lengths, *names, backend, needs_squares
    )
    return found


def _found(
    x: Tensor, y: Tensor, x_lengths: Tensor, y_lengths: Tensor, x_name: str, y_name: str, backend: str, squares: bool
) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(x.dtype, y.dtype)
    sides = PackedClouds(x, x_lengths), PackedClouds(y, y_lengths)
    largest = max(_largest(clouds, name) for clouds, name in zip(sides, (x_name, y_name), strict=True))
    first, second = (PackedClouds(clouds.points.to(dtype), clouds.lengths) for clouds in sides)
    engine = load_backend(resolve_backend(backend, x.device, dtype))
    prepared_x, prepared_y = engine.prepare(first), engine.prepare(second)
    in_y, in_x = engine.nearest(prepared_x, prepared_y), engine.nearest(prepared_y, prepared_x)
    if len(x_lengths) > 1:
        in_y += _starts(second, first)
        in_x += _starts(first, second)
    if squares:
        far = largest > torch.finfo(dtype).max ** 0.5 / 8  # below, differences have squares
        _check_squares(first, second, in_y, far, x_name)
        _check_squares(second, first, in_x, far, y_name)
    return in_y, in_x


def _largest(clouds: PackedClouds, name: str) -> float:
    """The largest coordinate, by absolute value, of points that are looked at for NaN and infinity."""
    if len(clouds.points) == 0:
        return 0.0
    low, high = torch.aminmax(clouds.points)  # NaN where one number is
    largest = max(-float(low), float(high))
    if not math.isfinite(largest):
        check_finite(clouds, name)
    return largest


def _starts(targets: PackedClouds, queries: PackedClouds) -> Tensor:
    """For each query point the first row of the cloud that it is compared with."""
    device, count = queries.points.device, len(queries.points)
    return torch.repeat_interleave(targets.offsets.to(device), queries.lengths.to(device), output_size=count)


def _check_squares(x: PackedClouds, y: PackedClouds, in_y: Tensor, far: bool, name: str) -> None:
    """Refuse pairs whose squared nearest distances overflow, or vanish with most of their digits."""
    if len(x.lengths) == 0:
        return
    limits = torch.finfo(x.points.dtype)
    first = x.offsets.to(in_y.device)  # a point of each pair tells of most that they are fit
    near = _gaps(x.points.index_select(0, first), y.points, in_y.index_select(0, first))
    if not far and float(near.min()) >= _DIGITS * limits.tiny**0.5:
        return
    gaps = _gaps(x.points, y.points, in_y)
    largest = torch.zeros_like(near).scatter_reduce(0, x.segments, gaps, "amax")
    wrong = (largest > limits.max**0.5 / 4) | ((largest > 0) & (largest < _DIGITS * limits.tiny**0.5))
    if wrong.any():
        pair = int(wrong.nonzero()[0])
        raise ValueError(
            f"Argument `{name}` must be of a scale whose squared distances fit {x.points.dtype}, but the points of "
            f"cloud {pair} are up to {float(largest[pair]):.3g} from their nearest: scale both clouds"
        )


def _gaps(points: Tensor, targets: Tensor, index: Tensor) -> Tensor:
    """Largest difference of coordinates between each point and the target at its index."""
    return (points - targets.index_select(0, index)).abs().amax(dim=1)


_nearest: Any = torch.library.custom_op(
    "ds_metrics::nearest",
    _found,
    mutates_args=(),
    schema="(Tensor x, Tensor y, Tensor x_lengths, Tensor y_lengths, str x_name, str y_name, str backend, bool squares)"
    " -> (Tensor, Tensor)",
)


@_nearest.register_fake  # type: ignore[untyped-decorator]
def _shapes(x: Tensor, y: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
    return x.new_empty(len(x), dtype=torch.int64), y.new_empty(len(y), dtype=torch.int64)


def _over_batch(
    info: Any,
    in_dims: tuple[int | None, ...],
    x: Tensor,
    y: Tensor,
    of_x: Tensor,
    of_y: Tensor,
    *options: Any,
) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
    """The calls of a batch as one, of the clouds of all."""
    size = info.batch_size
    parts = [laid_end_to_end(part, dim, size) for part, dim in zip((x, y, of_x, of_y), in_dims, strict=False)]
    found = []
    for index, targets in zip(_nearest(*parts, *options), (parts[1], parts[0]), strict=True):
        calls = torch.arange(size, device=index.device)
        found.append(index.view(size, -1) - calls[:, None] * (len(targets) // size))
    return (found[0], found[1]), (0, 0)


def laid_end_to_end(part: Tensor, dim: int | None, calls: int) -> Tensor:
    """An argument of all calls of a batch, which differs along ``dim`` or is one for all."""
    parts = part.expand(calls, *part.shape) if dim is None else part.movedim(dim, 0)
    return parts.flatten(0, 1).contiguous()


if hasattr(_nearest, "register_vmap"):  # from torch 2.5 on
    _nearest.register_vmap(_over_batch)
