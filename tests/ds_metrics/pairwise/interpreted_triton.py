"""The Triton kernels under Triton's interpreter. `test_triton.py` runs this file in a process of its own."""

import backend_clouds as clouds
import numpy as np
import pytest
import torch

from ds_metrics.pairwise import nearest_points, pairwise_distance, resolve_backend

triton = pytest.importorskip("ds_metrics.pairwise.triton")

SIZES = (1, 2, 31, 32, 33, 130)  # around whole blocks, and more than one of them


def test_the_interpreter_runs():
    assert triton.INTERPRETED
    assert resolve_backend("triton", torch.device("cpu")) == "triton"
    assert resolve_backend("auto", torch.device("cpu")) == "native"


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_chamfer(dtype, squared):
    x, y = clouds.mixed(SIZES, dtype=dtype), clouds.mixed(SIZES[::-1], dtype=dtype, seed=1)
    i, j = np.concatenate([clouds.ring(x), np.arange(len(SIZES))[None].repeat(2, 0)], axis=1)
    actual = triton.distances(triton.prepare(x), triton.prepare(y), i, j, squared=squared)
    np.testing.assert_allclose(actual, clouds.expected_chamfer(x, y, i, j, squared), rtol=1e-6)
    assert actual.dtype == np.float64


@pytest.mark.parametrize(("dtype", "scale"), [(dtype, s) for dtype, scales in clouds.SCALES.items() for s in scales])
def test_any_scale(dtype, scale):
    x = clouds.mixed((3, 40), dtype=dtype, scale=scale)
    prepared = triton.prepare(x)
    i, j = clouds.ring(x)
    actual = triton.distances(prepared, prepared, i, j)
    np.testing.assert_allclose(actual, clouds.expected_chamfer(x, x, i, j), rtol=1e-6)
    y = clouds.mixed((33, 2), dtype=dtype, seed=1, scale=scale)
    assert torch.equal(triton.nearest(*map(triton.prepare, (x, y))), clouds.expected_nearest(x, y))


def test_clouds_of_very_different_scales():
    x = clouds.of_unlike_scales()
    i, j = clouds.all_pairs(x, x)
    prepared = triton.prepare(x)
    np.testing.assert_allclose(
        triton.distances(prepared, prepared, i, j), clouds.expected_chamfer(x, x, i, j), rtol=1e-6
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nearest_is_brute_force_with_the_first_of_equals(dtype):
    x, y = clouds.mixed(SIZES, dtype=dtype), clouds.mixed((33, 150, 1, 7, 64, 2), dtype=dtype, seed=1)
    assert torch.equal(triton.nearest(*map(triton.prepare, (x, y))), clouds.expected_nearest(x, y))
    tied = clouds.pack_clouds(torch.zeros(1, 100, 3, dtype=x.points.dtype))
    assert torch.equal(triton.nearest(*map(triton.prepare, (tied, tied))), torch.zeros(100, dtype=torch.int64))


def test_many_pairs_and_little_memory(monkeypatch):
    x = clouds.mixed((1, 33, 130))
    prepared = triton.prepare(x)
    i, j = clouds.ring(x)
    few = triton.distances(prepared, prepared, i, j)
    monkeypatch.setattr(triton, "_MANY", 1)
    many = triton.distances(prepared, prepared, i, j)
    np.testing.assert_allclose(many, few, rtol=1e-15)  # other blocks: only the order of sums differs
    monkeypatch.setattr(triton, "_SCRATCH", 3 * 160)  # rows of three pairs at a time
    assert np.array_equal(triton.distances(prepared, prepared, i, j), many)


def test_points_that_do_not_lie_end_to_end():
    x = clouds.mixed((33, 5))
    strided = x._replace(points=torch.cat([x.points, x.points], dim=1)[:, 3:])
    assert not strided.points.is_contiguous()
    i, j = clouds.ring(x)
    actual, expected = (triton.distances(*[triton.prepare(c)] * 2, i, j) for c in (strided, x))
    assert np.array_equal(actual, expected)


def test_no_pairs_no_clouds():
    none = clouds.pack_clouds([])
    prepared = triton.prepare(none)
    assert triton.distances(prepared, prepared, np.empty(0, np.int64), np.empty(0, np.int64)).shape == (0,)
    assert triton.nearest(*map(triton.prepare, (none, none))).shape == (0,)


def test_through_the_engine():
    x = [torch.rand(n, 3, generator=torch.Generator().manual_seed(n)) for n in (1, 20, 40)]
    matrix = pairwise_distance(x, backend="triton")
    torch.testing.assert_close(matrix, pairwise_distance(x, backend="native"), rtol=1e-6, atol=0)
    assert torch.equal(matrix, matrix.T)
    p, q = clouds.pack_clouds(x), clouds.pack_clouds(x[::-1])
    for found, expected in zip(nearest_points(p, q, "triton"), nearest_points(p, q, "torch"), strict=True):
        assert torch.equal(found, expected)
