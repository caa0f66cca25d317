"""A matrix filled tile by tile: progress, ranks, and what an interrupt leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ds_metrics.pairwise.progress import Counter
from ds_metrics.pairwise.ranks import Ranks
from ds_metrics.pairwise.store import DiskMatrix, Matrix
from ds_metrics.pairwise.tiles import Tile, TilePlan

Tiles: TypeAlias = Iterator[tuple[Tile, NDArray[np.float32]]]
# Of the plan, the tiles to compute, who counts pairs, who shares the work, and what to close at the end.
Compute: TypeAlias = Callable[[TilePlan, Iterator[Tile], Counter, "Ranks | None", ExitStack], Tiles]


def fill(
    open_matrix: Callable[[int], Matrix], compute: Compute, finish: Callable[[Matrix], Tensor], ranks: Ranks | None
) -> Tensor | None:
    """Open a matrix, compute the tiles that it lacks, and put them in.

    Args:
        open_matrix: Opens it, for a number of processes.
        compute: Yields tiles as they are done.
        finish: Makes the full matrix the result.
        ranks: Processes that call this together and share the work.

    Returns:
        The result; on all ranks but the first ``None``.

    Raises:
        KeyboardInterrupt: On Ctrl-C; its text says where the finished part is.
    """
    matrix: Matrix | None = None
    with ExitStack() as stack:

        def begin() -> tuple[TilePlan, NDArray[np.uint8]]:
            nonlocal matrix
            matrix = stack.enter_context(open_matrix(1 if ranks is None else ranks.size))
            return matrix.plan, matrix.finished

        plan, finished = begin() if ranks is None else ranks.from_first(begin)
        counter = Counter(plan.pairs, done=plan.count_pairs(finished))
        try:
            for tile, values in compute(plan, plan.tiles(finished), counter, ranks, stack):
                if matrix is not None:
                    with nullcontext() if ranks is None else ranks.deferring():
                        matrix.put(tile, values)
            if ranks is not None:
                ranks.settle()
        except KeyboardInterrupt as interrupt:
            if not isinstance(matrix, DiskMatrix):
                raise
            matrix.commit()
            kept = plan.count_pairs(matrix.finished)
            raise KeyboardInterrupt(
                f"{kept:,} of {plan.pairs:,} distances are kept in {matrix.folder}; the same call goes on there"
            ) from interrupt
        return None if matrix is None else finish(matrix)
