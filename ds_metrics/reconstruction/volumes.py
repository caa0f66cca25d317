"""Measures of volumes as torchmetrics metrics: IoU of voxel grids, and of occupancy at places."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from ds_metrics.functional.occupancy_iou import check_threshold, occupancy_iou
from ds_metrics.functional.voxel_iou import voxel_iou
from ds_metrics.reconstruction.mean import MeanOverPairs


class VoxelIoU(MeanOverPairs):
    """Mean intersection over union of predicted and true voxel grids: the mIoU of 3D-R2N2.

    See `ds_metrics.functional.voxel_iou`.

    As input to ``forward`` and ``update`` the metric accepts ``preds`` and ``target`` of shape ``(B, X, Y, Z)``, bool
    or floating point. As output of ``compute`` it returns a scalar tensor between 0 and 1.

    Args:
        threshold: From which value on a voxel is occupied.
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        TypeError: If grids are neither bool nor floating point.
        ValueError: If shapes differ or are none of grids, a value or the threshold is not finite, or both grids of a
            pair are empty.

    Example:
        >>> import torch
        >>> metric = VoxelIoU()
        >>> metric.update(torch.full((1, 2, 2, 2), 0.4), torch.eye(2).expand(1, 2, 2, 2))
        >>> metric.compute()
        tensor(0.5000)
    """

    is_differentiable = False
    higher_is_better = True
    plot_upper_bound = 1.0
    samples = "voxel grids"

    def __init__(self, threshold: float = 0.4, **kwargs: Any) -> None:
        check_threshold(threshold)
        super().__init__("voxel_iou", float(threshold), **kwargs)
        self.threshold = threshold

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add pairs of predicted and true grids."""
        self._add(self.measure(preds, target))

    def measure(self, preds: Tensor, target: Tensor) -> Tensor:
        """The measure of each pair, of shape ``(B,)``."""
        return voxel_iou(preds, target, self.threshold)


class OccupancyIoU(MeanOverPairs):
    """Mean intersection over union of shapes, from their occupancy at the same places.

    See `ds_metrics.functional.occupancy_iou`.

    As input to ``forward`` and ``update`` the metric accepts ``preds`` and ``target`` of shape ``(B, Q)``, bool or
    floats in [0, 1]. As output of ``compute`` it returns a scalar tensor between 0 and 1.

    Args:
        threshold: From which value on a place is occupied.
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        TypeError: If occupancy is neither bool nor floating point.
        ValueError: If shapes differ, there are no places, a value or the threshold is not finite, or both shapes of a
            pair are empty.

    Example:
        >>> import torch
        >>> metric = OccupancyIoU()
        >>> metric.update(torch.tensor([[0.9, 0.8, 0.1, 0.5]]), torch.tensor([[True, False, False, True]]))
        >>> metric.compute()
        tensor(0.6667)
    """

    is_differentiable = False
    higher_is_better = True
    plot_upper_bound = 1.0
    samples = "occupancies"

    def __init__(self, threshold: float = 0.5, **kwargs: Any) -> None:
        check_threshold(threshold)
        super().__init__("occupancy_iou", float(threshold), **kwargs)
        self.threshold = threshold

    def update(self, preds: Tensor | np.ndarray, target: Tensor | np.ndarray) -> None:
        """Add pairs of predicted and true occupancy."""
        self._add(self.measure(preds, target))

    def measure(self, preds: Tensor | np.ndarray, target: Tensor | np.ndarray) -> Tensor:
        """The measure of each pair, of shape ``(B,)``."""
        return occupancy_iou(preds, target, self.threshold)
