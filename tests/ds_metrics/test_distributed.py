"""The metrics under real distributed training: one to three gloo processes, uneven shares."""

import pytest
import torch
import torch.distributed as dist
from gloo_ranks import SHARES, batches, begin, spawn

from ds_metrics import ChamferDistance, DispersionScore
from ds_metrics.functional import dispersion_score
from ds_metrics.pairwise import pairwise_distance
from ds_metrics.pairwise.store import MemoryMatrix


def data():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(7, 20, 3, generator=generator), torch.rand(7, 20, 3, generator=generator)


def run(rank, size, port, out, shares, store):
    begin(rank, size, port)
    preds, target = data()
    dispersion, chamfer = DispersionScore(n_clusters=2, incremental=True), ChamferDistance()
    on_disk = DispersionScore(n_clusters=2, store=store)
    share = DispersionScore(n_clusters=2) / DispersionScore(n_clusters=2, of="target")
    for batch in batches(shares, rank):
        dispersion.update(preds[batch])
        on_disk.update(preds[batch])
        chamfer.update(preds[batch], target[batch])
        share.update(preds[batch], target[batch])
    out[rank] = {
        "scores": [dispersion.compute().item(), on_disk.compute().item()],
        "chamfer": chamfer.compute().item(),
        "share": share.compute().item(),
        "labels": dispersion.clustering.labels.tolist(),
        "distances": [None if m.distances is None else m.distances.clone() for m in (dispersion, on_disk)],
        "kept": sum(len(lengths) for lengths in dispersion.preds_lengths),
    }
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES.keys())
def test_ranks_equal_one_process(shares, tmp_path):
    results = spawn(run, len(shares), shares, str(tmp_path))
    preds, target = data()
    dispersion, chamfer = DispersionScore(n_clusters=2), ChamferDistance()
    dispersion.update(preds)
    chamfer.update(preds, target)
    expected = dispersion.compute().item()
    share = dispersion.compute() / dispersion_score(target, 2)
    for rank, result in enumerate(results):
        assert result["scores"] == [expected, expected]
        assert result["chamfer"] == pytest.approx(chamfer.compute().item(), rel=1e-6)
        assert result["share"] == share.item()
        assert result["labels"] == dispersion.clustering.labels.tolist()
        assert result["kept"] == sum(shares[rank])
    matrix = pairwise_distance(preds)
    assert all(torch.equal(distances, matrix) for distances in results[0]["distances"])
    assert all(result["distances"] == [None, None] for result in results[1:])
    assert len(list(tmp_path.iterdir())) == 1


def fill_disk(matrix, tile, values):
    raise OSError("there is no room")


def run_and_fail(rank, size, port, out, reason):
    begin(rank, size, port)
    preds = data()[0][3 * rank : 3 * rank + 3]
    if reason == "distances beyond float32":
        preds = preds * 1e30
    if reason == "a full disk" and rank == 0:
        MemoryMatrix.put = fill_disk
    metric = DispersionScore(n_clusters=2, store="/dev/null" if reason == "no store" else None)
    errors = []
    for _ in range(2):  # the second time with more samples: the first error costs nothing but itself
        metric.update(preds)
        try:
            metric.compute()
        except (ValueError, OSError) as error:
            errors.append(f"{type(error).__name__}: {error}")
    out[rank] = errors, sum(len(lengths) for lengths in metric.preds_lengths)
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("distances beyond float32", "ValueError: Argument `x` must be of a scale"),
        ("no store", "Error: "),
        ("a full disk", "OSError: there is no room"),
    ],
)
def test_what_fails_on_one_rank_is_raised_on_all(reason, message):
    results = spawn(run_and_fail, 2, reason)
    errors, kept = results[0]
    assert [message in error for error in errors] == [True, True]
    assert kept == 6
    assert results[0] == results[1]


def run_shares(rank, size, port, out):
    """Which tiles a rank computes, and how many entries it hands over at once."""
    begin(rank, size, port)
    from ds_metrics.pairwise import engine, ranks

    ranks._ROUND_ENTRIES = 8
    computed, sent = [], []
    tile_distances, gather = engine.tile_distances, dist.gather
    engine.tile_distances = lambda tile, *args: computed.append(tile.index) or tile_distances(tile, *args)
    dist.gather = lambda tensor, *args, **kwargs: sent.append(len(tensor)) or gather(tensor, *args, **kwargs)
    metric = DispersionScore(n_clusters=2)
    metric.update(data()[0][rank : rank + 2])
    metric.compute()
    out[rank] = computed, max(sent)
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
def test_each_tile_is_computed_once_and_few_are_held():
    results = spawn(run_shares, 3)
    computed = [tile for share, _ in results for tile in share]
    assert sorted(computed) == list(range(21))
    assert all(len(share) == 7 and largest <= 8 for share, largest in results)


