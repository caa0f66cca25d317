"""The benchmark of imports runs, and the floor is where it says."""

from pathlib import Path

from forked import run_script

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_startup():
    done = run_script(BENCHMARKS / "startup.py", "--repeats", 1)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    floor = next(line for line in lines if "import torchmetrics" in line)
    assert floor.split()[-2] == "1.000"
    assert sum("import" in line or "ds --" in line for line in lines) == 5
