"""The benchmark of k-medoids runs, and its figures are what it says."""

from pathlib import Path

import numpy as np
import pytest
from forked import run_script

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def clustering(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import clustering

    return clustering


def test_every_solver_has_a_row_or_a_reason():
    done = run_script(BENCHMARKS / "clustering.py", "--smoke", "--markdown")
    assert done.returncode == 0, done.stderr
    printed = done.stdout
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if line.startswith("| ")]
    named = {row[0]: row[1:] for row in rows}
    for solver in ("fasterpam, 1 start", "kmedoids, 5 starts", "alternate, 1 start"):
        numbers = [number.strip("()") for cell in named[solver] for number in cell.split()]
        assert len(numbers) == 9
        assert all(float(number) >= 0 for number in numbers)
    for package in ("scikit-learn-extra", "onebatch"):
        assert package in named or f"Not run: {package}" in printed


def test_run_reports_the_inertia_of_the_medoids(clustering):
    distances = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0))).astype(np.float32)
    found = clustering.run(lambda d, k, seed: [seed, 4], distances, clustering.Case(5, 2, 2))
    assert found.inertias.tolist() == [0 + 1 + 2 + 1 + 0, 1 + 0 + 1 + 1 + 0]
