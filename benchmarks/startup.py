"""How long a fresh process takes to import this package, and the command to answer.

    python benchmarks/startup.py

Seconds of whole processes by turns, the median of repeats, and each over `import torchmetrics`, without which there is
no metric. `ds --help` and `ds --version` load no torch.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial

from rich.console import Console
from rich.table import Table
from timing import median, take_turns

FLOOR = "import torchmetrics"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    seconds = measure(parser.parse_args(arguments).repeats)
    table = Table("process", "seconds", "over torchmetrics")
    for name, times in seconds.items():
        ratio = statistics.median(time / floor for time, floor in zip(times, seconds[FLOOR], strict=True))
        table.add_row(name, f"{median(times):.3f}", f"{ratio:.3f}")
    Console().print(table)


def measure(repeats: int) -> dict[str, list[float]]:
    """Seconds of each process."""
    commands = {
        "python -c pass": ["-c", "pass"],
        "import torch": ["-c", "import torch"],
        FLOOR: ["-c", FLOOR],
        "import ds_metrics": ["-c", "import ds_metrics"],
        "ds --version": ["-m", "ds_cli", "--version"],
        "ds --help": ["-m", "ds_cli", "--help"],
    }
    tasks: dict[str, Callable[[], None]] = {name: partial(_run, command) for name, command in commands.items()}
    return take_turns(tasks, repeats)


def _run(command: list[str]) -> None:
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
