"""Malformed inputs and options over all commands: each must end with one line on stderr and exit code 2.

    python benchmarks/malformed.py [--only eval,train] [--part 10] [--jobs 2] [--seconds 20]

A case is a command line with one fault, see `malformed_cases`. It fails if it ends in a traceback, runs longer than
`--seconds`, writes anything to stdout, says it in more than one line or with control characters, or does not name the
option, file or key that is wrong. Imports are paid once: each case runs in a forked child, with a limit of its memory.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shlex
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from malformed_cases import Case, make_cases
from malformed_files import Files, make_files
from rich.console import Console
from rich.table import Table

MEMORY = 8 * 2**30  # address space that a case may take beyond what the imports did
NOTES = ("left out: ", "unlike the paper: ")  # lines of commands that may come before
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Outcome:
    """How a command ended; `code` is `None` where it was stopped."""

    code: int | None
    stdout: str
    stderr: str
    seconds: float

    def fault(self, names: Sequence[str]) -> str | None:
        """What is wrong with this end of a malformed case, if anything is."""
        lines = [line for line in self.stderr.splitlines() if not line.startswith(NOTES)]
        checks = {
            "hang": self.code is None,
            "traceback": "Traceback (most recent call last)" in self.stderr,
            "stdout": self.stdout != "",
            f"exit code {self.code}": self.code != 2,
            f"{len(lines)} lines": len(lines) != 1,
            "control characters": any(map(_CONTROL.search, lines)),
            f"names none of {', '.join(names)}": not any(name in self.stderr for name in names),
        }
        return next((what for what, wrong in checks.items() if wrong), None)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="Commands, by commas.")
    parser.add_argument("--match", default="", help="Cases whose command line holds this text.")
    parser.add_argument("--part", type=int, default=1, help="Every so many-th case.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=20.0, help="Beyond, a case hangs.")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="malformed-") as folder:
        _preload()
        files = make_files(Path(folder), _run_well)
        cases = [case for case in make_cases(files) if options.match in shlex.join(case.arguments)]
        if options.only is not None:
            cases = [case for case in cases if case.command in options.only.split(",")]
        cases = cases[:: options.part]
        faults = [
            (case, outcome, fault)
            for case, outcome in run_cases(cases, files, options.jobs, options.seconds)
            if (fault := outcome.fault(case.names)) is not None
        ]
    _print(cases, faults)
    return 1 if faults else 0


def run_cases(cases: Sequence[Case], files: Files, jobs: int, seconds: float) -> Iterator[tuple[Case, Outcome]]:
    """Run cases, several at a time; in the order in which they end."""
    waiting, running = list(enumerate(cases)), dict[int, tuple[Case, _Child]]()
    while waiting or running:
        while waiting and len(running) < jobs:
            number, case = waiting.pop(0)
            child = _Child(case.arguments, files.root / f"case-{number}", seconds)
            running[child.pid] = case, child
        for pid, (case, child) in list(running.items()):
            if (outcome := child.outcome()) is not None:
                del running[pid]
                yield case, outcome
        time.sleep(0.01)


class _Child:
    """A command in a forked child, with a folder and a process group of its own."""

    def __init__(self, arguments: Sequence[str], folder: Path, seconds: float) -> None:
        folder.mkdir()
        self._folder, self._end, self._begun = folder, time.monotonic() + seconds, time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _work(arguments, folder)

    def outcome(self) -> Outcome | None:
        """How it ended; `None` as long as it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        late = pid == 0 and time.monotonic() > self._end
        if pid == 0 and not late:
            return None
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # what it may have started, too
        if late:
            os.waitpid(self.pid, 0)
        out, err = ((self._folder / name).read_text("utf-8", "replace") for name in (".out", ".err"))
        return Outcome(None if late else os.waitstatus_to_exitcode(status), out, err, time.monotonic() - self._begun)


def _work(arguments: Sequence[str], folder: Path) -> None:
    """Never returns: whatever happens, the child must not go on as its parent."""
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        for name, stream in ((".out", sys.stdout), (".err", sys.stderr)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream.fileno())
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.argv = ["ds", *arguments]
        from ds_cli.app import main as ds

        ds()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run_well(arguments: Sequence[str], folder: Path) -> None:
    """Run a command that must succeed."""
    child = _Child(arguments, folder, 300.0)
    while (outcome := child.outcome()) is None:
        time.sleep(0.01)
    if outcome.code != 0:
        raise RuntimeError(f"ds {shlex.join(arguments)}: {outcome.stderr}")


def _preload() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["COLUMNS"] = "100"
    import ds_cli.app
    import ds_cli.evaluate
    import ds_cli.images
    import lightning.fabric
    import matplotlib.pyplot
    import torch
    import trimesh

    import ds_metrics
    import svr_baselines.building
    import svr_baselines.experiments
    import svr_baselines.report
    import svr_baselines.training

    modules = ds_cli.app, ds_cli.evaluate, ds_cli.images, lightning.fabric, matplotlib.pyplot, trimesh, ds_metrics
    modules += svr_baselines.building, svr_baselines.experiments, svr_baselines.report, svr_baselines.training
    assert all(modules)
    torch.set_num_threads(1)


def _print(cases: Sequence[Case], faults: Sequence[tuple[Case, Outcome, str]]) -> None:
    console = Console(soft_wrap=True)
    table = Table("command", "cases", "tracebacks", "hangs", "wrote to stdout", "other faults")
    counts = {case.command: Counter[str]() for case in cases}
    for case, _, fault in faults:
        counts[case.command][fault if fault in _KINDS else "other"] += 1
    for name, found in counts.items():
        of = [case for case in cases if case.command == name]
        table.add_row(name, str(len(of)), *(str(found[kind]) for kind in _KINDS))
    total = sum(counts.values(), Counter[str]())
    table.add_row("all", str(len(cases)), *(str(total[kind]) for kind in _KINDS), style="bold")
    console.print(table)
    for case, outcome, fault in faults:
        last = (outcome.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        line = f"{fault}: ds {shlex.join(case.arguments)}\n    {last}"
        console.print(ascii(line).strip("'\"").replace("\\n    ", "\n    "), markup=False, highlight=False)


_KINDS = ("traceback", "hang", "stdout", "other")


if __name__ == "__main__":
    sys.exit(main())
