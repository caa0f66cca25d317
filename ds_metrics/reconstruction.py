"""Chamfer distance and F-score as torchmetrics metrics."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from ds_metrics.clouds import Clouds
from ds_metrics.functional import chamfer_distance, f_score


class _MeanOverPairs(Metric):
    """Mean of a measure over pairs of a predicted and a true cloud.

    torchmetrics' own ``forward`` resets the state while it computes the batch value, so that a bad batch would take
    all earlier ones with it; here a batch is measured first, and only then added.
    """

    full_state_update = False
    plot_lower_bound = 0.0

    n_pairs: Tensor
    _sum: str  # named per measure, lest compute groups take the states of two measures for one

    def __init__(self, state: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._sum = state
        self.add_state(state, default=torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("n_pairs", default=torch.tensor(0), dist_reduce_fx="sum")

    @abstractmethod
    def _measure(
        self, preds: Clouds, target: Clouds, preds_lengths: Tensor | None, target_lengths: Tensor | None
    ) -> Tensor:
        """The measure of each pair, of shape ``(B,)``."""

    def update(
        self,
        preds: Clouds,
        target: Clouds,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> None:
        """Add pairs of predicted and true clouds."""
        self._add(self._measure(preds, target, preds_lengths, target_lengths))

    def compute(self) -> Tensor:
        """Mean over all pairs."""
        if not self.n_pairs:
            raise ValueError(f"{type(self).__name__} needs at least one pair of clouds, but got none")
        mean: Tensor = getattr(self, self._sum) / self.n_pairs
        return mean.float()

    def forward(
        self,
        preds: Clouds,
        target: Clouds,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> Tensor:
        """Add pairs, and return the mean over this batch alone, with gradient."""
        values = self._measure(preds, target, preds_lengths, target_lengths)
        self._computed = None
        self._update_count += 1
        self._add(values)
        mean = values.mean()
        self._forward_cache = mean  # type: ignore[assignment]
        return mean

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot one or several values, see `torchmetrics.Metric.plot`."""
        return self._plot(val, ax)

    def _add(self, values: Tensor) -> None:
        total = getattr(self, self._sum)
        setattr(self, self._sum, total + values.detach().sum(dtype=torch.float64).to(total))
        self.n_pairs = self.n_pairs + len(values)


class ChamferDistance(_MeanOverPairs):
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
        >>> metric = ChamferDistance()
        >>> metric.update(torch.zeros(1, 4, 3), torch.ones(1, 2, 3))
        >>> metric.compute()
        tensor(6.)
    """

    is_differentiable = True
    higher_is_better = False

    chamfer_sum: Tensor

    def __init__(self, w1: float = 1.0, w2: float = 1.0, squared: bool = True, **kwargs: Any) -> None:
        super().__init__("chamfer_sum", **kwargs)
        self.w1 = w1
        self.w2 = w2
        self.squared = squared

    def _measure(
        self, preds: Clouds, target: Clouds, preds_lengths: Tensor | None, target_lengths: Tensor | None
    ) -> Tensor:
        return chamfer_distance(preds, target, self.w1, self.w2, self.squared, preds_lengths, target_lengths)


class FScore(_MeanOverPairs):
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
        >>> metric = FScore(radius=0.1)
        >>> truth = torch.tensor([[[0.0, 0, 0], [1.0, 0, 0]]])
        >>> metric.update(torch.zeros(1, 4, 3), truth)  # precision 1, recall 1/2
        >>> metric.compute()
        tensor(0.6667)
    """

    is_differentiable = False
    higher_is_better = True
    plot_upper_bound = 1.0

    f_score_sum: Tensor

    def __init__(self, radius: float = 0.01, eps: float = 1e-8, kaolin_recall: bool = False, **kwargs: Any) -> None:
        super().__init__("f_score_sum", **kwargs)
        if not radius > 0:
            raise ValueError(f"Argument `radius` must be positive, but got {radius}")
        self.radius = radius
        self.eps = eps
        self.kaolin_recall = kaolin_recall

    def _measure(
        self, preds: Clouds, target: Clouds, preds_lengths: Tensor | None, target_lengths: Tensor | None
    ) -> Tensor:
        return f_score(
            target,
            preds,
            self.radius,
            self.eps,
            kaolin_recall=self.kaolin_recall,
            gt_lengths=target_lengths,
            pred_lengths=preds_lengths,
        )
