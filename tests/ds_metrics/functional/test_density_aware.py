import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_metrics.functional import density_aware_chamfer_distance


def clouds(*shape, seed=0, dtype=torch.float32):
    return torch.rand(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def one_way(x, y, alpha, n_lambda):
    """One direction of the definition, by loops in float64."""
    squares = [[sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) for q in y] for p in x]
    nearest = [row.index(min(row)) for row in squares]
    terms = [
        1 - len(x) / len(y) * math.exp(-alpha * row[q]) / nearest.count(q) ** n_lambda
        for row, q in zip(squares, nearest, strict=True)
    ]
    return sum(terms) / len(terms)


@settings(max_examples=40)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99), st.sampled_from([0.5, 40.0, 1000.0]), st.floats(0, 2))
def test_loops(n, m, seed, alpha, n_lambda):
    x, y = clouds(1, n, seed=seed, dtype=torch.float64), clouds(1, m, seed=seed + 1, dtype=torch.float64)
    a, b = x[0].tolist(), y[0].tolist()
    expected = (one_way(a, b, alpha, n_lambda) + one_way(b, a, alpha, n_lambda)) / 2
    assert density_aware_chamfer_distance(x, y, alpha, n_lambda).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_by_hand_with_clouds_of_different_sizes():
    """Three of four points crowd about one of two: that way 1 - 4/2 (1 + 1) / 4, the other 1 - 2/4 (1 + 1) / 2."""
    x = torch.tensor([[[0.0, 0, 0], [0.0, 0, 1], [0.0, 1, 0], [5.0, 0, 0]]])
    y = torch.tensor([[[0.0, 0, 0], [5.0, 0, 0]]])
    crowd = 1 - 2 * (1 / 3 + 1) / 4  # the two that are far count nothing, but make three
    assert density_aware_chamfer_distance(x, y).item() == pytest.approx((crowd + 0.5) / 2)


@settings(max_examples=30)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 99), st.floats(0.1, 50))
def test_laws(n, m, seed, scale):
    x, y = clouds(1, n, seed=seed, dtype=torch.float64), clouds(1, m, seed=seed + 1, dtype=torch.float64)
    value = density_aware_chamfer_distance(x, y, alpha=5.0)
    torch.testing.assert_close(density_aware_chamfer_distance(y, x, alpha=5.0), value)
    scaled = density_aware_chamfer_distance(x * scale, y * scale, alpha=5.0 / scale**2)
    torch.testing.assert_close(scaled, value)
    assert -1e-12 <= value.item() <= 1
    assert density_aware_chamfer_distance(x, x.flip(1)).item() == pytest.approx(0, abs=1e-12)
    assert density_aware_chamfer_distance(x, y + 100).item() == 1


def test_density_tells_what_the_chamfer_distance_does_not():
    even = torch.tensor([[[0.0, 0, 0], [0.0, 0, 1e-4], [5.0, 0, 0], [5.0, 0, 1e-4]]])
    crowded = torch.tensor([[[0.0, 0, 0], [0.0, 0, 1e-4], [0.0, 1e-4, 0], [5.0, 0, 0]]])
    assert density_aware_chamfer_distance(even, crowded) > density_aware_chamfer_distance(even, even) + 0.1


def test_sizes_within_a_batch_may_differ():
    x, y = [clouds(4), clouds(7, seed=1)], [clouds(5, seed=2), clouds(2, seed=3)]
    expected = torch.cat([density_aware_chamfer_distance(a[None], b[None], 2.0) for a, b in zip(x, y, strict=True)])
    padded = torch.full((2, 7, 3), torch.nan)
    padded[0, :4], padded[1] = x[0], x[1]
    actual = density_aware_chamfer_distance(padded, y, 2.0, lengths1=torch.tensor([4, 7]))
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=0)


def test_gradients():
    x, y = (clouds(2, n, seed=n, dtype=torch.float64).requires_grad_() for n in (5, 4))
    assert torch.autograd.gradcheck(lambda a, b: density_aware_chamfer_distance(a, b, 3.0), (x, y))


@pytest.mark.parametrize(("option", "value"), [("alpha", 0.0), ("alpha", float("inf")), ("n_lambda", -0.5)])
def test_refuses_options(option, value):
    with pytest.raises(ValueError, match=f"`{option}` must be"):
        density_aware_chamfer_distance(clouds(1, 2), clouds(1, 2), **{option: value})


def test_refuses_points():
    with pytest.raises(ValueError, match="`p1` must hold finite points"):
        density_aware_chamfer_distance(torch.full((1, 4, 3), torch.inf), clouds(1, 4))
    with pytest.raises(ValueError, match="equally many clouds"):
        density_aware_chamfer_distance(clouds(2, 4), clouds(1, 4))
