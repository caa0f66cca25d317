import copy
import pickle

import pytest
import torch

from ds_metrics import DispersionScore
from ds_metrics.clouds import pack_clouds
from ds_metrics.pairwise import GrowingMatrix, incremental, pairwise_distance


def ragged(sizes=(5, 1, 9, 30, 2, 17, 8), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(size, 3, generator=generator) for size in sizes]


@pytest.mark.parametrize("backend", ["native", "torch"])
@pytest.mark.parametrize("cuts", [[7], [1, 1, 5], [2, 0, 3, 2]])
@pytest.mark.parametrize("few", [1, 2, 100])
def test_grows_to_the_same_bits(monkeypatch, backend, cuts, few):
    monkeypatch.setattr(incremental, "_FEW", few)
    samples = ragged()
    matrix, start = GrowingMatrix(backend=backend), 0
    for size in cuts:
        matrix.append(pack_clouds(samples[start : start + size]))
        start += size
    assert torch.equal(matrix.result(), pairwise_distance(samples, backend=backend))


def count_pairs(monkeypatch):
    from ds_metrics.pairwise import native

    counted, distances = [], native.distances

    def counting(x, y, i, j, squared=True):
        counted.append(len(i))
        return distances(x, y, i, j, squared=squared)

    monkeypatch.setattr(native, "distances", counting)
    return counted


def test_metric_computes_on_update_and_only_clusters_on_compute(monkeypatch):
    monkeypatch.setattr(incremental, "_FEW", 1)
    counted = count_pairs(monkeypatch)
    metric, plain = DispersionScore(n_clusters=2, incremental=True), DispersionScore(n_clusters=2)
    for cloud in ragged():
        metric.update([cloud])
        plain.update([cloud])
    assert sum(counted) == 21
    value = metric.compute()
    assert sum(counted) == 21
    assert torch.equal(value, plain.compute())
    assert torch.equal(metric.distances, plain.distances)


def test_reset_begins_anew(monkeypatch):
    monkeypatch.setattr(incremental, "_FEW", 1)
    metric = DispersionScore(n_clusters=2, incremental=True)
    metric.update(ragged())
    metric.reset()
    metric.update(ragged(seed=1))
    counted = count_pairs(monkeypatch)
    metric.compute()
    assert not counted
    assert torch.equal(metric.distances, pairwise_distance(ragged(seed=1)))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda metric: pickle.loads(pickle.dumps(metric))])
def test_copies_and_foreign_states_compute_anew(duplicate):
    metric = DispersionScore(n_clusters=2, incremental=True)
    metric.update(ragged())
    for other in (duplicate(metric), metric):
        other.preds_points.append(ragged(seed=3)[0])
        other.preds_lengths.append(torch.tensor([5]))
        other.update(ragged(seed=4)[:2])
        expected = pairwise_distance([*ragged(), ragged(seed=3)[0], *ragged(seed=4)[:2]])
        other.compute()
        assert torch.equal(other.distances, expected)
