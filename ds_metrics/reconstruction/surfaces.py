"""Measures of surfaces as torchmetrics metrics: normal consistency, and the distance of points to a mesh."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ds_metrics.arguments import check_flag
from ds_metrics.clouds import Clouds
from ds_metrics.functional.normal_consistency import normal_consistency
from ds_metrics.functional.point_to_surface import Meshes, point_to_surface_distance
from ds_metrics.reconstruction.mean import MeanOverPairs


class NormalConsistency(MeanOverPairs):
    r"""Mean agreement of the normals of nearest points of predicted and true clouds.

    The mean of both directions of the absolute cosine, as in Occupancy Networks; see
    `ds_metrics.functional.normal_consistency`.

    As input to ``forward`` and ``update`` the metric accepts ``preds`` and ``target``, each ``(B, P, 3)`` or a
    sequence of ``(P_i, 3)``; by keyword ``preds_normals`` and ``target_normals`` of the same shapes, which a
    `MetricCollection` keeps from its other metrics; and ``preds_lengths``, ``target_lengths`` of shape ``(B,)`` for
    padded clouds. As output of ``compute`` it returns a scalar tensor between 0 and 1.

    Args:
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        TypeError: If points or normals are not floating point numbers.
        ValueError: If normals are missing, shapes don't fit, a cloud is empty or not finite, or a normal is zero.

    Example:
        >>> import torch
        >>> metric = NormalConsistency()
        >>> points, up = torch.rand(1, 5, 3), torch.tensor([0.0, 0.0, 1.0]).expand(1, 5, 3)
        >>> metric.update(points, points, preds_normals=up, target_normals=-up)
        >>> metric.compute()
        tensor(1.)
    """

    is_differentiable = True
    higher_is_better = True
    plot_upper_bound = 1.0

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("normal_consistency", **kwargs)

    def update(
        self,
        preds: Clouds,
        target: Clouds,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
        *,
        preds_normals: Clouds | None = None,
        target_normals: Clouds | None = None,
    ) -> None:
        """Add pairs of predicted and true clouds with their normals."""
        self._add(
            self.measure(
                preds,
                target,
                preds_lengths,
                target_lengths,
                preds_normals=preds_normals,
                target_normals=target_normals,
            )
        )

    def measure(
        self,
        preds: Clouds,
        target: Clouds,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
        *,
        preds_normals: Clouds | None = None,
        target_normals: Clouds | None = None,
    ) -> Tensor:
        """The measure of each pair, of shape ``(B,)``."""
        if preds_normals is None or target_normals is None:
            missing = "preds_normals" if preds_normals is None else "target_normals"
            raise ValueError(f"Argument `{missing}` must hold the normals of the points, but got none")
        return normal_consistency(preds, target, preds_normals, target_normals, preds_lengths, target_lengths)


class PointToSurfaceDistance(MeanOverPairs):
    """Mean distance of predicted points to the true surface.

    Exact, to triangles; one way; Euclidean unless ``squared``; see `ds_metrics.functional.point_to_surface_distance`.

    As input to ``forward`` and ``update`` the metric accepts ``preds``, ``(B, P, 3)`` or a sequence of ``(P_i, 3)``;
    by keyword ``target_meshes``, as many pairs of vertices ``(V, 3)`` and faces ``(F, 3)``; and ``preds_lengths`` of
    shape ``(B,)`` for padded clouds. ``target`` is taken and left alone, so that the metric goes into a
    `MetricCollection` with those that compare clouds. As output of ``compute`` it returns a scalar tensor.

    Args:
        squared: Whether distances are squared.
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If meshes are missing, shapes don't fit, or a cloud or a mesh is empty or not finite.

    Example:
        >>> import torch
        >>> metric = PointToSurfaceDistance()
        >>> triangle = [[0.0, 0, 0], [1.0, 0, 0], [0.0, 1, 0]], [[0, 1, 2]]
        >>> metric.update(torch.tensor([[[0.2, 0.2, 2.0]]]), target_meshes=[triangle])
        >>> metric.compute()
        tensor(2.)
    """

    is_differentiable = True
    higher_is_better = False

    def __init__(self, squared: bool = False, **kwargs: Any) -> None:
        check_flag("squared", squared)
        super().__init__("point_to_surface", squared, **kwargs)
        self.squared = squared

    def update(
        self,
        preds: Clouds,
        target: Clouds | None = None,
        preds_lengths: Tensor | None = None,
        *,
        target_meshes: Meshes | None = None,
    ) -> None:
        """Add predicted clouds with the meshes that are true."""
        self._add(self.measure(preds, target, preds_lengths, target_meshes=target_meshes))

    def measure(
        self,
        preds: Clouds,
        target: Clouds | None = None,
        preds_lengths: Tensor | None = None,
        *,
        target_meshes: Meshes | None = None,
    ) -> Tensor:
        """The measure of each pair, of shape ``(B,)``."""
        if target_meshes is None:
            raise ValueError("Argument `target_meshes` must hold pairs of vertices and faces, but got none")
        return point_to_surface_distance(preds, target_meshes, self.squared, preds_lengths)
