"""The native Chamfer core against brute force in float64."""

import os
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_core import core as _core

ISAS = _core.supported_isas()
DTYPES = [np.float32, np.float64]


def brute_force(x, y):
    """Squared distances of every point of x to every point of y, in float64."""
    return ((x[:, None, :].astype(np.float64) - y[None, :, :].astype(np.float64)) ** 2).sum(-1)


def brute_chamfer(x, y, w1=1.0, w2=1.0, squared=True):
    distances = brute_force(x, y)
    to_y, to_x = distances.min(1), distances.min(0)
    if not squared:
        to_y, to_x = np.sqrt(to_y), np.sqrt(to_x)
    return w1 * to_y.mean() + w2 * to_x.mean()


def clouds(*arrays, threads=1):
    lengths = np.array([len(a) for a in arrays], dtype=np.int64)
    return _core.Clouds(np.ascontiguousarray(np.concatenate(arrays)), lengths, threads)


def chamfer(x, y, **kwargs):
    """One pair, as a Python float."""
    zero = np.zeros(1, dtype=np.int64)
    return float(_core.chamfer_pairs(clouds(x), clouds(y), zero, zero, **kwargs)[0])


def sphere(rng, n, radius=1.0):
    p = rng.normal(size=(n, 3))
    return radius * p / np.linalg.norm(p, axis=1, keepdims=True)


def two_clusters(rng, n):
    p = 1e-3 * rng.normal(size=(n, 3))
    p[: n // 2] += 50.0
    return p


CASES = {
    "surface": lambda rng: (sphere(rng, 700), sphere(rng, 513, 0.7)),
    "uniform": lambda rng: (rng.uniform(-1, 1, (300, 3)), rng.uniform(-1, 1, (421, 3))),
    "concentric": lambda rng: (sphere(rng, 600), sphere(rng, 130, 1e-3)),
    "all_equal": lambda rng: (np.full((150, 3), 0.3), np.full((37, 3), -0.2)),
    "collinear": lambda rng: (
        np.outer(rng.uniform(size=200), [1, 2, 3]),
        np.outer(rng.uniform(size=90), [3, 2, 1]),
    ),
    "two_far_clusters": lambda rng: (two_clusters(rng, 260), two_clusters(rng, 300)),
    "duplicates": lambda rng: (rng.integers(-2, 3, (300, 3)) * 0.1, rng.integers(-3, 3, (200, 3)) * 0.07),
    "offset": lambda rng: (1e3 + sphere(rng, 300), 1e3 + sphere(rng, 257, 0.9)),
    "one_point": lambda rng: (rng.normal(size=(1, 3)), rng.normal(size=(100, 3))),
    "several_blocks": lambda rng: (sphere(rng, 2500), rng.uniform(-1, 1, (3000, 3))),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("case", CASES)
def test_chamfer_equals_brute_force(case, isa, dtype):
    x, y = (p.astype(dtype) for p in CASES[case](np.random.default_rng(0)))
    for squared in (True, False):
        expected = brute_chamfer(x, y, 0.3, 2.0, squared)
        value = chamfer(x, y, w1=0.3, w2=2.0, squared=squared, isa=isa)
        assert value == pytest.approx(expected, rel=1e-6 if dtype == np.float32 else 1e-13, abs=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("case", CASES)
def test_nearest_equals_brute_force(case, isa, dtype):
    x, y = (p.astype(dtype) for p in CASES[case](np.random.default_rng(1)))
    squared, index = _core.nearest(clouds(x, y), clouds(y, x), isa=isa)
    assert squared.dtype == dtype
    assert index.dtype == np.int64
    expected = np.concatenate([brute_force(x, y).min(1), brute_force(y, x).min(1)])
    pointed_at = np.concatenate([y[index[: len(x)]], x[index[len(x) :]]]).astype(np.float64)
    of_index = ((np.concatenate([x, y]) - pointed_at) ** 2).sum(1)
    rtol = 1e-6 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(squared, expected, rtol=rtol)
    np.testing.assert_allclose(of_index, expected, rtol=rtol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1e12, 1e30])
def test_tiny_and_huge_coordinates(scale, isa, dtype):
    rng = np.random.default_rng(2)
    x, y = ((scale * rng.normal(size=(n, 3))).astype(dtype) for n in (140, 77))
    assert chamfer(x, y, isa=isa) == pytest.approx(brute_chamfer(x, y), rel=1e-6, abs=0)
    assert chamfer(x, y, squared=False, isa=isa) == pytest.approx(brute_chamfer(x, y, squared=False), rel=1e-6, abs=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scales", [(1.0, 1e-25), (1e30, 1e-30), (1e6, 1.0), (1.0, 0.0), (1e-38, 0.0)])
def test_clouds_of_unlike_scale(scales, dtype):
    rng = np.random.default_rng(3)
    x, y = ((s * rng.normal(size=(n, 3))).astype(dtype) for s, n in zip(scales, (150, 300), strict=True))
    assert chamfer(x, y) == pytest.approx(brute_chamfer(x, y), rel=1e-6, abs=0)
    assert chamfer(x, y) == chamfer(y, x)
    squared, _ = _core.nearest(clouds(y), clouds(x))
    with np.errstate(over="ignore"):  # squares that float32 cannot hold come back as inf
        expected = brute_force(y, x).min(1).astype(dtype)
    np.testing.assert_allclose(squared, expected, rtol=1e-6, atol=np.finfo(dtype).tiny)


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e307])
def test_float64_beyond_the_range_of_squares(scale):
    x, origin = scale * np.array([[1.0, 0.0, 0.0], [3.0, 0.0, 0.0]]), np.zeros((1, 3))
    assert chamfer(x, origin, squared=False) == pytest.approx(3 * scale, rel=1e-13, abs=0)


cloud_lists = st.tuples(
    st.lists(st.integers(1, 70), min_size=1, max_size=4),
    st.sampled_from([1e-20, 1e-3, 1.0, 1e5, 1e20]),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
)


@settings(max_examples=60, deadline=None)
@given(drawn=cloud_lists, isa=st.sampled_from(ISAS), dtype=st.sampled_from(DTYPES))
def test_any_sizes_scales_and_duplicates(drawn, isa, dtype):
    sizes, scale, levels, seed = drawn
    rng = np.random.default_rng(seed)
    arrays = [(scale * rng.integers(-levels, levels, (n, 3))).astype(dtype) for n in sizes]
    prepared = clouds(*arrays)
    i, j = np.indices((len(sizes), len(sizes))).reshape(2, -1)
    values = _core.chamfer_pairs(prepared, prepared, i, j, isa=isa)
    expected = [brute_chamfer(arrays[a], arrays[b]) for a, b in zip(i, j, strict=True)]
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=0)


