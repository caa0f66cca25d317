"""Nearest neighbours between clouds compared one to one."""

from __future__ import annotations

import torch
from torch import Tensor

from ds_metrics.clouds import PackedClouds
from ds_metrics.pairwise.backends import check_backend, load_backend, resolve_backend


def nearest_points(x: PackedClouds, y: PackedClouds, backend: str = "auto") -> tuple[Tensor, Tensor]:
    """Rows of the nearest points between clouds ``x[b]`` and ``y[b]``, both ways from one preparation.

    Args:
        x: ``N`` clouds.
        y: As many clouds.
        backend: As for `ds_metrics.pairwise.pairwise_distance`.

    Returns:
        For each point of ``x.points`` the row of ``y.points`` that holds the nearest point, of shape ``(T_x,)``,
        and the same from ``y`` to ``x``, of shape ``(T_y,)``; int64.
    """
    check_backend(backend)
    dtype = torch.promote_types(x.points.dtype, y.points.dtype)
    x, y = (PackedClouds(clouds.points.detach().to(dtype), clouds.lengths) for clouds in (x, y))
    engine = load_backend(resolve_backend(backend, x.points.device, dtype))
    prepared_x, prepared_y = engine.prepare(x), engine.prepare(y)
    in_y, in_x = engine.nearest(prepared_x, prepared_y), engine.nearest(prepared_y, prepared_x)
    return in_y + _starts(y, x), in_x + _starts(x, y)


def _starts(targets: PackedClouds, queries: PackedClouds) -> Tensor:
    """For each query point the first row of the cloud that it is compared with."""
    return targets.offsets.to(queries.points.device)[queries.segments]
