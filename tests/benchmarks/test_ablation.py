"""The ablation runs with the solvers that there are, and its sets and correlations are what it says."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from forked import run_script

from ds_metrics.clustering import Solver

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def ablation(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import ablation

    return ablation


def test_every_solver_has_a_row_or_a_reason():
    done = run_script(BENCHMARKS / "ablation.py", "--smoke", "--markdown")
    assert done.returncode == 0, done.stderr
    printed = done.stdout
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if line.startswith("| ")]
    for solver in get_args(Solver):
        mine = [row for row in rows if row[0] == solver]
        assert len(mine) == 3 or f"can't be '{solver}' here" in printed
        # rho and tau are correlations; the score is about that of fasterpam
        assert all(-1 <= float(value) <= 1 for row in mine for value in row[-5:-3])
        assert all(0.9 < float(row[-3]) < 1.5 for row in mine)
    assert all(row[-5:-2] == ["1.000"] * 3 for row in rows if row[0] == "fasterpam")


def test_row_correlates_the_sets_that_were_solved(ablation):
    # One pair of the four solved sets is the other way round: tau = (5 - 1) / 6, rho = 1 - 6 (1 + 1) / (4 * 15).
    found = ablation.Scores(np.array([0.001, 0.003, 0.002, 0.004, np.nan]), seconds=0.5)
    cells = ablation.row("hierarchical", found, np.array([0.001, 0.002, 0.003, 0.004, 0.005]), show_scores=True)
    assert cells[1:6] == ["1", "3", "2", "4", "nan"]
    assert cells[6:] == ["0.800", "0.667", f"{(1 + 3 / 2 + 2 / 3 + 1) / 4:.3f}", "4", "0.50"]


def test_morphs_go_from_cube_to_sphere(ablation):
    rng = np.random.default_rng(0)
    cube, sphere = (ablation.morph(value, 2000, rng) for value in (0.0, 1.0))
    np.testing.assert_allclose(np.linalg.norm(sphere, axis=1), 1, atol=0.1)
    np.testing.assert_allclose(np.abs(cube).max(axis=1), 1 / np.sqrt(3), atol=0.1)
    assert len(ablation.morphs(35, 10)) == 20


def test_copied_furniture_is_near_its_copies(ablation):
    sizes = ablation.Sizes(furniture_points=200, samples=20)
    distances = ablation.distances(ablation.copied_furniture(10, sizes))
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(distances.argmin(axis=1), np.arange(20) ^ 1)
