"""The benchmark of measures of sets runs, at a tiny size."""

from pathlib import Path

from forked import run_script

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "measures.py"


def test_measures():
    done = run_script(BENCHMARK, "--samples", 12, "--points", 20, "--clusters", 2)
    assert done.returncode == 0, done.stderr
    assert "recognition-share" in done.stdout
    assert "separate / together" in done.stdout
