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

# k-medoids. `distances` is an exactly symmetric (N, N) matrix with a zero diagonal, read in place. `order` is
# the result of `kmedoids_order`; medoids and labels count samples as the caller does. Wrong shapes, indices
# or names raise ValueError; the values of the matrix are the caller's to check (see `ds_metrics.clustering`).

def kmedoids_order(distances: NDArray[np.float32]) -> NDArray[np.int64]:
    """Permutation of the samples that depends on their distances alone."""

def kmedoids_solve(
    distances: NDArray[np.float32],
    order: NDArray[np.int64],
    n_clusters: int,
    solver: str,
    seed: int,
    n_init: int,
    max_iter: int,
) -> NDArray[np.int64]:
    """Medoids of the best of `n_init` seeded starts of "fasterpam" or "alternate"."""

def kmedoids_refine(
    distances: NDArray[np.float32],
    order: NDArray[np.int64],
    medoids: NDArray[np.int64],
    solver: str,
    max_iter: int,
) -> NDArray[np.int64]:
    """The solver run from the given medoids."""

def kmedoids_extend(
    distances: NDArray[np.float32],
    order: NDArray[np.int64],
    medoids: NDArray[np.int64],
    n_clusters: int,
) -> NDArray[np.int64]:
    """The given medoids and, up to `n_clusters`, greedily those that lower the inertia most."""

def kmedoids_assign(
    distances: NDArray[np.float32],
    order: NDArray[np.int64],
    medoids: NDArray[np.int64],
) -> tuple[NDArray[np.int64], float]:
    """Position in `medoids` of each sample's nearest, and the inertia."""
