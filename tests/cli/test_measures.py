"""`ds eval --metric all` and `--train`."""

import json

import numpy as np
import pytest
from ds_command import fails, run


@pytest.fixture
def three(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for name, n in (("preds", 12), ("truth", 12), ("train", 9)):
        paths.append(tmp_path / f"{name}.npy")
        np.save(paths[-1], rng.uniform(-0.5, 0.5, (n, 25, 3)).astype(np.float32))
    return paths


def test_all(three, tmp_path):
    preds, truth, train = three
    options = "--metric", "all", "--clusters", 3, "--store", tmp_path / "store", "--memory", "1GB"
    result = run("eval", preds, "--target", truth, "--train", train, *options, "--json", tmp_path / "all.json")
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "all.json").read_text())
    for name in ("dispersion-score", "coverage", "manifold-density", "vendi-score", "recognition-share"):
        assert name in document["scores"]
        assert name in result.stdout
    assert set(document["recognition"]["samples"]) == set(document["labels"])
    assert "of 12 predictions are nearer to one of 3 training medoids" in result.stdout
    assert document["provenance"]["train"]["n_samples"] == 9
    compared = run("compare", tmp_path / "all.json", tmp_path / "all.json")
    assert compared.exit_code == 0, compared.output


def test_all_says_what_it_leaves_out(three):
    result = run("eval", three[0], "--metric", "all")
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if line.startswith("left out")]
    assert any("coverage" in line and "no targets were given" in line for line in lines)
    result = run("eval", three[0], "--target", three[1], "--metric", "all", "--json", "-")
    assert "recognition-share" in json.loads(result.stdout)["left_out"]


def test_what_is_missing_is_named(three):
    preds, truth, train = three
    assert "no training set was given" in fails("eval", preds, "--target", truth, "--metric", "z-u")
    assert "no targets were given" in fails("eval", preds, "--train", train, "--metric", "z-u")
    assert "--train is for metrics that need" in fails("eval", preds, "--target", truth, "--train", train)
    assert "--train is for shapes" in fails("eval", "--images", preds, "--train", train)
