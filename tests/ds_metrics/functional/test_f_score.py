import pytest
import references
import torch

from ds_metrics.functional import f_score


def test_kaolins_documented_example():
    gt = torch.tensor([[[8.8977, 4.1709, 1.2839], [8.5640, 7.7767, 9.4214]],
                       [[0.5431, 6.4495, 11.4914], [3.2126, 8.0865, 3.1018]]])  # fmt: skip
    pred = torch.tensor([[[9.4863, 4.2249, 0.1712], [8.1783, 8.5310, 8.5119]],
                         [[-0.0020699, 6.4429, 12.3], [3.8386, 8.3585, 4.7662]]])  # fmt: skip
    for variant in (False, True):
        for radius, expected in ((1.0, [0.0, 0.5]), (1.5, [1.0, 0.5])):
            actual = f_score(gt, pred, radius=radius, kaolin_recall=variant)
            torch.testing.assert_close(actual, torch.tensor(expected))


@pytest.mark.parametrize("seed", range(5))
def test_triple_loop(seed):
    generator = torch.Generator().manual_seed(seed)
    gt, pred = torch.rand(3, 7, 3, generator=generator), torch.rand(3, 11, 3, generator=generator)
    expected = [references.f_score(a, b, 0.25) for a, b in zip(gt.tolist(), pred.tolist(), strict=True)]
    torch.testing.assert_close(f_score(gt, pred, 0.25), torch.tensor(expected, dtype=torch.float32))


def test_kaolins_recall_counts_hits_of_the_prediction():
    gt = torch.tensor([[[0.0, 0, 0], [5.0, 0, 0]]])
    pred = torch.zeros(1, 10, 3)
    assert f_score(gt, pred).item() == pytest.approx(2 / 3)
    assert f_score(gt, pred, kaolin_recall=True).item() == pytest.approx(20 / 21)


def test_nothing_hit_is_zero():
    assert f_score(torch.zeros(1, 2, 3), torch.ones(1, 2, 3)).item() == 0.0


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan")])
def test_refuses_radius(radius):
    with pytest.raises(ValueError, match="`radius` must be positive"):
        f_score(torch.zeros(1, 2, 3), torch.ones(1, 2, 3), radius=radius)