@pytest.fixture(scope="module")
def shapes():
    rng = np.random.default_rng(4)
    return [
        (sphere(rng, n, r) * rng.uniform(0.5, 1, 3)).astype(np.float32)
        for n, r in zip([1, 7, 64, 300, 300, 1025], [1, 2, 0.1, 1, 1, 3], strict=True)
    ]


@pytest.fixture(scope="module")
def pairs(shapes):
    return np.indices((len(shapes), len(shapes))).reshape(2, -1)


def test_same_bits_for_any_threads_isa_grouping_and_order(shapes, pairs):
    i, j = pairs
    prepared = clouds(*shapes)
    values = _core.chamfer_pairs(prepared, prepared, i, j)
    rng = np.random.default_rng(5)
    shuffled = clouds(*(rng.permutation(s) for s in shapes), threads=3)
    for isa in ISAS:
        for threads in (1, 2, 5):
            again = _core.chamfer_pairs(prepared, shuffled, i, j, threads=threads, isa=isa)
            np.testing.assert_array_equal(again, values)
    order = rng.permutation(len(i))
    np.testing.assert_array_equal(_core.chamfer_pairs(prepared, prepared, i[order], j[order]), values[order])
    alone = [chamfer(shapes[a], shapes[b]) for a, b in zip(i, j, strict=True)]
    np.testing.assert_array_equal(alone, values)


