"""Slow, plain definitions to test against."""

from itertools import combinations

import numpy as np


def squared_minima(x, y):
    """For each point of `x` its squared distance to the nearest of `y`, by loops in float64."""
    return [min(sum((float(a) - float(b)) ** 2 for a, b in zip(p, q, strict=True)) for q in y) for p in x]


def chamfer(x, y, w1=1.0, w2=1.0, squared=True):
    power = 1.0 if squared else 0.5
    to_y = [value**power for value in squared_minima(x, y)]
    to_x = [value**power for value in squared_minima(y, x)]
    return w1 * sum(to_y) / len(to_y) + w2 * sum(to_x) / len(to_x)


def f_score(gt, pred, radius, eps=1e-8):
    precision = np.mean([value <= radius**2 for value in squared_minima(pred, gt)])
    recall = np.mean([value <= radius**2 for value in squared_minima(gt, pred)])
    return 2 * precision * recall / (precision + recall + eps)


def dense_chamfer(x, y):
    """The same as `chamfer`, in numpy, for clouds that loops would take too long for."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    squares = ((x[:, None] - y[None]) ** 2).sum(axis=-1)
    return squares.min(axis=1).mean() + squares.min(axis=0).mean()


def least_inertia(distances, n_clusters):
    """The optimum over all sets of medoids."""
    subsets = combinations(range(len(distances)), n_clusters)
    return min(distances[list(medoids)].min(axis=0).sum(dtype=np.float64) for medoids in subsets)


def check_clustering(distances, found):
    """That a result is what its docstring promises."""
    k, n = found.n_clusters, len(distances)
    to_medoids = distances[found.medoids].astype(np.float64)
    assert found.medoids.shape == (k,)
    assert found.labels.shape == (n,)
    assert len(set(found.medoids.tolist())) == k
    np.testing.assert_array_equal(found.labels[found.medoids], np.arange(k))
    np.testing.assert_array_equal(to_medoids[found.labels, np.arange(n)], to_medoids.min(axis=0))
    np.testing.assert_allclose(found.inertia, to_medoids.min(axis=0).sum(), rtol=1e-12)
    np.testing.assert_array_equal(found.sizes, np.bincount(found.labels, minlength=k))
    rank = list(zip(-found.sizes, found.medoids, strict=True))
    assert rank == sorted(rank)
    assert found.n_samples == n
    assert found.score == found.inertia / n


def squared_distances(points):
    return ((points[:, None] - points) ** 2).sum(-1).astype(np.float32)


def random_distances(n, seed, dim=3):
    return squared_distances(np.random.default_rng(seed).normal(size=(n, dim)))


def line(*positions):
    points = np.array(positions, dtype=np.float32)
    return np.abs(points[:, None] - points)
