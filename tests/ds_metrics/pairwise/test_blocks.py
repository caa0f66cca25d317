"""How many prepared clouds the engine holds, and how often it prepares them."""

import weakref

import pytest
import torch

from ds_metrics.pairwise import native, pairwise_distance


class Prepared:
    """Stands for the prepared clouds of the native backend; those alive are counted."""

    def __init__(self, clouds):
        self.clouds = clouds


@pytest.fixture
def watched(monkeypatch, tmp_path):
    alive, peaks, prepare, distances = weakref.WeakSet(), [], native.prepare, native.distances

    def watch(clouds):
        prepared = Prepared(prepare(clouds))
        alive.add(prepared)
        peaks.append(sum(len(other.clouds) for other in alive))
        return prepared

    monkeypatch.setenv("DS_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(native, "prepare", watch)
    monkeypatch.setattr(
        native, "distances", lambda x, y, i, j, squared=True: distances(x.clouds, y.clouds, i, j, squared)
    )
    return peaks


@pytest.mark.parametrize("other", [None, torch.rand(30, 40, 3, generator=torch.Generator().manual_seed(1))])
def test_prepared_clouds_stay_within_their_half_of_the_budget(watched, other):
    clouds = torch.rand(60, 40, 3, generator=torch.Generator().manual_seed(0))
    per_cloud = 6 * 4 * (40 + 128) + 1024
    matrix = pairwise_distance(clouds, other, memory_budget=2 * 8 * per_cloud)
    assert max(watched) <= 8
    assert len(watched) > 2
    assert torch.equal(matrix, pairwise_distance(clouds, other))


def test_with_memory_enough_each_cloud_is_prepared_once(watched, monkeypatch):
    monkeypatch.setattr("ds_metrics.pairwise.tiles._LARGEST_EDGE", 7)
    pairwise_distance(torch.rand(30, 10, 3))
    assert len(watched) == 5
    assert watched[-1] == 30
