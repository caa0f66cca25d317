"""Earth mover's distance."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from ds_metrics.arguments import check_flag, check_number
from ds_metrics.clouds import Clouds, PackedClouds
from ds_metrics.functional import _transport
from ds_metrics.functional._nearest import check_scale_of_squares, fitting, pack_pair, root
from ds_metrics.pairwise.backends import can_import

Method = Literal["auto", "assignment", "pot", "sinkhorn"]


def earth_movers_distance(
    p1: Clouds,
    p2: Clouds,
    squared: bool = False,
    method: Method = "auto",
    tolerance: float = 0.01,
    lengths1: Tensor | None = None,
    lengths2: Tensor | None = None,
) -> Tensor:
    r"""Earth mover's distance (EMD) between clouds compared one to one.

    .. math:: \min_{\pi} \sum_{p \in P_1} \sum_{q \in P_2} \pi_{pq} \|p - q\|, \quad
              \sum_q \pi_{pq} = \frac{1}{|P_1|}, \quad \sum_p \pi_{pq} = \frac{1}{|P_2|}, \quad \pi \ge 0

    A mean per point, not a sum: each cloud has mass 1. For clouds of equal sizes it is the mean distance of the best
    one-to-one assignment. The distance moved is Euclidean, so that this is the Wasserstein-1 distance, in the units of
    the points; with ``squared=True`` it is squared, which gives the square of the Wasserstein-2 distance.

    ``method`` tells what solves it:

    - ``"auto"``: ``"assignment"`` for clouds of equal sizes, else ``"pot"``. Exact.
    - ``"assignment"``: exact, by ``scipy.optimize.linear_sum_assignment``; clouds of equal sizes only.
    - ``"pot"``: exact, by the network simplex of POT (the extra ``ot``); any sizes.
    - ``"sinkhorn"``: by entropic transport, on the device of the points. What is certain is that the EMD is between
      two bounds, see `earth_movers_bounds`; the value is the midpoint, at most ``tolerance`` of itself (or a
      millionth of the largest distance between points) away from the EMD.

    The exact methods take time near cubic and all take memory quadratic in the number of points.

    Differentiable in both clouds: the plan is fixed, the distances along it are plain arithmetic.

    Source: Y. Rubner, C. Tomasi, L. Guibas, *The Earth Mover's Distance as a Metric for Image Retrieval*, IJCV 40(2),
    2000; of clouds: H. Fan, H. Su, L. Guibas, *A Point Set Generation Network*, CVPR 2017.

    Args:
        p1: Clouds, ``(B, P1, 3)`` or a sequence of ``(P_i, 3)``.
        p2: As many clouds, ``(B, P2, 3)`` or a sequence.
        squared: Whether the distance moved is squared.
        method: As above.
        tolerance: Of ``"sinkhorn"``; the exact methods leave it alone.
        lengths1: Valid points of each cloud, of shape ``(B,)``, if ``p1`` is padded.
        lengths2: Likewise for ``p2``.

    Returns:
        One distance a pair, of shape ``(B,)``; float32 for half precision, else the dtype of the points.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If shapes don't fit, a cloud is empty or not finite, an option is unknown or out of range, sizes
            differ for ``"assignment"``, or POT is needed and not installed.
        RuntimeError: If a method comes to no certified end.

    Example:
        >>> p1 = torch.tensor([[[0.0, 0, 0], [1.0, 0, 0]]])
        >>> p2 = torch.tensor([[[2.0, 0, 0], [0.0, 0, 0]]])
        >>> earth_movers_distance(p1, p2), earth_movers_distance(p1, p2, squared=True)  # (0 + 1) / 2
        (tensor([0.5000]), tensor([0.5000]))
    """
    check_transport(squared, method, tolerance)
    x, y = pack_pair(p1, p2, ("p1", "p2"), (lengths1, lengths2))
    check_scale_of_squares(x, "p1")
    check_scale_of_squares(y, "p2")
    pairs = zip(x.split(), y.split(), strict=True)
    if method == "sinkhorn":
        values = [_entropic(p, q, squared, tolerance)[0] for p, q in pairs]
    else:
        names = _resolve(method, x, y)
        values = [_exact(p, q, squared, name) for (p, q), name in zip(pairs, names, strict=True)]
    dtype = torch.promote_types(x.points.dtype, y.points.dtype)
    return fitting(torch.stack(values), dtype, "p1") if values else torch.zeros(0, dtype=dtype, device=x.points.device)


def earth_movers_bounds(
    p1: Clouds,
    p2: Clouds,
    squared: bool = False,
    tolerance: float = 0.01,
    lengths1: Tensor | None = None,
    lengths2: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Bounds between which the earth mover's distance is certain to lie, by Sinkhorn.

    The upper one is the cost of a plan, made feasible as Altschuler et al. (2017) do; the lower one the value of a
    feasible solution of the dual problem. Both hold whether or not the iterations have converged, up to the rounding
    of float64 (on Apple's GPUs float32).

    Args:
        p1: As for `earth_movers_distance`, as are the others.
        p2: See there.
        squared: See there.
        tolerance: How near the bounds come, as there.
        lengths1: See there.
        lengths2: See there.

    Returns:
        Lower and upper bounds, each of shape ``(B,)``, float64 (on Apple's GPUs float32), without gradient.

    Raises:
        TypeError: As `earth_movers_distance`, as are the others.
        ValueError: See there.
        RuntimeError: See there.

    Example:
        >>> p1 = torch.tensor([[[0.0, 0, 0], [1.0, 0, 0]]])
        >>> p2 = torch.tensor([[[2.0, 0, 0], [0.0, 0, 0]]])
        >>> lower, upper = earth_movers_bounds(p1, p2)
        >>> bool(lower <= 0.5 <= upper), bool(upper - lower < 0.02)
        (True, True)
    """
    check_transport(squared, "sinkhorn", tolerance)
    x, y = pack_pair(p1, p2, ("p1", "p2"), (lengths1, lengths2))
    check_scale_of_squares(x, "p1")
    check_scale_of_squares(y, "p2")
    with torch.no_grad():
        found = [_entropic(p, q, squared, tolerance)[1] for p, q in zip(x.split(), y.split(), strict=True)]
    empty = torch.zeros(0, dtype=_precise(x.points), device=x.points.device)
    lower, upper = (torch.cat([empty, *[each[which, None] for each in found]]) for which in (0, 1))
    return lower, upper


