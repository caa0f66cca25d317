"""Progress on stderr: a bar on a terminal, lines now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from ds_cli.terminal import printable
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ds_metrics.pairwise import report_progress

LOG_SECONDS = 30.0  # between two lines of progress where there is no terminal


@contextmanager
def progress_bar(console: Console, label: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with rate and time left on a terminal, lines now and then elsewhere; fed by ``tell(done, total)``."""
    label = printable(label)
    if not console.is_terminal:
        yield _Log(console, label, unit)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)


@contextmanager
def pairs_progress(console: Console, label: str) -> Iterator[None]:
    """Show how far the distances are that are computed inside the block."""
    with progress_bar(console, label, "pairs") as tell, report_progress(tell):
        yield


class _Log:
    """Progress for a file: whoever reads a batch job's output sees that it lives, and how long it will take."""

    def __init__(self, console: Console, label: str, unit: str) -> None:
        self._console = console
        self._label = label
        self._unit = unit
        self._begun: tuple[float, int] | None = None
        self._told = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._begun is None:
            self._begun = now, done
        if now - self._told < LOG_SECONDS:
            return
        self._told = now
        rate = (done - self._begun[1]) / max(now - self._begun[0], 1e-9)
        left = f", {timedelta(seconds=round((total - done) / rate))} left" if rate else ""
        line = f"{self._label}: {done:,} of {total:,} {self._unit}, {rate:,.0f} a second{left}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {self.unit}/s" if speed else "")
