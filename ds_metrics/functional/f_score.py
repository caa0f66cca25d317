"""F-score."""

from __future__ import annotations

from torch import Tensor

from ds_metrics.arguments import check_flag, check_positive
from ds_metrics.clouds import Clouds, PackedClouds
from ds_metrics.functional._nearest import mean_per_cloud, pack_pair, squared_distances


def f_score(
    gt_points: Clouds,
    pred_points: Clouds,
    radius: float = 0.01,
    eps: float = 1e-8,
    *,
    kaolin_recall: bool = False,
    gt_lengths: Tensor | None = None,
    pred_lengths: Tensor | None = None,
) -> Tensor:
    r"""F-score of predicted clouds at a radius (Tatarchenko et al. 2019), with Kaolin's signature.

    .. math:: F = \frac{2 P R}{P + R + \epsilon}

    Precision :math:`P` is the share of predicted points that lie within ``radius`` of the ground truth, recall
    :math:`R` the share of ground truth points within ``radius`` of the prediction. Beware of the order of
    arguments: ground truth comes first, as in Kaolin.

    Args:
        gt_points: Ground truth clouds, ``(B, P, 3)`` or a sequence of ``(P_i, 3)``.
        pred_points: As many predicted clouds.
        radius: Distance up to which a point counts as hit, in the units of the points.
        eps: Keeps the quotient finite where nothing is hit.
        kaolin_recall: Use Kaolin's recall, hits of the *prediction* over hits of the prediction plus misses of the
            ground truth. It differs from the textbook's where the two clouds differ in size.
        gt_lengths: Valid points of each cloud, if ``gt_points`` is padded.
        pred_lengths: Likewise for ``pred_points``.

    Returns:
        One score a pair, of shape ``(B,)``, between 0 and 1.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If shapes don't fit, a cloud is empty or not finite, or ``radius`` or ``eps`` is not positive.

    Example:
        >>> import torch
        >>> gt = torch.tensor([[[0.0, 0, 0], [5.0, 0, 0]]])
        >>> pred = torch.zeros(1, 10, 3)
        >>> f_score(gt, pred), f_score(gt, pred, kaolin_recall=True)  # precision 1, recall 1/2 and 10/11
        (tensor([0.6667]), tensor([0.9524]))
    """
    check_hits(radius, eps, kaolin_recall)
    names = "gt_points", "pred_points"
    gt, pred = pack_pair(gt_points, pred_points, names, (gt_lengths, pred_lengths), finite=False)
    to_pred, to_gt = squared_distances(gt, pred, names)
    precision, recall = _hit_share(to_gt, pred, radius), _hit_share(to_pred, gt, radius)
    if kaolin_recall:
        hits = precision * pred.lengths.to(precision.device)
        misses = (1 - recall) * gt.lengths.to(recall.device)
        recall = hits / (hits + misses).clamp_min(eps)
    return 2 * precision * recall / (precision + recall + eps)


def check_hits(radius: float, eps: float, kaolin_recall: bool) -> None:
    """Raise ``TypeError`` or ``ValueError`` for options that there are not."""
    check_positive("radius", radius)
    check_positive("eps", eps)
    check_flag("kaolin_recall", kaolin_recall)


def _hit_share(squared: Tensor, clouds: PackedClouds, radius: float) -> Tensor:
    distances = squared.detach().sqrt()
    return mean_per_cloud((distances <= radius).to(distances.dtype), clouds)
