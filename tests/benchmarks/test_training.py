"""The plain networks that the benchmark compares with are ours, and it runs, at a tiny size."""

import importlib
import re
from pathlib import Path

import pytest
import torch
from forked import run_script

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

for package in ("torchvision", "lightning_fabric"):
    try:
        importlib.import_module(package)
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
        pytest.skip(f"trains with {package}, which can't be imported: {error}", allow_module_level=True)


@pytest.fixture
def training(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("training")


@pytest.mark.parametrize("name", ["atlasnet-sphere", "atlasnet-25"])
def test_plain_networks_have_as_many_weights(training, name):
    network = training.create_network(name)
    plain = training.PlainAtlasNet(network)
    counts = [sum(weight.numel() for weight in of.parameters()) for of in (network, plain)]
    assert counts[0] == counts[1]
    assert plain(torch.rand(2, 3, 32, 32)).shape == (2, 2500, 3)


def test_plain_chamfer_is_ours(training):
    from ds_metrics.functional import chamfer_distance

    first, second = torch.rand(2, 30, 3), torch.rand(2, 40, 3)
    assert float(training.plain_chamfer(first, second)) == pytest.approx(float(chamfer_distance(first, second).mean()))


def test_it_runs(tmp_path):
    out = tmp_path / "table.md"
    small = ["--networks", "psgn", "--batch-size", "2", "--size", "32", "--points", "50", "--quick", "--out", out]
    done = run_script(BENCHMARKS / "training.py", *small)
    assert done.returncode == 0, done.stderr
    (row,) = re.findall(r"^\| psgn \|(.*)\|$", out.read_text(), re.MULTILINE)
    plain, own, half, ratio, half_ratio = map(float, row.split("|"))
    assert ratio == pytest.approx(plain / own, rel=0.2)
    assert half_ratio == pytest.approx(plain / half, rel=0.2)
