"""The native core. Arrays are C-contiguous; wrong types raise ``TypeError``, wrong values ``ValueError``."""

import numpy as np
from numpy.typing import NDArray

class Clouds:
    """Point clouds of one precision, each sorted for searching once."""

    def __init__(
        self, points: NDArray[np.float32] | NDArray[np.float64], lengths: NDArray[np.int64], threads: int = 1
    ) -> None: ...
    def __len__(self) -> int: ...

def chamfer_pairs(
    x: Clouds,
    y: Clouds,
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    w1: float = 1.0,
    w2: float = 1.0,
    squared: bool = True,
    threads: int = 1,
    isa: str = "auto",
) -> NDArray[np.float64]:
    """Chamfer distance of each pair ``(x[i], y[j])``; the same to the bit for any order of points and any threads."""

def nearest(x: Clouds, y: Clouds, threads: int = 1, isa: str = "auto") -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Squared distance to and index of the point of ``y[b]`` nearest to each point of ``x[b]``."""

def supported_isas() -> list[str]:
    """Instruction sets that ``isa`` can name on this machine, best first."""

def canonical_order(distances: NDArray[np.float32]) -> NDArray[np.int64]:
    """An order of the samples that depends on their distances alone, not on how they are numbered."""

def solve(
    distances: NDArray[np.float32],
    order: NDArray[np.int64],
    n_clusters: int,
    swaps: bool,
    seed: int,
    n_init: int,
    init: NDArray[np.int64],
    max_iter: int,
) -> NDArray[np.int64]:
    """Medoids by FasterPAM (``swaps``) or the alternating algorithm, from ``init`` or the best of random starts."""

def extend(
    distances: NDArray[np.float32], order: NDArray[np.int64], medoids: NDArray[np.int64], n_clusters: int
) -> NDArray[np.int64]:
    """``medoids`` and, one after the other, the samples that lower the inertia most."""

def assign(
    distances: NDArray[np.float32], order: NDArray[np.int64], medoids: NDArray[np.int64]
) -> tuple[NDArray[np.int64], float]:
    """Label of each sample and the inertia."""
