import warnings

import numpy as np
import pytest
import torch

from ds_metrics import OracleNearestNeighbor
from ds_metrics.clouds import cast, pack_clouds, pack_features


def test_batches_lists_and_padding_agree():
    batch = torch.rand(3, 5, 3)
    lengths = torch.tensor([2, 5, 1])
    expected = torch.cat([cloud[:n] for cloud, n in zip(batch, lengths, strict=True)])
    padded = pack_clouds(batch, lengths)
    listed = pack_clouds([cloud[:n] for cloud, n in zip(batch, lengths, strict=True)])
    for packed in (padded, listed):
        torch.testing.assert_close(packed.points, expected, rtol=0, atol=0)
        assert packed.lengths.tolist() == [2, 5, 1]
    assert padded.segments.tolist() == [0, 0, 1, 1, 1, 1, 1, 2]
    assert padded.offsets.tolist() == [0, 2, 7]


def test_packed_clouds_come_back_as_they_are():
    packed = pack_clouds(torch.rand(2, 4, 3))
    assert pack_clouds(packed) is packed


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_single(dtype):
    assert pack_clouds(torch.rand(2, 4, 3, dtype=dtype)).points.dtype == torch.float32


def test_double_precision_and_numpy_stay():
    assert pack_clouds(np.zeros((2, 4, 3))).points.dtype == torch.float64


def test_what_padding_holds_does_not_matter():
    batch = torch.rand(2, 4, 3)
    batch[0, 2:] = torch.nan
    assert pack_clouds(batch, torch.tensor([2, 4])).points.shape == (6, 3)


@pytest.mark.parametrize(
    ("clouds", "lengths", "message"),
    [
        (torch.rand(4, 3), None, r"`preds` must have shape \(B, P, 3\), but got \(4, 3\)"),
        (torch.rand(2, 4, 2), None, r"but got \(2, 4, 2\)"),
        ([torch.rand(4, 3), torch.rand(4, 2)], None, r"cloud 1 has shape \(4, 2\)"),
        ([torch.rand(4, 3), torch.empty(0, 3)], None, "cloud 1 is empty"),
        (torch.rand(2, 4, 3), torch.tensor([4, 0]), "cloud 1 is empty"),
        (torch.rand(2, 4, 3), torch.tensor([4, 5]), "between 1 and 4, but got values from 4 to 5"),
        (torch.rand(2, 4, 3), torch.tensor([-1, 4]), "between 1 and 4"),
        (torch.rand(2, 4, 3), torch.tensor([4]), "2 integers"),
        (torch.rand(2, 4, 3), torch.tensor([4.0, 4.0]), "2 integers"),
        ([torch.rand(4, 3)], torch.tensor([4]), "not with a sequence"),
        (torch.tensor([[[0.0, 0, 0], [0, torch.nan, 0], [torch.inf, 0, 0]]]), None, "cloud 0 has 2 NaN or infinite"),
    ],
)
def test_refuses_values(clouds, lengths, message):
    with pytest.raises(ValueError, match=message):
        pack_clouds(clouds, lengths, "preds")


@pytest.mark.parametrize(
    "clouds", [torch.zeros(1, 2, 3, dtype=torch.int64), np.full((1, 2, 3), "a"), "abc", 3, [[0.0, 0.0, 0.0]]]
)
def test_refuses_types(clouds):
    with pytest.raises(TypeError, match="`clouds`"):
        pack_clouds(clouds)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_features_are_clouds_of_one_point(dtype):
    features = torch.rand(4, 5).to(dtype)
    packed = pack_features(features)
    assert packed.points.data_ptr() == features.data_ptr()
    assert packed.points.dtype == dtype
    assert packed.lengths.tolist() == [1, 1, 1, 1]
    assert pack_features(packed) is packed
    assert torch.equal(packed.take(np.array([2, 0])).points, features[[2, 0]])


