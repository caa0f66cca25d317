import numpy as np
import pytest
import references
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import directed_hausdorff

from ds_metrics.functional import hausdorff_distance


def clouds(*shape, seed=0, dtype=torch.float32):
    return torch.rand(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_scipy(n, m, seed):
    x, y = clouds(1, n, seed=seed, dtype=torch.float64), clouds(1, m, seed=seed + 1, dtype=torch.float64)
    forth, back = directed_hausdorff(x[0], y[0])[0], directed_hausdorff(y[0], x[0])[0]
    assert hausdorff_distance(x, y, directed=True).item() == pytest.approx(forth, rel=1e-12)
    assert hausdorff_distance(x, y).item() == pytest.approx(max(forth, back), rel=1e-12)


@pytest.mark.parametrize("percentile", [5.0, 50.0, 95.0, 99.9, 100.0])
def test_percentile_of_each_direction_by_loops(percentile):
    x, y = clouds(13, seed=3).tolist(), clouds(21, seed=4).tolist()
    forth, back = (np.percentile(np.sqrt(references.squared_minima(*pair)), percentile) for pair in ((x, y), (y, x)))
    a, b = torch.tensor(x)[None], torch.tensor(y)[None]
    assert hausdorff_distance(a, b, True, percentile).item() == pytest.approx(forth, rel=1e-6)
    assert hausdorff_distance(a, b, False, percentile).item() == pytest.approx(max(forth, back), rel=1e-6)


@settings(max_examples=20)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 99), st.floats(0.01, 100), st.floats(1, 100))
def test_laws(n, m, seed, scale, percentile):
    x, y = clouds(1, n, seed=seed, dtype=torch.float64), clouds(1, m, seed=seed + 1, dtype=torch.float64)
    value = hausdorff_distance(x, y, percentile=percentile)
    torch.testing.assert_close(hausdorff_distance(y, x, percentile=percentile), value)
    torch.testing.assert_close(hausdorff_distance(x * scale, y * scale, percentile=percentile), value * scale)
    assert hausdorff_distance(x, x.flip(1), percentile=percentile).item() == 0
    assert value <= hausdorff_distance(x, y)


def test_sizes_within_a_batch_may_differ():
    x, y = [clouds(4), clouds(7, seed=1)], [clouds(5, seed=2), clouds(2, seed=3)]
    expected = torch.cat([hausdorff_distance(a[None], b[None]) for a, b in zip(x, y, strict=True)])
    padded = torch.full((2, 7, 3), torch.nan)
    padded[0, :4], padded[1] = x[0], x[1]
    assert torch.equal(hausdorff_distance(padded, y, lengths1=torch.tensor([4, 7])), expected)
    assert hausdorff_distance([], []).shape == (0,)


@pytest.mark.parametrize("percentile", [80.0, 100.0])
def test_gradients(percentile):
    x, y = (clouds(2, n, seed=n, dtype=torch.float64).requires_grad_() for n in (5, 4))
    assert torch.autograd.gradcheck(lambda a, b: hausdorff_distance(a, b, percentile=percentile), (x, y))
    same = clouds(1, 3).requires_grad_()
    hausdorff_distance(same, same.detach()).sum().backward()
    assert torch.equal(same.grad, torch.zeros_like(same))


@pytest.mark.parametrize("percentile", [0.0, -5.0, 100.5, float("nan")])
def test_refuses_percentile(percentile):
    with pytest.raises(ValueError, match="`percentile` must be above 0 and at most 100"):
        hausdorff_distance(clouds(1, 2), clouds(1, 2), percentile=percentile)


def test_refuses_points():
    with pytest.raises(ValueError, match="`p2` must hold finite points"):
        hausdorff_distance(clouds(1, 4), torch.full((1, 4, 3), torch.nan))
    with pytest.raises(ValueError, match="is empty"):
        hausdorff_distance(clouds(1, 0), clouds(1, 4))
    with pytest.raises(TypeError, match="floating point"):
        hausdorff_distance(clouds(1, 4).int(), clouds(1, 4))
