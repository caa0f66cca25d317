"""Normal consistency."""

from __future__ import annotations

import torch
from torch import Tensor

from ds_metrics.clouds import Clouds, PackedClouds, pack_clouds
from ds_metrics.functional._nearest import mean_per_cloud, pack_pair
from ds_metrics.pairwise import nearest_points


def normal_consistency(
    p1: Clouds,
    p2: Clouds,
    normals1: Clouds,
    normals2: Clouds,
    lengths1: Tensor | None = None,
    lengths2: Tensor | None = None,
) -> Tensor:
    r"""How well the normals of nearest points agree, between clouds compared one to one.

    .. math:: \frac{1}{2 |P_1|} \sum_{p \in P_1} |n_p \cdot n_{\hat q}|
              + \frac{1}{2 |P_2|} \sum_{q \in P_2} |n_q \cdot n_{\hat p}|

    with :math:`\hat q` the point of :math:`P_2` nearest to :math:`p`: the mean of both directions of the absolute
    cosine, so that it does not matter which side a normal points to. 1 is best; normals without any relation give 1/2.
    Normals of any length are taken as directions. Differentiable in the normals; the points only tell who is near.
    Where several points are equally near, the backend takes one.

    Source: L. Mescheder et al., *Occupancy Networks*, CVPR 2019.

    Args:
        p1: Clouds, ``(B, P1, 3)`` or a sequence of ``(P_i, 3)``.
        p2: As many clouds, ``(B, P2, 3)`` or a sequence.
        normals1: Normals of the points ``p1``, of the same shapes.
        normals2: Normals of the points ``p2``, of the same shapes.
        lengths1: Valid points of each cloud, of shape ``(B,)``, if ``p1`` and ``normals1`` are padded.
        lengths2: Likewise for ``p2`` and ``normals2``.

    Returns:
        One score a pair, of shape ``(B,)``, between 0 and 1.

    Raises:
        TypeError: If points or normals are not floating point numbers.
        ValueError: If shapes don't fit, a cloud is empty, points or normals are not finite, or a normal is zero.

    Example:
        >>> points = torch.zeros(1, 1, 3)
        >>> up, tilted = torch.tensor([[[0.0, 0, 1]]]), torch.tensor([[[0.0, 3, -4]]])
        >>> normal_consistency(points, points, up, tilted)
        tensor([0.8000])
    """
    x, y = pack_pair(p1, p2, ("p1", "p2"), (lengths1, lengths2))
    of_x = _directions(pack_clouds(normals1, lengths1, "normals1"), x, "1")
    of_y = _directions(pack_clouds(normals2, lengths2, "normals2"), y, "2")
    in_y, in_x = nearest_points(x, y)
    return (_agreement(of_x, of_y, in_y, x) + _agreement(of_y, of_x, in_x, y)) / 2


def _directions(normals: PackedClouds, clouds: PackedClouds, which: str) -> Tensor:
    """Normals of length 1, of shape ``(T, 3)``."""
    if normals.lengths.tolist() != clouds.lengths.tolist():
        raise ValueError(
            f"Arguments `normals{which}` and `p{which}` must hold as many normals as points, "
            f"but got {normals.lengths.tolist()} and {clouds.lengths.tolist()}"
        )
    if normals.points.device != clouds.points.device:
        raise ValueError(
            f"Arguments `normals{which}` and `p{which}` must be on one device, "
            f"but got {normals.points.device} and {clouds.points.device}"
        )
    largest = normals.points.detach().abs().amax(dim=1, keepdim=True)
    if not largest.all():
        zero = int(clouds.segments[(largest == 0)[:, 0]][0])
        raise ValueError(f"Argument `normals{which}` must hold directions, but cloud {zero} has a normal of length 0")
    scaled = normals.points / largest  # whose squares neither vanish nor overflow
    lengths: Tensor = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return scaled / lengths


def _agreement(normals: Tensor, others: Tensor, nearest: Tensor, clouds: PackedClouds) -> Tensor:
    cosines = (normals * others.index_select(0, nearest)).sum(dim=1)
    return mean_per_cloud(cosines.abs().clamp(max=1), clouds)
