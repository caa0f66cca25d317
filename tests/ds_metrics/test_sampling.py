"""The sampled estimator: a real clustering of all samples, near the exact one, by stated rules."""

import numpy as np
import pytest
import torch

from ds_metrics import DispersionScore, sampling
from ds_metrics.clouds import pack_clouds
from ds_metrics.clustering import kmedoids
from ds_metrics.functional import dispersion_score
from ds_metrics.pairwise import native, pairwise_distance
from ds_metrics.sampling import SampledClusters, choose_estimator, search_size, start_size


def shapes(n=600, points=24, seed=0):
    """Ellipsoids of all kinds: no clusters to be found easily."""
    generator = torch.Generator().manual_seed(seed)
    sphere = torch.randn(n, points, 3, generator=generator)
    return sphere / sphere.norm(dim=2, keepdim=True) * (torch.rand(n, 1, 3, generator=generator) + 0.2)


def sampled(x, n_clusters, **options):
    defaults = {"squared": True, "solver": "fasterpam", "seed": 0, "backend": "auto", "memory_budget": 2**30}
    return SampledClusters(pack_clouds(x), n_clusters, **{**defaults, "store": None, "cluster": None, **options}).run()


@pytest.fixture
def small(monkeypatch):
    """The rules, scaled to what tests can afford."""
    monkeypatch.setattr(sampling, "_START", (60, 5, 200))
    monkeypatch.setattr(sampling, "_SEARCH", (100, 90))


def check(found, x, squared=True):
    """Whether labels, inertia and order are those of the medoids, by all distances to them."""
    to_medoids = pairwise_distance(x, x[found.medoids], squared=squared).numpy()
    assert len(np.unique(found.medoids)) == found.n_clusters == len(found.medoids)
    np.testing.assert_array_equal(to_medoids[np.arange(len(x)), found.labels], to_medoids.min(axis=1))
    assert found.inertia == pytest.approx(to_medoids.min(axis=1).sum(dtype=np.float64), rel=1e-9)
    assert (found.labels[found.medoids] == np.arange(found.n_clusters)).all()
    assert (np.diff(found.sizes) <= 0).all()
    assert found.estimator == "sampled"
    distances = to_medoids.min(axis=1).astype(np.float64)
    assert found.interval.standard_error == pytest.approx(distances.std() / len(x) ** 0.5)
    assert found.interval.high - found.score == pytest.approx(1.96 * found.interval.standard_error, rel=1e-3)


@pytest.mark.parametrize("k", [1, 2, 5, 20, 50])
def test_a_clustering_of_all_samples_near_the_exact_one(k, small):
    x = shapes()
    found = sampled(x, k)
    check(found, x)
    assert found.sample_size == search_size(600, k) < 600 or k == 50
    exact = kmedoids(pairwise_distance(x), k)
    assert 0.999 * exact.score <= found.score <= (1.1 if found.sample_size < 300 else 1.05) * exact.score


def test_the_search_finds_what_the_start_misses(small, monkeypatch):
    x = shapes()
    found = sampled(x, 30)
    monkeypatch.setattr(sampling, "search_size", lambda *args: 0)
    assert found.score < 0.97 * sampled(x, 30).score


def test_within_one_per_cent_where_the_part_is_everything():
    x = shapes(1500)
    found = sampled(x, 40)
    assert found.sample_size == 1500
    assert found.score <= 1.01 * kmedoids(pairwise_distance(x), 40).score


def test_fewer_distances_than_all(monkeypatch, small):
    computed, distances = [], native.distances

    def counted(x, y, i, j, squared=True):
        computed.append(len(i))
        return distances(x, y, i, j, squared)

    monkeypatch.setattr(native, "distances", counted)
    sampled(shapes(2000), 20)
    assert sum(computed) < 0.1 * 2000 * 1999 / 2


def test_alternate_and_unsquared_and_seeds(small):
    x = shapes(300)
    found = sampled(x, 10, solver="alternate")
    check(found, x)
    assert found.solver == "alternate"
    assert found.sample_size == 200
    check(sampled(x, 20, squared=False), x, squared=False)
    scores = [sampled(x, 10, seed=seed).score for seed in (0, 0, 1)]
    assert scores[0] == scores[1] != scores[2]


def test_knee_of_the_part(small):
    found = sampled(shapes(), "knee")
    assert found.n_clusters == found.curve.knee
    assert found.curve.n_clusters.max() == 100  # half of the start
    check(found, shapes())


@pytest.mark.parametrize("x", [shapes(1).expand(300, -1, -1), shapes(4)[torch.arange(300) % 4]], ids=["one", "four"])
def test_recited_shapes(x, small):
    found = sampled(x, 4)
    check(found, x)
    assert found.score == 0


