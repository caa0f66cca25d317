from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.spatial.distance import cdist

from ds_metrics.functional import _transport, earth_movers, earth_movers_bounds, earth_movers_distance

EXACT = ["auto", "assignment", "pot"]


def clouds(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def ground(x, y, squared):
    return cdist(x, y, "sqeuclidean" if squared else "euclidean")


def by_linear_program(cost):
    """The definition: least cost over all plans."""
    n, m = cost.shape
    marginals = np.concatenate([np.repeat(np.eye(n), m, axis=1), np.tile(np.eye(m), n)])
    masses = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
    return linprog(cost.ravel(), A_eq=marginals, b_eq=masses).fun


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_all_assignments(method, squared, n):
    x, y = clouds(1, n, seed=n), clouds(1, n, seed=n + 1)
    cost = ground(x[0], y[0], squared)
    expected = min(cost[np.arange(n), list(order)].mean() for order in permutations(range(n)))
    assert earth_movers_distance(x, y, squared, method).item() == pytest.approx(expected, rel=1e-12)


@settings(max_examples=15)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 99), st.booleans())
def test_linear_program_for_any_sizes(n, m, seed, squared):
    x, y = clouds(1, n, seed=seed), clouds(1, m, seed=seed + 1)
    expected = by_linear_program(ground(x[0], y[0], squared))
    assert earth_movers_distance(x, y, squared).item() == pytest.approx(expected, rel=1e-9)
    lower, upper = earth_movers_bounds(x, y, squared, tolerance=0.02)
    assert lower.item() <= expected * (1 + 1e-9)
    assert upper.item() >= expected * (1 - 1e-9)
    value = earth_movers_distance(x, y, squared, "sinkhorn", tolerance=0.02).item()
    assert value == pytest.approx(expected, rel=0.021)


def test_both_exact_methods_agree_on_larger_clouds():
    x, y = clouds(1, 150), clouds(1, 150, seed=1) + 0.1
    values = [earth_movers_distance(x, y, method=method).item() for method in EXACT]
    assert values == pytest.approx([values[0]] * 3, rel=1e-12)
    lower, upper = earth_movers_bounds(x, y)
    assert lower <= values[0] <= upper
    assert upper - lower <= 0.01 * (upper + lower)


def test_bounds_hold_however_bad_the_potentials():
    """Of potentials that no iteration has improved, the bounds are wide, and the plan is one."""
    cost = torch.from_numpy(ground(clouds(6), clouds(9, seed=1), False))
    generator = torch.Generator().manual_seed(0)
    best = by_linear_program(cost.numpy())
    for epsilon in (1e-3, 0.1, 10.0):
        f, g = (torch.randn(size, generator=generator, dtype=torch.float64) for size in cost.shape)
        found = _transport._bounds(cost, f, g, epsilon)
        assert found.lower <= best <= found.upper
        assert (found.plan >= 0).all()
        torch.testing.assert_close(found.plan.sum(dim=1), torch.full((6,), 1 / 6).double())
        torch.testing.assert_close(found.plan.sum(dim=0), torch.full((9,), 1 / 9).double())


@settings(max_examples=15)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99), st.floats(0.01, 100), st.sampled_from([False, True]))
def test_laws(n, m, seed, scale, squared):
    x, y = clouds(1, n, seed=seed), clouds(1, m, seed=seed + 1)
    value = earth_movers_distance(x, y, squared)
    torch.testing.assert_close(earth_movers_distance(y, x, squared), value)
    scaled = earth_movers_distance(x * scale, y * scale, squared)
    torch.testing.assert_close(scaled, value * (scale**2 if squared else scale))
    shift = torch.tensor([1.0, -2.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(earth_movers_distance(x, x.flip(1) + shift, squared).item(), 9.0 if squared else 3.0)
    assert earth_movers_distance(x, x.flip(1), squared).item() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_sinkhorn_at_any_scale_and_for_equal_clouds(scale):
    x, y = clouds(1, 20) * scale, clouds(1, 20, seed=1) * scale
    exact = earth_movers_distance(x, y).item()
    assert earth_movers_distance(x, y, method="sinkhorn").item() == pytest.approx(exact, rel=0.0101)
    assert abs(earth_movers_distance(x, x.flip(1), method="sinkhorn").item()) <= 2e-6 * scale
    points = torch.zeros(1, 3, 3)
    assert earth_movers_distance(points, points, method="sinkhorn").item() == 0


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6])
def test_clouds_of_different_sizes_at_any_scale(scale, squared):
    x, y = clouds(1, 60).double(), clouds(1, 40, seed=1).double()
    exact = earth_movers_distance(x, y, squared).item()
    scaled = earth_movers_distance(x * scale, y * scale, squared).item()
    assert scaled / scale ** (2 if squared else 1) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("noise", [0, 1e-3, 1e-2, 3e-2])
