"""One function over many items, in other processes or on a cluster: in order, few in flight, no item lost silently."""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_PER_WORKER = 4  # tasks under way: enough that none waits, few enough that a million items are not all in memory
_MOST_LOSSES = 5  # one after another: then it is not the items' fault


def available_cores() -> int:
    """Cores that this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(
    function: Callable[[T], R],
    items: Sequence[T],
    *,
    lost: Callable[[T], R],
    workers: int = 1,
    cluster: str | None = None,
    chunk: int = 1,
) -> Iterator[R]:
    """Apply a function to each item and yield the results in the order of the items.

    Where a process dies, of too little memory or of a fault in native code, the items that it may have died of are
    tried again one by one.

    Args:
        function: What to apply. For more than one worker it must be picklable, as items and results.
        items: What to apply it to.
        lost: Result of an item whose process dies again.
        workers: Processes; one is this process itself. They are spawned, so a script that asks for more than one keeps
            its own work under ``if __name__ == "__main__"``.
        cluster: Dask scheduler or ``"local:N"`` to work on instead, see `ds_metrics.pairwise.pairwise_distance`.
        chunk: Items a task.

    Raises:
        ChildProcessError: If process after process dies.
        Exception: Whatever the function raises; tasks that have not begun are dropped.

    Example:
        >>> list(map_in_order(abs, [-1, 2, -3], lost=lambda item: 0))
        [1, 2, 3]
    """
    if workers <= 1 and cluster is None:
        yield from map(function, items)
        return
    tasks = [items[start : start + chunk] for start in range(0, len(items), chunk)]
    while tasks:
        with _start(min(workers, len(tasks)), cluster) as (executor, count_threads):
            width = count_threads()
            for result in _run(partial(_apply, function), tasks, executor, width):
                count_threads()
                tasks = tasks[1:]
                yield from result
            count_threads()
        suspects, tasks = tasks[: _PER_WORKER * width], tasks[_PER_WORKER * width :]
        yield from _one_by_one(function, [item for task in suspects for item in task], lost, cluster)


def _run(
    function: Callable[[Sequence[T]], list[R]], tasks: list[Sequence[T]], executor: Executor, width: int
) -> Iterator[list[R]]:
    """Results until all are there, or until a process has died."""
    waiting = iter(tasks)
    running: deque[Future[list[R]]] = deque()
    try:
        running.extend(executor.submit(function, task) for task in islice(waiting, _PER_WORKER * width))
        while running:
            yield running.popleft().result()
            running.extend(executor.submit(function, task) for task in islice(waiting, 1))
    except _deaths():
        return
    finally:
        for future in running:
            future.cancel()


def _one_by_one(
    function: Callable[[T], R], items: Sequence[T], lost: Callable[[T], R], cluster: str | None
) -> Iterator[R]:
    """Results of items of which one at least ends its process: with one item at a time, it is known which."""
    losses = 0
    while items:
        with _start(1, cluster) as (executor, count_threads):
            count_threads()
            for item in items:
                items = items[1:]
                try:
                    yield executor.submit(function, item).result()
                    losses = 0
                except _deaths():
                    count_threads()
                    losses += 1
                    if losses > _MOST_LOSSES:
                        raise ChildProcessError("process after process was ended; have they memory enough?") from None
                    yield lost(item)
                    break


@contextmanager
def _start(workers: int, cluster: str | None) -> Iterator[tuple[Executor, Callable[[], int]]]:
    """What runs tasks, and what tells how many it runs at once, and says of workers of a cluster that are gone."""
    if cluster is not None:
        from ds_metrics.pairwise.cluster import WorkerWatch, connect

        with connect(cluster) as client:
            yield client.get_executor(pure=False), WorkerWatch(client).count_threads
        return
    # Ctrl-C is for this process, which then ends the others.
    ignore_interrupts = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), ignore_interrupts)
    try:
        yield pool, lambda: workers
    finally:
        pool.shutdown(cancel_futures=True)


def _deaths() -> tuple[type[BaseException], ...]:
    """What is raised where the process of a task has died."""
    if "distributed" not in sys.modules:
        return (BrokenExecutor,)
    from distributed import KilledWorker

    return BrokenExecutor, KilledWorker


def _apply(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    return list(map(function, items))
