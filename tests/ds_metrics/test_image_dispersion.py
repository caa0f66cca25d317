"""The Dispersion Score of images and of features, as metric and as function."""

import pickle

import numpy as np
import pytest
import torch
from references import least_inertia
from torch import nn
from torchmetrics import MetricCollection

from ds_metrics import DispersionScore
from ds_metrics.features import create_extractor
from ds_metrics.functional import dispersion_score
from ds_metrics.pairwise import pairwise_distance

SMALL = {"distance": "vgg16", "image_size": 32}


def images(n, seed=0, size=32):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=generator)


def mean_squares(features):
    """By loops, in float64."""
    rows = [row.double().numpy() for row in features]
    return np.array([[np.mean((a - b) ** 2) for b in rows] for a in rows])


@pytest.mark.parametrize("n_clusters", [1, 2, 5])
@pytest.mark.parametrize(
    "options",
    [SMALL, SMALL | {"pooling": "none"}, {"distance": "pixels", "image_size": 8}],
    ids=["max", "none", "pixels"],
)
def test_against_loops_and_all_medoids(n_clusters, options):
    batch = images(9)
    named = {name: value for name, value in options.items() if name != "distance"}
    features = create_extractor(options["distance"], **named)(batch)
    expected = least_inertia(mean_squares(features), n_clusters) / len(batch)
    assert float(dispersion_score(batch, n_clusters, **options)) == pytest.approx(expected, rel=1e-5)
    assert float(dispersion_score(features, n_clusters, distance="features")) == pytest.approx(expected, rel=1e-5)
    metric = DispersionScore(n_clusters, **options)
    for part in torch.split(batch, [4, 1, 3, 1]):
        metric.update(part)
    assert metric.compute().item() == pytest.approx(expected, rel=1e-5)
    assert len(metric._points) == 1  # put together, and not held twice
    metric.update(batch[:1])
    assert metric.compute().item() == pytest.approx(
        least_inertia(mean_squares(features[[*range(9), 0]]), n_clusters) / 10, rel=1e-5
    )


@pytest.mark.parametrize("pooling", ["channel-max", "none"])
def test_copies_score_exactly_zero(pooling):
    metric = DispersionScore(3, pooling=pooling, **SMALL)
    originals = images(3)
    for order in ([0, 1, 1], [2], [0, 0, 1, 2, 2, 1, 0]):
        metric.update(originals[order])
    assert metric.compute().item() == 0
    assert metric.distances.diagonal().max() == 0
    assert metric.clustering.sizes.tolist() == [4, 4, 3]


def test_a_network_as_distance():
    network = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, 5))
    metric = DispersionScore(2, distance=network, image_size=32)
    batch = images(6)
    metric.update(batch)
    expected = least_inertia(mean_squares(network(batch.float() / 255).detach()), 2) / 6
    assert metric.compute().item() == pytest.approx(expected, rel=1e-4)
    assert metric.distance == "Sequential"
    assert not list(metric.parameters())  # nothing for an optimizer, nothing in a checkpoint
    assert not metric.state_dict()


def test_sizes_and_kinds_mix():
    batch = images(4)
    mixed = [batch[0], batch[1].float() / 255, batch[2][:1], torch.zeros(3, 1, 1), torch.rand(3, 50, 20)]
    assert dispersion_score(mixed, 2, **SMALL) > 0


def test_it_survives_copies_and_pickle():
    metric = DispersionScore(2, **SMALL)
    metric.update(images(3))
    for copy in (metric.clone(), pickle.loads(pickle.dumps(metric))):
        copy.update(images(2, seed=1))
        metric_of_all = DispersionScore(2, **SMALL)
        metric_of_all.update(torch.cat([images(3), images(2, seed=1)]))
        assert torch.equal(copy.compute(), metric_of_all.compute())


def test_a_collection_keeps_distances_apart():
    collection = MetricCollection(
        {
            "vgg16": DispersionScore(2, **SMALL),
            "k = 3": DispersionScore(3, **SMALL),
            "unpooled": DispersionScore(2, pooling="none", **SMALL),
            "pixels": DispersionScore(2, distance="pixels", image_size=32),
        }
    )
    for seed in range(2):
        collection.update(images(4, seed))
    batch = torch.cat([images(4, seed) for seed in range(2)])
    found = collection.compute()
    assert found["vgg16"] == dispersion_score(batch, 2, **SMALL)
    assert found["k = 3"] == dispersion_score(batch, 3, **SMALL)
    assert found["unpooled"] == dispersion_score(batch, 2, pooling="none", **SMALL)
    assert found["pixels"] == dispersion_score(batch, 2, distance="pixels", image_size=32)
    assert sorted(map(sorted, collection.compute_groups.values())) == [["k = 3", "vgg16"], ["pixels"], ["unpooled"]]


def test_a_bad_batch_costs_nothing_but_itself():
    metric = DispersionScore(1, **SMALL)
    metric.update(images(3))
    for bad in (torch.rand(2, 3, 32, 32) * 255, torch.rand(2, 20, 3), torch.full((1, 3, 8, 8), torch.nan)):
        for call in (metric.update, metric):
            with pytest.raises(ValueError, match="Argument `preds`"):
                call(bad)
    assert torch.equal(metric.compute(), dispersion_score(images(3), 1, **SMALL))


def test_features_of_one_width():
    metric = DispersionScore(1, distance="features")
    metric.update(torch.rand(3, 5))
    with pytest.raises(ValueError, match="`preds` must have 5 features a sample as before, but got 4"):
        metric.update(torch.rand(3, 4))
    metric.reset()
    metric.update(torch.rand(3, 4))


def test_forward_scores_the_batch_and_incremental_equals_the_end():
    batch = images(24)
    at_end, growing = DispersionScore(2, **SMALL), DispersionScore(2, incremental=True, **SMALL)
    for part in torch.split(batch, [7, 9, 8]):
        assert torch.equal(at_end(part), dispersion_score(part, 2, **SMALL))
        growing.update(part)
    np.testing.assert_allclose(growing.compute(), at_end.compute(), rtol=1e-6)
    np.testing.assert_allclose(growing.distances, at_end.distances, rtol=1e-6)


def test_matrices_of_images_and_of_features():
    extractor, some, others = create_extractor("vgg16", image_size=32), images(3), images(2, seed=1)
    expected = mean_squares(extractor(torch.cat([some, others])))
    np.testing.assert_allclose(pairwise_distance(some, distance=extractor), expected[:3, :3], rtol=1e-5)
    np.testing.assert_allclose(pairwise_distance(some, others, distance=extractor), expected[:3, 3:], rtol=1e-5)
    rows = extractor(some), extractor(others)
    np.testing.assert_allclose(pairwise_distance(*rows, distance="features"), expected[:3, 3:], rtol=1e-5)


def test_sampled_estimator():
    features = torch.randn(400, 16, generator=torch.Generator().manual_seed(0))
    exact = dispersion_score(features, 10, distance="features", estimator="exact")
    sampled = dispersion_score(features, 10, distance="features", estimator="sampled")
    assert exact <= sampled * (1 + 1e-6)
    assert sampled < 1.02 * exact
    metric = DispersionScore(10, distance="features", estimator="sampled")
    metric.update(features)
    assert metric.compute() == sampled


def test_a_darker_picture_is_nearer_than_another():
    first, other = images(2)
    darker = (first * 0.9).to(torch.uint8)
    features = create_extractor("vgg16", image_size=32)([first, darker, other])
    near, far = mean_squares(features)[0, 1:]
    assert 0 < near < far