def test_sinkhorn_of_good_predictions(noise, squared):
    x = clouds(3, 80).double()
    y = x + noise * torch.randn(x.shape, generator=torch.Generator().manual_seed(2), dtype=x.dtype)
    exact = earth_movers_distance(x, y, squared)
    found = earth_movers_distance(x, y, squared, method="sinkhorn")
    torch.testing.assert_close(found, exact, rtol=0.0101, atol=1e-6 * (3 if squared else 3**0.5))


@pytest.mark.parametrize("squared", [True, False])
def test_sinkhorn_of_grids_with_copies(squared):
    steps = torch.arange(4.0)
    grid = torch.cartesian_prod(steps, steps, steps)
    grid = torch.cat([grid, grid[:20]])[None]
    assert abs(earth_movers_distance(grid, grid, squared, method="sinkhorn").item()) <= 2e-6 * 27


def test_sinkhorn_that_comes_to_no_end_gives_no_number(monkeypatch):
    monkeypatch.setattr(_transport, "_MOST_PASSES", 2)
    with pytest.raises(RuntimeError, match=r"Sinkhorn came no nearer than .* not within a tolerance of 0.01"):
        earth_movers_distance(clouds(1, 20), clouds(1, 20, seed=1), method="sinkhorn")


def test_network_simplex_that_comes_to_no_end_gives_no_number(monkeypatch):
    import ot

    emd = ot.emd
    monkeypatch.setattr(ot, "emd", lambda a, b, cost, numItermax, log: emd(a, b, cost, numItermax=1, log=True))
    with pytest.warns(UserWarning, match="numItermax"), pytest.raises(RuntimeError, match="POT found no optimal plan"):
        earth_movers_distance(clouds(1, 20), clouds(1, 30, seed=1))


@pytest.mark.parametrize(("method", "sizes"), [("auto", (4, 4)), ("pot", (4, 3)), ("sinkhorn", (4, 3))])
@pytest.mark.parametrize("squared", [False, True])
def test_gradients(method, sizes, squared):
    """By differences of the exact distance, which is smooth where the best plan is unique."""
    x, y = (clouds(1, n, seed=n).requires_grad_() for n in sizes)
    tolerance = 1e-5 if method == "sinkhorn" else 0.01
    earth_movers_distance(x, y, squared, method, tolerance).sum().backward()
    step = 1e-6
    for cloud in (x, y):
        for place in ((0, 0, 0), (0, 2, 1)):
            ends = []
            for sign in (1, -1):
                moved = cloud.detach().clone()
                moved[place] += sign * step
                ends.append(earth_movers_distance(*((moved, y) if cloud is x else (x, moved)), squared).item())
            assert cloud.grad[place].item() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-2, abs=1e-3)


def test_gradient_of_points_that_stay_is_zero():
    x = clouds(1, 3).requires_grad_()
    earth_movers_distance(x, x.detach()).sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_sizes_within_a_batch_may_differ():
    x, y = [clouds(4), clouds(7, seed=1)], [clouds(4, seed=2), clouds(2, seed=3)]
    expected = torch.cat([earth_movers_distance(a[None], b[None]) for a, b in zip(x, y, strict=True)])
    padded = torch.full((2, 7, 3), torch.nan, dtype=torch.float64)
    padded[0, :4], padded[1] = x[0], x[1]
    assert torch.equal(earth_movers_distance(padded, y, lengths1=torch.tensor([4, 7])), expected)
    assert earth_movers_distance([], []).shape == (0,)
    assert earth_movers_bounds([], [])[1].shape == (0,)


def test_without_pot(monkeypatch):
    monkeypatch.setattr(earth_movers, "can_import", lambda name: False)
    assert earth_movers_distance(clouds(1, 4), clouds(1, 4, seed=1)) > 0
    for options in ({}, {"method": "pot"}):
        with pytest.raises(ValueError, match=r"needs POT: `pip install 'dispersion-score\[ot\]'`"):
            earth_movers_distance(clouds(1, 4), clouds(1, 3), **options)


@pytest.mark.parametrize(
    ("options", "argument"),
    [({"method": "auction"}, "method"), ({"method": "sinkhorn", "tolerance": 0.0}, "tolerance")],
)
def test_refuses_options(options, argument):
    with pytest.raises(ValueError, match=f"`{argument}` must be"):
        earth_movers_distance(clouds(1, 2), clouds(1, 2), **options)


def test_refuses_points():
    with pytest.raises(ValueError, match="'assignment', which needs clouds of equal sizes, but pair 0 has 4 and 3"):
        earth_movers_distance(clouds(1, 4), clouds(1, 3), method="assignment")
    with pytest.raises(ValueError, match="`p2` must hold finite points"):
        earth_movers_distance(clouds(1, 4), torch.full((1, 4, 3), torch.nan))
    with pytest.raises(ValueError, match="is empty"):
        earth_movers_distance(clouds(1, 0), clouds(1, 4))
