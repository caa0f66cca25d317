"""Confidence intervals of what is computed from two Dispersion Scores.

Both are by propagation of the standard errors, as of independent samples. Two sets that vary together, as predictions
do with their ground truth or with the predictions of another network for the same images, differ less by chance than
independent ones: their intervals are then too wide rather than too narrow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from ds_metrics.clustering import Interval


@dataclass(frozen=True)
class Bounds:
    """Ends of a confidence interval, and its level."""

    low: float
    high: float
    level: float


def difference_bounds(minuend: float, subtrahend: float, errors: tuple[Interval, Interval]) -> Bounds:
    """The confidence interval of a difference of two scores: the errors' squares add up.

    Args:
        minuend: Score that is taken from.
        subtrahend: Score that is taken.
        errors: Interval of either; the level is the second's.

    Example:
        >>> a, b = (Interval(0, 0, 0.95, error, 0.0, 100) for error in (0.3, 0.4))
        >>> bounds = difference_bounds(5.0, 3.0, (a, b))
        >>> round(bounds.low, 2), round(bounds.high, 2)
        (1.02, 2.98)
    """
    difference, level = minuend - subtrahend, errors[1].level
    reach = _reach(level) * math.hypot(*map(total_error, errors))
    return Bounds(difference - reach, difference + reach, level)


def ratio_bounds(numerator: float, denominator: float, errors: tuple[Interval, Interval]) -> Bounds:
    r"""The confidence interval of a quotient of two scores, by the delta method on logarithms.

    .. math:: \frac{a}{b} \exp\left(\pm z \sqrt{\mathrm{error}(a)^2 / a^2 + \mathrm{error}(b)^2 / b^2}\right)

    A numerator of 0 gives 0 to 0.

    Args:
        numerator: Score that is divided.
        denominator: Score that it is divided by, positive.
        errors: Interval of either; the level is the second's.

    Example:
        >>> a, b = (Interval(0, 0, 0.95, error, 0.0, 100) for error in (0.3, 0.4))
        >>> bounds = ratio_bounds(6.0, 8.0, (a, b))
        >>> round(bounds.low, 4), round(bounds.high, 4)
        (0.6529, 0.8615)
    """
    level = errors[1].level
    if numerator == 0:
        return Bounds(0.0, 0.0, level)
    above, below = map(total_error, errors)
    factor = math.exp(_reach(level) * math.hypot(above / numerator, below / denominator))
    ratio = numerator / denominator
    return Bounds(ratio / factor, ratio * factor, level)


def total_error(interval: Interval) -> float:
    """Standard error of a score over the samples and the starts of the solver."""
    return math.hypot(interval.standard_error, interval.solver_error)


def _reach(level: float) -> float:
    """Standard errors from the middle of an interval to its ends."""
    return NormalDist().inv_cdf((1 + level) / 2)
