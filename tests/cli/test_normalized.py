"""`ds eval --target`: the Dispersion Score beside that of the ground truth; intervals, solvers, estimators."""

import json

import numpy as np
import pytest
import trimesh
from ds_command import fails, run

from ds_metrics.clustering import cluster
from ds_metrics.functional import dispersion_score
from ds_metrics.pairwise import pairwise_distance
from svr_baselines.data import normalize_points


@pytest.fixture
def truth(tmp_path):
    """Three groups of shapes: the knee is not where that of noise is."""
    rng = np.random.default_rng(1)
    centers = rng.normal(size=(3, 1, 3)).astype(np.float32) * 3
    clouds = (rng.random((60, 20, 3)) * 0.5 + centers[np.arange(60) % 3]).astype(np.float32)
    np.save(tmp_path / "truth.npy", clouds)
    return clouds


def evaluate(folder, predictions, *options):
    """The result file of predictions for `truth`."""
    np.save(folder / "preds.npy", predictions)
    result = run("eval", folder / "preds.npy", "--target", folder / "truth.npy", "--json", "-", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), result.stderr


def test_both_are_scored_at_the_knee_of_the_truth(tmp_path, truth):
    noise = np.random.default_rng(2).random(truth.shape).astype(np.float32)
    document, stderr = evaluate(tmp_path, noise)
    k = cluster(pairwise_distance(truth)).n_clusters
    assert k != cluster(pairwise_distance(noise)).n_clusters
    settings, normalized = document["provenance"]["dispersion"], document["dispersion"]["normalized"]
    assert settings["n_clusters"] == k
    assert settings["n_clusters_chosen"] == "knee of the ground truth's DS over k (kneedle)"
    assert document["scores"]["dispersion-score"] == dispersion_score(noise, k).item()
    assert normalized["ground_truth"]["score"] == pytest.approx(dispersion_score(truth, k).item(), rel=1e-6)
    ratio = dispersion_score(noise, k).item() / dispersion_score(truth, k).item()
    assert normalized["score"] == pytest.approx(ratio, rel=1e-5)
    assert f"{ratio:.4g}" in stderr
    assert settings["ground_truth_curve"]["knee"] == k
    assert settings["curve"]["knee"] != k


def test_a_recital_of_k_shapes_is_0_and_the_truth_itself_1(tmp_path, truth):
    recited, _ = evaluate(tmp_path, truth[np.arange(60) % 4], "--clusters", 4)
    assert recited["dispersion"]["normalized"]["score"] == 0
    assert recited["dispersion"]["normalized"]["interval"]["low"] == 0
    same, _ = evaluate(tmp_path, truth, "--clusters", 4, "--solver", "alternate", "--seed", 5)
    assert same["dispersion"]["normalized"]["score"] == 1
    assert same["provenance"]["dispersion"]["n_clusters_chosen"] == "given"
    assert same["provenance"]["dispersion"]["solver"] == "alternate"
    expected = dispersion_score(truth, 4, solver="alternate", seed=5).item()
    assert same["dispersion"]["normalized"]["ground_truth"]["score"] == pytest.approx(expected, rel=1e-6)


def test_no_ratio_for_clouds_of_other_sizes(tmp_path, truth):
    half = truth[:, ::2]
    document, stderr = evaluate(tmp_path, half)
    normalized = document["dispersion"]["normalized"]
    assert (normalized["score"], normalized["ground_truth"], normalized["interval"]) == (None, None, None)
    assert normalized["reason"] == "predictions have 10 points a cloud and the ground truth 20"
    assert "predictions have 10" in stderr
    assert document["provenance"]["dispersion"]["n_clusters_chosen"] == "knee of DS over k (kneedle)"
    assert document["provenance"]["dispersion"]["n_clusters"] == cluster(pairwise_distance(half)).n_clusters


def test_no_ratio_where_only_one_side_is_normalised(tmp_path):
    (tmp_path / "truth").mkdir()
    (tmp_path / "preds").mkdir()
    for index in range(6):
        mesh = trimesh.creation.box((1, 1 + index, 2))
        mesh.export(tmp_path / "truth" / f"{index}.ply")
        np.save(tmp_path / "preds" / f"{index}.npy", np.asarray(mesh.sample(100, seed=index)))

    def score(*options):
        paths = tmp_path / "preds", "--target", tmp_path / "truth"
        result = run("eval", *paths, "--points", 100, "--clusters", 2, "--json", "-", *options)
        document = json.loads(result.stdout)
        return document["dispersion"]["normalized"], document["provenance"], result.stderr

    normalized, provenance, stderr = score()
    assert normalized["score"] is None
    assert normalized["reason"].endswith("--normalize unit-ball does both")
    assert provenance["sizes"]["targets"] == pytest.approx(1)
    times = provenance["sizes"]["predictions"]
    assert f"the predictions are {times:.3g} times as large as the truth" in stderr
    assert "6 shapes of 100 points, normalised: predictions none, truth unit-ball" in stderr
    normalized, _, stderr = score("--normalize", "unit-ball")
    assert normalized["score"] == pytest.approx(1, abs=0.3)
    assert "6 shapes of 100 points, normalised: unit-ball" in stderr
    assert "as large as the truth" not in stderr
    for path in (tmp_path / "preds").iterdir():
        np.save(path, normalize_points(np.load(path)))
    assert score()[0]["score"] is not None  # they were in the unit ball already


