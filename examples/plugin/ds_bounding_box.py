"""A metric that `ds` finds once this package is installed: nothing is registered, nothing of `ds` is changed.

    pip install examples/plugin
    ds metrics                                                          # lists bounding-box-iou, of ds-bounding-box
    ds eval predictions/ --target truth/ --metric bounding-box-iou

The entry point in `pyproject.toml` gives the name. The first line of the class's docstring is its description; that
`update` takes a `target` without a default says that the metric needs one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from ds_metrics.clouds import Clouds, pack_clouds


class BoundingBoxIoU(Metric):
    """Mean IoU of the axis-aligned bounding boxes of predicted and true clouds.

    It sees size and proportions, and nothing of what is inside. As input to ``update`` it accepts clouds as all metrics
    of the package do: ``(B, P, 3)`` or a list of ``(P_i, 3)``.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    iou_sum: Tensor
    n_pairs: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Sums, which add up over batches and over processes.
        self.add_state("iou_sum", default=torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("n_pairs", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, preds: Clouds, target: Clouds) -> None:
        """Add pairs of clouds."""
        (low, high), (true_low, true_high) = bounds(preds, "preds"), bounds(target, "target")
        if len(low) != len(true_low):
            raise ValueError(f"Argument `target` must hold {len(low)} clouds as `preds` does, but got {len(true_low)}")
        shared = volume(torch.maximum(low, true_low), torch.minimum(high, true_high))
        union = volume(low, high) + volume(true_low, true_high) - shared
        # Flat boxes have no volume; two that are the same agree.
        same = ((low == true_low) & (high == true_high)).all(dim=1)
        iou = torch.where(union > 0, shared / union, same.to(shared))
        self.iou_sum += iou.sum().to(self.iou_sum)
        self.n_pairs += len(iou)

    def compute(self) -> Tensor:
        """Mean over all pairs."""
        if not self.n_pairs:
            raise ValueError("BoundingBoxIoU needs at least one pair, but got none")
        return (self.iou_sum / self.n_pairs).float()


def bounds(clouds: Clouds, name: str) -> tuple[Tensor, Tensor]:
    """Lowest and highest coordinates of each cloud, `(B, 3)` float64."""
    packed = pack_clouds(clouds, name=name)  # checks the clouds, whatever they come as
    parts = packed.points.detach().double().split(packed.lengths.tolist())
    return torch.stack([part.amin(dim=0) for part in parts]), torch.stack([part.amax(dim=0) for part in parts])


def volume(low: Tensor, high: Tensor) -> Tensor:
    """Volume of boxes; 0 where they are inside out."""
    return (high - low).clamp(min=0).prod(dim=1)
