"""What is written is what is read back."""

from dataclasses import replace

import numpy as np
import pytest

from svr_baselines.data import ShapeSet
from svr_baselines.dispersion import Scoring
from svr_baselines.evaluation import evaluate
from svr_baselines.results import read_result


def shapes(seed, kinds=("points",) * 12, normalize="auto"):
    clouds = list(np.random.default_rng(seed).random((12, 15, 3)).astype(np.float32))
    return ShapeSet(tuple(map(str, range(12))), clouds, kinds, settings={"normalize": normalize})


def written(tmp_path, evaluation, predictions):
    evaluation.save(tmp_path / "result.json", predictions.names)
    return read_result(tmp_path / "result.json")


def test_round_trip(tmp_path):
    predictions = shapes(0)
    evaluation = evaluate(predictions, shapes(1), scoring=Scoring(confidence=0.9))
    result, found = written(tmp_path, evaluation, predictions), evaluation.dispersion
    assert result.dispersion == evaluation.scores["dispersion-score"]
    assert result.chamfer == evaluation.scores["chamfer-distance"]
    assert result.interval == found.clustering.interval == evaluation.interval
    assert result.normalized == found.normalized.score == evaluation.share
    assert evaluation.share == pytest.approx(evaluation.scores["dispersion-score"] / evaluation.truth_score)
    assert result.normalized_interval == found.normalized.interval
    assert list(result.curves) == ["", "ground truth"]
    for read, curve in zip(result.curves.values(), (found.curve, found.normalized.truth.curve), strict=True):
        np.testing.assert_array_equal(read.n_clusters, curve.n_clusters)
        np.testing.assert_array_equal(read.scores, curve.scores)
        assert (read.knee, read.knee_method) == (curve.knee, curve.knee_method)
    conditions = result.conditions
    assert (conditions.n_samples, conditions.n_clusters, conditions.points) == (12, found.clustering.n_clusters, "15")
    assert (conditions.solver, conditions.estimator, conditions.normalization) == ("fasterpam", "exact", "none")


def test_what_is_not_there_is_none(tmp_path):
    predictions = shapes(0)
    evaluation = evaluate(predictions, scoring=Scoring(3, confidence=None))
    result = written(tmp_path, evaluation, predictions)
    assert (evaluation.interval, evaluation.truth_score, evaluation.share) == (None,) * 3
    only_chamfer = evaluate(predictions, shapes(1), ["cd"])
    assert (only_chamfer.interval, only_chamfer.truth_score, only_chamfer.share) == (None,) * 3
    assert (result.interval, result.normalized, result.normalized_interval, result.chamfer) == (None,) * 4
    assert result.curves == {}


def test_sampled_estimates_name_their_size(tmp_path):
    predictions = shapes(0)
    evaluation = evaluate(predictions, scoring=Scoring(3))
    clustering = replace(evaluation.dispersion.clustering, estimator="sampled", sample_size=7)
    settings = replace(evaluation.dispersion, clustering=clustering).settings()
    evaluation.provenance["dispersion"].update(settings)
    assert written(tmp_path, evaluation, predictions).conditions.estimator == "sampled (7)"


@pytest.mark.parametrize(
    ("kinds", "normalize", "expected"),
    [
        (("points",) * 12, "auto", "none"),
        (("mesh",) * 12, "auto", "unit-ball"),
        (("mesh", "points") * 6, "auto", "none and unit-ball"),
        (("mesh", "points") * 6, "bounding-box", "bounding-box"),
    ],
)
def test_normalization_is_what_was_done(tmp_path, kinds, normalize, expected):
    predictions = shapes(0, kinds, normalize)
    result = written(tmp_path, evaluate(predictions, scoring=Scoring(3)), predictions)
    assert result.conditions.normalization == expected
