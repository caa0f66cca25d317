"""Fair clocks: one core, tasks in turn, medians."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

Key = TypeVar("Key")


def allowed_cores() -> list[int]:
    """Cores that this process may run on; all of them where the system can't tell."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def run_on(cores: Sequence[int]) -> bool:
    """Keep this process to these cores, so that no library can use more. False where the system has no such call."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    os.sched_setaffinity(0, cores)
    return True


def take_turns(tasks: Mapping[Key, Callable[[], Any]], repeats: int, at_least: float = 0.1) -> dict[Key, list[float]]:
    """Seconds of a call of each task, `repeats` times.

    The tasks take turns, so that whatever else the machine does meets all of them. A first call warms up and tells
    how many calls in a row last `at_least` seconds; that many are timed as one.
    """
    calls = {name: math.ceil(at_least / max(_seconds(task, 1), 1e-6)) for name, task in tasks.items()}
    seconds: dict[Key, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            seconds[name].append(_seconds(task, calls[name]) / calls[name])
    return seconds


def median(seconds: Sequence[float]) -> float:
    """The time that counts. The least would favour short tasks on a busy machine."""
    return statistics.median(seconds)


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The power of the size that the time grows with: least squares on logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def _seconds(task: Callable[[], Any], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        task()
    return time.perf_counter() - start
