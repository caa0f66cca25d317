"""Measures of nearest points as torchmetrics metrics: Chamfer distances, F-score, Hausdorff distance."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ds_metrics.clouds import Clouds
from ds_metrics.functional.chamfer import chamfer_distance, check_chamfer
from ds_metrics.functional.density_aware import check_density, density_aware_chamfer_distance
from ds_metrics.functional.f_score import check_hits, f_score
from ds_metrics.functional.hausdorff import check_hausdorff, hausdorff_distance
from ds_metrics.reconstruction.mean import PairMetric


class ChamferDistance(PairMetric):
    r"""Mean Chamfer distance between predicted and true clouds.

    .. math:: \frac{w_1}{|P|} \sum_{p \in P} \min_{q \in Q} \|p - q\|^2
              + \frac{w_2}{|Q|} \sum_{q \in Q} \min_{p \in P} \|q - p\|^2

    for each prediction :math:`P` and truth :math:`Q`: the sum of the two means of squared distances, Kaolin's
    default convention; see `ds_metrics.functional.chamfer_distance`.

    As input to ``forward`` and ``update`` the metric accepts ``preds`` and ``target``, each ``(B, P, 3)`` or a
    sequence of ``(P_i, 3)``, and ``preds_lengths``, ``target_lengths`` of shape ``(B,)`` for padded clouds.
    As output of ``compute`` it returns a scalar tensor.

    Args:
        w1: Weight of the direction from prediction to truth.
        w2: Weight of the direction from truth to prediction.
        squared: Whether distances are squared.
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If shapes don't fit, or a cloud is empty or not finite.

    Example:
        >>> import torch
        >>> metric = ChamferDistance()
        >>> metric.update(torch.zeros(1, 4, 3), torch.ones(1, 2, 3))
        >>> metric.compute()
        tensor(6.)
    """

    is_differentiable = True
    higher_is_better = False

    def __init__(self, w1: float = 1.0, w2: float = 1.0, squared: bool = True, **kwargs: Any) -> None:
        check_chamfer(w1, w2, squared)
        super().__init__("chamfer", float(w1), float(w2), squared, **kwargs)
        self.w1 = w1
        self.w2 = w2
        self.squared = squared

    def measure(
        self,
        preds: Clouds,
        target: Clouds,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> Tensor:
        """The measure of each pair, of shape ``(B,)``."""
        return chamfer_distance(preds, target, self.w1, self.w2, self.squared, preds_lengths, target_lengths)


class FScore(PairMetric):
    r"""Mean F-score of predicted clouds at a radius.

    .. math:: F = \frac{2 P R}{P + R + \epsilon}

    with precision :math:`P`, the share of predicted points within ``radius`` of the truth, and recall :math:`R`, the
    share of true points within ``radius`` of the prediction; see `ds_metrics.functional.f_score`.

    As input to ``forward`` and ``update`` the metric accepts ``preds`` and ``target``, each ``(B, P, 3)`` or a
    sequence of ``(P_i, 3)``, and ``preds_lengths``, ``target_lengths`` of shape ``(B,)`` for padded clouds.
    As output of ``compute`` it returns a scalar tensor between 0 and 1.

    Args:
        radius: Distance up to which a point counts as hit.
        eps: Keeps the quotient finite where nothing is hit.
        kaolin_recall: Use Kaolin's variant of the recall.
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If shapes don't fit, a cloud is empty or not finite, or ``radius`` is not positive.

    Example:
        >>> import torch
        >>> metric = FScore(radius=0.1)
        >>> truth = torch.tensor([[[0.0, 0, 0], [1.0, 0, 0]]])
        >>> metric.update(torch.zeros(1, 4, 3), truth)  # precision 1, recall 1/2
        >>> metric.compute()
        tensor(0.6667)
    """

    is_differentiable = False
    higher_is_better = True
    plot_upper_bound = 1.0

    def __init__(self, radius: float = 0.01, eps: float = 1e-8, kaolin_recall: bool = False, **kwargs: Any) -> None:
        check_hits(radius, eps, kaolin_recall)
        super().__init__("f_score", float(radius), float(eps), kaolin_recall, **kwargs)
        self.radius = radius
        self.eps = eps
        self.kaolin_recall = kaolin_recall

    def measure(
        self,
        preds: Clouds,
        target: Clouds,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> Tensor:
        """The measure of each pair, of shape ``(B,)``."""
        return f_score(
            target,
            preds,
            self.radius,
            self.eps,
            kaolin_recall=self.kaolin_recall,
            gt_lengths=target_lengths,
            pred_lengths=preds_lengths,
        )


class HausdorffDistance(PairMetric):
    r"""Mean Hausdorff distance between predicted and true clouds.

    .. math:: \max\left(\max_{p \in P} \min_{q \in Q} \|p - q\|, \; \max_{q \in Q} \min_{p \in P} \|q - p\|\right)

    for each prediction :math:`P` and truth :math:`Q`: Euclidean, in the units of the points; see
    `ds_metrics.functional.hausdorff_distance`.

    As input to ``forward`` and ``update`` the metric accepts ``preds`` and ``target``, each ``(B, P, 3)`` or a
    sequence of ``(P_i, 3)``, and ``preds_lengths``, ``target_lengths`` of shape ``(B,)`` for padded clouds.
    As output of ``compute`` it returns a scalar tensor.

    Args:
        directed: Whether only the distance from prediction to truth is taken.
        percentile: Percentile of the nearest distances in each direction; 100 is the maximum, 95 the HD95.
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If shapes don't fit, a cloud is empty or not finite, or ``percentile`` is out of range.

    Example:
        >>> import torch
        >>> metric = HausdorffDistance()
        >>> metric.update(torch.zeros(1, 4, 3), torch.tensor([[[0.0, 0, 0], [0.0, 3, 4]]]))
        >>> metric.compute()
        tensor(5.)
    """

    is_differentiable = True
    higher_is_better = False

    def __init__(self, directed: bool = False, percentile: float = 100.0, **kwargs: Any) -> None:
        check_hausdorff(directed, percentile)
        super().__init__("hausdorff", directed, float(percentile), **kwargs)
        self.directed = directed
        self.percentile = percentile

    def measure(
        self,
        preds: Clouds,
        target: Clouds,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> Tensor:
        """The measure of each pair, of shape ``(B,)``."""
        return hausdorff_distance(preds, target, self.directed, self.percentile, preds_lengths, target_lengths)


class DensityAwareChamferDistance(PairMetric):
    r"""Mean density-aware Chamfer distance (Wu et al. 2021) between predicted and true clouds.

    Nearest distances through :math:`1 - e^{-\alpha d^2} / n^\lambda`, where :math:`n` points share their nearest one:
    the mean of both directions; see `ds_metrics.functional.density_aware_chamfer_distance`.

    As input to ``forward`` and ``update`` the metric accepts ``preds`` and ``target``, each ``(B, P, 3)`` or a
    sequence of ``(P_i, 3)``, and ``preds_lengths``, ``target_lengths`` of shape ``(B,)`` for padded clouds.
    As output of ``compute`` it returns a scalar tensor of at most 1.

    Args:
        alpha: How soon a distance counts as far, in the inverse of squared units.
        n_lambda: Power of the counts; 0 leaves the density out.
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If shapes don't fit, a cloud is empty or not finite, or an option is out of range.

    Example:
        >>> import torch
        >>> metric = DensityAwareChamferDistance()
        >>> metric.update(torch.tensor([[[0.0, 0, 0], [0.0, 0, 9]]]), torch.tensor([[[0.0, 0, 0], [9.0, 0, 0]]]))
        >>> metric.compute()
        tensor(0.7500)
    """

    is_differentiable = True
    higher_is_better = False
    plot_upper_bound = 1.0

    def __init__(self, alpha: float = 1000.0, n_lambda: float = 1.0, **kwargs: Any) -> None:
        check_density(alpha, n_lambda)
        super().__init__("density_aware", float(alpha), float(n_lambda), **kwargs)
        self.alpha = alpha
        self.n_lambda = n_lambda

    def measure(
        self,
        preds: Clouds,
        target: Clouds,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> Tensor:
        """The measure of each pair, of shape ``(B,)``."""
        return density_aware_chamfer_distance(preds, target, self.alpha, self.n_lambda, preds_lengths, target_lengths)
