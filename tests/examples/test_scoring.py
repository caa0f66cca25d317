"""The examples that score what is there, the metric that is a package of its own, and what the README says of all."""

import importlib
import inspect
import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from ds_command import fails, run
from forked import run_script

from ds_metrics.functional import chamfer_distance, dispersion_score, f_score, normal_consistency
from svr_baselines.data import read_shapes
from svr_baselines.results import read_result

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(path for path in EXAMPLES.glob("*.py") if path.name != "small_data.py")


def test_metric_collection(monkeypatch):
    done = run_script(EXAMPLES / "metric_collection.py", "--per-kind", 4, "--points", 200, "--clusters", 3)
    assert done.returncode == 0, done.stderr
    header, *lines, shared = done.stdout.splitlines()
    assert header.split() == ["measure", "recites", "reconstructs", "truth"]
    table = {line.split()[0]: [float(text) for text in line.split()[1:]] for line in lines}
    assert "[DispersionScore]" in shared
    assert "[Coverage, MinimumMatchingDistance]" in shared

    monkeypatch.syspath_prepend(EXAMPLES)
    from metric_collection import KINDS, make_mesh, recite, reconstruct, sample

    def clouds(network, seed):
        batches = [sample([network(kind, index) for index in range(4)], 200, seed) for kind in KINDS]
        return (torch.cat(values) for values in zip(*batches, strict=True))

    points, normals = clouds(make_mesh, seed=0)
    for column, network in enumerate((recite, reconstruct, make_mesh)):
        preds, preds_normals = clouds(network, seed=1)
        expected = {
            "ChamferDistance": chamfer_distance(preds, points).mean(),
            "FScore": f_score(points, preds, 0.05).mean(),
            "NormalConsistency": normal_consistency(preds, points, preds_normals, normals).mean(),
            "DispersionScore": dispersion_score(preds, 3),
        }
        for name, value in expected.items():
            assert table[name][column] == pytest.approx(float(value), abs=6e-6)
    assert table["DispersionScore"][0] < table["DispersionScore"][1]