def check_transport(squared: bool, method: str, tolerance: float) -> None:
    """Raise ``TypeError`` or ``ValueError`` for options that there are not."""
    check_flag("squared", squared)
    if method not in get_args(Method):
        raise ValueError(f"Argument `method` must be one of {get_args(Method)}, but got {method!r}")
    check_number("tolerance", tolerance, "between 0 and 1", above=0, below=1)


def _resolve(method: str, x: PackedClouds, y: PackedClouds) -> list[str]:
    """Which exact method each pair takes."""
    equal = (x.lengths == y.lengths).tolist()
    if method == "assignment" and not all(equal):
        first = equal.index(False)
        raise ValueError(
            f"Argument `method` is 'assignment', which needs clouds of equal sizes, but pair {first} has "
            f"{int(x.lengths[first])} and {int(y.lengths[first])} points"
        )
    names = ["assignment" if method == "assignment" or (method == "auto" and same) else "pot" for same in equal]
    if "pot" in names and not can_import("ot"):
        why = "clouds differ in size" if method == "auto" else "`method` is 'pot'"
        raise ValueError(f"Argument {why}, which {_transport.NEEDS_POT}; or take method='sinkhorn'")
    return names


def _exact(p: Tensor, q: Tensor, squared: bool, name: str) -> Tensor:
    from scipy.spatial.distance import cdist

    solve = _transport.assignment if name == "assignment" else _transport.network_simplex
    a, b = (cloud.detach().cpu().double().numpy() for cloud in (p, q))
    rows, columns, mass = solve(cdist(a, b, "sqeuclidean" if squared else "euclidean"))
    sources, targets = (torch.from_numpy(index).to(p.device) for index in (rows, columns))
    difference = (p[sources] - q[targets]).to(_precise(p))
    squares = difference.square().sum(dim=1)
    return (torch.from_numpy(mass).to(squares) * (squares if squared else root(squares))).sum()


def _entropic(p: Tensor, q: Tensor, squared: bool, tolerance: float) -> tuple[Tensor, Tensor]:
    """The midpoint, with the gradient of its plan's cost; and both bounds, of shape ``(2,)``."""
    p, q = p.to(_precise(p)), q.to(_precise(q))
    distances = torch.cdist(p, q, compute_mode="donot_use_mm_for_euclid_dist")
    cost = distances.square() if squared else distances
    found = _transport.sinkhorn(cost.detach(), tolerance)
    along = (found.plan * cost).sum()
    return along - (found.upper - found.lower) / 2, torch.stack([found.lower, found.upper])


def _precise(points: Tensor) -> torch.dtype:
    return torch.float32 if points.device.type == "mps" else torch.float64
