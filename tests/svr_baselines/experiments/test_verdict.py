import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from svr_baselines.experiments.verdict import judge

NAMES = ("input", "output")


def verdict(x, y, direction="rises", **options):
    return judge("claim", {"network": [x]}, {"network": [y]}, direction, names=NAMES, **options)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=6))
def test_one_run_is_spearman_with_its_exact_p(pairs):
    x, y = (list(map(float, values)) for values in zip(*pairs, strict=True))
    found = verdict(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert found.rho == 0
        return
    assert found.rho == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    reached = [spearmanr(order, y).statistic >= found.rho - 1e-9 for order in itertools.permutations(x)]
    assert found.p == pytest.approx(np.mean(reached))


def test_two_runs_by_hand():
    # Each run of two steps rises: of the four pairs of orders one gives this.
    runs = {"a": [[1.0, 2.0]], "b": [[10.0, 20.0]]}
    found = judge("claim", runs, {"a": [[5.0, 6.0]], "b": [[0.1, 0.2]]}, "rises", names=NAMES)
    assert (found.rho, found.p, found.holds) == (1.0, 0.25, None)
    assert "can't give a p below 0.25" in found.sentence


def test_five_runs_of_two_steps_decide():
    runs = {"network": [[1.0, 2.0]] * 5}
    found = judge("claim", runs, {"network": [[3.0, 4.0]] * 5}, "rises", names=NAMES)
    assert (found.p, found.holds) == (1 / 32, True)
    against = judge("claim", runs, {"network": [[4.0, 3.0]] * 5}, "rises", names=NAMES)
    assert (against.p, against.holds) == (1.0, False)


def test_many_orders_are_drawn_and_agree_with_all_of_them():
    rng = np.random.default_rng(0)
    x, y = rng.random(8).tolist(), rng.random(8).tolist()
    exact = verdict(x, y)  # 40,320 orders
    runs = {"a": [x], "b": [[1.0, 2.0]]}  # twice as many, all tried; three times eight steps are drawn
    assert judge("claim", runs, {"a": [y], "b": [[1.0, 2.0]]}, "rises", names=NAMES).p <= exact.p
    thrice, again = (judge("claim", {"a": [x] * 3}, {"a": [y] * 3}, "rises", names=NAMES) for _ in range(2))
    assert thrice.rho == pytest.approx(exact.rho)
    assert thrice == again
    # The mean of three independent correlations under the null is nearly normal with variance 1 / (3 * 7).
    normal = 0.5 * math.erfc(thrice.rho * math.sqrt(3 * 7 / 2))
    assert thrice.p == pytest.approx(normal, abs=0.02)


def test_rho_is_of_means_over_seeds_and_p_takes_each_seed():
    steps = [1.0, 2.0, 3.0]
    outcome = {"a": [[1.0, 2.0, 3.0], [1.1, 0.9, 3.1]]}  # means rise, the second seed does not
    found = judge("claim", {"a": [steps, steps]}, outcome, "rises", names=NAMES)
    assert found.rho == 1.0
    orders = list(itertools.permutations(steps))
    sums = [spearmanr(p, outcome["a"][0])[0] + spearmanr(q, outcome["a"][1])[0] for p in orders for q in orders]
    assert found.p == pytest.approx(np.mean([value >= 1.5 - 1e-9 for value in sums]))


def test_networks_are_not_mixed():
    runs = {"a": [[1.0, 2.0, 3.0]], "b": [[1.0, 2.0, 3.0]]}
    found = judge("claim", runs, {"a": [[7.0, 8.0, 9.0]], "b": [[3.0, 2.0, 1.0]]}, "rises", names=NAMES)
    assert found.rho == 0.0


def test_the_claimed_direction_decides():
    rising = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert verdict(rising, rising, "rises").holds is True
    assert verdict(rising, rising, "falls").holds is False
    assert verdict(rising, rising[::-1], "falls").holds is True
    assert "falls with input" in verdict(rising, rising[::-1], "rises").sentence
    chance = verdict(rising, [1.0, 3.0, 2.0, 5.0, 0.5], "rises")
    assert chance.holds is False


def test_what_was_to_stay_must_stay():
    rising = [1.0, 2.0, 3.0, 4.0, 5.0]
    still = verdict(rising, rising, flat={"the other": [10.0, 10.2, 10.0, 10.4, 10.1]})
    assert (still.holds, round(still.variation, 4)) == (True, round(0.4 / 10.14, 4))
    moving = verdict(rising, rising, flat={"the other": [10.0, 11.0, 10.0, 10.0, 10.0]})
    assert moving.holds is None
    assert "the other varies by 9.8%" in moving.sentence
    assert verdict(rising, rising, flat={"the other": [0.0] * 5}).holds is True


def test_a_constant_outcome_does_not_hold():
    found = verdict([1.0, 2.0, 3.0, 4.0, 5.0], [0.0] * 5, "falls")
    assert (found.holds, found.rho, found.p) == (False, 0.0, 1.0)
    assert "does not change" in found.sentence


@pytest.mark.parametrize(
    ("varied", "outcome", "text"),
    [
        ({"a": [[1.0, 2.0]]}, {"b": [[1.0, 2.0]]}, "of the same runs"),
        ({"a": [[1.0, 2.0]]}, {"a": [[1.0, 2.0], [1.0, 2.0]]}, "of the same runs"),
        ({}, {}, "of one run at least"),
        ({"a": [[1.0]]}, {"a": [[1.0]]}, "as many steps of both, two at least"),
        ({"a": [[1.0, 2.0]]}, {"a": [[1.0, 2.0, 3.0]]}, "as many steps of both"),
        ({"a": [[1.0, math.nan]]}, {"a": [[1.0, 2.0]]}, "must have finite scores"),
    ],
)
def test_bad_runs_are_refused(varied, outcome, text):
    with pytest.raises(ValueError, match=text):
        judge("claim", varied, outcome, "rises", names=NAMES)
