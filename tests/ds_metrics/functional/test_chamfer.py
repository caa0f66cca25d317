import pytest
import references
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_metrics.functional import chamfer_distance


def clouds(*shape, seed=0, dtype=torch.float32):
    return torch.rand(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_kaolins_documented_example():
    p1 = torch.tensor([[[8.8977, 4.1709, 1.2839], [8.5640, 7.7767, 9.4214]],
                       [[0.5431, 6.4495, 11.4914], [3.2126, 8.0865, 3.1018]]])  # fmt: skip
    p2 = torch.tensor([[[6.9340, 6.1152, 3.4435], [0.1032, 9.8181, 11.3350]],
                       [[11.4006, 2.2154, 7.9589], [4.2586, 1.4133, 7.2606]]])  # fmt: skip
    torch.testing.assert_close(chamfer_distance(p1, p2), torch.tensor([72.5838, 151.0809]), rtol=1e-6, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99), st.booleans(), st.sampled_from([1e-3, 1.0, 1e3]))
def test_triple_loop(n, m, seed, squared, scale):
    x, y = clouds(2, n, seed=seed) * scale, clouds(2, m, seed=seed + 1) * scale
    expected = [references.chamfer(a, b, 0.5, 2.0, squared) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    actual = chamfer_distance(x, y, 0.5, 2.0, squared)
    torch.testing.assert_close(actual, torch.tensor(expected, dtype=torch.float32), rtol=2e-6, atol=0)


def test_float64_to_full_precision():
    x, y = clouds(1, 30, dtype=torch.float64) + 1e3, clouds(1, 20, seed=1, dtype=torch.float64) + 1e3
    expected = references.chamfer(x[0].tolist(), y[0].tolist())
    assert chamfer_distance(x, y).item() == pytest.approx(expected, rel=1e-13)


def test_sizes_within_a_batch_may_differ():
    x = [clouds(4), clouds(7, seed=1)]
    y = [clouds(5, seed=2), clouds(2, seed=3)]
    expected = torch.stack([chamfer_distance(a[None], b[None])[0] for a, b in zip(x, y, strict=True)])
    torch.testing.assert_close(chamfer_distance(x, y), expected, rtol=0, atol=0)
    padded = torch.full((2, 7, 3), torch.nan)
    padded[0, :4], padded[1] = x[0], x[1]
    actual = chamfer_distance(padded, y, lengths1=torch.tensor([4, 7]))
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


def test_non_contiguous_input():
    x = clouds(2, 6)
    strided = x.transpose(1, 2).contiguous().transpose(1, 2)
    assert not strided.is_contiguous()
    torch.testing.assert_close(chamfer_distance(strided, x[:, ::2]), chamfer_distance(x, x[:, ::2].contiguous()))


@pytest.mark.parametrize("squared", [True, False])
def test_gradients(squared):
    x, y = (clouds(2, n, seed=n, dtype=torch.float64).requires_grad_() for n in (5, 4))
    assert torch.autograd.gradcheck(lambda a, b: chamfer_distance(a, b, 0.7, 1.3, squared), (x, y))


def test_gradients_of_lists_and_at_coinciding_points():
    x = [clouds(3).requires_grad_(), clouds(2).requires_grad_()]
    chamfer_distance(x, [cloud.detach() for cloud in x], squared=False).sum().backward()
    assert all(torch.equal(cloud.grad, torch.zeros_like(cloud)) for cloud in x)


def test_half_precision_is_computed_in_single():
    x, y = clouds(2, 8).half(), clouds(2, 8, seed=1).half()
    actual = chamfer_distance(x, y)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, chamfer_distance(x.float(), y.float()), rtol=0, atol=0)


def test_refuses_what_does_not_pair():
    with pytest.raises(ValueError, match="`p1` and `p2` must hold equally many clouds, but got 2 and 3"):
        chamfer_distance(clouds(2, 4), clouds(3, 4))
    with pytest.raises(ValueError, match="`p2` must hold finite points"):
        chamfer_distance(clouds(1, 4), torch.full((1, 4, 3), torch.nan))
