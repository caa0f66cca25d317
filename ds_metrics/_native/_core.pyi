"""The native core. Plain, aligned C-contiguous buffers in, new arrays out; the GIL is released while they compute."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

class Clouds:
    """Point clouds prepared once for nearest-neighbour search.

    Every cloud is split at medians into leaves of 8 points in an order that depends on its points
    alone, so no result depends on the order they came in. A cloud with a non-finite coordinate
    gives NaN distances.

    Args:
        points: The points of all clouds, one cloud after the other, C-contiguous ``(T, 3)``.
        lengths: Points per cloud, int64 ``(N,)``, each at least 1, summing to T.
        threads: Threads to prepare with.

    Raises:
        TypeError: If an argument has another dtype.
        ValueError: If a shape or a value does not fit.
    """

    def __init__(
        self, points: NDArray[np.float32] | NDArray[np.float64], lengths: NDArray[np.int64], threads: int = 1
    ) -> None: ...
    def __len__(self) -> int: ...
    @property
    def dtype(self) -> str:
        """``"float32"`` or ``"float64"``."""
    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""

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
    r"""Exact Chamfer distance of the pairs ``(x[i[k]], y[j[k]])``, shape ``(K,)``.

    .. math::
        w_1 \frac{1}{|x|} \sum_{p \in x} \min_{q \in y} \|p - q\|^2 +
        w_2 \frac{1}{|y|} \sum_{q \in y} \min_{p \in x} \|p - q\|^2

    With ``squared=False`` the root of every minimum is taken before the mean. Minima are found in
    the dtype of the clouds, means are taken in float64. A value depends, to the bit, on the points of
    its two clouds, the weights and ``squared``: not on threads, instruction set, order of points or
    the other pairs; swapping the clouds together with the weights doesn't change it either. Distances
    below 1e-26 of the largest coordinate of both clouds (float64: 1e-224) may be lost.

    Args:
        x: First clouds.
        y: Second clouds, of the same dtype.
        i: Positions in ``x``, ``(K,)``.
        j: Positions in ``y``, ``(K,)``.
        w1: Weight of the mean over the points of ``x``.
        w2: Weight of the mean over the points of ``y``.
        squared: Whether distances are squared.
        threads: Threads to share the pairs among.
        isa: One of :func:`supported_isas`, or ``"auto"`` for the first of them.

    Raises:
        TypeError: If the dtypes of the clouds differ or an index array isn't int64.
        ValueError: If an index, ``threads`` or ``isa`` is out of range.
    """

def nearest(x: Clouds, y: Clouds, threads: int = 1, isa: str = "auto") -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The nearest point of cloud b of ``y`` for every point of cloud b of ``x``.

    Args:
        x: Clouds of query points.
        y: As many clouds of target points, of the same dtype.
        threads: Threads to share the clouds among.
        isa: One of :func:`supported_isas`, or ``"auto"`` for the first of them.

    Returns:
        The squared distances, ``(T_x,)`` in the dtype of the clouds, and the positions within cloud
        b of ``y``, both in the order of the points that ``x`` was made from. Of several nearest
        points any one may be returned. A square outside the range of the dtype comes back as inf or 0.

    Raises:
        TypeError: If the dtypes of the clouds differ.
        ValueError: If the numbers of clouds differ, or ``threads`` or ``isa`` is out of range.
    """

def supported_isas() -> list[str]:
    """The instruction sets of this machine, best first, from avx512, avx2 and portable."""

# k-medoids. `distances` is an exactly symmetric (N, N) matrix with a zero diagonal, aligned, read in place. `order` is
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
    passes: int = 0,
    threads: int = 1,
) -> NDArray[np.int64]:
    """Medoids of the best of `n_init` seeded starts of "fasterpam" or "alternate", the same for any `threads`.

    "fasterpam" then shakes the best: it replaces a few medoids at random, repairs, and keeps what is better, until
    `passes` times as many candidates as there are samples were looked at.
    """

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

def kmedoids_grow(
    distances: NDArray[np.float32],
    order: NDArray[np.int64],
    medoids: NDArray[np.int64],
    n_clusters: int,
    max_iter: int,
    passes: int,
    seed: int,
) -> NDArray[np.int64]:
    """`kmedoids_extend`, improved by FasterPAM where that changed something, then shaken by `passes`.

    Its inertia is never above that of the given medoids.
    """

def kmedoids_resample(
    distances: NDArray[np.float32],
    order: NDArray[np.int64],
    medoids: NDArray[np.int64],
    left_out: int,
    count: int,
    seed: int,
    max_iter: int,
    threads: int,
) -> NDArray[np.float64]:
    """Inertia per sample of `count` random parts, `left_out` samples short: FasterPAM goes on from the medoids."""

def kmedoids_assign(
    distances: NDArray[np.float32],
    order: NDArray[np.int64],
    medoids: NDArray[np.int64],
) -> tuple[NDArray[np.int64], float]:
    """Position in `medoids` of each sample's nearest, and the inertia."""
