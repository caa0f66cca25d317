"""`sklearn-extra` is what the paper's code calls, and `alternate` behaves like it. `make paper` runs this."""

import warnings

import numpy as np
import pytest
from references import squared_distances
from scipy.stats import ks_2samp, mannwhitneyu

from ds_metrics.clustering import kmedoids, libraries

try:
    KMedoids = libraries.load_estimator("sklearn-extra")
except ValueError as error:
    pytest.skip(f"scikit-learn-extra needs numpy 1: `make paper` runs this ({error})", allow_module_level=True)

SEEDS = range(50)
LEVEL = 0.005  # a test on six pairs of samples, seeded: it either always passes or never


def normal(n, dim):
    return np.random.default_rng(0).normal(size=(n, dim))


def blobs(n, dim):
    rng = np.random.default_rng(1)
    return rng.uniform(-10, 10, size=(40, dim))[rng.integers(0, 40, size=n)] + rng.normal(size=(n, dim))


def ellipsoids(n, dim):
    """Of very unlike scales, as in a set of shapes."""
    rng = np.random.default_rng(2)
    return rng.normal(size=(n, dim)) * rng.lognormal(sigma=1.0, size=(n, 1))


# Drawn by plain distance rather than its square, seeds show on the first and the last.
SETS = {
    "normal": (squared_distances(normal(800, 2)), 100),
    "blobs": (squared_distances(blobs(800, 8)), 80),
    "scales": (squared_distances(ellipsoids(800, 3)), 80),
}


def official(distances, k, seed):
    """The call of the paper's code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return KMedoids(n_clusters=k, metric="precomputed", init="k-medoids++", random_state=seed).fit(distances)


@pytest.mark.parametrize("name", SETS)
def test_sklearn_extra_agrees_with_the_official_call_seed_by_seed(name):
    distances, k = SETS[name]
    for seed in range(5):
        found, expected = kmedoids(distances, k, "sklearn-extra", seed), official(distances, k, seed)
        assert set(found.medoids) == set(expected.medoid_indices_)
        np.testing.assert_allclose(found.inertia, expected.inertia_, rtol=1e-5)


@pytest.mark.parametrize("name", SETS)
def test_alternate_has_the_inertias_of_sklearn_extra(name):
    distances, k = SETS[name]
    theirs = np.array([kmedoids(distances, k, "sklearn-extra", seed).inertia for seed in SEEDS])
    ours = np.array([kmedoids(distances, k, "alternate", seed).inertia for seed in SEEDS])
    assert ks_2samp(ours, theirs).pvalue > LEVEL
    assert mannwhitneyu(ours, theirs).pvalue > LEVEL
    assert ours.mean() == pytest.approx(theirs.mean(), rel=0.02)  # four standard errors are 0.8 to 2.1 %
    assert ours.std() == pytest.approx(theirs.std(), rel=0.5)


def test_both_take_the_same_steps_from_the_same_medoids():
    # From 0 and 10 to 1 and 10, as worked out in test_kmedoids; `max_iter` reaches the library.
    points = np.array([0, 1, 2, 10, 11], np.float32)
    distances = np.abs(points[:, None] - points)
    for seed in range(20):
        found = kmedoids(distances, 2, "sklearn-extra", seed)
        assert found.inertia == kmedoids(distances, 2, "alternate", seed).inertia == 3.0
        assert found.medoids[0] == 1
    larger, k = SETS["normal"]
    assert kmedoids(larger, k, "sklearn-extra", max_iter=1).inertia > kmedoids(larger, k, "sklearn-extra").inertia
