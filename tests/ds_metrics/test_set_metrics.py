"""Measures of sets as torchmetrics metrics."""

import pickle

import pytest
import references
import torch
from matplotlib import pyplot
from torchmetrics import MetricCollection

from ds_metrics import (
    ChamferDistance,
    Coverage,
    DispersionScore,
    ManifoldCoverage,
    ManifoldDensity,
    ManifoldPrecision,
    ManifoldRecall,
    MemorizationZScore,
    MinimumMatchingDistance,
    OccupancyDivergence,
    OneNearestNeighborAccuracy,
    OracleNearestNeighbor,
    RecognitionShare,
    SetDistances,
    VendiScore,
    create_metric,
    functional,
    list_metrics,
)
from ds_metrics.clouds import pack_clouds
from ds_metrics.functional import chamfer_distance, dispersion_score
from ds_metrics.pairwise import pairwise_distance


def clouds(n, seed=0, points=10):
    return torch.rand(n, points, 3, generator=torch.Generator().manual_seed(seed))


TRAIN = clouds(9, seed=2)
METRICS = [
    MinimumMatchingDistance,
    Coverage,
    OneNearestNeighborAccuracy,
    lambda: OccupancyDivergence(resolution=5, radius=2.0),
    lambda: ManifoldPrecision(nearest_k=2),
    lambda: ManifoldRecall(nearest_k=2),
    lambda: ManifoldDensity(nearest_k=2),
    lambda: ManifoldCoverage(nearest_k=2),
    VendiScore,
    lambda: MemorizationZScore(TRAIN),
    lambda: OracleNearestNeighbor(TRAIN),
    lambda: RecognitionShare(TRAIN, n_clusters=3),
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
    assert torch.equal(values[1], values[0])
    assert torch.equal(values[2], values[0])


def test_values_are_those_of_the_functions():
    preds, target = clouds(12), clouds(10, seed=1)
    gg, gr, rr = pairwise_distance(preds), pairwise_distance(preds, target), pairwise_distance(target)
    gt, rt = pairwise_distance(preds, TRAIN), pairwise_distance(target, TRAIN)
    similarity = functional.distance_similarity(gg, functional.median_scale(rr))
    expected = [
        functional.minimum_matching_distance(gr),
        functional.coverage(gr),
        functional.one_nn_accuracy(gg, gr, rr),
        functional.occupancy_divergence(preds, target, 5, 2.0),
        *functional.prdc(gg, gr, rr, 2),
        functional.vendi_score(similarity),
        functional.memorization_z_score(gt, rt),
        functional.oracle_nn_distance(rt),
    ]
    for make, value in zip(METRICS[:-1], expected, strict=True):
        metric = make()
        metric.update(preds, target)
        torch.testing.assert_close(metric.compute(), value, rtol=1e-6, atol=0)


def test_chamfer_distance_is_the_one_that_loops_give():
    preds, target = clouds(3), clouds(4, seed=1)
    for squared in (True, False):
        metric = MinimumMatchingDistance(squared=squared)
        metric.update(preds, target)
        expected = [min(references.chamfer(p, t, squared=squared) for p in preds) for t in target]
        assert metric.compute().item() == pytest.approx(sum(expected) / 4)


def test_recognition_of_a_network_that_recites_some():
    train = torch.tensor([0.0, 0.1, 0.2, 8.0, 8.1, 8.2]).reshape(6, 1, 1) + clouds(6, seed=5) * 0.01
    target = torch.tensor([3.0, 5.0, 4.0]).reshape(3, 1, 1) + clouds(3, seed=6)
    preds = torch.stack([train[1], target[1], train[4]]) + 0.001
    metric = RecognitionShare(train, n_clusters=2)
    metric.update(preds, target)
    assert metric.compute().item() == pytest.approx(2 / 3, abs=0.01)
    assert metric.recognition.recited.tolist() == [True, False, True]
    medoids = metric.clustering.medoids[metric.recognition.medoid.numpy()]
    assert medoids[0] < 3 <= medoids[2]
    torch.testing.assert_close(metric.recognition.to_truth, chamfer_distance(preds, target))
    to_medoids = pairwise_distance(preds, train[metric.clustering.medoids])
    assert torch.equal(metric.recognition.to_medoid, to_medoids.amin(1))
    metric.update(clouds(1, seed=3), train[metric.clustering.medoids[:1]])  # a truth that is a medoid: no telling
    metric.compute()
    assert metric.recognition.shares[3] == 0.5
    assert not metric.recognition.recited[3]
    shares = metric.recognition.shares
    for call in (metric.update, metric):
        with pytest.raises(ValueError, match=r"`target` must hold as many clouds as `preds`, 1, .* but got 2"):
            call(preds[:1], target[:2])
    metric.compute()
    assert torch.equal(metric.recognition.shares, shares)


def test_training_sets_that_can_not_be_clustered():
    with pytest.raises(ValueError, match=r"`train` must hold at least 2 clouds .* but got 1"):
        RecognitionShare(TRAIN[:1])


@pytest.mark.parametrize("make", METRICS)
def test_pickle_clone_and_reset(make):
    metric = make()
    metric.update(clouds(8), clouds(8, seed=1))
    value = metric.compute()
    for copy in (pickle.loads(pickle.dumps(metric)), metric.clone()):
        assert torch.equal(copy.compute(), value)
        copy.update(clouds(2, seed=5), clouds(2, seed=6) * 2)
        assert copy.compute().isfinite()
        assert torch.equal(metric.compute(), value)
    metric.reset()
    with pytest.raises(ValueError, match="needs at least"), pytest.warns(UserWarning, match="before the ``update``"):
        metric.compute()
    metric.train()
    metric.update(clouds(8), clouds(8, seed=1))
    assert torch.equal(metric.compute(), value)


@pytest.mark.parametrize("make", METRICS)
def test_forward_gives_the_batch_and_keeps_the_rest(make):
    metric, other = make(), make()
    preds, target = clouds(12), clouds(12, seed=1)
    for p, t in zip(preds.split(6), target.split(6), strict=True):
        alone = make()
        alone.update(p, t)
        assert torch.equal(metric(p, t), alone.compute())
    other.update(preds, target)
    assert torch.equal(metric.compute(), other.compute())


@pytest.mark.parametrize("make", METRICS)
def test_a_bad_batch_costs_nothing_but_itself(make):
    metric, other = make(), make()
    preds, target = clouds(8), clouds(8, seed=1)
    metric(preds, target)
    for call in (metric, metric.update):
        with pytest.raises(ValueError, match="finite"):
            call(preds[:2], torch.full((2, 4, 3), torch.nan))
    other.update(preds, target)
    assert torch.equal(metric.compute(), other.compute())


@pytest.mark.parametrize("make", METRICS)
def test_what_can_not_be_measured_is_not_added(make):
    metric = make()
    metric.update(clouds(8), clouds(8, seed=1))
    expected = metric.compute()
    batches = [(clouds(6) * 3e38, clouds(6, seed=1) * 3e38), (clouds(3).double() * 1e39, clouds(3))]
    for preds, target in batches:
        if not isinstance(metric, OccupancyDivergence) or preds.dtype == torch.float64:
            with pytest.raises(ValueError, match=r"fit .*float32"):
                metric(preds, target)
    for call in (metric.update, metric):
        if not isinstance(metric, VendiScore):
            with pytest.raises(TypeError, match=f"`target` must be the clouds of .* for {type(metric).__name__}"):
                call(clouds(3), None)
    assert metric.preds_lengths[0].dtype == torch.int64
    assert sum(map(len, metric.preds_lengths)) == sum(map(len, metric.target_lengths)) == 8
    metric._computed = None
    assert torch.equal(metric.compute(), expected)


def test_a_batch_too_small_is_nan_and_counts():
    metric = ManifoldPrecision(nearest_k=3)
    preds, target = clouds(8), clouds(8, seed=1)
    assert metric(preds[:3], target[:3]).isnan()
    with pytest.raises(ValueError, match="at least 4 clouds a set, but got 3"):
        metric.compute()
    assert metric(preds[3:], target[3:]).isfinite()
    assert metric.compute().isfinite()


def test_half_precision_padded_and_listed_clouds():
    preds, target = clouds(6).half(), clouds(6, seed=1)
    lengths = torch.tensor([10, 3, 4, 5, 6, 7])
    padded, listed = MinimumMatchingDistance(), MinimumMatchingDistance()
    padded.update(preds, target, preds_lengths=lengths, target_lengths=lengths)
    listed.update(*([c[:n] for c, n in zip(of, lengths, strict=True)] for of in (preds.float(), target)))
    assert torch.equal(padded.compute(), listed.compute())


def test_collection_beside_the_dispersion_score():
    members = {
        "ds": DispersionScore(n_clusters=2),
        "cd": ChamferDistance(),
        **{str(index): make() for index, make in enumerate(METRICS)},
    }
    collection = MetricCollection(members)
    preds, target = clouds(12), clouds(12, seed=1)
    for p, t in zip(preds.split(4), target.split(4), strict=True):
        collection.update(p, t)
    values = collection.compute()
    assert torch.equal(values["ds"], dispersion_score(preds, 2))
    torch.testing.assert_close(values["cd"], chamfer_distance(preds, target).mean())
    for index, make in enumerate(METRICS):
        alone = make()
        alone.update(preds, target)
        assert torch.equal(values[str(index)], alone.compute())
    for _ in range(2):  # members share a state after `update`, which `forward` must not add to twice
        collection.reset()
        collection.update(preds[:4], target[:4])
        for p, t in zip(preds[4:].split(4), target[4:].split(4), strict=True):
            collection(p, t)
        again = collection.compute()
        assert all(torch.equal(again[name], value) for name, value in values.items() if name != "cd")
        torch.testing.assert_close(again["cd"], values["cd"])
    groups = [set(group) for group in collection.compute_groups.values()]
    assert {str(index) for index in range(len(METRICS))} in groups  # they keep the clouds once


def test_vendi_scale():
    preds, target = clouds(8), clouds(8, seed=1)
    beside, alone, given = VendiScore(), VendiScore(), VendiScore(scale=0.5)
    beside.update(preds, target)
    alone.update(preds)
    given.update(preds, target)
    for metric in (beside, alone, given):
        metric.compute()
    assert beside.scale_used == functional.median_scale(pairwise_distance(target))
    assert alone.scale_used == functional.median_scale(pairwise_distance(preds))
    assert given.settings() == {"scale": 0.5}


def test_matrices_are_computed_once_and_kept(tmp_path):
    labels = []

    class Stage:
        def __init__(self, label):
            labels.append(label)

        def __enter__(self):
            pass

        def __exit__(self, *error):
            pass

    sets = SetDistances(*(pack_clouds(clouds(7, seed)) for seed in range(3)), store=tmp_path, stage=Stage)
    for make in METRICS:
        make().measure(sets)
    assert sorted(labels) == [
        "distances of the training set",
        "distances to the training medoids",
        "distances, among the generated set",
        "distances, among the reference set",
        "distances, generated to reference set",
        "nearest training shapes of the generated",
        "nearest training shapes of the reference",
    ]
    assert len(list(tmp_path.iterdir())) == 7
    assert torch.equal(sets.paired(), sets.matrix("d_gr").diagonal())
    with pytest.raises(ValueError, match="no set 'train'"):
        SetDistances(pack_clouds(clouds(2))).to_train("generated")


def test_precision_of_clouds_may_differ():
    metric = OracleNearestNeighbor(TRAIN.double())
    metric.update(clouds(4), clouds(4, seed=1).double())
    plain = OracleNearestNeighbor(TRAIN)
    plain.update(clouds(4), clouds(4, seed=1))
    torch.testing.assert_close(metric.compute(), plain.compute())


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: ManifoldRecall(nearest_k=0), "nearest_k"),
        (lambda: VendiScore(scale="mean"), "scale"),
        (lambda: VendiScore(scale=-1.0), "scale"),
        (lambda: OccupancyDivergence(resolution=1), "resolution"),
        (lambda: Coverage(backend="cuda"), "backend"),
        (lambda: Coverage(memory_budget="half"), "memory_budget"),
        (lambda: Coverage(cluster="local:0"), "cluster"),
        (lambda: RecognitionShare(TRAIN, n_clusters=9), "n_clusters"),
        (lambda: MemorizationZScore(TRAIN[:0]), "train"),
    ],
)
def test_refuses_options(make, argument):
    with pytest.raises(ValueError, match=f"`{argument}` must"):
        make()


def test_registered_by_name():
    info = {info.name: info for info in list_metrics()}
    assert isinstance(create_metric("mmd"), MinimumMatchingDistance)
    assert info["recognition-share"].needs_train
    assert info["memorization-z"].needs_target
    assert not info["coverage"].needs_train
    assert not info["vendi-score"].needs_target


def test_plot():
    metric = Coverage()
    metric.update(clouds(4), clouds(4, seed=1))
    figure, _ = metric.plot()
    pyplot.close(figure)
