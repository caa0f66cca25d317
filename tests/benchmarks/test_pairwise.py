"""The benchmark runs, says what it did, and its distances are right. Times are nobody's business here."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from forked import run_script

from ds_metrics._native import _core

ROOT = Path(__file__).parents[2]
PEERS = ("faiss", "open3d", "point_cloud_utils", "sklearn")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("benchmark")


@pytest.fixture(scope="module")
def run(folder):
    """A run on a machine without the optional peers: one is not installed, the others don't import."""
    for name in PEERS:
        (folder / f"{name}.py").write_text(f"raise ImportError('lib{name}.so')")
    (folder / "faiss.py").write_text("raise ModuleNotFoundError(name='faiss')")
    return call_benchmark("--smoke", "--json", folder / "out.json", "--plot", folder / "out.png", shadow=folder)


@pytest.fixture(scope="module")
def result(run, folder):
    assert run.returncode == 0, run.stderr
    return json.loads((folder / "out.json").read_text())


def call_benchmark(*options, shadow=None):
    paths = [str(shadow)] if shadow else []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*paths, str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, ROOT / "benchmarks" / "pairwise.py", *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_every_instruction_set_agrees_with_brute_force(result):
    errors = {row["name"]: row["greatest_relative_error"] for row in result["peers"]["rows"]}
    for isa in _core.supported_isas():
        assert errors[f"this package, {isa}"] < 1e-6
    assert max(row["greatest_relative_error"] for row in result["points"]["rows"]) < 1e-6


def test_peers_compute_the_same_distance(result):
    errors = {row["name"]: row["greatest_relative_error"] for row in result["peers"]["rows"]}
    assert errors["scipy cKDTree"] < 1e-12
    assert errors["torch.cdist exact mode, min"] < 1e-6
    assert errors["torch.cdist, min"] < 1e-3
    assert errors["torch |x|²+|y|²-2xy, min"] < 1e-3
    assert errors["numpy float64 brute force"] == 0


def test_gradients_agree(result):
    errors = {row["name"]: row["greatest_gradient_difference"] for row in result["loss"]}
    assert errors["this package"] < 1e-5
    assert errors["torch.cdist exact mode"] < 1e-5


def test_our_times_and_only_ours_include_preparation(result):
    for row in result["peers"]["rows"]:
        ours = row["name"].startswith("this package")
        # 200 preparations, 200 * 199 / 2 pairs
        charge = row["prepare_ms_per_cloud"] * 2 / 199 if ours else 0
        assert row["prepare_counted"] == ours
        assert row["ms_per_pair"] == pytest.approx(statistics.median(row["search_ms_per_pair"]) + charge)


def test_missing_peers_are_listed(result, run):
    missing = {peer["name"]: peer["reason"] for peer in result["peers"]["missing"]}
    assert len(missing) == len(PEERS)
    assert missing["faiss IndexFlatL2"] == "not installed (pip install faiss-cpu)"
    assert missing["Open3D"] == "does not import (libopen3d.so)"
    assert "pip install faiss-cpu" in run.stdout


def test_json_says_where_it_comes_from(result):
    assert result["schema"] == 1
    assert result["machine"]["instruction_sets"] == _core.supported_isas()
    assert result["machine"]["cpu"]
    assert {"python", "numpy", "scipy", "torch", "dispersion-score"} <= set(result["versions"])
    assert [row["samples"] for row in result["samples"]["rows"]] == [3, 6]
    assert [row["pairs"] for row in result["samples"]["rows"]] == [3, 15]
    assert {row["points"] for row in result["points"]["rows"]} == {50, 100}
    assert result["threads"]["rows"][0]["threads"] == 1


def test_plot_and_tables_are_made(result, run, folder):
    assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")
    assert "scipy cKDTree" in run.stdout
    assert "measuring" not in run.stdout  # progress goes to stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [(["--json", "no/such/out.json"], "no folder"), (["--data", "no-such-folder"], "no-such-folder")],
)
def test_bad_options_are_refused_before_the_work(options, reason):
    run = run_script(ROOT / "benchmarks" / "pairwise.py", "--smoke", *options)
    assert run.returncode == 2
    assert reason in run.stderr
    assert "measuring" not in run.stderr