@pytest.mark.parametrize("squared", [True, False])
def test_symmetric_with_swapped_weights_and_zero_diagonal(shapes, pairs, squared):
    i, j = pairs
    prepared = clouds(*shapes)
    forward = _core.chamfer_pairs(prepared, prepared, i, j, 0.7, 0.1, squared)
    backward = _core.chamfer_pairs(prepared, prepared, j, i, 0.1, 0.7, squared)
    np.testing.assert_array_equal(forward, backward)
    assert (forward[i == j] == 0).all()
    assert (forward[i != j] > 0).all()


def test_nearest_keeps_the_order_of_the_points(shapes):
    x, y = shapes[5], shapes[3]
    squared, index = _core.nearest(clouds(x), clouds(y), threads=2)
    order = np.random.default_rng(6).permutation(len(x))
    permuted = _core.nearest(clouds(x[order]), clouds(y))
    np.testing.assert_array_equal(permuted[0], squared[order])
    np.testing.assert_array_equal(permuted[1], index[order])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_points_never_yield_a_number(bad, isa):
    rng = np.random.default_rng(7)
    x, y = (rng.normal(size=(300, 3)).astype(np.float32) for _ in range(2))
    x[17, 1] = bad
    assert np.isnan(chamfer(x, y, isa=isa))
    assert np.isnan(chamfer(y, x, isa=isa))
    assert np.isnan(_core.nearest(clouds(x), clouds(y), isa=isa)[0]).all()


def test_properties():
    x = clouds(np.zeros((5, 3), np.float32), np.ones((9, 3), np.float32))
    assert len(x) == 2
    assert x.dtype == "float32"
    assert clouds(np.zeros((5, 3))).dtype == "float64"
    assert x.nbytes >= 14 * 3 * 4
    assert ISAS[-1] == "portable"
    assert set(ISAS) <= {"avx512", "avx2", "portable"}


def test_no_clouds_and_no_pairs():
    empty = _core.Clouds(np.zeros((0, 3), np.float32), np.zeros(0, np.int64))
    none = np.zeros(0, np.int64)
    assert len(empty) == 0
    assert _core.chamfer_pairs(empty, empty, none, none).shape == (0,)
    assert _core.nearest(empty, empty)[0].shape == (0,)


POINTS = np.zeros((6, 3), np.float32)
LENGTHS = np.array([2, 4], np.int64)


@pytest.mark.parametrize(
    ("points", "lengths", "threads", "error", "message"),
    [
        (POINTS.astype(np.int32), LENGTHS, 1, TypeError, r"`points` must be .* got array of int32"),
        (POINTS.tolist(), LENGTHS, 1, TypeError, "`points` must be .* got list"),
        (POINTS[:, :2].copy(), LENGTHS, 1, ValueError, r"`points` must be .* shape \(6, 2\)"),
        (POINTS.ravel(), LENGTHS, 1, ValueError, r"`points` must be .* shape \(18,\)"),
        (np.asfortranarray(POINTS), LENGTHS, 1, ValueError, "`points` must be .* non-contiguous"),
        (POINTS.astype(">f4"), LENGTHS, 1, TypeError, "`points` must be"),
        (POINTS, LENGTHS.astype(np.int32), 1, TypeError, "`lengths` must be .* got array of int32"),
        (POINTS, LENGTHS[None], 1, ValueError, "`lengths` must be"),
        (POINTS, [2, 4], 1, TypeError, "`lengths` must be .* got list"),
        (POINTS, LENGTHS - 1, 1, ValueError, "`lengths` must be .* sum to the 6 rows .* a sum of 4"),
        (POINTS, LENGTHS + 1, 1, ValueError, "`lengths` must be .* more than that"),
        (POINTS, np.array([6, 0]), 1, ValueError, "`lengths` must be positive .* 0 at position 1"),
        (POINTS, np.array([7, -1]), 1, ValueError, "`lengths` must be positive .* 7 at position 0"),
        (POINTS, LENGTHS, 0, ValueError, "`threads` must be at least 1, but got 0"),
    ],
)
def test_bad_clouds_are_refused(points, lengths, threads, error, message):
    with pytest.raises(error, match=message):
        _core.Clouds(points, lengths, threads)


