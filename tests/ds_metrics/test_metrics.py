"""The three classes as torchmetrics metrics."""

import pickle

import pytest
import references
import torch
from matplotlib import pyplot
from torchmetrics import MetricCollection
from torchmetrics.utilities.exceptions import TorchMetricsUserError

from ds_metrics import ChamferDistance, Coverage, DispersionScore, FScore
from ds_metrics.functional import chamfer_distance, dispersion_score, f_score


def clouds(n, seed=0, points=10):
    return torch.rand(n, points, 3, generator=torch.Generator().manual_seed(seed))


METRICS = [
    lambda: DispersionScore(n_clusters=3),
    lambda: DispersionScore(n_clusters=3, of="target"),
    DispersionScore,
    ChamferDistance,
    lambda: FScore(radius=0.2),
]


@pytest.mark.parametrize("make", METRICS)
def test_batch_size_does_not_matter(make):
    preds, target = clouds(12), clouds(12, seed=1)
    values = []
    for size in (1, 5, 12):
        metric = make()
        for p, t in zip(preds.split(size), target.split(size), strict=True):
            metric.update(p, t)
        values.append(metric.compute())
    assert values[0].shape == ()
    torch.testing.assert_close(values[1], values[0], rtol=1e-6, atol=0)
    torch.testing.assert_close(values[2], values[0], rtol=1e-6, atol=0)


def test_values_are_those_of_the_functions():
    preds, target = clouds(9), clouds(9, seed=1)
    for metric, expected in (
        (DispersionScore(n_clusters=2), dispersion_score(preds, 2)),
        (DispersionScore(n_clusters=2, of="target"), dispersion_score(target, 2)),
        (ChamferDistance(w1=0.5, squared=False), chamfer_distance(preds, target, 0.5, squared=False).mean()),
        (FScore(radius=0.2), f_score(target, preds, 0.2).mean()),
    ):
        metric.update(preds, target)
        torch.testing.assert_close(metric.compute(), expected)


def test_prediction_and_truth_are_not_confused():
    preds, target = torch.zeros(1, 10, 3), torch.tensor([[[0.0, 0, 0], [5.0, 0, 0]]])
    metric = FScore(kaolin_recall=True)
    metric.update(preds, target)
    assert metric.compute().item() == pytest.approx(20 / 21)
    chamfer = ChamferDistance(w1=1.0, w2=0.0)
    chamfer.update(preds, target)
    assert chamfer.compute().item() == 0.0