def sampled_metric(store):
    from ds_metrics import sampling
    from ds_metrics.pairwise import assignment

    sampling._START, sampling._SEARCH, assignment._LARGEST_BLOCK = (12, 2, 12), (24, 1), 4
    return DispersionScore(n_clusters=3, estimator="sampled", store=store)


def run_sampled(rank, size, port, out, shares, store):
    begin(rank, size, port)
    from ds_metrics.pairwise import assignment

    blocks, nearest = [], assignment._Search.nearest
    assignment._Search.nearest = lambda self, rows: blocks.append(rows.start) or nearest(self, rows)
    metric = sampled_metric(store)
    samples = torch.rand(40, 20, 3, generator=torch.Generator().manual_seed(0)).split(shares)
    metric.update(samples[rank])
    found = metric.compute().item(), metric.clustering
    out[rank] = found[0], found[1].labels.tolist(), found[1].medoids.tolist(), found[1].interval, blocks
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
def test_sampled_on_ranks_equals_one_process(tmp_path, monkeypatch):
    from ds_metrics import sampling
    from ds_metrics.pairwise import assignment

    for module, name in ((sampling, "_START"), (sampling, "_SEARCH"), (assignment, "_LARGEST_BLOCK")):
        monkeypatch.setattr(module, name, getattr(module, name))  # put back at the end
    results = spawn(run_sampled, 3, [20, 5, 15], str(tmp_path))
    metric = sampled_metric(None)
    metric.update(torch.rand(40, 20, 3, generator=torch.Generator().manual_seed(0)))
    score, found = metric.compute().item(), metric.clustering
    assert found.sample_size == 24
    for result in results:
        assert result[:4] == (score, found.labels.tolist(), found.medoids.tolist(), found.interval)
    blocks = [result[4] for result in results]
    assert all(blocks)
    assert sorted(start for share in blocks for start in share) == list(range(0, 40, 4))


IMAGES = {
    "vgg16": {"distance": "vgg16", "image_size": 32},
    "unpooled": {"distance": "vgg16", "image_size": 32, "pooling": "none"},
    "features": {"distance": "features"},
}


def image_data(options):
    generator = torch.Generator().manual_seed(0)
    return (
        torch.rand(7, 10, generator=generator) if len(options) == 1 else torch.rand(7, 3, 32, 32, generator=generator)
    )


def run_images(rank, size, port, out, options, shares):
    begin(rank, size, port)
    metric = DispersionScore(n_clusters=2, **options)
    for batch in batches(shares, rank):
        metric.update(image_data(options)[batch])
    score = metric.compute().item()
    out[rank] = score, metric.clustering.labels.tolist(), metric.distances if rank == 0 else None
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", IMAGES.values(), ids=IMAGES.keys())
@pytest.mark.parametrize("shares", [[[3, 1], [3]], [[], [7]]], ids=["uneven", "a rank without data"])
def test_images_on_ranks_equal_one_process(options, shares):
    results = spawn(run_images, 2, options, shares)
    metric = DispersionScore(n_clusters=2, **options)
    metric.update(image_data(options))
    expected = metric.compute().item()
    for score, labels, _ in results:
        assert score == pytest.approx(expected, rel=1e-5)
        assert labels == metric.clustering.labels.tolist()
    torch.testing.assert_close(results[0][2], metric.distances, rtol=1e-4, atol=0)


def run_alone_and_mixed(rank, size, port, out):
    begin(rank, size, port)
    vectors = torch.rand(6, 5, generator=torch.Generator().manual_seed(0)) * 1e-7
    values = []
    if rank == 0:  # nobody else is asked
        for options in ({}, {"distributed_available_fn": lambda: False}):
            options = options or {"sync_on_compute": False}
            metric = DispersionScore(1, distance="features", **options)
            metric.update(vectors)
            values.append(metric.compute().item())
    dist.barrier()
    metric = DispersionScore(1, distance="features")
    metric.update(vectors if rank else torch.zeros(1, 5).half())
    out[rank] = values, metric.compute().item()
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
def test_a_rank_computes_alone_and_ranks_of_mixed_precision():
    results = spawn(run_alone_and_mixed, 2)
    vectors = torch.rand(6, 5, generator=torch.Generator().manual_seed(0)) * 1e-7
    alone = dispersion_score(vectors, 1, distance="features").item()
    assert results[0][0] == [pytest.approx(alone, rel=1e-5)] * 2
    together = dispersion_score(torch.cat([torch.zeros(1, 5), vectors]), 1, distance="features").item()
    assert [result[1] for result in results] == [pytest.approx(together, rel=1e-5)] * 2
