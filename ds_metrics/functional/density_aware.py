"""Density-aware Chamfer distance."""

from __future__ import annotations

import torch
from torch import Tensor

from ds_metrics.arguments import check_number, check_positive
from ds_metrics.clouds import Clouds, PackedClouds
from ds_metrics.functional._nearest import mean_per_cloud, pack_pair, squared_to
from ds_metrics.pairwise import nearest_points


def density_aware_chamfer_distance(
    p1: Clouds,
    p2: Clouds,
    alpha: float = 1000.0,
    n_lambda: float = 1.0,
    lengths1: Tensor | None = None,
    lengths2: Tensor | None = None,
) -> Tensor:
    r"""Density-aware Chamfer distance (DCD) between clouds compared one to one.

    .. math:: \frac{1}{2} \left( \frac{1}{|P_1|} \sum_{p \in P_1}
              \left(1 - \frac{|P_1|}{|P_2|} \frac{e^{-\alpha \|p - \hat q\|^2}}{n_{\hat q}^\lambda}\right)
              + \frac{1}{|P_2|} \sum_{q \in P_2}
              \left(1 - \frac{|P_2|}{|P_1|} \frac{e^{-\alpha \|q - \hat p\|^2}}{n_{\hat p}^\lambda}\right) \right)

    with :math:`\hat q` the point of :math:`P_2` nearest to :math:`p`, and :math:`n_{\hat q}` how many points of
    :math:`P_1` have it for their nearest. The mean of both directions, not their sum. 0 for equal clouds of distinct
    points, and at most 1; not below 0 with ``n_lambda`` of at least 1 or clouds of equal sizes.

    The paper writes the distance in the exponent without a square; its published code squares it, as here. ``alpha``
    thus has the inverse units of a squared distance: 1000 is meant for shapes of about unit size, and two values
    only compare at equal scale and ``alpha``. The factors :math:`|P_1| / |P_2|` are the published code's for clouds of
    different sizes; its term of 1e-6 beside the counts is left out. Where several points are equally near, the backend
    takes one, and the counts depend on which.

    Differentiable in both clouds; the neighbours and their counts are fixed.

    Source: T. Wu et al., *Density-aware Chamfer Distance as a Comprehensive Metric for Point Cloud Completion*,
    NeurIPS 2021, arXiv 2111.12702.

    Args:
        p1: Clouds, ``(B, P1, 3)`` or a sequence of ``(P_i, 3)``.
        p2: As many clouds, ``(B, P2, 3)`` or a sequence.
        alpha: How soon a distance counts as far, in the inverse of squared units.
        n_lambda: Power of the counts; 0 leaves the density out.
        lengths1: Valid points of each cloud, of shape ``(B,)``, if ``p1`` is padded.
        lengths2: Likewise for ``p2``.

    Returns:
        One distance a pair, of shape ``(B,)``; float32 for half precision, else the dtype of the points.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If shapes don't fit, a cloud is empty or not finite, ``alpha`` is not positive or ``n_lambda`` is
            negative.

    Example:
        >>> p1 = torch.tensor([[[0.0, 0, 0], [0.0, 0, 9]]])  # both have the same nearest point: weight 1/2,
        >>> p2 = torch.tensor([[[0.0, 0, 0], [9.0, 0, 0]]])  # and the second is far from it: (1/2 + 1) / 2 either way
        >>> density_aware_chamfer_distance(p1, p2)
        tensor([0.7500])
    """
    check_density(alpha, n_lambda)
    names = "p1", "p2"
    x, y = pack_pair(p1, p2, names, (lengths1, lengths2), finite=False)
    in_y, in_x = nearest_points(x, y, names=names, needs_squares=True)
    return (_one_way(x, y, in_y, alpha, n_lambda) + _one_way(y, x, in_x, alpha, n_lambda)) / 2


def check_density(alpha: float, n_lambda: float) -> None:
    """Raise ``TypeError`` or ``ValueError`` for options that there are not."""
    check_positive("alpha", alpha)
    check_number("n_lambda", n_lambda, "at least 0 and finite", least=0)


def _one_way(x: PackedClouds, y: PackedClouds, in_y: Tensor, alpha: float, n_lambda: float) -> Tensor:
    near = torch.exp(-alpha * squared_to(x.points, y.points, in_y))
    counts = torch.zeros(len(y.points), dtype=in_y.dtype, device=in_y.device)
    counts = counts.index_add(0, in_y, torch.ones_like(in_y)).index_select(0, in_y).to(near.dtype)
    ratio = (x.lengths.double() / y.lengths).to(near)
    return 1 - ratio * mean_per_cloud(near / counts**n_lambda, x)
