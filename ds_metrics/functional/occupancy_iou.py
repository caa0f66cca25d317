"""Intersection over union of occupancy at places."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ds_metrics.arguments import check_number, check_plain
from ds_metrics.clouds import FLOATS, as_tensor


def occupancy_iou(preds: Tensor | np.ndarray, target: Tensor | np.ndarray, threshold: float = 0.5) -> Tensor:
    r"""Intersection over union of the volumes that two shapes take, from their occupancy at the same places.

    .. math:: \frac{\sum_i [\hat o_i \ge t] [o_i \ge t]}{\sum_i \max([\hat o_i \ge t], [o_i \ge t])}

    With places drawn uniformly from a box around both shapes it estimates the IoU of the shapes, as Occupancy Networks
    does from 100,000 places. Floats count as occupied from ``threshold`` on, in predictions and truth alike.

    Source: L. Mescheder et al., *Occupancy Networks*, CVPR 2019.

    Args:
        preds: Predicted occupancy, a tensor or array of shape ``(B, Q)``: bool, or floats in [0, 1].
        target: True occupancy of the same shape.
        threshold: From which value on a place is occupied; bools need none.

    Returns:
        One IoU a sample, of shape ``(B,)``, float32, between 0 and 1.

    Raises:
        TypeError: If occupancy is neither bool nor floating point.
        ValueError: If shapes or devices differ or are others, there are no places, a float is not in [0, 1], the
            threshold is not finite, or a sample is empty in both, where the IoU is undefined.

    Example:
        >>> preds = torch.tensor([[0.9, 0.8, 0.1, 0.5]])
        >>> target = torch.tensor([[True, False, False, True]])
        >>> occupancy_iou(preds, target)
        tensor([0.6667])
    """
    for values, name in ((preds, "preds"), (target, "target")):
        check_plain(name, values)
        if getattr(values, "ndim", 2) != 2:
            raise ValueError(f"Argument `{name}` must have shape (B, Q), but got {tuple(values.shape)}")
    return iou(preds, target, threshold)


def iou(preds: Tensor | np.ndarray, target: Tensor | np.ndarray, threshold: float) -> Tensor:
    """As `occupancy_iou`, of occupancy of any shape ``(B, ...)``."""
    check_threshold(threshold)
    first, second = (_occupied(values, threshold, name) for values, name in ((preds, "preds"), (target, "target")))
    if first.shape != second.shape or first.device != second.device:
        raise ValueError(
            f"Arguments `preds` and `target` must have one shape and device, but got {tuple(first.shape)} on "
            f"{first.device} and {tuple(second.shape)} on {second.device}"
        )
    union = (first | second).sum(dim=1)
    if not union.all():
        empty = int((union == 0).nonzero()[0])
        raise ValueError(f"Arguments `preds` and `target` must not both be empty, but sample {empty} is")
    return (first & second).sum(dim=1).float() / union.float()


def check_threshold(threshold: float) -> None:
    """Raise ``TypeError`` or ``ValueError`` for what is no threshold."""
    check_number("threshold", threshold)


def _occupied(values: Tensor | np.ndarray, threshold: float, name: str) -> Tensor:
    """Which places are occupied, of shape ``(B, Q)``."""
    check_plain(name, values)
    if isinstance(values, np.ndarray) and values.dtype.kind in "bf" and values.dtype.itemsize <= 8:
        values = as_tensor(values)
    if not isinstance(values, Tensor) or values.dtype not in (torch.bool, *FLOATS):
        kind = getattr(values, "dtype", type(values).__name__)
        raise TypeError(f"Argument `{name}` must be a bool or floating point tensor, but got {kind}")
    if values.ndim < 2 or 0 in values.shape[1:]:
        raise ValueError(f"Argument `{name}` must have shape (B, ...) and places, but got {tuple(values.shape)}")
    if values.dtype == torch.bool:
        return values.flatten(1)
    if not ((values >= 0) & (values <= 1)).all():  # NaN is neither
        raise ValueError(f"Argument `{name}` must hold finite occupancy between 0 and 1, but got others")
    return (values.detach() >= threshold).flatten(1)
