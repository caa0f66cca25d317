"""Hausdorff distance."""

from __future__ import annotations

import torch
from torch import Tensor

from ds_metrics.arguments import check_flag, check_number
from ds_metrics.clouds import Clouds, cloud_sizes
from ds_metrics.functional._nearest import pack_pair, root, squared_distances


def hausdorff_distance(
    p1: Clouds,
    p2: Clouds,
    directed: bool = False,
    percentile: float = 100.0,
    lengths1: Tensor | None = None,
    lengths2: Tensor | None = None,
) -> Tensor:
    r"""Hausdorff distance between clouds compared one to one.

    .. math:: \max\left(\max_{p \in P_1} \min_{q \in P_2} \|p - q\|,
              \max_{q \in P_2} \min_{p \in P_1} \|q - p\|\right)

    Euclidean, not squared, in the units of the points: the larger of the two directed distances, or, with
    ``directed=True``, the first alone, from ``p1`` to ``p2``. ``percentile=95`` is the HD95 of medical imaging: in
    each direction the 95th percentile of the nearest distances instead of their maximum, interpolated linearly as
    numpy does, and of these the larger (some tools take the percentile of both directions' distances together).
    Differentiable in both clouds: the gradient goes to the points that decide, and is zero where they coincide.

    Source: F. Hausdorff, *Grundzüge der Mengenlehre*, 1914; directed and partial distances: D. Huttenlocher,
    G. Klanderman, W. Rucklidge, *Comparing images using the Hausdorff distance*, PAMI 15(9), 1993.

    Args:
        p1: Clouds, ``(B, P1, 3)`` or a sequence of ``(P_i, 3)``.
        p2: As many clouds, ``(B, P2, 3)`` or a sequence.
        directed: Whether only the distance from ``p1`` to ``p2`` is taken.
        percentile: Percentile of the nearest distances, above 0 and at most 100, which is the maximum.
        lengths1: Valid points of each cloud, of shape ``(B,)``, if ``p1`` is padded.
        lengths2: Likewise for ``p2``.

    Returns:
        One distance a pair, of shape ``(B,)``; float32 for half precision, else the dtype of the points.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If shapes don't fit, a cloud is empty or not finite, or ``percentile`` is out of range.

    Example:
        >>> p1 = torch.tensor([[[0.0, 0, 0], [1.0, 0, 0]]])
        >>> p2 = torch.tensor([[[0.0, 0, 0], [0.0, 0, 2.0]]])
        >>> hausdorff_distance(p1, p2), hausdorff_distance(p1, p2, directed=True)
        (tensor([2.]), tensor([1.]))
    """
    check_hausdorff(directed, percentile)
    names = "p1", "p2"
    x, y = pack_pair(p1, p2, names, (lengths1, lengths2), finite=False)
    to_y, to_x = squared_distances(x, y, names)
    forth = _percentiles(root(to_y), cloud_sizes(p1, x), percentile)
    return forth if directed else torch.maximum(forth, _percentiles(root(to_x), cloud_sizes(p2, y), percentile))


def check_hausdorff(directed: bool, percentile: float) -> None:
    """Raise ``TypeError`` or ``ValueError`` for options that there are not."""
    check_flag("directed", directed)
    check_number("percentile", percentile, "above 0 and at most 100", above=0, most=100)


def _percentiles(distances: Tensor, sizes: list[int], percentile: float) -> Tensor:
    """Percentile of the points' distances in each cloud, of shape ``(N,)``."""
    if not sizes:
        return distances
    parts = torch.split(distances, sizes)
    return torch.stack([_percentile(part, percentile) for part in parts])


def _percentile(values: Tensor, percentile: float) -> Tensor:
    if percentile == 100:
        return values.max()
    place = percentile / 100 * (len(values) - 1)  # in double precision, unlike `torch.quantile`
    ranked = values.sort().values
    low = ranked[int(place)]
    return low + (ranked[min(int(place) + 1, len(values) - 1)] - low) * (place - int(place))
