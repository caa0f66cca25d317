"""What the measures of pairs share: a mean over pairs."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from ds_metrics._syncing import RecoveringMetric
from ds_metrics.clouds import Clouds


class MeanOverPairs(RecoveringMetric):
    """Mean of a measure over pairs of a prediction and its truth.

    A subclass has an ``update`` that adds what its ``_measure`` makes of the same arguments.

    torchmetrics' own ``forward`` resets the state while it computes the batch value, so that a bad batch would take
    all earlier ones with it; here a batch is measured first, and only then added.
    """

    full_state_update = False
    plot_lower_bound = 0.0

    n_pairs: Tensor
    _sum: str  # named per measure and setting, lest compute groups take the states of two measures for one

    def __init__(self, state: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._sum = state
        self.add_state(state, default=torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("n_pairs", default=torch.tensor(0), dist_reduce_fx="sum")

    @abstractmethod
    def _measure(self, *args: Any, **kwargs: Any) -> Tensor:
        """The measure of each pair, of shape ``(B,)``."""

    def compute(self) -> Tensor:
        """Mean over all pairs."""
        if not self.n_pairs:
            raise ValueError(f"{type(self).__name__} needs at least one pair, but got none")
        mean: Tensor = getattr(self, self._sum) / self.n_pairs
        return mean.float()

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Add pairs as ``update`` does, and return the mean over this batch alone, with gradient."""
        values = self._measure(*args, **kwargs)
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


class MeanOverClouds(MeanOverPairs):
    """The same of clouds: ``preds`` and ``target`` of any sizes, or padded."""

    @abstractmethod
    def _measure(
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
        self._add(self._measure(preds, target, preds_lengths, target_lengths))


def state_name(measure: str, *settings: object) -> str:
    """Name of the sum of a measure at its settings.

    Example:
        >>> state_name("hausdorff", False, 97.5)
        'hausdorff_sum_False_97_5'
    """
    words = "_".join([measure, "sum", *map(str, settings)])
    return "".join(letter if letter.isalnum() else "_" for letter in words)
