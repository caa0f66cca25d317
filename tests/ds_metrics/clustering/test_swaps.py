"""Swaps on part of a matrix: with all of it as good as FasterPAM, with the near part almost, never for worse."""

import numpy as np
import pytest

from ds_metrics.clustering import kmedoids
from ds_metrics.clustering.swaps import swap_medoids


def matrix(n=300, seed=0):
    points = np.random.default_rng(seed).random((n, 3))
    return np.linalg.norm(points[:, None] - points, axis=2).astype(np.float32)


def inertia(distances, medoids):
    return distances[:, medoids].min(axis=1).astype(np.float64).sum()


def swapped(distances, keep, medoids, seed=0):
    i, j = np.nonzero(np.triu(keep | keep.T, k=1))
    return swap_medoids(len(distances), (i, j), distances[i, j], medoids, seed)


@pytest.mark.parametrize("k", [1, 2, 10, 60])
def test_with_all_distances(k):
    distances = matrix()
    start = np.random.default_rng(1).choice(300, k, replace=False)
    medoids = swapped(distances, np.ones_like(distances, dtype=bool), start)
    assert len(np.unique(medoids)) == k
    best = kmedoids(distances, k).inertia
    assert inertia(distances, medoids) <= 1.03 * best
    # No single swap is left that would lower the inertia.
    for candidate in range(300):
        for slot in range(0, k, 7):
            other = medoids.copy()
            other[slot] = candidate
            assert inertia(distances, other) >= (1 - 1e-6) * inertia(distances, medoids)


def test_with_near_distances_alone():
    distances, k = matrix(), 20
    start = kmedoids(distances[:60, :60], k).medoids
    order = np.argsort(distances[:, start], axis=1)
    keep = (order[:, :5, None] == order[:, 0][None, None, :]).any(axis=1)
    assert keep.mean() < 0.4
    medoids = swapped(distances, keep, start)
    assert inertia(distances, medoids) < 1.02 * kmedoids(distances, k).inertia < inertia(distances, start)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3])
def test_never_for_worse_by_what_is_known(share):
    distances, rng = matrix(), np.random.default_rng(0)
    keep = np.triu(rng.random(distances.shape) < share, k=1)
    known = np.where(keep | keep.T | np.eye(300, dtype=bool), distances, 10.0)
    start = rng.choice(300, 10, replace=False)
    medoids = swapped(distances, keep, start)
    assert inertia(known, medoids) <= inertia(known, start)


def test_all_zero_and_seeded():
    zero = np.zeros((5, 5), dtype=np.float32)
    assert swapped(zero, np.ones((5, 5), dtype=bool), np.array([1, 3])).tolist() == [1, 3]
    distances, start = matrix(), np.arange(8)
    runs = [swapped(distances, np.ones_like(distances, dtype=bool), start, seed) for seed in (0, 0, 1)]
    assert runs[0].tolist() == runs[1].tolist() != runs[2].tolist()
    assert start.tolist() == list(range(8))
