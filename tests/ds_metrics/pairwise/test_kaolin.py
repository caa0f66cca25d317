import sys
from types import ModuleType

import backend_clouds as clouds
import numpy as np
import pytest
import torch

from ds_metrics.pairwise import backends, kaolin, pairwise_distance


@pytest.fixture
def calls(monkeypatch):
    """Stand-in for Kaolin by what its documentation says of `sided_distance`; the shapes it was called with."""
    shapes = []

    def sided_distance(p1, p2):
        shapes.append((tuple(p1.shape), tuple(p2.shape)))
        assert p1.dtype == p2.dtype
        assert p1.is_contiguous()
        squares = torch.stack([((p[:, None] - q[None]) ** 2).sum(dim=-1) for p, q in zip(p1, p2, strict=True)])
        return squares.amin(dim=2), squares.argmin(dim=2)

    for name in ("kaolin", "kaolin.metrics", "kaolin.metrics.pointcloud"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["kaolin.metrics.pointcloud"].sided_distance = sided_distance
    return shapes


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize(("dtype", "scale"), [(dtype, s) for dtype, scales in clouds.SCALES.items() for s in scales])
def test_chamfer(calls, dtype, scale, squared):
    x, y = clouds.mixed(dtype=dtype, scale=scale), clouds.mixed((1, 5, 33), dtype=dtype, seed=1, scale=scale)
    i, j = clouds.all_pairs(x, y)
    actual = kaolin.distances(kaolin.prepare(x), kaolin.prepare(y), i, j, squared=squared)
    np.testing.assert_allclose(actual, clouds.expected_chamfer(x, y, i, j, squared), rtol=1e-6)


def test_nearest(calls):
    x, y = clouds.mixed(), clouds.mixed((7, 1, 9, 32, 60, 33, 2), seed=1)
    assert torch.equal(kaolin.nearest(*map(kaolin.prepare, (x, y))), clouds.expected_nearest(x, y))


def test_pairs_of_equal_sizes_go_together(calls):
    x = clouds.pack_clouds([torch.rand(n, 3) for n in (5, 8, 5, 8, 5)])
    i, j = clouds.all_pairs(x, x)
    prepared = kaolin.prepare(x)
    kaolin.distances(prepared, prepared, i, j)
    assert sorted(calls) == sorted(
        ((pairs, n, 3), (pairs, m, 3))
        for n, m, pairs in [(5, 5, 9), (5, 8, 6), (8, 5, 6), (8, 8, 4)]
        for n, m in [(n, m), (m, n)]
    )


def test_memory_is_bounded(calls, monkeypatch):
    x = clouds.pack_clouds(torch.rand(6, 10, 3))
    i, j = clouds.all_pairs(x, x)
    prepared = kaolin.prepare(x)
    whole = kaolin.distances(prepared, prepared, i, j)
    calls.clear()
    monkeypatch.setattr(kaolin, "_POINTS", 100)
    assert np.array_equal(kaolin.distances(prepared, prepared, i, j), whole)
    assert {p1[0] for p1, _ in calls} == {5, 1}


@pytest.mark.skipif(
    not torch.cuda.is_available() or backends.lack("kaolin", torch.device("cuda")) is not None,
    reason="needs Kaolin and a CUDA GPU",
)
def test_kaolin_itself():
    x = clouds.mixed()
    on_gpu = x._replace(points=x.points.cuda())
    actual = pairwise_distance(on_gpu, backend="kaolin").cpu()
    torch.testing.assert_close(actual, pairwise_distance(x), rtol=1e-6, atol=0)
    y = clouds.mixed(seed=1)
    index = kaolin.nearest(*map(kaolin.prepare, (on_gpu, y._replace(points=y.points.cuda())))).cpu()
    assert (index == clouds.expected_nearest(x, y)).float().mean() > 0.99  # near ties fall either way
