"""Measures of pairs and of sets under real distributed training, and on a cluster, give what one process gives."""

import pytest
import torch
import torch.distributed as dist
from forked import forked_dask
from gloo_ranks import SHARES, batches, begin, spawn
from torchmetrics import MetricCollection

from ds_metrics import (
    Coverage,
    DensityAwareChamferDistance,
    DispersionScore,
    EarthMoversDistance,
    FScore,
    HausdorffDistance,
    ManifoldCoverage,
    ManifoldDensity,
    ManifoldPrecision,
    ManifoldRecall,
    MemorizationZScore,
    MinimumMatchingDistance,
    NormalConsistency,
    OccupancyDivergence,
    OccupancyIoU,
    OneNearestNeighborAccuracy,
    OracleNearestNeighbor,
    PointToSurfaceDistance,
    RecognitionShare,
    SetDistances,
    VendiScore,
    VoxelIoU,
)
from ds_metrics.clouds import pack_clouds
from ds_metrics.functional import dispersion_score

pytestmark = pytest.mark.filterwarnings("ignore")  # torchmetrics' own, of a rank without data
SQUARE = [[0.0, 0, 0], [1.0, 0, 0], [0.0, 1, 0], [1.0, 1, 0]], [[0, 1, 2], [1, 2, 3]]


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def pair_metrics():
    """Measures of pairs, and what each is updated with for a batch of seven pairs."""
    preds, target = random(7, 20, 3), random(7, 20, 3, seed=1)
    grids, normals = random(7, 2, 4, 4, 4), random(7, 20, 3, seed=2) + 0.1
    padded = {"preds_lengths": torch.arange(14, 21), "target_lengths": torch.arange(20, 13, -1)}
    return [
        (EarthMoversDistance(), (preds, target), {}),
        (EarthMoversDistance(squared=True, method="sinkhorn"), (preds, target), padded),
        (HausdorffDistance(percentile=90), (preds, target), padded),
        (DensityAwareChamferDistance(alpha=5.0), (preds, target), padded),
        (FScore(radius=0.2), (preds, target), {}),
        (NormalConsistency(), (preds, target), {"preds_normals": normals, "target_normals": normals.flip(1)}),
        (PointToSurfaceDistance(), (preds,), {"target_meshes": [SQUARE] * 7}),
        (VoxelIoU(), (grids[:, 0], grids[:, 1]), {}),
        (OccupancyIoU(), (grids[:, 0].flatten(1), grids[:, 1].flatten(1) > 0.3), {}),
    ]


def set_metrics(**options):
    """Measures of sets that take all kinds of distances, in one collection."""
    train = random(6, 20, 3, seed=2)
    members = [
        MinimumMatchingDistance(**options),
        Coverage(**options),
        OneNearestNeighborAccuracy(**options),
        OccupancyDivergence(resolution=5, radius=2.0, **options),
        ManifoldPrecision(nearest_k=2, **options),
        ManifoldRecall(nearest_k=2, **options),
        ManifoldDensity(nearest_k=2, **options),
        ManifoldCoverage(nearest_k=2, **options),
        VendiScore(**options),
        MemorizationZScore(train, **options),
        OracleNearestNeighbor(train, **options),
        RecognitionShare(train, n_clusters=2, **options),
    ]
    return MetricCollection(members)


def found(collection):
    """Values, and what measures leave on their attributes."""
    values = {name: value.item() for name, value in collection.compute().items()}
    recognition = collection["RecognitionShare"]
    return values, {
        "shares": recognition.recognition.shares.tolist(),
        "medoids": recognition.clustering.medoids.tolist(),
        "scale": collection["VendiScore"].settings()["scale"],
    }


def run(rank, size, port, out, shares, store):
    begin(rank, size, port)
    pairs = pair_metrics()
    preds, target = random(7, 20, 3), random(7, 20, 3, seed=1)
    sets, stored = set_metrics(), set_metrics(store=store, memory_budget=4000)
    for batch in batches(shares, rank):
        for metric, of, options in pairs:
            metric.update(*(each[batch] for each in of), **{name: each[batch] for name, each in options.items()})
        sets.update(preds[batch], target[batch])
        stored.update(preds[batch], target[batch])
    out[rank] = [metric.compute().item() for metric, _, _ in pairs], found(sets), found(stored)
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def alone():
    pairs, sets = pair_metrics(), set_metrics()
    for metric, of, options in pairs:
        metric.update(*of, **options)
    sets.update(random(7, 20, 3), random(7, 20, 3, seed=1))
    return [metric.compute().item() for metric, _, _ in pairs], found(sets)


@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES.keys())
def test_ranks_equal_one_process(shares, tmp_path, alone):
    for pairs, sets, stored in spawn(run, len(shares), shares, str(tmp_path)):
        assert pairs == pytest.approx(alone[0], rel=1e-6)
        assert sets == alone[1]  # to the bit
        assert stored == alone[1]
    assert len(list(tmp_path.iterdir())) == 7  # each matrix once


