import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_metrics.functional import normal_consistency


def clouds(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def directions(*shape, seed=0):
    return torch.randn(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def one_way(x, y, of_x, of_y):
    """One direction of the definition, by loops."""
    total = 0.0
    for p, n in zip(x, of_x, strict=True):
        squares = [sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) for q in y]
        other = of_y[squares.index(min(squares))]
        cosine = sum(a * b for a, b in zip(n, other, strict=True)) / math.hypot(*n) / math.hypot(*other)
        total += abs(cosine)
    return total / len(x)


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_loops(n, m, seed):
    x, y, of_x, of_y = clouds(n, seed=seed), clouds(m, seed=seed + 1), directions(n, seed=seed), directions(m, seed=7)
    lists = x.tolist(), y.tolist(), of_x.tolist(), of_y.tolist()
    expected = (one_way(*lists) + one_way(lists[1], lists[0], lists[3], lists[2])) / 2
    assert normal_consistency([x], [y], [of_x], [of_y]).item() == pytest.approx(expected, rel=1e-12)


@settings(max_examples=20)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 99), st.floats(0.01, 100))
def test_laws(n, m, seed, scale):
    x, y, of_x, of_y = clouds(n, seed=seed), clouds(m, seed=seed + 1), directions(n, seed=seed), directions(m, seed=7)
    value = normal_consistency([x], [y], [of_x], [of_y])
    torch.testing.assert_close(normal_consistency([y], [x], [of_y], [of_x]), value)
    torch.testing.assert_close(normal_consistency([x * scale], [y * scale], [-of_x * scale], [of_y]), value)
    assert 0 <= value <= 1
    assert normal_consistency([x], [x.flip(0)], [of_x], [-of_x.flip(0)]).item() == pytest.approx(1)


def test_spheres_and_unrelated_normals():
    points = torch.nn.functional.normalize(directions(1, 2000), dim=-1)
    assert normal_consistency(points, points * 1.1, points, points).item() == pytest.approx(1)
    unrelated = normal_consistency(points, points, points, directions(1, 2000, seed=5))
    assert unrelated.item() == pytest.approx(0.5, abs=0.03)


def test_sizes_within_a_batch_may_differ_and_lengths_of_normals_too():
    x, y = [clouds(4), clouds(7, seed=1)], [clouds(5, seed=2), clouds(2, seed=3)]
    of_x, of_y = [directions(4), directions(7)], [directions(5, seed=9), directions(2, seed=9)]
    expected = torch.cat(
        [normal_consistency(*[[part] for part in parts]) for parts in zip(x, y, of_x, of_y, strict=True)]
    )
    padded, of_padded = torch.full((2, 7, 3), torch.nan).double(), torch.full((2, 7, 3), torch.nan).double()
    for index, (cloud, normals) in enumerate(zip(x, of_x, strict=True)):
        padded[index, : len(cloud)], of_padded[index, : len(cloud)] = cloud, normals * 1e-200
    actual = normal_consistency(padded, y, of_padded, of_y, lengths1=torch.tensor([4, 7]))
    torch.testing.assert_close(actual, expected)


def test_gradients():
    x, y = clouds(1, 5), clouds(1, 4, seed=1)
    normals = directions(1, 5).requires_grad_(), directions(1, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: normal_consistency(x, y, a, b), normals)


def test_refuses():
    x, n = clouds(2, 4), directions(2, 4)
    with pytest.raises(ValueError, match="`normals1` and `p1` must hold as many normals as points"):
        normal_consistency(x, x, n[:, :3], n)
    with pytest.raises(ValueError, match="`normals2` must hold finite points"):
        normal_consistency(x, x, n, n * torch.inf)
    zero = n.clone()
    zero[1, 2] = 0
    with pytest.raises(ValueError, match="`normals2` must hold directions, but cloud 1 has a normal of length 0"):
        normal_consistency(x, x, n, zero)
    with pytest.raises(TypeError, match="`normals1` must hold floating point"):
        normal_consistency(x, x, n.int(), n)
