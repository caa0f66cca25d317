"""Earth mover's distance as a torchmetrics metric."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ds_metrics.clouds import Clouds
from ds_metrics.functional.earth_movers import Method, check_transport, earth_movers_distance
from ds_metrics.reconstruction.mean import PairMetric


class EarthMoversDistance(PairMetric):
    r"""Mean earth mover's distance between predicted and true clouds.

    .. math:: \min_{\pi} \sum_{p \in P} \sum_{q \in Q} \pi_{pq} \|p - q\|

    over the plans :math:`\pi` that carry a mass of :math:`1 / |P|` from each predicted point and :math:`1 / |Q|` to
    each true one: a mean per point, Euclidean unless ``squared``; see `ds_metrics.functional.earth_movers_distance`.
    Exact unless ``method="sinkhorn"``.

    As input to ``forward`` and ``update`` the metric accepts ``preds`` and ``target``, each ``(B, P, 3)`` or a
    sequence of ``(P_i, 3)``, and ``preds_lengths``, ``target_lengths`` of shape ``(B,)`` for padded clouds.
    As output of ``compute`` it returns a scalar tensor.

    Args:
        squared: Whether the distance moved is squared.
        method: ``"auto"`` and ``"assignment"`` (scipy), ``"pot"``: exact; or ``"sinkhorn"``.
        tolerance: How far ``"sinkhorn"`` may be from the exact distance, as a share; certified.
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If shapes don't fit, a cloud is empty or not finite, an option is unknown or out of range, or
            clouds differ in size and POT (the extra ``ot``) is not installed.
        RuntimeError: If the method comes to no certified end.

    Example:
        >>> import torch
        >>> metric = EarthMoversDistance()
        >>> metric.update(torch.zeros(1, 2, 3), torch.tensor([[[0.0, 0, 0], [0.0, 3, 4]]]))
        >>> metric.compute()
        tensor(2.5000)
    """

    is_differentiable = True
    higher_is_better = False

    def __init__(self, squared: bool = False, method: Method = "auto", tolerance: float = 0.01, **kwargs: Any) -> None:
        check_transport(squared, method, tolerance)
        super().__init__("earth_movers", squared, method, float(tolerance), **kwargs)
        self.squared = squared
        self.method: Method = method
        self.tolerance = tolerance

    def measure(
        self,
        preds: Clouds,
        target: Clouds,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> Tensor:
        """The measure of each pair, of shape ``(B,)``."""
        return earth_movers_distance(
            preds, target, self.squared, self.method, self.tolerance, preds_lengths, target_lengths
        )
