import backend_clouds as clouds
import numpy as np
import pytest
import torch

from ds_metrics.pairwise import reference


@pytest.mark.parametrize("block", [1, 500, 2**19])
@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize(("dtype", "scale"), [(dtype, s) for dtype, scales in clouds.SCALES.items() for s in scales])
def test_chamfer(monkeypatch, dtype, scale, squared, block):
    monkeypatch.setattr(reference, "_BLOCK_ON_CPU", block)
    sizes = (1, 5, 33) if block > 1 else ()
    x, y = clouds.mixed(sizes, dtype=dtype, scale=scale), clouds.mixed(sizes, dtype=dtype, seed=1, scale=scale)
    i, j = clouds.all_pairs(x, y)
    actual = reference.distances(reference.prepare(x), reference.prepare(y), i, j, squared=squared)
    np.testing.assert_allclose(actual, clouds.expected_chamfer(x, y, i, j, squared), rtol=1e-6)


@pytest.mark.parametrize("block", [1, 500, 2**19])
@pytest.mark.parametrize("scale", clouds.SCALES[np.float32])
def test_nearest(monkeypatch, scale, block):
    monkeypatch.setattr(reference, "_BLOCK_ON_CPU", block)
    x, y = clouds.mixed(scale=scale), clouds.mixed((7, 1, 9, 32, 60, 33, 2), seed=1, scale=scale)
    assert torch.equal(reference.nearest(*map(reference.prepare, (x, y))), clouds.expected_nearest(x, y))


def test_clouds_of_very_different_scales():
    x = clouds.of_unlike_scales()
    i, j = clouds.all_pairs(x, x)
    prepared = reference.prepare(x)
    np.testing.assert_allclose(
        reference.distances(prepared, prepared, i, j), clouds.expected_chamfer(x, x, i, j), rtol=1e-6
    )


def test_a_batch_stays_within_the_block(monkeypatch):
    held = []
    squares = reference._squares
    monkeypatch.setattr(reference, "_squares", lambda p, q: held.append(squares(p, q)) or held[-1])
    monkeypatch.setattr(reference, "_BLOCK_ON_CPU", 1000)
    x = clouds.pack_clouds(torch.rand(8, 10, 3))
    i, j = clouds.all_pairs(x, x)
    prepared = reference.prepare(x)
    reference.distances(prepared, prepared, i, j)
    assert [len(block) for block in held] == [10] * 6 + [4]


def test_no_pairs_no_clouds():
    none = clouds.pack_clouds([])
    prepared = reference.prepare(none)
    assert reference.distances(prepared, prepared, np.empty(0, np.int64), np.empty(0, np.int64)).shape == (0,)
    assert reference.nearest(*map(reference.prepare, (none, none))).shape == (0,)