def test_evaluate_folder_is_ds_eval(tmp_path):
    done = run_script(EXAMPLES / "evaluate_folder.py", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    theirs = tmp_path / "ds_eval.json"
    folders = tmp_path / "predictions", "--target", tmp_path / "truth"
    assert run("eval", *folders, "--normalize", "unit-ball", "--points", 1024, "--json", theirs).exit_code == 0
    ours, expected = (json.loads(file.read_text()) for file in (tmp_path / "result.json", theirs))
    for part in ("scores", "dispersion", "clusters", "labels"):
        assert ours[part] == expected[part]
    assert ours["provenance"]["targets"]["sha256"] == expected["provenance"]["targets"]["sha256"]
    assert read_result(tmp_path / "result.json").normalized == expected["dispersion"]["normalized"]["score"]

    printed = dict(re.findall(r"^([\w% -]+?)  +(.*)$", done.stdout, re.MULTILINE))
    assert printed["dispersion-score"] == f"{expected['scores']['dispersion-score']:.6f}"
    assert printed["share of the truth"] == f"{expected['dispersion']['normalized']['score']:.1%}"
    assert float(printed["share of the truth"].rstrip("%")) < 10  # the network recites
    for cluster in expected["clusters"][:6]:
        assert f"{cluster['size'] / 48:4.0%} of the predictions are near {cluster['medoid']}\n" in done.stdout
    preds = read_shapes(tmp_path / "predictions")
    assert max(abs(cloud).max() for cloud in preds.clouds) > 20  # in centimetres: unless normalised nothing compares


def test_evaluate_folder_pairs_by_name(tmp_path):
    for name, kinds in (("preds", "ab"), ("truth", "ac")):
        (tmp_path / name).mkdir()
        for kind in kinds:
            (tmp_path / name / f"{kind}.xyz").write_text("0 0 0\n1 0 0\n0 2 0\n")
    folders = "--predictions", tmp_path / "preds", "--target", tmp_path / "truth"
    done = run_script(EXAMPLES / "evaluate_folder.py", *folders, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "1 (b) without a target" in " ".join(done.stderr.split())
    assert done.stdout == ""
    alone = run_script(EXAMPLES / "evaluate_folder.py", "--predictions", tmp_path / "preds", "--out", tmp_path / "out")
    assert alone.returncode == 2
    assert not (tmp_path / "out").exists()


def boxes(*sides):
    """Clouds of the two corners that span boxes from the origin."""
    return torch.stack([torch.stack([torch.zeros(3), torch.tensor(side, dtype=torch.float32)]) for side in sides])


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_metric_of_the_plugin(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES / "plugin")
    from ds_bounding_box import BoundingBoxIoU

    metric = BoundingBoxIoU()
    metric.update(boxes((1, 1, 1)), boxes((2, 1, 1)))
    assert metric.compute() == pytest.approx(1 / 2)
    metric.update(list(boxes((1, 1, 1), (1, 1, 0))), boxes((1, 1, 1), (1, 1, 0)) + 3)  # apart
    metric.update(boxes((1, 1, 0)), boxes((1, 1, 0)))  # flat, and the same
    assert metric.compute() == pytest.approx((1 / 2 + 0 + 0 + 1) / 4)
    with pytest.raises(ValueError, match="`target` must hold 1 clouds as `preds` does, but got 2"):
        metric.update(boxes((1, 1, 1)), boxes((1, 1, 1), (1, 1, 1)))
    metric.reset()
    with pytest.raises(ValueError, match="at least one pair"):
        metric.compute()


@pytest.mark.skipif(find_spec("pip") is None or find_spec("setuptools") is None, reason="needs pip and setuptools")
def test_plugin_is_found_once_it_is_installed(tmp_path, monkeypatch):
    shutil.copytree(EXAMPLES / "plugin", tmp_path / "plugin")
    offline = "--no-deps", "--no-build-isolation", "--no-index", "--quiet"
    command = [sys.executable, "-m", "pip", "install", *offline, "--target", tmp_path / "site", tmp_path / "plugin"]
    installed = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr

    def ds(*arguments):
        command = [sys.executable, "-m", "ds_cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    for name, side in (("preds", 1), ("truth", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "box.xyz").write_text(f"0 0 0\n{side} 1 1\n")
    scoring = "eval", tmp_path / "preds", "--target", tmp_path / "truth", "--metric", "bounding-box-iou", "--json", "-"
    assert "got 'bounding-box-iou'" in fails(*scoring)  # not installed here

    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("COLUMNS", "200")
    (line,) = [line for line in ds("metrics").stdout.splitlines() if "bounding-box-iou" in line]
    assert "  targets  " in line
    assert "Mean IoU of the axis-aligned bounding boxes" in line
    assert "(from ds-bounding-box)" in line
    scored = ds(*scoring)
    assert scored.returncode == 0, scored.stderr
    assert json.loads(scored.stdout)["scores"] == {"bounding-box-iou": 0.5}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_commands_are_as_told(script, monkeypatch):
    """The README has the default command of each example; options in its docstring are there."""
    if script.stem == "lightning_ddp":
        pytest.importorskip("lightning", reason="Lightning is not installed")
    readme = (EXAMPLES / "README.md").read_text()
    assert f"[{script.name}]({script.name})" in readme
    assert f"`python examples/{script.name}`" in readme
    monkeypatch.syspath_prepend(EXAMPLES)
    module = importlib.import_module(script.stem)
    commands = [part for part in module.__doc__.split("\n\n") if part.startswith("    python ")]
    assert commands
    assert commands[0].splitlines()[0].strip() == f"python examples/{script.name}"
    options = {option.replace("-", "_") for part in commands for option in re.findall(r"--([a-z-]+)", part)}
    assert options <= set(inspect.signature(module.main).parameters)
