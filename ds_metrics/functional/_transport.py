"""Plans that carry one cloud's mass to another's: exact ones, and entropic ones with bounds.

A plan gives each of ``n`` points the mass ``1 / n`` to send, and each of ``m`` points ``1 / m`` to receive.

References:
    - M. Cuturi. Sinkhorn distances. NeurIPS 2013.
    - J. Altschuler, J. Weed, P. Rigollet. Near-linear time approximation algorithms for optimal transport via Sinkhorn
      iteration. NeurIPS 2017: algorithm 2 rounds a matrix to a plan.
    - A. Thibault, L. Chizat, C. Dossal, N. Papadakis. Overrelaxed Sinkhorn-Knopp algorithm for regularized optimal
      transport. Algorithms 14(5), 2021.
    - B. Schmitzer. Stabilized sparse scaling algorithms for entropy regularized transport problems. SIAM J. Scientific
      Computing 41(3), 2019: potentials absorbed from scalings, and the entropy annealed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NEEDS_POT = "needs POT: `pip install 'dispersion-score[ot]'`"

_SCALINGS = 20  # of rows and columns between two passes in the log domain, where they are absorbed
_RELAXATION = 1.5  # above 1 converges sooner where the entropy is small (Thibault et al. 2021)
_MOST_PASSES = 3000  # in the log domain
_NEGLIGIBLE = 1e-6  # of the largest cost: as near as bounds of a distance near 0 have to come


class Bounded(NamedTuple):
    """A plan, and what is known of the least cost.

    Attributes:
        plan: Of shape ``(n, m)``.
        lower: Value of a feasible solution of the dual problem: no plan costs less.
        upper: What this plan costs.
        moved: Share of the mass that rounding had to move to make the plan feasible, roughly.
    """

    plan: Tensor
    lower: Tensor
    upper: Tensor
    moved: float


def assignment(cost: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows, columns and masses of a plan of least cost between equally many points."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(cost)
    return rows, columns, np.full(len(rows), 1 / len(rows))


def network_simplex(cost: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows, columns and masses of a plan of least cost, by POT.

    Raises:
        RuntimeError: If it comes to no end.
    """
    import ot

    n, m = cost.shape
    largest = float(cost.max()) or 1.0  # brought to 1, as the library's tolerance is absolute
    plan: Any
    plan, log = ot.emd(np.full(n, 1 / n), np.full(m, 1 / m), cost / largest, numItermax=10**8, log=True)
    if log["warning"] is not None:
        raise RuntimeError(f"POT found no optimal plan between {n} and {m} points: {log['warning']}")
    rows, columns = np.nonzero(plan)
    return rows, columns, plan[rows, columns]


def sinkhorn(cost: Tensor, tolerance: float) -> Bounded:
    """A plan whose cost is known to be near the least.

    The entropy is halved and halved again until the midpoint of both bounds is within ``tolerance`` of either, as a
    share of the midpoint, or within a millionth of the largest cost.

    Args:
        cost: Of shape ``(n, m)``, float64 where the device has it.
        tolerance: As above.

    Raises:
        RuntimeError: If that is not reached.
    """
    largest = float(cost.max())
    negligible = 2 * _NEGLIGIBLE * largest
    f, g, epsilon = cost.new_zeros(cost.shape[0]), cost.new_zeros(cost.shape[1]), largest or 1.0
    found = _bounds(cost, f, g, epsilon)
    for _ in range(_MOST_PASSES):
        near = max(tolerance * float(found.upper + found.lower), negligible)
        if float(found.upper - found.lower) <= near:
            return found
        if found.moved * largest < float(found.upper - found.lower) / 4:  # else less entropy is only more to round
            epsilon /= 2
        f, g = _scaled(cost, *_one_pass(cost, g, epsilon), epsilon)
        found = _bounds(cost, f, g, epsilon)
    raise RuntimeError(
        f"Sinkhorn came no nearer than {float(found.lower):.6g} to {float(found.upper):.6g}, "
        f"which is not within a tolerance of {tolerance}: take a larger tolerance or an exact method"
    )


def _one_pass(cost: Tensor, g: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Potentials after one Sinkhorn iteration in the log domain: nothing overflows, however small ``epsilon``."""
    n, m = cost.shape
    f = -epsilon * (torch.logsumexp((g - cost) / epsilon, dim=1) - np.log(m))
    return f, -epsilon * (torch.logsumexp((f[:, None] - cost) / epsilon, dim=0) - np.log(n))


def _scaled(cost: Tensor, f: Tensor, g: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Potentials after further iterations, which are matrix products once potentials are absorbed in the kernel."""
    n, m = cost.shape
    kernel = torch.exp((f[:, None] + g - cost) / epsilon)
    u, v = torch.ones_like(f), torch.ones_like(g)
    for _ in range(_SCALINGS):
        u = u ** (1 - _RELAXATION) * (m / (kernel @ v)) ** _RELAXATION
        v = v ** (1 - _RELAXATION) * (n / (u @ kernel)) ** _RELAXATION
    new_f, new_g = f + epsilon * u.log(), g + epsilon * v.log()
    return (new_f, new_g) if torch.isfinite(new_f).all() and torch.isfinite(new_g).all() else (f, g)


def _bounds(cost: Tensor, f: Tensor, g: Tensor, epsilon: float) -> Bounded:
    """The plan nearest to potentials, and both bounds."""
    n, m = cost.shape
    below = (cost - g).amin(dim=1)  # the largest potential that is feasible beside g
    beside = (cost - below[:, None]).amin(dim=0)
    powers = (f[:, None] + g - cost) / epsilon
    powers -= (powers.max() - np.log(torch.finfo(cost.dtype).max) / 2).clamp(min=0)  # far from convergence alone
    plan = torch.exp(powers) / (n * m)
    plan *= (1 / n / plan.sum(dim=1)).clamp(max=1)[:, None]
    plan *= (1 / m / plan.sum(dim=0)).clamp(max=1)
    rows, columns = (1 / n - plan.sum(dim=1)).clamp(min=0), (1 / m - plan.sum(dim=0)).clamp(min=0)
    moved = float(rows.sum())
    if moved > 0:
        plan += rows[:, None] * (columns / moved)
    return Bounded(plan, below.mean() + beside.mean(), (plan * cost).sum(), moved)
