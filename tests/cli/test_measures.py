"""`ds eval --metric all` and `--train`."""

import json

import numpy as np
import psutil
import pytest
from ds_command import fails, run
from forked import forked_dask


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


def processes():
    """Those that this one has started, but for the server that forks them."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture
def clusters(monkeypatch):
    """Local clusters that start, with the server of processes running before."""
    distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'dispersion-score[cluster]'")
    started, start = [], distributed.LocalCluster

    def counted(*arguments, **options):
        started.append(arguments)
        return start(*arguments, **options)

    monkeypatch.setattr(distributed, "LocalCluster", counted)
    with forked_dask():
        yield started


def test_all_on_one_cluster_of_local_processes(three, tmp_path, clusters):
    preds, truth, train = three
    before, documents = processes(), []
    for options in ((), ("--cluster", "local:2")):
        json_path = tmp_path / f"{len(options)}.json"
        options = *options, "--metric", "all", "--clusters", 3, "--json", json_path
        result = run("eval", preds, "--target", truth, "--train", train, *options)
        assert result.exit_code == 0, result.output
        documents.append(json.loads(json_path.read_text()))
        del documents[-1]["provenance"]["seconds"]
    assert documents[0] == documents[1]
    assert clusters == [(2,)]
    assert processes() == before


def test_the_cluster_ends_with_an_error(three, tmp_path, clusters):
    far = tmp_path / "far.npy"
    np.save(far, np.load(three[0]) * 1e30)
    before = processes()
    assert "of a scale whose distances fit float32" in fails("eval", far, "--metric", "ds", "--cluster", "local:1")
    assert clusters == [(1,)]
    assert processes() == before
