"""The benchmark of the sampled estimator runs, at a tiny size."""

import sys
from pathlib import Path

import pytest
from forked import run_script

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "scaling.py"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc: Linux only")
def test_scaling():
    done = run_script(SCRIPT, "--sizes", 60, 30, "--points", 16, "--clusters", 20, "--markdown")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    named = [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]
    assert [row["N"] for row in named] == ["30", "60"]
    for row in named:
        assert row["part"] == row["N"]
        assert row["DS"] == row["exact DS"]  # the part is everything
        assert 0 < float(row["computed"]) < 20
        assert 0 < float(row["before, MB"]) <= float(row["memory, MB"])
    assert "seconds grow with N to the power of" in lines[-1]
