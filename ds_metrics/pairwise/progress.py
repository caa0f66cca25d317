"""Progress of long computations, told to whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[int, int], None]

_listener: ContextVar[Listener | None] = ContextVar("ds_metrics_progress", default=None)


@contextmanager
def report_progress(listener: Listener) -> Iterator[None]:
    """Call ``listener(pairs done, pairs in all)`` while matrices are computed inside the block.

    Example:
        >>> import torch
        >>> from ds_metrics.pairwise import pairwise_distance
        >>> with report_progress(lambda done, total: print(f"{done} of {total} pairs")):
        ...     _ = pairwise_distance(torch.rand(4, 10, 3))
        6 of 6 pairs
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class Counter:
    """Counts pairs and tells the listener of the enclosing block, if there is one."""

    def __init__(self, total: int, done: int = 0) -> None:
        self.total = total
        self.done = done
        self._listener = _listener.get()
        if done:
            self.add(0)

    def add(self, pairs: int) -> None:
        """Count pairs that are done."""
        self.done += pairs
        if self._listener is not None:
            self._listener(self.done, self.total)
