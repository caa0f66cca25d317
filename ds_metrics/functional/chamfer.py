"""Chamfer distance."""

from __future__ import annotations

from torch import Tensor

from ds_metrics.arguments import check_flag, check_number
from ds_metrics.clouds import Clouds
from ds_metrics.functional._nearest import mean_per_cloud, pack_pair, root, squared_distances


def chamfer_distance(
    p1: Clouds,
    p2: Clouds,
    w1: float = 1.0,
    w2: float = 1.0,
    squared: bool = True,
    lengths1: Tensor | None = None,
    lengths2: Tensor | None = None,
) -> Tensor:
    r"""Chamfer distance between clouds compared one to one, with the signature of Kaolin's function.

    .. math:: \frac{w_1}{|P_1|} \sum_{p \in P_1} \min_{q \in P_2} \|p - q\|^2
              + \frac{w_2}{|P_2|} \sum_{q \in P_2} \min_{p \in P_1} \|q - p\|^2

    The sum, not the mean, of both directions; of squared distances unless ``squared=False``, which takes the
    root of each point's distance before the mean (its gradient at coinciding points is zero).
    Clouds may differ in size, between the arguments and within a batch. Differentiable in both clouds.

    Args:
        p1: Clouds, ``(B, P1, 3)`` or a sequence of ``(P_i, 3)``.
        p2: As many clouds, ``(B, P2, 3)`` or a sequence.
        w1: Weight of the direction from ``p1`` to ``p2``.
        w2: Weight of the direction from ``p2`` to ``p1``.
        squared: Whether distances are squared.
        lengths1: Valid points of each cloud, of shape ``(B,)``, if ``p1`` is padded.
        lengths2: Likewise for ``p2``.

    Returns:
        One distance a pair, of shape ``(B,)``; float32 for half precision, else the dtype of the points.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If shapes don't fit, a cloud is empty, a point is NaN or infinite, a weight is negative or not
            finite, or squared distances leave the range of the dtype.

    Example:
        >>> import torch
        >>> p1 = torch.tensor([[[0.0, 0, 0], [1.0, 0, 0]]])
        >>> p2 = torch.tensor([[[0.0, 0, 2.0]]])
        >>> chamfer_distance(p1, p2)  # (4 + 5) / 2 + 4
        tensor([8.5000])
    """
    check_chamfer(w1, w2, squared)
    names = "p1", "p2"
    x, y = pack_pair(p1, p2, names, (lengths1, lengths2), finite=False)
    to_y, to_x = squared_distances(x, y, names)
    if not squared:
        to_y, to_x = root(to_y), root(to_x)
    return w1 * mean_per_cloud(to_y, x) + w2 * mean_per_cloud(to_x, y)


def check_chamfer(w1: float, w2: float, squared: bool) -> None:
    """Raise ``TypeError`` or ``ValueError`` for options that there are not."""
    for name, weight in (("w1", w1), ("w2", w2)):
        check_number(name, weight, "at least 0 and finite", least=0)
    check_flag("squared", squared)