def run_converted(rank, size, port, out, shares):
    """As the ranks of a network that is trained in bfloat16, metrics and all."""
    begin(rank, size, port)
    pairs, sets, ds = pair_metrics(), set_metrics(), DispersionScore(n_clusters=2)
    network = torch.nn.ModuleList([*(metric for metric, _, _ in pairs), sets, ds]).to(torch.bfloat16)
    preds, target = random(7, 20, 3), random(7, 20, 3, seed=1)
    for batch in batches(shares, rank):
        for metric, of, options in pairs:
            metric.update(*(each[batch] for each in of), **{name: each[batch] for name, each in options.items()})
        sets.update(preds[batch], target[batch])
        ds.update(preds[batch])
        network.half()
    sets.set_dtype(torch.bfloat16)
    out[rank] = [metric.compute().item() for metric, _, _ in pairs], found(sets), ds.compute().item()
    dist.destroy_process_group()


@pytest.mark.parametrize("shares", ["uneven", "a rank without data"])
def test_ranks_of_a_converted_module_equal_one_process(shares, alone):
    ds = dispersion_score(random(7, 20, 3), 2).item()
    for pairs, sets, score in spawn(run_converted, 2, SHARES[shares]):
        assert pairs == pytest.approx(alone[0], rel=1e-6)
        assert sets == alone[1]
        assert score == ds


def run_unpaired(rank, size, port, out):
    """Batches of one rank that are not pairs, though there are as many clouds of both sets in all."""
    begin(rank, size, port)
    members = {"coverage": Coverage(), "recognition": RecognitionShare(random(6, 20, 3, seed=2), n_clusters=2)}
    collection = MetricCollection(members)
    collection.update(random(2, 20, 3), random(2, 20, 3, seed=1))
    if rank:
        collection.update(random(2, 20, 3), random(3, 20, 3, seed=1))
        collection.update(random(3, 20, 3), random(2, 20, 3, seed=1))
    try:
        collection.compute()
    except ValueError as error:
        out[rank] = str(error)
    dist.destroy_process_group()


def test_batches_of_one_rank_that_are_not_pairs():
    for message in spawn(run_unpaired, 2):
        assert message.endswith("but update 1 added 2 of `preds` and 3 of `target`")


def run_sets_of_two_sizes(rank, size, port, out):
    begin(rank, size, port)
    metric = OneNearestNeighborAccuracy()
    if rank:
        metric.update(random(5, 20, 3), random(2, 20, 3, seed=1))
        metric.update(random(1, 9, 3, seed=3), random(4, 15, 3, seed=4))
    out[rank] = metric.compute().item(), sum(len(lengths) for lengths in metric.preds_lengths)
    dist.destroy_process_group()


def test_sets_and_clouds_of_unequal_sizes():
    metric = OneNearestNeighborAccuracy()
    metric.update(random(5, 20, 3), random(2, 20, 3, seed=1))
    metric.update(random(1, 9, 3, seed=3), random(4, 15, 3, seed=4))
    value = metric.compute().item()
    assert spawn(run_sets_of_two_sizes, 2) == [(value, 0), (value, 6)]


def run_and_fail(rank, size, port, out, reason):
    begin(rank, size, port)
    preds = random(8, 20, 3)[4 * rank : 4 * rank + 4]
    if reason == "distances beyond float32":
        preds = preds * (1e30 if rank else 1)
    metrics = {
        "distances beyond float32": lambda: Coverage(),
        "no store": lambda: MemorizationZScore(random(6, 20, 3), store="/dev/null"),
        "a measure that can not be": lambda: OccupancyDivergence(radius=0.01),
        "too few": lambda: ManifoldRecall(nearest_k=8),
    }
    metric = metrics[reason]()
    metric.update(preds, preds)
    errors = []
    for _ in range(2):  # the second time with more clouds: the first error costs nothing but itself
        try:
            metric.compute()
        except (ValueError, OSError) as error:
            errors.append(f"{type(error).__name__}: {error}")
        metric.update(preds, preds)
    out[rank] = errors, sum(len(lengths) for lengths in metric.preds_lengths)
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.parametrize(
    ("reason", "message", "times"),
    [
        ("distances beyond float32", "ValueError: Argument `x` must be of a scale", 2),
        ("no store", "NotADirectoryError: ", 2),
        ("a measure that can not be", "ValueError: Argument `radius` must be", 2),
        ("too few", "ValueError: ManifoldRecall needs at least 9 clouds a set, but got 8", 1),
    ],
)
def test_what_fails_on_one_rank_is_raised_on_all(reason, message, times):
    results = spawn(run_and_fail, 2, reason)
    assert message in results[0][0][0]
    assert results[0] == results[1]
    assert len(results[0][0]) == times
    assert results[0][1] == 12