def test_confidence_is_asked_of_clustering_once(monkeypatch):
    from ds_metrics import dispersion

    asked, interval = [], dispersion.confidence_interval

    def recorded(*arguments):
        asked.append(arguments[2])
        return interval(*arguments)

    monkeypatch.setattr(dispersion, "confidence_interval", recorded)
    metric = DispersionScore(n_clusters=2, confidence=0.9)
    metric(shapes(10))
    assert asked == []  # not for the value of a step
    metric.compute()
    assert asked == [0.9]
    assert metric.clustering.interval == interval(metric.distances, metric.clustering, 0.9)


def test_too_few_samples_for_an_interval_have_a_score():
    metric = DispersionScore(n_clusters=2, confidence=0.9)
    metric.update(shapes(7))
    with pytest.warns(RuntimeWarning, match="no confidence interval: .* at least 8 samples"):
        score = metric.compute()
    assert torch.equal(score, dispersion_score(shapes(7), 2))
    assert metric.clustering.interval is None


def test_an_interval_ends_at_zero():
    x = torch.zeros(4, 5, 3)
    x[3] += 1
    interval = sampled(x, 1).interval
    assert interval.low == 0 < interval.high


def test_few_samples_and_many_clusters():
    x = shapes(12)
    for k in (1, 5, 11):
        check(sampled(x, k), x)
    check(sampled(shapes(40), "knee"), shapes(40))


def test_mapped_file_gives_the_same(tmp_path, small):
    x = shapes(300)
    np.save(tmp_path / "x.npy", x.numpy())
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    score = dispersion_score(mapped, 10, estimator="sampled")
    assert score == dispersion_score(x, 10, estimator="sampled") == torch.tensor(sampled(x, 10).score).float()


def test_rules(monkeypatch):
    assert choose_estimator("auto", 10_000) == "exact"
    assert choose_estimator("auto", 10_001) == "sampled"
    assert start_size(10**6, "knee", "fasterpam") == start_size(10**6, 3, "alternate") == 4500
    assert start_size(10**6, 5000, "fasterpam") == 10_000
    assert start_size(50, 30, "fasterpam") == 50
    assert search_size(10**6, 1) == 4000
    assert search_size(3000, 100) == 3000
    assert search_size(10**6, 10_000) * 10_000 < 2**26 + 10_000
    monkeypatch.setattr(sampling, "EXACT_UP_TO", 100)
    for n, estimator in ((100, "exact"), (101, "sampled")):
        metric = DispersionScore(n_clusters=3)
        metric.update(shapes(n))
        metric.compute()
        assert metric.clustering.estimator == estimator
        assert (metric.distances is None) == (estimator == "sampled")


def test_metric(small):
    x = shapes(300)
    metric = DispersionScore(n_clusters=10, estimator="sampled", confidence=0.9)
    for batch in x.split(70):
        metric.update(batch)
    assert metric.compute() == dispersion_score(x, 10, estimator="sampled")
    assert metric.distances is None
    assert metric.clustering.interval.level == 0.9
    assert DispersionScore(n_clusters=3, incremental=True)._estimator(10**6) == "exact"


def test_resumes_from_the_store(tmp_path, small, monkeypatch):
    x = shapes(300)
    first = dispersion_score(x, 10, estimator="sampled", store=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2  # the distances of the start, and the assignment
    from ds_metrics.pairwise import assignment, engine

    monkeypatch.setattr(engine, "tile_distances", None)
    monkeypatch.setattr(assignment._Search, "nearest", None)
    assert dispersion_score(x, 10, estimator="sampled", store=tmp_path) == first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimator": "some"}, "`estimator` must be one of .* but got 'some'"),
        ({"estimator": "sampled", "n_clusters": 20}, "`n_clusters` must be from 1 to 19, but got 20"),
        ({"estimator": "sampled", "solver": "none"}, "`solver`"),
        ({"estimator": "sampled", "distance": "none"}, "`distance`"),
        ({"estimator": "sampled", "seed": -1}, "`seed`"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        dispersion_score(shapes(20), **{"n_clusters": 2, **options})


def test_bad_input():
    with pytest.raises(ValueError, match="takes samples, not a distance matrix"):
        dispersion_score(torch.zeros(5, 5), 2, estimator="sampled")
    with pytest.raises(ValueError, match="at least 2 samples, but got 1"):
        dispersion_score(shapes(1), 1, estimator="sampled")
    with pytest.raises(ValueError, match="`confidence` must be between 0 and 1, but got 95"):
        DispersionScore(confidence=95)
    with pytest.raises(ValueError, match="`incremental` computes all distances"):
        DispersionScore(incremental=True, estimator="sampled")