def test_features_of_other_kinds(tmp_path):
    assert pack_features(torch.rand(2, 3).bfloat16()).points.dtype == torch.float32
    np.save(tmp_path / "x.npy", np.ones((3, 4), dtype=np.float16))
    mapped = pack_features(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert mapped.points.dtype == torch.float16
    assert pack_features(torch.empty(0, 3)).lengths.shape == (0,)
    assert pack_features(torch.rand(2, 3, requires_grad=True)).points.requires_grad


@pytest.mark.parametrize("wrong", [torch.rand(4), torch.rand(4, 2, 2), torch.rand(4, 0), np.ones(3)])
def test_refuses_shapes_of_features(wrong):
    with pytest.raises(ValueError, match=r"`preds` must have shape \(N, D\) with D at least 1, but got \("):
        pack_features(wrong, "preds")


@pytest.mark.parametrize(
    "wrong", [torch.zeros(2, 3, dtype=torch.int64), np.zeros((2, 3), dtype=np.uint8), [[1.0, 2.0]], "abc", None]
)
def test_refuses_types_of_features(wrong):
    with pytest.raises(TypeError, match=r"`features` must be a floating point tensor or array of shape \(N, D\)"):
        pack_features(wrong)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_refuses_infinite_features(monkeypatch, dtype):
    monkeypatch.setattr("ds_metrics.clouds._CHECKED_NUMBERS", 10)
    features = torch.rand(9, 4).to(dtype)
    features[5, 1], features[5, 3], features[8, 0] = torch.nan, torch.inf, -torch.inf
    message = r"`features` must hold finite features, but sample 5 has 2 NaN or infinite numbers \(1 more samples"
    with pytest.raises(ValueError, match=message):
        pack_features(features)


def test_clouds_are_no_features():
    with pytest.raises(ValueError, match="`features` must hold feature vectors, but got point clouds"):
        pack_features(pack_clouds(torch.rand(2, 4, 3)))


@pytest.mark.parametrize(
    "change",
    [lambda a: a[:, ::-1], lambda a: a.astype(">f4"), np.asfortranarray],
    ids=["reversed", "swapped", "columns"],
)
def test_arrays_however_they_lie(change):
    array = np.random.default_rng(0).random((3, 5, 3), dtype=np.float32)
    expected = torch.from_numpy(np.ascontiguousarray(change(array)).astype(np.float32))
    assert torch.equal(pack_clouds(change(array)).points, expected.reshape(-1, 3))
    assert torch.equal(pack_features(change(array[0])).points, torch.from_numpy(np.array(change(array[0]), dtype="f4")))


@pytest.mark.parametrize("kind", [np.longdouble, torch.float8_e4m3fn])
def test_refuses_numbers_that_it_can_not_compute_with(kind):
    points = torch.zeros(1, 2, 3).to(kind) if isinstance(kind, torch.dtype) else np.zeros((1, 2, 3), dtype=kind)
    with pytest.raises(TypeError, match=r"`preds` must hold floating point tensors or arrays, but got .*float"):
        pack_clouds(points, name="preds")


def test_a_cast_that_takes_digits_says_so():
    points = torch.rand(2, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    device = torch.device("cpu")
    with pytest.warns(RuntimeWarning, match=r"`preds` holds numbers up to 1e\+06 that differ by 0.7.* `set_dtype"):
        cast(pack_clouds(points + 1e6), device, torch.float32, "preds")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for harmless in (points + 100, points[:1] * 0 + 1e6):
            cast(pack_clouds(harmless), device, torch.float32, "preds")
        cast(pack_clouds(points + 1e6), device, torch.float64, "preds")


def test_a_cast_looks_at_each_cloud():
    points = torch.rand(3, 50, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    site = torch.tensor([500_000.0, 5_000_000.0, 300.0], dtype=torch.float64)  # UTM
    device = torch.device("cpu")
    kilometres = points * torch.tensor([8000.0, 9000.0, 100.0]) + site
    far_apart = points[:2] + site * torch.tensor([[[0.0]], [[1.0]]])  # of which one lies at the origin
    for clouds in (kilometres, points * 10 + site, far_apart, list(kilometres), kilometres.numpy()):
        with pytest.warns(RuntimeWarning, match="`preds` holds numbers up to .* loses digits that matter"):
            cast(pack_clouds(clouds), device, torch.float32, "preds")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for clouds in (kilometres - site, points * 100_000 + site, points[:, :1] * 0 + 5e6):
            cast(pack_clouds(clouds), device, torch.float32, "preds")


def test_training_clouds_are_not_narrowed_without_a_word():
    points = torch.rand(4, 20, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 1000
    metric = OracleNearestNeighbor(train=points + 5e6)
    metric.update(points.float(), points.float())
    with pytest.warns(RuntimeWarning, match="`train` holds numbers up to"):
        metric.compute()
