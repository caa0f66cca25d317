"""The dispersion curve, its knee and the clustering there."""

import pickle

import kneed
import numpy as np
import pytest

from ds_metrics.clustering import cluster, dispersion_curve, find_knee, kmedoids


def blobs(n_blobs, per_blob, seed=0, spread=0.01):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, size=(n_blobs, 3))[np.arange(n_blobs * per_blob) % n_blobs]
    points = points + spread * rng.normal(size=points.shape)
    return ((points[:, None] - points) ** 2).sum(-1).astype(np.float32)


@pytest.mark.parametrize("solver", ["fasterpam", "alternate"])
@pytest.mark.parametrize(("n_blobs", "per_blob"), [(1, 2), (1, 3), (4, 10), (7, 40)])
def test_curve_never_rises(solver, n_blobs, per_blob):
    curve = dispersion_curve(blobs(n_blobs, per_blob, spread=0.3), solver=solver)
    assert np.all(np.diff(curve.n_clusters) > 0)
    assert np.all(np.diff(curve.scores) <= 0)
    assert curve.knee in curve.n_clusters
    assert curve.n_clusters.dtype == np.int64
    assert curve.scores.dtype == np.float64


def test_default_grid():
    assert dispersion_curve(blobs(4, 16)).n_clusters.tolist() == list(range(1, 64))
    large = dispersion_curve(blobs(5, 40)).n_clusters
    assert (large[0], large[-1]) == (1, 100)
    assert 25 <= len(large) <= 40


def test_curve_is_as_good_as_single_solutions():
    distances = blobs(6, 20, spread=0.3)
    curve = dispersion_curve(distances, [1, 3, 6, 20])
    assert curve.n_clusters.tolist() == [1, 3, 6, 20]
    for k, score in zip(curve.n_clusters, curve.scores, strict=True):
        assert score <= 1.01 * kmedoids(distances, int(k)).score
    assert (
        curve.scores[0]
        == distances.sum(axis=1, dtype=np.float64).min() / 120
        == pytest.approx(kmedoids(distances, 1).score)
    )


@pytest.mark.parametrize("grid", [[], [2, 2], [3, 1], [0, 1], [1, 20]])
def test_refuses_bad_grids(grid):
    with pytest.raises(ValueError, match="Argument `n_clusters` must be"):
        dispersion_curve(blobs(2, 10), grid)


@pytest.mark.parametrize("n_blobs", [3, 5])
def test_cluster_finds_the_blobs(n_blobs):
    distances = blobs(n_blobs, 12)
    found = cluster(distances)
    assert found.n_clusters == n_blobs
    assert found.sizes.tolist() == [12] * n_blobs
    assert found.curve.knee == n_blobs
    assert found.score == found.curve.scores[n_blobs - 1]
    assert [len(set(found.labels[blob::n_blobs])) for blob in range(n_blobs)] == [1] * n_blobs


def test_cluster_with_a_number_is_kmedoids():
    distances = blobs(3, 12, spread=0.3)
    found, expected = cluster(distances, 7, seed=4), kmedoids(distances, 7, seed=4)
    assert found.inertia == expected.inertia
    assert found.curve is None


def test_cluster_of_two_samples():
    found = cluster(np.array([[0, 3], [3, 0]], np.float32))
    assert (found.n_clusters, found.inertia, found.score) == (1, 3.0, 1.5)


def test_cluster_of_equal_samples():
    found = cluster(np.zeros((5, 5), np.float32))
    assert (found.n_clusters, found.inertia, found.curve.knee_method) == (1, 0.0, "flat")


def test_cluster_refuses_other_words():
    with pytest.raises(ValueError, match="`n_clusters` must be an integer or \"knee\", but got 'elbow'"):
        cluster(blobs(2, 5), "elbow")


def test_curve_does_not_depend_on_the_order_of_samples():
    distances = blobs(6, 20, spread=0.3)
    shuffle = np.random.default_rng(0).permutation(len(distances))
    there, back = dispersion_curve(distances), dispersion_curve(distances[np.ix_(shuffle, shuffle)])
    np.testing.assert_array_equal(there.scores, back.scores)
    assert there.knee == back.knee


def test_clustering_with_curve_pickles():
    found = cluster(blobs(3, 12))
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.curve.scores, found.curve.scores)
    assert (again.curve.knee, again.curve.knee_method) == (found.curve.knee, found.curve.knee_method)


@pytest.mark.parametrize("elbow", [3, 6, 10])
def test_knee_of_two_straight_pieces(elbow):
    k = np.arange(1, 21)
    scores = np.where(k <= elbow, 10 - 9 * (k - 1) / (elbow - 1), 1 - 0.04 * (k - elbow))
    assert find_knee(k, scores) == (elbow, "kneedle")


def test_knee_falls_back_to_the_chord(monkeypatch):
    class Blind:
        knee = None

        def __init__(self, *args, **kwargs): ...

    monkeypatch.setattr(kneed, "KneeLocator", Blind)
    assert find_knee([1, 2, 3, 4, 5], [8.0, 5.0, 1.0, 0.5, 0.0]) == (3, "chord")


def test_knee_of_a_straight_line_is_its_start():
    assert find_knee([1, 2, 3], [4.0, 2.0, 0.0]) == (1, "chord")
    assert find_knee([1, 2], [4.0, 2.0]) == (1, "chord")


def test_knee_of_a_constant_curve():
    assert find_knee([2, 3, 4], [5.0, 5.0, 5.0]) == (2, "flat")
    assert find_knee([1], [5.0]) == (1, "flat")


@pytest.mark.parametrize(
    ("n_clusters", "scores", "name"),
    [
        ([], [], "n_clusters"),
        ([1, 1], [2.0, 1.0], "n_clusters"),
        ([1.0, 2.0], [2.0, 1.0], "n_clusters"),
        ([1, 2], [2.0], "scores"),
        ([1, 2], [1.0, 2.0], "scores"),
        ([1, 2], [1.0, np.nan], "scores"),
    ],
)
def test_knee_refuses_what_is_not_a_curve(n_clusters, scores, name):
    with pytest.raises(ValueError, match=f"Argument `{name}`"):
        find_knee(n_clusters, scores)
