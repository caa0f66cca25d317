"""What the measures of pairs share: a mean over pairs."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from ds_metrics._accumulating import RecoveringMetric
from ds_metrics.clouds import Clouds


class MeanOverPairs(RecoveringMetric):
    """Mean of a measure over pairs of a prediction and its truth.

    A subclass has an ``update`` that adds what its ``measure`` makes of the same arguments. ``forward`` returns the
    mean over the batch alone, with gradient.

    Args:
        name: Of the measure; by default that of the class.
        settings: What else its values depend on. The state is named by both, lest a `MetricCollection` takes the states
            of two measures for one where their first values are equal.
        kwargs: Options of `torchmetrics.Metric`.
    """

    full_state_update = False
    plot_lower_bound = 0.0

    n_pairs: Tensor
    _sum: str

    def __init__(self, name: str | None = None, *settings: object, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._sum = _state_name(name or type(self).__name__, *settings)
        zeros = torch.zeros(2, dtype=torch.float32, device=self.device)
        self.add_state(self._sum, default=zeros, dist_reduce_fx=_add)
        self.add_state("n_pairs", default=torch.tensor(0, device=self.device), dist_reduce_fx="sum")

    @abstractmethod
    def measure(self, *args: Any, **kwargs: Any) -> Tensor:
        """The measure of each pair, of shape ``(B,)``."""

    def compute(self) -> Tensor:
        """Mean over all pairs."""
        if not self.n_pairs:
            raise ValueError(f"{type(self).__name__} needs at least one pair, but got none")
        total = getattr(self, self._sum).cpu().double().sum()
        if not torch.isfinite(total):
            raise ValueError(f"{type(self).__name__} has values whose sum exceeds float32: scale the samples")
        mean: Tensor = total / int(self.n_pairs)
        return mean.float().to(self.device)

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot one or several values, see `torchmetrics.Metric.plot`."""
        return self._plot(val, ax)

    def _measured(self, *args: Any, **kwargs: Any) -> tuple[tuple[Tensor], Tensor]:
        values = self._checked(self.measure(*args, **kwargs))
        return (values,), values.mean()

    def _checked(self, values: Tensor) -> Tensor:
        if not isinstance(values, Tensor) or values.dim() != 1:
            got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(f"{type(self).__name__}.measure must give one value a pair, of shape (B,), but gave {got}")
        return values

    def _accumulate(self, values: Tensor) -> None:
        self._checked(values)
        setattr(self, self._sum, _add(torch.stack([getattr(self, self._sum), _sum(values.detach()).to(self.device)])))
        self.n_pairs = self.n_pairs + len(values)


class PairMetric(MeanOverPairs):
    """Mean of a measure over pairs of a predicted and a true cloud.

    A subclass says in ``measure`` what a batch of pairs is worth; ``update``, ``forward``, ``compute`` and distributed
    training follow from it. One with settings names them in ``super().__init__(name, *settings)``.

    As input to ``forward`` and ``update`` it accepts ``preds`` and ``target``, each ``(B, P, 3)`` or a sequence of
    ``(P_i, 3)``, and ``preds_lengths``, ``target_lengths`` of shape ``(B,)`` for padded clouds; `pack_clouds` checks
    them, whatever they come as. As output of ``compute`` it returns a scalar tensor.

    Args:
        name: Of the measure; by default that of the class.
        settings: What else its values depend on. The state is named by both, lest a `MetricCollection` takes the states
            of two measures for one where their first values are equal.
        kwargs: Options of `torchmetrics.Metric`.

    Example:
        >>> from ds_metrics import pack_clouds
        >>> class HeightError(PairMetric):
        ...     def measure(self, preds, target, preds_lengths=None, target_lengths=None):
        ...         predicted = pack_clouds(preds, preds_lengths, "preds").split()
        ...         true = pack_clouds(target, target_lengths, "target").split()
        ...         pairs = zip(predicted, true, strict=True)
        ...         return torch.stack([(p[:, 1].max() - t[:, 1].max()).abs() for p, t in pairs])
        >>> metric = HeightError()
        >>> metric.update([torch.zeros(5, 3), torch.ones(4, 3)], torch.ones(2, 7, 3))
        >>> metric.compute()
        tensor(0.5000)
    """

    @abstractmethod
    def measure(
        self,
        preds: Clouds,
        target: Clouds,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
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
        self._add(self.measure(preds, target, preds_lengths, target_lengths))


def _sum(values: Tensor) -> Tensor:
    """The sum of values and what float32 rounds off it, float32 of shape ``(2,)``."""
    total = values.sum(dtype=torch.float32 if values.device.type == "mps" else torch.float64)  # Apple's GPUs lack it
    rounded = total.float()
    return torch.stack([rounded, (total - rounded).float()])


def _add(sums: Tensor) -> Tensor:
    """The sum of sums with what was rounded off each, ``(N, 2)``, in the same form (Knuth's two-sum).

    It holds 48 bits where one float32 holds 24, on devices that have no float64, too.

    Example:
        >>> _add(torch.tensor([[2.0**24, 0.0], [1.0, 0.0], [0.5, 0.0]])).double().sum() - 2**24
        tensor(1.5000, dtype=torch.float64)
    """
    high, low = sums[0]
    for other, rest in sums[1:]:
        total = high + other
        moved = total - high
        low = low + rest + ((high - (total - moved)) + (other - moved))
        high = total
    total = high + low
    return torch.stack([total, low - (total - high)])


def _state_name(measure: str, *settings: object) -> str:
    """Name of the sum of a measure at its settings.

    Example:
        >>> _state_name("hausdorff", False, 97.5)
        'hausdorff_sum_False_97_5'
    """
    words = "_".join([measure, "sum", *map(str, settings)])
    return "".join(letter if letter.isalnum() else "_" for letter in words)
