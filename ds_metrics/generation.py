"""Measures of a set of generated shapes against a reference set, as torchmetrics metrics.

All take ``update(preds, target)`` with generated and reference clouds, each ``(B, P, 3)`` or a sequence of
``(P_i, 3)``, and ``preds_lengths``, ``target_lengths`` of shape ``(B,)`` for padded clouds; ``compute`` returns a
scalar tensor. The two are sets: their order and pairing have no meaning. See `ds_metrics.sets.SetMetric` for options
and for sharing matrices, and `ds_metrics.functional` for formulas, conventions and sources.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ds_metrics.clouds import Clouds
from ds_metrics.functional.manifold import check_nearest_k
from ds_metrics.functional.matching import coverage, minimum_matching_distance, one_nn_accuracy
from ds_metrics.functional.occupancy import check_grid, occupancy_divergence
from ds_metrics.functional.vendi import check_scale, distance_similarity, median_scale, vendi_score
from ds_metrics.set_distances import SetDistances
from ds_metrics.sets import SetMetric


class MinimumMatchingDistance(SetMetric):
    r"""MMD: mean distance of each reference shape to the nearest generated one.

    .. math:: \frac{1}{R} \sum_r \min_g d(g, r)

    See `ds_metrics.functional.minimum_matching_distance`.

    Example:
        >>> import torch
        >>> metric = MinimumMatchingDistance()
        >>> metric.update(torch.zeros(2, 4, 3), torch.tensor([0.0, 1.0]).reshape(2, 1, 1).expand(2, 4, 3))
        >>> metric.compute()  # (0 + 6) / 2
        tensor(3.)
    """

    higher_is_better = False
    matrices = ("d_gr",)

    def measure(self, sets: SetDistances) -> Tensor:
        """The value for two sets."""
        return minimum_matching_distance(sets.matrix("d_gr"))


class Coverage(SetMetric):
    r"""COV: share of the reference shapes that are nearest to some generated one.

    See `ds_metrics.functional.coverage`.

    Example:
        >>> import torch
        >>> metric = Coverage()
        >>> metric.update(torch.zeros(2, 4, 3), torch.tensor([0.0, 1.0]).reshape(2, 1, 1).expand(2, 4, 3))
        >>> metric.compute()
        tensor(0.5000)
    """

    higher_is_better = True
    plot_upper_bound = 1.0
    matrices = ("d_gr",)

    def measure(self, sets: SetDistances) -> Tensor:
        """The value for two sets."""
        return coverage(sets.matrix("d_gr"))


class OneNearestNeighborAccuracy(SetMetric):
    r"""1-NNA: how well the nearest neighbour tells generated from reference shapes; 0.5 is best.

    See `ds_metrics.functional.one_nn_accuracy`.

    Example:
        >>> import torch
        >>> shapes = torch.tensor([0.0, 1.0, 5.0, 6.0]).reshape(4, 1, 1).expand(4, 4, 3)
        >>> metric = OneNearestNeighborAccuracy()
        >>> metric.update(shapes[:2], shapes[2:])
        >>> metric.compute()
        tensor(1.)
    """

    higher_is_better = None
    plot_upper_bound = 1.0
    matrices = ("d_gg", "d_gr", "d_rr")

    def measure(self, sets: SetDistances) -> Tensor:
        """The value for two sets."""
        return one_nn_accuracy(sets.matrix("d_gg"), sets.matrix("d_gr"), sets.matrix("d_rr"))


class OccupancyDivergence(SetMetric):
    r"""JSD between the places that generated and reference points occupy, in bits.

    See `ds_metrics.functional.occupancy_divergence`. It takes no distances.

    Args:
        resolution: Cells along each axis.
        radius: Of the ball that the shapes lie in.
        kwargs: Options of `SetMetric`.

    Example:
        >>> import torch
        >>> metric = OccupancyDivergence()
        >>> metric.update(torch.zeros(2, 4, 3), torch.full((2, 4, 3), 0.5))
        >>> metric.compute()
        tensor(1.)
    """

    higher_is_better = False
    plot_upper_bound = 1.0

    def __init__(self, resolution: int = 28, radius: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_grid(resolution, radius)
        self.resolution = resolution
        self.radius = radius

    def measure(self, sets: SetDistances) -> Tensor:
        """The value for two sets."""
        return occupancy_divergence(sets.clouds("generated"), sets.clouds("reference"), self.resolution, self.radius)

    def settings(self) -> dict[str, Any]:
        """What two values must share to be compared."""
        return {"resolution": self.resolution, "radius": self.radius}


class _OfManifolds(SetMetric):
    """One of precision, recall, density and coverage."""

    higher_is_better = True
    matrices = ("d_gg", "d_gr", "d_rr")
    _value: str

    def __init__(self, nearest_k: int = 5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_nearest_k(nearest_k)
        self.nearest_k = nearest_k

    def measure(self, sets: SetDistances) -> Tensor:
        """The value for two sets."""
        found: Tensor = getattr(sets.prdc(self.nearest_k), self._value)
        return found

    def settings(self) -> dict[str, Any]:
        """What two values must share to be compared."""
        return {"nearest_k": self.nearest_k}

    @property
    def _fewest(self) -> int:
        return self.nearest_k + 1


class ManifoldPrecision(_OfManifolds):
    """Precision: share of the generated shapes within k-NN reach of a reference shape.

    See `ds_metrics.functional.prdc`, also for the other three; ``nearest_k`` is 5 unless given.

    Example:
        >>> import torch
        >>> shapes = torch.arange(8.0).reshape(8, 1, 1).expand(8, 4, 3)
        >>> metric = ManifoldPrecision(nearest_k=1)
        >>> metric.update(shapes + 0.1, shapes)
        >>> metric.compute()
        tensor(1.)
    """

    plot_upper_bound = 1.0
    _value = "precision"


class ManifoldRecall(_OfManifolds):
    """Recall: share of the reference shapes within k-NN reach of a generated shape.

    Example:
        >>> import torch
        >>> shapes = torch.arange(8.0).reshape(8, 1, 1).expand(8, 4, 3)
        >>> metric = ManifoldRecall(nearest_k=1)
        >>> metric.update(shapes[[0, 0, 0, 4, 4, 4, 7, 7]], shapes)
        >>> metric.compute()
        tensor(0.)
    """

    plot_upper_bound = 1.0
    _value = "recall"


class ManifoldDensity(_OfManifolds):
    """Density: reference shapes whose k-NN reach holds a generated shape, over k, on average.

    Example:
        >>> import torch
        >>> shapes = torch.arange(8.0).reshape(8, 1, 1).expand(8, 4, 3)
        >>> metric = ManifoldDensity(nearest_k=1)
        >>> metric.update(shapes, shapes)
        >>> metric.compute()
        tensor(1.)
    """

    _value = "density"


class ManifoldCoverage(_OfManifolds):
    """Coverage of PRDC: share of the reference shapes with a generated shape within their k-NN reach.

    Example:
        >>> import torch
        >>> shapes = torch.arange(8.0).reshape(8, 1, 1).expand(8, 4, 3)
        >>> metric = ManifoldCoverage(nearest_k=1)
        >>> metric.update(shapes[[0, 0, 0, 0, 4, 4, 4, 4]], shapes)
        >>> metric.compute()
        tensor(0.2500)
    """

    plot_upper_bound = 1.0
    _value = "coverage"


class VendiScore(SetMetric):
    r"""Vendi score: how many distinct shapes the generated ones effectively are.

    Of the similarity :math:`\exp(-d / s)`, see `ds_metrics.functional.vendi_score`. Scores compare at equal numbers of
    shapes and equal ``scale``. Unless given, it is the median of the distances among the **reference** shapes, so that
    all predictions of one ground truth compare; where there are none, of those among the generated ones, and then they
    don't. The scale of the last computation is on the attribute ``scale_used``.

    ``update`` takes ``target`` if it is there. The score that ``forward`` returns is at the scale of its batch, unless
    one is given.

    Args:
        scale: Distance at which similarity is 1 / e; or ``"median"``.
        kwargs: Options of `SetMetric`.

    Example:
        >>> import torch
        >>> metric = VendiScore(scale=0.1)
        >>> metric.update(torch.tensor([0.0, 0.0, 5.0, 9.0]).reshape(4, 1, 1).expand(4, 4, 3))
        >>> metric.compute()  # shares 1/2, 1/4, 1/4: 2 to the power of 1.5
        tensor(2.8284)
    """

    higher_is_better = None  # noise is diverse too
    needs_target = False
    matrices: tuple[str, ...] = ("d_gg", "d_rr")
    findings = ("scale_used",)

    scale_used: float | None

    def __init__(self, scale: float | str = "median", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(scale, str):
            if scale != "median":
                raise ValueError(f"Argument `scale` must be 'median' or a positive number, but got {scale!r}")
        else:
            check_scale(scale)
            self.matrices = ("d_gg",)
        self.scale = scale
        self.scale_used = None

    def update(
        self,
        preds: Clouds,
        target: Clouds | None = None,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> None:
        """Add clouds."""
        self._add(*self._checked(preds, target, preds_lengths, target_lengths))

    def measure(self, sets: SetDistances) -> Tensor:
        """The value for two sets."""
        among = sets.matrix("d_gg")
        if isinstance(self.scale, str):
            self.scale_used = median_scale(among if sets.reference is None else sets.matrix("d_rr"))
        else:
            self.scale_used = float(self.scale)
        return vendi_score(distance_similarity(among, self.scale_used))

    def settings(self) -> dict[str, Any]:
        """What two values must share to be compared."""
        return {"scale": self.scale_used}
