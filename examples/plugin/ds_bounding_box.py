"""A metric that `ds` finds once this package is installed: nothing is registered, nothing of `ds` is changed.

    pip install examples/plugin
    ds metrics                                                          # lists bounding-box-iou, of ds-bounding-box
    ds eval predictions/ --target truth/ --metric bounding-box-iou

The entry point in `pyproject.toml` gives the name. The first line of the class's docstring is its description.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ds_metrics import PairMetric, pack_clouds
from ds_metrics.clouds import Clouds


class BoundingBoxIoU(PairMetric):
    """Mean IoU of the axis-aligned bounding boxes of predicted and true clouds.

    It sees size and proportions, and nothing of what is inside. All else that a metric does follows from ``measure``:
    means over batches and processes, lists of clouds and padded ones, a bad batch that costs nothing but itself.
    """

    is_differentiable = False
    higher_is_better = True
    plot_upper_bound = 1.0

    def measure(
        self,
        preds: Clouds,
        target: Clouds,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> Tensor:
        """IoU of each pair, `(B,)`."""
        low, high = bounds(preds, preds_lengths, "preds")
        true_low, true_high = bounds(target, target_lengths, "target")
        if len(low) != len(true_low):
            raise ValueError(f"Argument `target` must hold {len(low)} clouds as `preds` does, but got {len(true_low)}")
        shared = volume(torch.maximum(low, true_low), torch.minimum(high, true_high))
        union = volume(low, high) + volume(true_low, true_high) - shared
        # Flat boxes have no volume; two that are the same agree.
        same = ((low == true_low) & (high == true_high)).all(dim=1)
        return torch.where(union > 0, shared / union, same.to(shared))


def bounds(clouds: Clouds, lengths: Tensor | None, name: str) -> tuple[Tensor, Tensor]:
    """Lowest and highest coordinates of each cloud, `(B, 3)` float64."""
    parts = [cloud.double() for cloud in pack_clouds(clouds, lengths, name).split()]  # checked, whatever they come as
    return torch.stack([part.amin(dim=0) for part in parts]), torch.stack([part.amax(dim=0) for part in parts])


def volume(low: Tensor, high: Tensor) -> Tensor:
    """Volume of boxes; 0 where they are inside out."""
    return (high - low).clamp(min=0).prod(dim=1)
