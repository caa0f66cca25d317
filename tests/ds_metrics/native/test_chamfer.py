import numpy as np
import pytest
import references
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_metrics._native import _core


def clouds(lengths, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return _core.Clouds(rng.random((sum(lengths), 3)).astype(dtype), np.array(lengths))


def every_isa():
    assert "portable" in _core.supported_isas()
    return _core.supported_isas()


@pytest.mark.parametrize("isa", every_isa())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 70) | st.integers(200, 600), min_size=2, max_size=4), st.integers(0, 99), st.booleans())
def test_chamfer_and_nearest(isa, dtype, lengths, seed, rounded):
    rng = np.random.default_rng(seed)
    points = [rng.random((n, 3)).astype(dtype) for n in lengths]
    points = [np.round(p, 1) for p in points] if rounded else points  # many ties and duplicates
    x = _core.Clouds(np.concatenate(points), np.array(lengths))
    i, j = (index.ravel() for index in np.indices((len(lengths), len(lengths))))
    expected = [references.dense_chamfer(points[a], points[b]) for a, b in zip(i, j, strict=True)]
    np.testing.assert_allclose(_core.chamfer_pairs(x, x, i, j, isa=isa), expected, rtol=1e-6, atol=1e-12)

    y = _core.Clouds(np.concatenate(points[::-1]), np.array(lengths[::-1]))
    distance, index = (np.split(out, np.cumsum(lengths)[:-1]) for out in _core.nearest(x, y, isa=isa))
    for b, (p, q) in enumerate(zip(points, points[::-1], strict=True)):
        squares = ((p[:, None].astype(np.float64) - q[None]) ** 2).sum(axis=-1)
        np.testing.assert_allclose(distance[b], squares.min(axis=1), rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(squares[np.arange(len(p)), index[b]], squares.min(axis=1), rtol=1e-6, atol=1e-12)


def test_weights_and_roots():
    x = clouds([4, 6])
    pair = np.array([0]), np.array([1])
    forward = _core.chamfer_pairs(x, x, *pair, w1=1.0, w2=0.0)[0]
    backward = _core.chamfer_pairs(x, x, *pair, w1=0.0, w2=1.0)[0]
    assert _core.chamfer_pairs(x, x, *pair, w1=2.0, w2=3.0)[0] == pytest.approx(2 * forward + 3 * backward)
    assert _core.chamfer_pairs(x, x, *pair, squared=False)[0] > forward + backward


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lengths", [[17, 23], [33, 300]])
def test_not_finite_points_do_no_harm(dtype, lengths):
    values = np.array([np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-45, -0.0, 1.0], dtype=dtype)
    points = np.random.default_rng(0).choice(values, size=(sum(lengths), 3))
    x = _core.Clouds(points, np.array(lengths))
    for isa in _core.supported_isas():
        _, index = _core.nearest(x, x, isa=isa)
        assert (index >= 0).all()
        assert (index < np.repeat(lengths, lengths)).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: clouds([0, 3]), ValueError, "`lengths`"),
        (lambda: _core.Clouds(np.zeros((3, 3), np.float32), np.array([2])), ValueError, "must sum to .* 3, but got 2"),
        (lambda: _core.Clouds(np.zeros((3, 2), np.float32), np.array([3])), ValueError, "`points`"),
        (lambda: _core.Clouds(np.zeros((3, 3), np.int32), np.array([3])), TypeError, "`points`"),
        (lambda: _core.nearest(clouds([3]), clouds([3], dtype=np.float64)), TypeError, "precision"),
        (lambda: _core.nearest(clouds([3]), clouds([3, 3])), ValueError, "equally many"),
        (lambda: _core.nearest(clouds([3]), clouds([3]), isa="mmx"), ValueError, "'portable'.*'mmx'"),
        (lambda: _core.nearest(clouds([3]), clouds([3]), threads=0), ValueError, "`threads`"),
        (lambda: _core.chamfer_pairs(clouds([3]), clouds([3]), np.array([0]), np.array([1])), IndexError, r"\(0, 1\)"),
        (lambda: _core.chamfer_pairs(clouds([3]), clouds([3]), np.array([0]), np.array([0, 0])), ValueError, "`j`"),
    ],
)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_instruction_sets_agree_where_pruning_bites():
    rng = np.random.default_rng(0)
    sphere = rng.normal(size=(3000, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    points = np.concatenate([sphere, sphere * [1.0, 0.8, 0.5] + [0.3, 0.0, 0.0]]).astype(np.float32)
    x = _core.Clouds(points, np.array([3000, 3000]))
    expected = references.dense_chamfer(points[:3000], points[3000:])
    for isa in _core.supported_isas():
        actual = _core.chamfer_pairs(x, x, np.array([0, 1]), np.array([1, 0]), isa=isa)
        np.testing.assert_allclose(actual, expected, rtol=1e-6)
        assert actual[0] == actual[1]
