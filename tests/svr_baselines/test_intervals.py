"""The intervals cover what they promise: scores with known errors, drawn many times."""

import numpy as np
import pytest

from ds_metrics.clustering import Interval
from svr_baselines.intervals import difference_bounds, ratio_bounds

DRAWS = 4000


def interval(standard_error, solver_error=0.0, level=0.95):
    return Interval(0.0, 0.0, level, standard_error, solver_error, 100)


def coverage(bounds_of, of, truth, errors, level):
    """Share of draws of two scores whose interval holds the true value, and of those it lies above."""
    rng = np.random.default_rng(0)
    known = tuple(interval(error * 0.8, error * 0.6, level) for error in errors)  # 0.6, 0.8, 1: the total is `error`
    draws = rng.normal(truth, errors, (DRAWS, 2))
    bounds = [bounds_of(a, b, known) for a, b in draws.tolist()]
    true = of(*truth)
    return np.mean([found.low <= true <= found.high for found in bounds]), {found.level for found in bounds}


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_difference(level):
    share, levels = coverage(difference_bounds, lambda a, b: a - b, (0.02, 0.03), (0.001, 0.002), level)
    assert share == pytest.approx(level, abs=0.015)
    assert levels == {level}


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("truth", [(0.02, 0.03), (0.06, 0.03)])
def test_ratio(level, truth):
    share, _ = coverage(ratio_bounds, lambda a, b: a / b, truth, (0.001, 0.002), level)
    assert share == pytest.approx(level, abs=0.015)


def test_ratio_of_nothing_is_0_for_sure():
    bounds = ratio_bounds(0.0, 0.03, (interval(0.0), interval(0.002)))
    assert (bounds.low, bounds.high) == (0, 0)
    bounds = ratio_bounds(0.001, 0.03, (interval(0.002), interval(0.002)))
    assert 0 < bounds.low < bounds.high


def test_level_is_that_of_the_second():
    wide, narrow = interval(0.1, level=0.99), interval(0.1, level=0.5)
    assert difference_bounds(1.0, 1.0, (narrow, wide)).level == 0.99
    assert difference_bounds(1.0, 1.0, (wide, narrow)).high < difference_bounds(1.0, 1.0, (narrow, wide)).high