@pytest.mark.parametrize("make", METRICS)
def test_pickle_clone_and_reset(make):
    metric = make()
    metric.update(clouds(8), clouds(8, seed=1))
    value = metric.compute()
    for copy in (pickle.loads(pickle.dumps(metric)), metric.clone()):
        assert torch.equal(copy.compute(), value)
        copy.update(clouds(2, seed=5), clouds(2, seed=6))
        assert not torch.equal(copy.compute(), value)
    metric.reset()
    with pytest.raises(ValueError, match="needs at least"), pytest.warns(UserWarning, match="before the ``update``"):
        metric.compute()
    metric.update(clouds(8), clouds(8, seed=1))
    assert torch.equal(metric.compute(), value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("make", METRICS)
def test_half_precision_inputs(make, dtype):
    preds, target = clouds(8).to(dtype), clouds(8, seed=1).to(dtype)
    half, single = make(), make()
    half.update(preds, target)
    single.update(preds.float(), target.float())
    assert torch.equal(half.compute(), single.compute())


def test_double_precision_is_a_choice():
    preds = clouds(5).double() + 1e6
    metric = DispersionScore(n_clusters=2)
    metric.set_dtype(torch.float64)
    metric.update(preds)
    distances = torch.tensor([[references.chamfer(a, b) for b in preds.tolist()] for a in preds.tolist()])
    metric.compute()
    torch.testing.assert_close(metric.distances, distances.float(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("make", METRICS)
def test_forward_gives_the_batch_and_keeps_the_rest(make):
    metric, other = make(), make()
    preds, target = clouds(12), clouds(12, seed=1)
    first, second = (metric(p, t) for p, t in zip(preds.split(6), target.split(6), strict=True))
    for value, start in ((first, 0), (second, 6)):
        alone = make()
        alone.update(preds[start : start + 6], target[start : start + 6])
        torch.testing.assert_close(value, alone.compute())
    other.update(preds, target)
    torch.testing.assert_close(metric.compute(), other.compute(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("make", METRICS)
def test_a_bad_batch_costs_nothing_but_itself(make):
    metric, other = make(), make()
    preds, target = clouds(8), clouds(8, seed=1)
    metric(preds, target)
    for call in (metric, metric.update):
        with pytest.raises(ValueError, match="finite"):
            call(*torch.full((2, 2, 4, 3), torch.nan))
    other.update(preds, target)
    assert torch.equal(metric.compute(), other.compute())


@pytest.mark.parametrize("make", METRICS)
def test_counts_stay_counts(make):
    metric, other = make(), make()
    for one in (metric, other):
        one.update(clouds(8), clouds(8, seed=1))
    for dtype in (torch.float64, torch.float16):
        metric.set_dtype(dtype)
        metric.update(clouds(3, seed=2), clouds(3, seed=3))
    for _ in range(2):
        other.update(clouds(3, seed=2), clouds(3, seed=3))
    torch.testing.assert_close(metric.compute().float(), other.compute(), rtol=0.01, atol=0)


def test_batches_of_mixed_precision_are_not_rounded_to_the_first():
    vectors = torch.rand(6, 5, generator=torch.Generator().manual_seed(0)) * 1e-7
    scores = []
    for batches in ([torch.zeros(1, 5).half(), vectors], [vectors, torch.zeros(1, 5).half()]):
        metric = DispersionScore(1, distance="features")
        for batch in batches:
            metric.update(batch)
        scores.append(metric.compute().item())
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)


@pytest.mark.parametrize("distance", ["features", "pixels", "chamfer"])
@pytest.mark.parametrize("incremental", [False, True])
def test_a_compute_before_the_first_sample_costs_nothing(distance, incremental):
    metric = DispersionScore(1, distance=distance, incremental=incremental)
    with pytest.raises(ValueError, match="`update` was never called"), pytest.warns(UserWarning, match="before the"):
        metric.compute()
    with metric.sync_context():
        pass
    batch = {"features": torch.rand(4, 7), "pixels": torch.rand(4, 3, 8, 8), "chamfer": clouds(4)}[distance]
    metric.update(batch)
    assert metric.compute() > 0


def test_what_can_not_be_computed_with_is_not_added():
    metric = DispersionScore(n_clusters=1, incremental=True)
    metric.update(clouds(20))
    for bad in (clouds(20, seed=1), clouds(2, seed=1)):
        with pytest.raises(ValueError, match="distances fit float32"):
            metric.update(bad * 1e30)
        with pytest.raises(ValueError, match="distances fit float32"):
            metric(bad * 1e30)
    metric.update(clouds(20, seed=2))
    torch.testing.assert_close(metric.compute(), dispersion_score(torch.cat([clouds(20), clouds(20, seed=2)]), 1))
    with pytest.raises(ValueError, match=r"`preds` must hold numbers that fit torch.float32, but they reach 1e\+39"):
        metric.update(torch.full((2, 4, 3), 1e39, dtype=torch.float64))


def test_two_networks_of_one_collection_are_not_taken_for_one():
    def network(seed):
        made = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 4, bias=False))
        torch.nn.init.normal_(made[1].weight, generator=torch.Generator().manual_seed(seed))
        return made

    images = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    members = {str(seed): DispersionScore(1, distance=network(seed), image_size=8) for seed in (0, 1)}
    collection = MetricCollection(members)
    for first in (images[:0], torch.zeros(1, 3, 8, 8)):
        collection.update(first)
        collection.update(images)
        alone = {seed: metric.clone() for seed, metric in members.items()}
        for metric in alone.values():
            metric.reset()
            metric.update(torch.cat([first, images]))
        assert {name: value.item() for name, value in collection.compute().items()} == {
            name: pytest.approx(metric.compute().item()) for name, metric in alone.items()
        }
        collection.reset()


@pytest.mark.parametrize("make", METRICS)
def test_synchronised_metrics_take_no_samples(make):
    metric = make()
    metric.update(clouds(8), clouds(8, seed=1))
    expected = metric.compute()
    metric.sync(dist_sync_fn=lambda state, group: [state, state], distributed_available=lambda: True)
    for call in (metric.update, metric):
        with pytest.raises(TorchMetricsUserError, match="while it is synchronised"):
            call(clouds(2), clouds(2))
    with pytest.raises(TorchMetricsUserError, match="already been synced"):
        metric.sync()
    metric.unsync()
    metric._computed = None
    assert torch.equal(metric.compute(), expected)


@pytest.mark.parametrize("make", METRICS)
def test_forward_keeps_to_its_rank(make):
    with pytest.raises(ValueError, match="`dist_sync_on_step` must be False"):
        type(make())(dist_sync_on_step=True)


def test_forward_measures_a_batch_without_the_store_and_the_cluster(tmp_path):
    metric, plain = (
        DispersionScore(n_clusters=2, store=store, cluster=cluster, memory_budget=budget)
        for store, cluster, budget in ((tmp_path, "local:1", 100), (None, None, None))
    )
    for batch in clouds(12).split(6):
        assert torch.equal(metric(batch), plain(batch))
    assert list(tmp_path.iterdir()) == []


def test_forward_on_a_single_sample_is_nan_and_counts():
    metric = DispersionScore(n_clusters=1)
    assert metric(clouds(1)).isnan()
    metric(clouds(1, seed=1))
    assert metric.compute() > 0


def test_collection_with_chamfer():
    collection = MetricCollection([ChamferDistance(), DispersionScore(), FScore()])
    preds, target = clouds(10), clouds(10, seed=1)
    for p, t in zip(preds.split(3), target.split(3), strict=True):
        collection.update(p, t)
    values = collection.compute()
    torch.testing.assert_close(values["ChamferDistance"], chamfer_distance(preds, target).mean())
    torch.testing.assert_close(values["FScore"], f_score(target, preds).mean())
    assert torch.equal(values["DispersionScore"], dispersion_score(preds))
    collection.reset()
    collection(preds, target)
    torch.testing.assert_close(collection.compute()["ChamferDistance"], values["ChamferDistance"])


def test_collection_with_the_truth_and_the_share_of_it():
    sides = {"predictions": "preds", "truth": "target"}
    scores = {name: DispersionScore(n_clusters=2, of=side) for name, side in sides.items()}
    collection = MetricCollection({**scores, "coverage": Coverage()})
    share = collection["predictions"] / collection["truth"]
    preds, target = clouds(10), 2 * clouds(10, seed=1)
    for _ in range(2):  # epochs
        for p, t in zip(preds.split(3), target.split(3), strict=True):
            collection.update(p, t)
        values = collection.compute()
        assert torch.equal(values["predictions"], dispersion_score(preds, 2))
        assert torch.equal(values["truth"], dispersion_score(target, 2))
        assert torch.equal(share.compute(), values["predictions"] / values["truth"])
        collection.reset()
    assert len(collection.compute_groups) == 3
    alone = DispersionScore(n_clusters=2) / DispersionScore(n_clusters=2, of="target")
    torch.testing.assert_close(alone(preds, target), values["predictions"] / values["truth"])


def test_the_truth_is_missing():
    metric = DispersionScore(n_clusters=2, of="target")
    with pytest.raises(TypeError, match=r"`target` must be a .* got NoneType"):
        metric.update(clouds(4))


def test_chamfer_forward_is_differentiable():
    preds = clouds(2).requires_grad_()
    ChamferDistance()(preds, clouds(2, seed=1)).backward()
    assert preds.grad.abs().sum() > 0


def test_clusters_of_the_last_compute():
    metric = DispersionScore(n_clusters=2)
    metric.update(clouds(2)[[0, 0, 0, 1, 1]])
    metric.compute()
    assert metric.clustering.sizes.tolist() == [3, 2]
    assert metric.distances.shape == (5, 5)
    metric.update(clouds(1))
    assert metric.clustering is None
    assert metric.distances is None


def test_padded_and_listed_clouds():
    batch = clouds(6)
    lengths = torch.tensor([10, 3, 4, 5, 6, 7])
    padded, listed = DispersionScore(n_clusters=2), DispersionScore(n_clusters=2)
    padded.update(batch, preds_lengths=lengths)
    listed.update([cloud[:n] for cloud, n in zip(batch, lengths, strict=True)])
    assert torch.equal(padded.compute(), listed.compute())
    truth = DispersionScore(n_clusters=2, of="target")
    truth.update(clouds(6, seed=1), batch, target_lengths=lengths)
    assert torch.equal(truth.compute(), listed.compute())


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"n_clusters": 0}, "n_clusters"),
        ({"n_clusters": 2.5}, "n_clusters"),
        ({"n_clusters": "elbow"}, "n_clusters"),
        ({"solver": "pam"}, "solver"),
        ({"distance": "emd"}, "distance"),
        ({"backend": "cuda"}, "backend"),
        ({"memory_budget": "half"}, "memory_budget"),
        ({"cluster": "local:0"}, "cluster"),
        ({"of": "truth"}, "of"),
    ],
)
def test_refuses_options(options, argument):
    with pytest.raises(ValueError, match=f"`{argument}` must be"):
        DispersionScore(**options)


def test_plot():
    metric = DispersionScore(n_clusters=2)
    metric.update(clouds(6))
    figure, _ = metric.plot()
    assert figure.axes
    pyplot.close(figure)
