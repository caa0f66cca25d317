"""The benchmark of confidence intervals runs at a tiny size, on a population of its own and on a matrix."""

from pathlib import Path

import numpy as np
from forked import run_script

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "coverage.py"


def percent(cell):
    return float(cell.removesuffix(" %"))


def test_coverage(tmp_path):
    points = np.random.default_rng(0).normal(size=(200, 1))
    np.save(tmp_path / "mine.npy", np.abs(points - points.T).astype(np.float32))
    tiny = [
        "--markdown",
        "--sizes",
        "20",
        "40",
        "--sets",
        "20",
        "--resamples",
        "20",
        "--matrix",
        tmp_path / "mine.npy",
    ]
    done = run_script(SCRIPT, *tiny, "--populations", "mine", "uniform cube")
    assert done.returncode == 0, done.stderr
    lines = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()]
    rows = [dict(zip(lines[0], cells, strict=True)) for cells in lines[2:]]
    small, large = [row for row in rows if row["N"] == "20"], [row for row in rows if row["N"] == "40"]
    assert [(row["population"], row["k"], row["sets"]) for row in small] == [
        (name, k, "20") for name in ("mine", "uniform cube") for k in ("1", "2", "5")
    ]
    assert [row["population"] for row in large] == ["uniform cube"] * 5  # of 200 a set may hold a tenth
    assert all(percent(row["covers"]) >= 80 for row in rows)
    assert all(0.7 < float(row["SE ratio"]) < 2 for row in rows)
    assert percent(small[-1]["percentile"]) < 50  # k = N / 4
