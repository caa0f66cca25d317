"""The score of predictions beside that of their ground truth."""

import gc
import weakref
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from ds_metrics import DispersionScore
from ds_metrics.clustering import Clustering, Interval
from svr_baselines.dispersion import Dispersion, Resources, Scoring, score_dispersion
from svr_baselines.normalized import normalize_score


@pytest.fixture
def pair():
    clouds = torch.rand(2, 20, 15, 3, generator=torch.Generator().manual_seed(0))
    return clouds[0], clouds[1]


def test_distances_of_the_truth_are_dropped_before_those_of_the_predictions(pair, monkeypatch):
    matrices, alive, compute = [], [], DispersionScore.compute

    def watched(metric):
        gc.collect()
        alive.append([matrix() is not None for matrix in matrices])
        value = compute(metric)
        matrices.append(weakref.ref(metric.distances))
        return value

    monkeypatch.setattr(DispersionScore, "compute", watched)
    score_dispersion(*pair, None, Scoring(3), Resources())
    assert alive == [[], [False]]


def test_stages_and_what_is_computed_in_them(pair):
    stages = []

    @contextmanager
    def stage(label):
        stages.append(label)
        yield

    _, found = score_dispersion(*pair, None, Scoring(), Resources(), stage)
    assert stages == ["distances of the ground truth", "distances of the predictions"]
    assert found.normalized.truth.curve is not None
    stages.clear()
    _, found = score_dispersion(*pair, "they are unlike", Scoring(), Resources(), stage)
    assert stages == ["distances"]
    assert found.normalized.reason == "they are unlike"
    assert found.normalized.truth is None
    stages.clear()
    _, found = score_dispersion(pair[0], None, None, Scoring(), Resources(), stage)
    assert stages == ["distances"]
    assert found.normalized is None


@pytest.mark.parametrize("as_given", [torch.Tensor.clone, list])
def test_samples_in_double_precision_keep_it(pair, as_given):
    """1e8 apart, float32 would put all points of a cloud in one place."""
    near, far = (as_given(samples) for samples in (pair[0].double(), pair[0].double() + 1e8))
    scores = [score_dispersion(some, None, None, Scoring(3), Resources())[0].compute() for some in (near, far)]
    assert scores[1] == pytest.approx(float(scores[0]), rel=1e-6)


def test_no_curve_without_distances(pair):
    _, found = score_dispersion(pair[0], None, None, Scoring(3), Resources())
    assert found.curve is None
    assert found.full_curve().n_clusters.tolist() == list(range(1, 20))
    assert Dispersion(found.clustering, None).full_curve() is None
    _, knee = score_dispersion(pair[0], None, None, Scoring(), Resources())
    assert knee.full_curve() is knee.clustering.curve


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_clusters": 0}, "n_clusters"),
        ({"solver": "magic"}, "solver"),
        ({"estimator": "guess"}, "estimator"),
        ({"confidence": 1.0}, "confidence"),
    ],
)
def test_scoring_checks_itself(options, message):
    with pytest.raises(ValueError, match=f"`{message}`"):
        Scoring(**options)


def clustering(score, error=None):
    interval = None if error is None else Interval(0.0, 1.0, 0.95, error, 0.0, 100)
    return Clustering(np.array([0]), np.zeros(10, int), 10 * score, 1, "fasterpam", 0, interval=interval)


def test_ratio_has_an_interval_only_if_both_scores_have():
    assert normalize_score(clustering(1.0, 0.1), clustering(2.0)).interval is None
    assert normalize_score(clustering(1.0), clustering(2.0, 0.1)).interval is None
    found = normalize_score(clustering(1.0, 0.1), clustering(2.0, 0.1))
    assert found.score == 0.5
    assert found.interval.low < 0.5 < found.interval.high
    assert normalize_score(clustering(1.0, 0.1), clustering(0.0, 0.0)).score is None
