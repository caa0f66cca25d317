"""The examples that train: what they print is what the library says of the predictions that they leave."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from ds_command import run
from forked import run_script

from ds_metrics import DispersionScore
from ds_metrics.functional import chamfer_distance, dispersion_score

EXAMPLES = Path(__file__).parents[2] / "examples"


def rows(text):
    """Numbers of the lines that begin with one."""
    lines = [line.replace("%", "").split() for line in text.splitlines()]
    return [[float(word) for word in words] for words in lines if words and words[0].isdecimal()]


def test_training_loop(tmp_path):
    done = run_script(EXAMPLES / "training_loop.py", "--out", tmp_path, "--epochs", 3, "--per-kind", 10)
    assert done.returncode == 0, done.stderr
    preds, target = (torch.from_numpy(np.load(tmp_path / f"{name}.npy")) for name in ("predictions", "targets"))
    assert preds.shape == target.shape == (8, 512, 3)
    true_score = float(dispersion_score(target, 4))
    assert f"DS of the ground truth {true_score:.5f}\n" in done.stdout
    table = rows(done.stdout)
    assert [row[0] for row in table] == [1, 2, 3]
    _, chamfer, score, share = table[-1]
    assert score == pytest.approx(float(dispersion_score(preds, 4)), abs=6e-6)
    assert chamfer == pytest.approx(float(chamfer_distance(preds, target).mean()), abs=6e-6)
    assert share == pytest.approx(100 * float(dispersion_score(preds, 4)) / true_score, abs=0.51)
    assert table[-1][1] < table[0][1]  # it learns

    result = tmp_path / "result.json"
    run("eval", tmp_path / "predictions.npy", "--target", tmp_path / "targets.npy", "--clusters", 4, "--json", result)
    assert score == pytest.approx(json.loads(result.read_text())["scores"]["dispersion-score"], abs=6e-6)


def test_processes_of_lightning_agree_with_one(tmp_path, monkeypatch):
    pytest.importorskip("lightning", reason="Lightning is not installed")
    options = "--per-kind", 25, "--test-shapes", 19, "--epochs", 2
    done = run_script(EXAMPLES / "lightning_ddp.py", "--out", tmp_path, *options)
    assert done.returncode == 0, done.stderr
    assert "Starting with 2 processes" in done.stderr
    header, *_ = done.stdout.splitlines()
    assert re.split(" {2,}", header) == ["processes", "CD", "DS", "DS of the truth", "share"]
    several, one = rows(done.stdout)
    assert (several[0], one[0]) == (2, 1)
    assert several[1:] == pytest.approx(one[1:], rel=1e-4, abs=1e-7)

    monkeypatch.syspath_prepend(EXAMPLES)
    from small_data import open_pairs

    _, test = open_pairs(tmp_path / "data")
    assert len(test) == 20
    truth = torch.stack([test[index].points for index in range(19)])
    assert one[3] == pytest.approx(float(dispersion_score(truth, 4)), rel=1e-5)
    assert one[4] == pytest.approx(one[2] / one[3], rel=1e-3, abs=1e-7)
    # The samples that a DistributedSampler adds would be seen.
    repeated = torch.cat([truth, truth[:1]])
    assert one[3] != pytest.approx(float(dispersion_score(repeated, 4)), rel=1e-3)


PLACEHOLDER = 'raise ImportError("this is a placeholder")\n'
# As Kaolin 0.18 has it, but that it writes down what it is asked for.
STAND_IN = """
import json
from pathlib import Path

print("Kaolin greets")


class Timelapse:
    def __init__(self, log_dir, up_axis="Y"):
        self.logdir = log_dir

    def add_pointcloud_batch(
        self, iteration=0, category="", pointcloud_list=None, colors=None, points_type="point_instancer"
    ):
        assert points_type in ("usd_geom_points", "point_instancer")
        for points, color in zip(pointcloud_list, colors, strict=True):
            assert points.device.type == "cpu" and not points.requires_grad and color.shape == points.shape
            points.numpy(), color.numpy()
        call = {"iteration": iteration, "category": category, "type": points_type}
        call |= {"points": [points.tolist() for points in pointcloud_list]}
        call |= {"colors": [color[0].tolist() for color in colors]}
        with Path(self.logdir, "calls.jsonl").open("a") as file:
            file.write(json.dumps(call) + "\\n")
"""


def log_medoids(out, kaolin):
    """Run the example for two epochs where the package kaolin is this."""
    (out / "site" / "kaolin").mkdir(parents=True)
    for name, text in kaolin.items():
        (out / "site" / "kaolin" / name).write_text(text)
    command = [sys.executable, EXAMPLES / "timelapse_medoids.py", "--out", out, "--epochs", "2", "--per-kind", "10"]
    environment = os.environ | {"PYTHONPATH": str(out / "site")}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "epoch       DS  shares of the clusters"
    assert len(lines) == 3
    with (out / "shares.csv").open() as file:
        table = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert [row["epoch"] for row in table] == [1, 2]
    for row, printed in zip(table, rows(done.stdout), strict=True):
        shares = [row[f"share {cluster}"] for cluster in range(4)]
        assert sum(shares) == pytest.approx(1)
        assert shares == sorted(shares, reverse=True)
        assert printed == pytest.approx([row["epoch"], row["DS"], *(100 * share for share in shares)], abs=0.51)
    return done


def test_medoids_without_kaolin(tmp_path):
    pytest.importorskip("torchvision", reason="networks need torchvision")
    done = log_medoids(tmp_path, {"__init__.py": PLACEHOLDER})
    assert "NVIDIA Kaolin can't be imported: medoids are written as PLY files" in done.stderr
    files = sorted((tmp_path / "medoids").iterdir())
    assert [file.name for file in files] == [f"pointcloud_{i}.{epoch:04d}.ply" for i in range(4) for epoch in (1, 2)]
    for file in files:
        cloud = trimesh.load(file)
        assert cloud.vertices.shape == (512, 3)
        assert len(np.unique(cloud.colors, axis=0)) == 1


def test_medoids_in_a_timelapse(tmp_path):
    pytest.importorskip("torchvision", reason="networks need torchvision")
    done = log_medoids(tmp_path, {"__init__.py": "", "visualize.py": STAND_IN})
    assert "Kaolin greets" in done.stderr
    assert "can't be imported" not in done.stderr
    calls = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert [(call["iteration"], call["category"]) for call in calls] == [(1, "medoids"), (2, "medoids")]
    assert all(call["type"] == "usd_geom_points" for call in calls)  # the only one whose colours Kaolin writes
    assert all(np.shape(call["points"]) == (4, 512, 3) and np.shape(call["colors"]) == (4, 3) for call in calls)
    assert not (tmp_path / "medoids").exists()


def test_what_is_logged_are_the_medoids(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    from timelapse_medoids import log_medoids

    shapes = torch.rand(3, 50, 3, generator=torch.Generator().manual_seed(0))
    predictions = shapes[[0, 1, 1, 2, 1, 0]]
    metric, logged = DispersionScore(n_clusters=3), []
    metric.update(predictions)
    metric.compute()

    class Recorder:
        def add_pointcloud_batch(self, **call):
            logged.append(call)

    assert log_medoids(Recorder(), 7, predictions, metric) == pytest.approx([3 / 6, 2 / 6, 1 / 6])
    (call,) = logged
    assert call["iteration"] == 7
    torch.testing.assert_close(torch.stack(call["pointcloud_list"]), shapes[[1, 0, 2]])
    assert len({tuple(color[0].tolist()) for color in call["colors"]}) == 3
