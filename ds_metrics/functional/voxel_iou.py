"""Intersection over union of voxel grids."""

from __future__ import annotations

import torch
from torch import Tensor

from ds_metrics.arguments import check_number, check_plain
from ds_metrics.clouds import Clouds, pack_clouds
from ds_metrics.functional.occupancy_iou import iou


def voxel_iou(preds: Tensor, target: Tensor, threshold: float = 0.4) -> Tensor:
    r"""Intersection over union of voxel grids compared one to one.

    .. math:: \frac{\sum_v [\hat o_v \ge t] \wedge [o_v \ge t]}{\sum_v [\hat o_v \ge t] \vee [o_v \ge t]}

    The mean over samples is the mIoU of 3D-R2N2, whose threshold is the default. Bool grids need no threshold, and
    give what Kaolin's ``kaolin.metrics.voxelgrid.iou`` gives.

    Source: C. Choy et al., *3D-R2N2*, ECCV 2016.

    Args:
        preds: Predicted grids, of shape ``(B, X, Y, Z)``: bool, or floats in [0, 1].
        target: True grids of the same shape.
        threshold: From which value on a voxel is occupied.

    Returns:
        One IoU a pair, of shape ``(B,)``, float32, between 0 and 1.

    Raises:
        TypeError: If grids are neither bool nor floating point.
        ValueError: If shapes differ or are none of grids, a float is not in [0, 1], or both grids of a pair are empty.

    Example:
        >>> target = torch.ones(1, 2, 2, 2, dtype=torch.bool)
        >>> preds = torch.full((1, 2, 2, 2), 0.4)
        >>> preds[0, 0, 0] = 0.39  # two of eight voxels are free
        >>> voxel_iou(preds, target)
        tensor([0.7500])
    """
    for grids, name in ((preds, "preds"), (target, "target")):
        check_plain(name, grids)
        if isinstance(grids, Tensor) and grids.ndim != 4:
            raise ValueError(f"Argument `{name}` must have shape (B, X, Y, Z), but got {tuple(grids.shape)}")
    return iou(preds, target, threshold)


def voxelize_clouds(clouds: Clouds, resolution: int, low: float = -1.0, high: float = 1.0) -> Tensor:
    """Which voxels of a cube hold a point of each cloud.

    Args:
        clouds: Clouds, ``(B, P, 3)`` or a sequence of ``(P_i, 3)``.
        resolution: Voxels along a side of the cube.
        low: Where the cube starts, along each axis.
        high: Where it ends; points on that side are in the last voxel.

    Returns:
        Grids of shape ``(B, R, R, R)``, bool, indexed by x, y and z.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If shapes are wrong, a cloud is empty or not finite, a point is outside of the cube, or the cube or
            the resolution is none.

    Example:
        >>> voxelize_clouds(torch.tensor([[[-1.0, -1, -1], [1.0, 1, 0.5]]]), resolution=2).nonzero().tolist()
        [[0, 0, 0, 0], [0, 1, 1, 1]]
    """
    if type(resolution) is not int or resolution < 1:
        raise ValueError(f"Argument `resolution` must be an integer of at least 1, but got {resolution!r}")
    check_number("low", low)
    check_number("high", high)
    if not low < high:
        raise ValueError(f"Arguments `low` and `high` must be finite and in order, but got {low} and {high}")
    packed = pack_clouds(clouds)
    points = packed.points.detach()
    outside = ((points < low) | (points > high)).any(dim=1)
    if outside.any():
        first = int(packed.segments[outside][0])
        raise ValueError(
            f"Argument `clouds` must lie between {low} and {high}, but a point of cloud {first} is outside"
        )
    voxels = ((points - low) * (resolution / (high - low))).long().clamp(max=resolution - 1)
    grids = torch.zeros(len(packed.lengths), *[resolution] * 3, dtype=torch.bool, device=points.device)
    grids[packed.segments, voxels[:, 0], voxels[:, 1], voxels[:, 2]] = True
    return grids
