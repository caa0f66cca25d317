"""`benchmarks/gpu.py`, as far as it runs without a GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from forked import run_script

from ds_metrics.pairwise.backends import lack

ROOT = Path(__file__).parents[2]
LACK = lack("triton", torch.device("cuda"))


def benchmark(*arguments, **environment):
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "gpu.py", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.skipif(LACK is not None, reason=str(LACK))
def test_under_the_interpreter(tmp_path):
    path = tmp_path / "gpu.json"
    options = ["--device", "cpu", "--clouds", 4, "--points", 64, "--batches", 2, 3, "--repeats", 1, "--json", path]
    done = benchmark(*options, TRITON_INTERPRET="1")
    assert done.returncode == 0, done.stderr
    report = json.loads(path.read_text())
    rows = {row["backend"]: row for row in report["pairs"]}
    assert set(rows) == {"triton", "torch", "native"}
    for row in rows.values():
        assert row["pairs_per_second"] == pytest.approx(6 / row["seconds"])
        assert row["largest_relative_difference"] < 1e-6
    assert [entry["batch"] for entry in report["loss"]] == [2, 3]
    assert set(report["loss"][0]["ways"]) == {"chamfer_distance (native)", "torch.cdist"}
    assert all(f"{name} on cpu" in done.stdout for name in rows)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_says_in_one_line_that_there_is_no_gpu():
    done = run_script(ROOT / "benchmarks" / "gpu.py")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "No CUDA or ROCm GPU was found" in done.stderr
