import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_metrics import sampling
from svr_baselines.recognition import cluster_shapes, oracle_nn, retrieval


def chamfer(x, y):
    """By three loops."""
    to_y = np.mean([min(sum((a - b) ** 2) for b in y) for a in x])
    return to_y + np.mean([min(sum((a - b) ** 2) for a in x) for b in y])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 6))
def test_oracle_is_the_nearest_training_shape(seed, n, m):
    rng = np.random.default_rng(seed)
    test, train = rng.normal(size=(n, 5, 3)), rng.normal(size=(m, 7, 3))
    expected = [np.argmin([chamfer(shape, other) for other in train]) for shape in test]
    found = oracle_nn(test, train)
    assert found.indices.tolist() == expected
    assert np.array_equal(found.points, train[expected])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 6))
def test_retrieval_is_the_nearest_training_image(seed, n, m):
    rng = np.random.default_rng(seed)
    test, train, points = rng.normal(size=(n, 9)), rng.normal(size=(m, 9)), rng.normal(size=(m, 4, 3))
    expected = [min(range(m), key=lambda j: sum((row - train[j]) ** 2)) for row in test]
    found = retrieval(test, train, points)
    assert found.indices.tolist() == expected
    assert np.array_equal(found.points, points[expected])


@pytest.fixture
def heaps():
    """Shapes about three centres, and features that tell which."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [5, 4, 3])
    shapes = rng.normal(size=(3, 20, 3))[labels] + rng.normal(scale=0.01, size=(12, 20, 3))
    features = np.eye(3)[labels] + rng.normal(scale=0.05, size=(12, 3))
    return labels, shapes, features


def test_clusters_are_the_heaps_and_medoids_their_best_members(heaps):
    labels, shapes, _ = heaps
    clusters = cluster_shapes(shapes, k=3)
    assert np.array_equal(clusters.labels, labels)  # the largest cluster comes first
    for label in range(3):
        members = np.flatnonzero(labels == label)
        costs = [sum(chamfer(shapes[i], shapes[j]) for j in members) for i in members]
        assert clusters.indices[label] == members[np.argmin(costs)]
    assert np.array_equal(clusters.points, shapes[clusters.indices])


def test_images_and_the_oracle_choose_clusters(heaps):
    _, shapes, features = heaps
    clusters = cluster_shapes(shapes, k=3)
    test_labels = np.array([2, 0, 1, 1])
    by_images = clusters.by_images(np.eye(3)[test_labels], features)
    assert np.array_equal(by_images.indices, clusters.indices[test_labels])
    assert np.array_equal(by_images.points, shapes[clusters.indices[test_labels]])
    by_oracle = clusters.by_oracle(shapes[[11, 3, 6, 7]])
    assert np.array_equal(by_oracle.indices, clusters.indices[test_labels])
    assert np.array_equal(clusters.recall(test_labels).points, by_oracle.points)


def test_the_oracle_is_never_worse_and_images_may_be(heaps):
    _, shapes, features = heaps
    clusters = cluster_shapes(shapes, k=3)
    wrong = clusters.by_images(np.roll(features, 1, axis=1), features).points
    right = clusters.by_oracle(shapes).points
    nearest = oracle_nn(shapes, shapes).points
    for shape, first, second, third in zip(shapes, nearest, right, wrong, strict=True):
        assert 0 == chamfer(shape, first) <= chamfer(shape, second) <= chamfer(shape, third)


def test_many_shapes_go_through_the_sampled_estimator(heaps, monkeypatch):
    labels, shapes, _ = heaps
    monkeypatch.setattr(sampling, "choose_estimator", lambda estimator, count: "sampled")
    assert np.array_equal(cluster_shapes(shapes, k=3).labels, labels)


def test_tensors_give_tensors(heaps):
    _, shapes, features = heaps
    tensors, vectors = torch.as_tensor(shapes, dtype=torch.float32), torch.as_tensor(features)
    assert isinstance(oracle_nn(tensors, tensors).points, torch.Tensor)
    assert torch.equal(retrieval(vectors, vectors, tensors).points, tensors)
    clusters = cluster_shapes(tensors, k=3)
    assert torch.equal(clusters.by_oracle(tensors).points, tensors[clusters.indices[clusters.labels]])


def test_what_does_not_fit_is_refused(heaps):
    _, shapes, features = heaps
    clusters = cluster_shapes(shapes, k=3)
    for call, words in (
        (lambda: oracle_nn(shapes, shapes[0]), r"`train_points` must have shape \(M, Q, 3\)"),
        (lambda: oracle_nn(shapes, shapes[:0]), "`train_points`"),
        (lambda: oracle_nn(np.full((1, 2, 3), np.nan), shapes), "NaN or infinite"),
        (lambda: retrieval(features, features[:-1], shapes), "one row for each of the 12"),
        (lambda: retrieval(features[:, :2], features, shapes), "of one length"),
        (lambda: retrieval(features * np.nan, features, shapes), "NaN or infinite"),
        (lambda: clusters.by_images(features, features[:-1]), "one row for each of the 12"),
        (lambda: clusters.recall(np.array([3])), "integers from 0 to 2"),
        (lambda: clusters.recall(np.array([0.5])), "integers from 0 to 2"),
        (lambda: cluster_shapes(shapes, k=12), "n_clusters"),
        (lambda: cluster_shapes(shapes, k=0), "n_clusters"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