@pytest.mark.parametrize(
    ("i", "j", "options", "error", "message"),
    [
        ([0], [2], {}, ValueError, r"`j` must be in \[0, 2\), but got 2 at position 0"),
        ([0, -1], [0, 0], {}, ValueError, r"`i` must be in \[0, 2\), but got -1 at position 1"),
        ([0, 1], [0], {}, ValueError, r"`j` must be as long as `i` \(2\), but got 1"),
        ([[0]], [[0]], {}, ValueError, "`i` must be .* one dimension"),
        ([0.0], [0], {}, TypeError, "`i` must be .* got array of float64"),
        ([0], [0], {"threads": 0}, ValueError, "`threads` must be at least 1"),
        ([0], [0], {"isa": "sse9"}, ValueError, "`isa` must be one of 'auto', .* got 'sse9'"),
    ],
)
def test_bad_pairs_are_refused(i, j, options, error, message):
    x = _core.Clouds(POINTS, LENGTHS)
    with pytest.raises(error, match=message):
        _core.chamfer_pairs(x, x, np.array(i), np.array(j), **options)


def test_mixed_dtypes_and_numbers_of_clouds_are_refused():
    x, wide = _core.Clouds(POINTS, LENGTHS), _core.Clouds(POINTS.astype(np.float64), LENGTHS)
    zero = np.zeros(1, np.int64)
    with pytest.raises(TypeError, match="`x` and `y` must have one dtype, but got float32 and float64"):
        _core.chamfer_pairs(x, wide, zero, zero)
    with pytest.raises(TypeError, match="`x` and `y` must have one dtype"):
        _core.nearest(x, wide)
    with pytest.raises(ValueError, match=r"`y` must be as many clouds as `x` \(2\), but got 1"):
        _core.nearest(x, clouds(POINTS))
    with pytest.raises(ValueError, match="`threads` must be at least 1"):
        _core.nearest(x, x, threads=0)
    with pytest.raises(ValueError, match="`isa` must be"):
        _core.nearest(x, x, isa="")


def repeated(rng, n):
    """A surface, and as many points at one place."""
    return np.concatenate([sphere(rng, n // 2), np.full((n - n // 2, 3), 0.3)])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_points_that_repeat_are_near_as_others(dtype, isa):
    rng = np.random.default_rng(4)
    x, y = repeated(rng, 3000).astype(dtype), repeated(rng, 2600).astype(dtype)
    squares, index = _core.nearest(clouds(x), clouds(y), isa=isa)
    expected = brute_force(x, y)
    np.testing.assert_allclose(squares, expected.min(1), rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(expected[np.arange(len(x)), index], expected.min(1), rtol=1e-5, atol=1e-12)
    assert chamfer(x, y, isa=isa) == pytest.approx(brute_chamfer(x, y), rel=1e-5)
    assert chamfer(x, y, isa=isa) == chamfer(x[::-1], y[::-1], isa=isa)
    tiny = (y * 1e-18).astype(dtype)  # brought to the scale of the other
    assert chamfer(x, tiny, isa=isa) == pytest.approx(brute_chamfer(x, tiny), rel=1e-5)


@pytest.mark.skipif("DS_SANITIZE" in os.environ, reason="sanitizers take time of their own")
@pytest.mark.parametrize("of", ["equal", "ten", "half", "line", "plane"])
def test_points_that_repeat_take_no_quadratic_time(of):
    rng, n = np.random.default_rng(5), 300_000
    points = {
        "equal": lambda: np.full((n, 3), 0.3),
        "ten": lambda: sphere(rng, 10)[rng.integers(0, 10, n)],
        "half": lambda: repeated(rng, n),
        "line": lambda: np.outer(rng.uniform(size=n), [1, 2, 3]),
        "plane": lambda: rng.uniform(size=(n, 3)) * [1, 1, 0],
    }[of]
    x, y = points().astype(np.float32), points().astype(np.float32)
    start = time.process_time()
    _core.nearest(clouds(x), clouds(y))
    chamfer(x, y)
    assert time.process_time() - start < 8  # one second or so; quadratic, half a minute and more
