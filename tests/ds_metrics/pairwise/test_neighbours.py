import numpy as np
import pytest
import torch

from ds_metrics.clouds import pack_clouds
from ds_metrics.pairwise import assignment, neighbour_distances, neighbours, pairwise_distance, report_progress


@pytest.mark.parametrize(("k", "clusters"), [(1, 1), (3, 2), (20, 3)])
def test_pairs_of_near_clusters_once_each(k, clusters, monkeypatch):
    monkeypatch.setattr(neighbours, "_TAKEN_BYTES", 200 * 12)  # several takes
    monkeypatch.setattr(assignment, "_BOUNDED_FROM", 10**9)  # nearest by distances, so that they are known here
    x = torch.rand(90, 15, 3, generator=torch.Generator().manual_seed(0))
    part = np.random.default_rng(0).permutation(90)[:70]
    medoids = np.arange(k)
    told = []
    with report_progress(lambda done, total: told.append((done, total))):
        pairs = neighbour_distances(pack_clouds(x), part, medoids, clusters)
    distances = pairwise_distance(x[part]).numpy()
    near = np.argsort(distances[:, medoids], axis=1, kind="stable")[:, :clusters]
    expected = {(min(a, b), max(a, b)) for a in range(70) for b in range(70) if a != b and near[a, 0] in near[b]}
    found = [(min(a, b), max(a, b)) for a, b in zip(pairs.i.tolist(), pairs.j.tolist(), strict=True)]
    assert len(found) == len(expected)
    assert set(found) == expected
    np.testing.assert_array_equal(pairs.distances, distances[pairs.i, pairs.j])
    assert told[-1] == (len(found), len(found))


def test_likely_clusters_by_bounds_are_the_nearest_ones():
    x = pack_clouds(torch.rand(200, 1, 3) + 0.01 * torch.rand(200, 40, 3))
    medoids = x.take(np.arange(30))
    likely = assignment.NearestOf(x, medoids).likely(3)
    exact = np.argsort(pairwise_distance(x, medoids).numpy(), axis=1)[:, :3]
    assert (likely[:, 0] == exact[:, 0]).mean() > 0.9
    assert likely.shape == (200, 3)


def test_a_cluster_of_nearly_all_takes_no_more_than_its_share(monkeypatch):
    monkeypatch.setattr(neighbours, "_MOST_PAIRS", 200_000)
    generator = torch.Generator().manual_seed(0)
    x = pack_clouds(torch.rand(1, 15, 3, generator=generator) + 1e-4 * torch.rand(1000, 15, 3, generator=generator))
    x.points[: 50 * 15] += torch.rand(50, 1, 3, generator=generator).expand(50, 15, 3).reshape(-1, 3)
    medoids = np.arange(45, 65)
    pairs = neighbour_distances(x, np.arange(1000), medoids, 3)
    assert 100_000 < len(pairs.i) < 200_000 < 0.5 * (1000 * 999 / 2)
    met = np.zeros((1000, 1000), dtype=bool)
    met[pairs.i, pairs.j] = met[pairs.j, pairs.i] = True
    assert met[50:, medoids[-15:]].any(axis=1).all()  # every sample knows its way to a medoid
