"""A part of the malformed cases ends as all should, and what does not is told."""

import sys
from pathlib import Path

from forked import run_script

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_malformed():
    done = run_script(BENCHMARKS / "malformed.py", "--part", 20, "--jobs", 2, "--seconds", 30)
    assert done.returncode == 0, done.stdout
    total = next(line for line in done.stdout.splitlines() if line.split()[1:2] == ["all"]).split()
    assert int(total[3]) >= 45
    assert total[5::2] == ["0"] * 4


def test_faults_are_told(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from malformed import Outcome

    good = "ds: Option --points must be at most 10, but got 11\n"
    assert Outcome(2, "", good, 0.1).fault(["--points"]) is None
    assert Outcome(2, "", f"left out: 3 shapes\n{good}", 0.1).fault(["--points"]) is None
    assert Outcome(2, "", good, 0.1).fault(["--size"]) == "names none of --size"
    assert Outcome(2, "0.5", good, 0.1).fault(["--points"]) == "stdout"
    assert Outcome(None, "", "", 20.0).fault([]) == "hang"
    assert Outcome(1, "", "Traceback (most recent call last):\n", 0.1).fault([]) == "traceback"
    assert Outcome(2, "", good * 2, 0.1).fault(["--points"]) == "2 lines"
    assert Outcome(2, "", good.replace("11", "\x1b[31m"), 0.1).fault(["--points"]) == "control characters"
    del sys.modules["malformed"]