def test_another_scale_is_said(tmp_path, truth):
    _, stderr = evaluate(tmp_path, truth * 1000)
    assert "the predictions are 1,000 times as large as the truth" in stderr
    assert "60 shapes of 20 points, normalised: none" in stderr


def test_conventions_of_pairs(tmp_path, truth):
    document, stderr = evaluate(tmp_path, truth)
    assert document["provenance"]["pairs"] == {
        "chamfer-distance": {"w1": 1.0, "w2": 1.0, "squared": True},
        "f-score": {"radius": 0.01, "eps": 1e-8, "kaolin_recall": False},
    }
    assert "chamfer-distance: sum of the two means of squared nearest distances; f-score: radius 0.01" in stderr


def test_no_ratio_to_a_truth_without_dispersion(tmp_path, truth):
    np.save(tmp_path / "truth.npy", np.repeat(truth[:1], 60, axis=0))
    normalized = evaluate(tmp_path, truth)[0]["dispersion"]["normalized"]
    assert normalized["score"] is None
    assert normalized["reason"] == "the Dispersion Score of the ground truth is 0 at k = 1"


def test_without_targets_or_the_score_there_is_none(array, tmp_path):
    document = json.loads(run("eval", array, "--json", "-").stdout)
    assert document["dispersion"]["normalized"] is None
    document = json.loads(run("eval", array, "--target", array, "--metric", "cd", "--json", "-").stdout)
    assert "dispersion" not in document


def test_progress_says_whose_distances(tmp_path, truth, monkeypatch):
    monkeypatch.setattr("ds_cli.progress.LOG_SECONDS", 0.0)
    _, stderr = evaluate(tmp_path, truth[::-1].copy())
    first, second = stderr.index("distances of the ground truth: "), stderr.index("distances of the predictions: ")
    assert first < second


def test_store_and_memory_are_for_both(tmp_path, truth):
    evaluate(tmp_path, truth[::-1].copy(), "--store", tmp_path / "store", "--memory", "1GB")
    assert len(list((tmp_path / "store").glob("*/distances.npy"))) == 2


def test_interval(array):
    result = run("eval", array, "--clusters", 3, "--json", "-", "--confidence", 0.9)
    document = json.loads(result.stdout)
    interval = document["dispersion"]["interval"]
    assert interval["level"] == 0.9
    assert interval["low"] <= document["scores"]["dispersion-score"] <= interval["high"]
    assert interval["low"] < interval["high"]
    assert set(interval) == {"low", "high", "level", "standard_error", "solver_error", "n_resamples"}
    assert "90 % interval" in result.stderr
    assert f"{interval['low']:.3g} to {interval['high']:.3g}" in result.stderr
    result = run("eval", array, "--clusters", 3, "--json", "-", "--confidence", "none")
    assert json.loads(result.stdout)["dispersion"]["interval"] is None


def test_too_few_shapes_for_an_interval_have_a_score(array, tmp_path):
    np.save(tmp_path / "few.npy", np.load(array)[:5])
    for path, clusters in ((tmp_path / "few.npy", 2), (array, 6)):
        result = run("eval", path, "--clusters", clusters, "--json", "-")
        document = json.loads(result.stdout)
        assert document["scores"]["dispersion-score"] > 0
        assert document["dispersion"]["interval"] is None
        assert "for an interval" in document["dispersion"]["no_interval"]
        assert f"no confidence interval: {document['dispersion']['no_interval']}" in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--confidence", "95", "--confidence must be 'none' or between 0 and 1, such as 0.95, but got '95'"),
        ("--confidence", "nan", "but got 'nan'"),
        ("--confidence", "high", "but got 'high'"),
        ("--solver", "magic", "--solver must be one of ('fasterpam', 'alternate'"),
        ("--estimator", "guess", "--estimator must be one of"),
    ],
)
def test_refuses(array, option, value, message):
    assert message in fails("eval", array, option, value)


def test_sampled_distances_are_not_drawn(tmp_path, truth):
    options = ["--estimator", "sampled", "--clusters", 3, "--plots", tmp_path / "plots", "--json", tmp_path / "a.json"]
    result = run("eval", tmp_path / "truth.npy", *options)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["medoids.png"]
    assert "left out distance-matrix.png: the sampled estimator computes a part of it only" in result.stdout
    assert "left out dispersion-curve.png" in result.stdout
    settings = json.loads((tmp_path / "a.json").read_text())["provenance"]["dispersion"]
    assert settings["estimator"] == "sampled"
    assert f"sampled ({settings['sample_size']})" in " ".join(result.stdout.replace("│", " ").split())
