"""The benchmarks of memory and of incremental metrics run, at a tiny size."""

import json
import sys
from pathlib import Path

import pytest
from forked import run_script

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(script, *arguments):
    done = run_script(BENCHMARKS / script, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc: Linux only")
def test_memory(tmp_path):
    measured = json.loads(run("memory.py", "--clouds", 200, "--points", 16, "--folder", tmp_path))
    assert measured["finished"]
    assert measured["pairs"] == 200 * 199 // 2
    assert measured["budget"] == "16000"
    assert 0 < measured["peak_rss_megabytes"]["before"] <= measured["peak_rss_megabytes"]["after"]
    assert list(tmp_path.iterdir()) == []


def test_incremental():
    table = run("incremental.py", "--samples", 20, "--points", 16, "--batches", 1, 7, "--repeats", 1)
    assert "incremental" in table
    assert "│ 7 " in table