def run_bad_batch(rank, size, port, out):
    begin(rank, size, port)
    preds, target = random(7, 20, 3)[rank::2], random(7, 20, 3, seed=1)[rank::2]
    metrics = [EarthMoversDistance(), OneNearestNeighborAccuracy()]
    refused = 0
    for metric in metrics:
        metric.update(preds, target)
        if rank == 1:
            try:
                metric.update(preds, target / 0)
            except ValueError:
                refused += 1
    out[rank] = refused, [metric.compute().item() for metric in metrics]
    dist.destroy_process_group()


def test_a_bad_batch_on_one_rank_costs_itself_alone():
    results = spawn(run_bad_batch, 2)
    metrics = [EarthMoversDistance(), OneNearestNeighborAccuracy()]
    for metric in metrics:
        metric.update(random(7, 20, 3), random(7, 20, 3, seed=1))
    expected = [metric.compute().item() for metric in metrics]
    assert [refused for refused, _ in results] == [0, 2]
    assert all(values == pytest.approx(expected, rel=1e-6) for _, values in results)


def run_nothing(rank, size, port, out):
    begin(rank, size, port)
    out[rank] = []
    for metric in (HausdorffDistance(), Coverage(), DispersionScore(n_clusters=2)):
        try:
            metric.compute()
        except ValueError as error:
            out[rank] = [*out[rank], str(error)]
    dist.destroy_process_group()


def test_no_data_on_any_rank():
    first, second = spawn(run_nothing, 2)
    assert first == second
    assert ["needs at least" in error for error in first] == [True] * 3


def run_shares(rank, size, port, out):
    """Which tiles and blocks a rank computes, and whether it measures."""
    begin(rank, size, port)
    from ds_metrics.pairwise import assignment, engine

    tiles, blocks = [], []
    tile_distances, nearest = engine.tile_distances, assignment._Search.nearest
    engine.tile_distances = lambda tile, *args: tiles.append(tile.index) or tile_distances(tile, *args)
    assignment._LARGEST_BLOCK = 2
    assignment._Search.nearest = lambda search, rows: blocks.append(rows.start) or nearest(search, rows)
    coverage, oracle = Coverage(), OracleNearestNeighbor(random(6, 20, 3))
    for metric in (coverage, oracle):
        measure = metric.measure
        metric.measure = lambda sets, measure=measure: measured.append(rank) or measure(sets)
    measured = []
    for metric in (coverage, oracle):
        metric.update(random(4, 20, 3, seed=rank), random(4, 20, 3, seed=rank + 9))
        metric.compute()
    out[rank] = tiles, blocks, len(measured)
    dist.destroy_process_group()


def test_each_tile_is_computed_once_and_the_first_rank_measures():
    results = spawn(run_shares, 2)
    (tiles, blocks, measured), (others, other_blocks, measured_by_other) = results
    assert sorted(tiles + others) == list(range(len(tiles + others)))
    assert sorted(blocks + other_blocks) == [0, 2, 4, 6]
    assert len(tiles) == len(others)
    assert len(blocks) == len(other_blocks)
    assert (measured, measured_by_other) == (2, 0)


@pytest.fixture
def clusters(monkeypatch):
    """Local clusters that run, and what became of those that have run."""
    distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'dispersion-score[cluster]'")
    clusters, start = [], distributed.LocalCluster

    def kept(*arguments, **options):
        clusters.append(start(*arguments, **options))
        return clusters[-1]

    monkeypatch.setattr(distributed, "LocalCluster", kept)
    with forked_dask():
        yield clusters


def test_measures_of_sets_share_one_cluster(clusters, alone):
    sets = [pack_clouds(random(n, 20, 3, seed=seed)) for seed, n in enumerate((7, 7, 6))]
    with SetDistances(*sets, cluster="local:2") as shared:
        assert clusters == []  # until there is work
        for name, metric in set_metrics().items():
            assert metric.measure(shared).item() == alone[1][0][name]
        assert [cluster.status.name for cluster in clusters] == ["running"]
    assert [cluster.status.name for cluster in clusters] == ["closed"]


def test_a_measure_of_sets_has_one_cluster_and_ends_it(clusters, alone):
    metric = OneNearestNeighborAccuracy(cluster="local:1")
    metric.update(random(7, 20, 3), random(7, 20, 3, seed=1))
    assert metric.compute().item() == alone[1][0]["OneNearestNeighborAccuracy"]
    metric.update(random(1, 20, 3) * 1e30, random(1, 20, 3))
    with pytest.raises(ValueError, match="distances fit float32"):
        metric.compute()
    assert [cluster.status.name for cluster in clusters] == ["closed", "closed"]
