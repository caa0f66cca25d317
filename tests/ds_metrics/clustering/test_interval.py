"""Confidence intervals of the score: the formula by exhaustive search, what they are equivariant to, and coverage."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from references import random_distances, squared_distances
from scipy.stats import t as student

from ds_metrics.clustering import Clustering, Interval, cluster, confidence_interval, kmedoids


def best_score(distances, k):
    size = len(distances)
    return min(distances[:, list(m)].min(axis=1).sum(dtype=np.float64) for m in combinations(range(size), k)) / size


def exact_error(distances, k):
    """The delete-d jackknife over all parts, each solved by exhaustive search."""
    size = len(distances)
    left_out = min(size // 4, (size - k) // 3)
    parts = [list(part) for part in combinations(range(size), size - left_out)]
    scores = [best_score(distances[np.ix_(part, part)], k) for part in parts]
    return np.std(scores) * math.sqrt((size - left_out) / left_out)


# Leaving out 2, 2, 2, 3 and 2 samples. Sets on whose parts FasterPAM finds the best medoids, nearly.
@pytest.mark.parametrize(("size", "k", "seed"), [(8, 1, 8), (8, 1, 9), (9, 2, 9), (12, 3, 13), (11, 5, 12)])
def test_standard_error_against_all_parts(size, k, seed):
    distances = random_distances(size, seed)
    interval = confidence_interval(distances, kmedoids(distances, k), n_resamples=20_000)
    assert interval.standard_error == pytest.approx(exact_error(distances, k), rel=0.03)


def test_ends_are_students_in_the_logarithm():
    distances = random_distances(30, seed=0)
    found = kmedoids(distances, 3)
    for level, n_resamples, freedom in [(0.95, 200, 29), (0.5, 11, 10)]:
        interval = confidence_interval(distances, found, level, n_resamples=n_resamples)
        error = math.hypot(interval.standard_error, interval.solver_error)
        reach = student.ppf((1 + level) / 2, freedom) * error / found.score
        assert math.log(found.score / interval.low) == pytest.approx(reach)
        assert math.log(interval.high / found.score) == pytest.approx(reach)
        assert (interval.level, interval.n_resamples) == (level, n_resamples)


def test_solver_error_of_single_starts_is_their_spread():
    distances = random_distances(200, seed=2)
    errors = [
        confidence_interval(distances, kmedoids(distances, 20, "alternate", seed), n_resamples=2).solver_error
        for seed in range(60)
    ]
    single = [kmedoids(distances, 20, "alternate", seed).score for seed in range(1000, 1300)]
    assert math.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(single, ddof=1), rel=0.15)


def test_solver_error_of_the_best_of_many_starts_is_smaller():
    distances = random_distances(1024, seed=2, dim=8)
    found = kmedoids(distances, 50, n_init=1)
    error = confidence_interval(distances, found, n_resamples=2).solver_error
    singles = [kmedoids(distances, 50, seed=seed, n_init=1).score for seed in range(100, 140)]
    best = [min(singles[5 * i : 5 * i + 5]) for i in range(8)]
    assert 0 < error < 1.5 * np.std(singles, ddof=1)
    assert error == pytest.approx(np.std(best, ddof=1), rel=1.0)


def test_solver_error_is_none_where_every_start_ends_alike():
    distances = random_distances(20, seed=0)
    assert confidence_interval(distances, kmedoids(distances, 1)).solver_error == 0


def test_other_solvers_errors_scale_with_what_they_end_above():
    distances = random_distances(60, seed=1)
    found = kmedoids(distances, 6)
    medoids = np.r_[found.medoids[:-1], np.setdiff1d(np.arange(60), found.medoids)[0]]
    to_medoids = distances[:, medoids]
    poor = Clustering(
        medoids, to_medoids.argmin(axis=1), float(to_medoids.min(axis=1).sum(dtype=np.float64)), 6, "alternate", 0
    )
    one, other = (confidence_interval(distances, c, n_resamples=2000) for c in (found, poor))
    assert poor.score > 1.02 * found.score
    assert other.standard_error / one.standard_error == pytest.approx(poor.score / found.score, rel=0.05)


@pytest.mark.parametrize("k", [1, 2, 25])
def test_scales_with_the_distances(k):
    distances = random_distances(50, seed=3)
    scaled = distances * 1000
    one = confidence_interval(distances, kmedoids(distances, k), n_resamples=10_000)
    other = confidence_interval(scaled, kmedoids(scaled, k), n_resamples=10_000)
    # Other parts are drawn, as the canonical order is a hash of the distances.
    assert other.standard_error == pytest.approx(1000 * one.standard_error, rel=0.04)
    assert other.low == pytest.approx(1000 * one.low, rel=0.02)
    assert other.high == pytest.approx(1000 * one.high, rel=0.02)


def test_does_not_depend_on_the_order_of_samples():
    distances = random_distances(80, seed=4)
    shuffle = np.random.default_rng(0).permutation(80)
    shuffled = np.ascontiguousarray(distances[np.ix_(shuffle, shuffle)])
    there, back = kmedoids(distances, 7), kmedoids(shuffled, 7)
    assert confidence_interval(shuffled, back) == confidence_interval(distances, there)


def test_the_seed_decides_and_threads_do_not():
    distances = random_distances(100, seed=5)
    found = kmedoids(distances, 10, seed=3)
    first = confidence_interval(distances, found)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(7)
        assert confidence_interval(distances, found) == first
    finally:
        torch.set_num_threads(threads)
    assert confidence_interval(distances, found, seed=3) == first
    others = [confidence_interval(distances, found, seed=seed).standard_error for seed in (4, 2**64 - 1)]
    assert len({first.standard_error, *others}) == 3
    assert others == pytest.approx([first.standard_error] * 2, rel=0.5)


def test_default_number_of_parts():
    distances = random_distances(40, seed=0)
    found = kmedoids(distances, 4)
    assert confidence_interval(distances, found).n_resamples == 200
    large = random_distances(3000, seed=0)
    assert confidence_interval(large, kmedoids(large, 1)).n_resamples == 2**29 // 3000**2


def test_pure_recall_has_no_error():
    shapes = np.random.default_rng(0).normal(size=(4, 3))
    distances = squared_distances(shapes[np.arange(40) % 4])
    assert cluster(distances, 4, confidence=0.9).interval == Interval(0.0, 0.0, 0.9, 0.0, 0.0, 0)


def test_equal_distances_have_no_error():
    distances = 1 - np.eye(20, dtype=np.float32)
    found = kmedoids(distances, 5)
    interval = confidence_interval(distances, found)
    assert interval.low == pytest.approx(found.score)
    assert interval.high == pytest.approx(found.score)


@pytest.mark.parametrize("n_clusters", ["knee", 3])
def test_cluster_adds_it(n_clusters):
    points = np.random.default_rng(1).normal(size=(60, 2)) + 20 * np.eye(3, 2)[np.arange(60) % 3]
    distances = squared_distances(points)
    plain = cluster(distances, n_clusters, seed=2)
    found = cluster(distances, n_clusters, seed=2, confidence=0.9)
    assert plain.interval is None
    assert found.interval == confidence_interval(distances, plain, 0.9)
    assert found.score == plain.score
    assert (found.curve is None) == (n_clusters != "knee")


@pytest.mark.parametrize(
    ("draw", "k"),
    [
        (lambda rng: rng.uniform(size=(40, 1)), 2),
        (lambda rng: rng.normal(size=(40, 8)), 1),
        (lambda rng: rng.normal(size=(40, 2)), 4),
    ],
)
def test_covers_the_expected_score(draw, k):
    """On 150 sets, whose shares are uncertain by 2 %. Two thirds of the right error would cover about 80 %."""
    scores, intervals = [], []
    for seed in range(150):
        distances = np.sqrt(squared_distances(draw(np.random.default_rng(seed))))
        found = kmedoids(distances, k, n_init=5)
        scores.append(found.score)
        intervals.append(confidence_interval(distances, found, n_resamples=50))
    truth = np.mean(scores)
    assert np.mean([interval.low <= truth <= interval.high for interval in intervals]) >= 0.9
    errors = [math.hypot(interval.standard_error, interval.solver_error) for interval in intervals]
    assert 0.85 <= math.sqrt(np.mean(np.square(errors))) / np.std(scores, ddof=1) <= 1.4


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"level": 0}, ValueError, "`level` must be between 0 and 1, but got 0"),
        ({"level": 1.0}, ValueError, "`level` must be between 0 and 1, but got 1.0"),
        ({"level": 95}, ValueError, "`level` must be between 0 and 1, but got 95"),
        ({"level": float("nan")}, ValueError, "`level` must be between 0 and 1, but got nan"),
        ({"level": "95%"}, TypeError, "`level` must be a number, but got '95%'"),
        ({"level": True}, TypeError, "`level` must be a number, but got True"),
        ({"seed": -1}, ValueError, "`seed` must be from 0 to .*, but got -1"),
        ({"n_resamples": 1}, ValueError, "`n_resamples` must be from 2 to .*, but got 1"),
        ({"n_resamples": 2.5}, TypeError, "`n_resamples` must be an integer, but got 2.5"),
        ({"clustering": [0, 1]}, TypeError, "`clustering` must be a Clustering, but got list"),
    ],
)
def test_refuses_bad_arguments(arguments, error, message):
    distances = random_distances(20, seed=0)
    with pytest.raises(error, match=message):
        confidence_interval(distances, **{"clustering": kmedoids(distances, 2), **arguments})


def test_refuses_what_does_not_fit():
    distances = random_distances(20, seed=0)
    with pytest.raises(ValueError, match="of the 20 samples of `distances`, but is of 19"):
        confidence_interval(distances, kmedoids(distances[:19, :19].copy(), 2))
    with pytest.raises(ValueError, match="must be of `distances`, whose inertia at its medoids is"):
        confidence_interval(distances, kmedoids(2 * distances, 2))
    with pytest.raises(ValueError, match="at most N / 2 = 10 clusters for an interval, but got 11"):
        confidence_interval(distances, kmedoids(distances, 11))
    with pytest.raises(ValueError, match="at most N / 2 = 10 clusters for an interval, but got 19"):
        cluster(distances, 19, confidence=0.95)
    with pytest.raises(ValueError, match="at least 8 samples for an interval, but got 7"):
        confidence_interval(random_distances(7, 0), kmedoids(random_distances(7, 0), 1))
    with pytest.raises(ValueError, match="`confidence` must be between 0 and 1, but got 1"):
        cluster(distances, 2, confidence=1)
    found = kmedoids(distances, 2)
    with pytest.raises(ValueError, match="medoids"):
        confidence_interval(distances, replace(found, medoids=np.array([0, 20])))
