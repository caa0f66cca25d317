"""Normal consistency."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ds_metrics.clouds import Clouds, PackedClouds, check_finite, cloud_sizes, pack_clouds
from ds_metrics.functional._nearest import mean_per_cloud, pack_pair
from ds_metrics.pairwise import nearest_points
from ds_metrics.pairwise.nearest import laid_end_to_end


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
    names = "p1", "p2"
    x, y = pack_pair(p1, p2, names, (lengths1, lengths2), finite=False)
    of_x = _directions(normals1, pack_clouds(normals1, lengths1, "normals1", finite=False), p1, x, "1")
    of_y = _directions(normals2, pack_clouds(normals2, lengths2, "normals2", finite=False), p2, y, "2")
    in_y, in_x = nearest_points(x, y, names=names)
    return (_agreement(of_x, of_y, in_y, x) + _agreement(of_y, of_x, in_x, y)) / 2


def _directions(given: Clouds, normals: PackedClouds, points: Clouds, clouds: PackedClouds, which: str) -> Tensor:
    """Normals of length 1, of shape ``(T, 3)``."""
    sizes = cloud_sizes(given, normals), cloud_sizes(points, clouds)
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"Arguments `normals{which}` and `p{which}` must hold as many normals as points, "
            f"but got {sizes[0]} and {sizes[1]}"
        )
    if normals.points.device != clouds.points.device:
        raise ValueError(
            f"Arguments `normals{which}` and `p{which}` must be on one device, "
            f"but got {normals.points.device} and {clouds.points.device}"
        )
    largest: Tensor = _largest(normals.points.detach(), normals.lengths, f"normals{which}")
    scaled = normals.points / largest  # whose squares neither vanish nor overflow
    lengths: Tensor = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return scaled / lengths


def _agreement(normals: Tensor, others: Tensor, nearest: Tensor, clouds: PackedClouds) -> Tensor:
    cosines = (normals * others.index_select(0, nearest)).sum(dim=1)
    return mean_per_cloud(cosines.abs().clamp(max=1), clouds)


def _largest_checked(normals: Tensor, lengths: Tensor, name: str) -> Tensor:
    """The largest coordinate of each normal, ``(T, 1)``."""
    check_finite(PackedClouds(normals, lengths), name)
    largest = normals.abs().amax(dim=1, keepdim=True)
    if not largest.all():
        zero = int(PackedClouds(normals, lengths).segments[(largest == 0)[:, 0]][0])
        raise ValueError(f"Argument `{name}` must hold directions, but cloud {zero} has a normal of length 0")
    return largest


# An operator for the reasons that the search for the nearest is one.
_largest: Any = torch.library.custom_op(
    "ds_metrics::largest_of_normals",
    _largest_checked,
    mutates_args=(),
    schema="(Tensor normals, Tensor lengths, str name) -> Tensor",
)


@_largest.register_fake  # type: ignore[untyped-decorator]
def _shape(normals: Tensor, lengths: Tensor, name: str) -> Tensor:
    return normals.new_empty(len(normals), 1)


def _over_batch(
    info: Any, in_dims: tuple[int | None, ...], normals: Tensor, lengths: Tensor, name: str
) -> tuple[Tensor, int]:
    parts = [
        laid_end_to_end(part, dim, info.batch_size) for part, dim in zip((normals, lengths), in_dims, strict=False)
    ]
    return _largest(*parts, name).unflatten(0, (info.batch_size, -1)), 0


if hasattr(_largest, "register_vmap"):  # from torch 2.5 on
    _largest.register_vmap(_over_batch)
