"""What samples cost, by backend: work for a pair, memory for a sample. Tiles, calls and blocks are sized by it.

The unit of work is the point of a cloud, some 20 ns on two cores.
"""

from __future__ import annotations

from ds_metrics.clouds import PackedClouds
from ds_metrics.pairwise.backends import FEATURES

_CALL_POINTS = 2**25  # points that the pairs of one call hold together: a fraction of a second, as Ctrl-C waits for it
_CALL_VECTORS = 2**22  # pairs of vectors in one call, which hears Ctrl-C; a tile whole, or its rows are converted again
_NUMBERS_PER_POINT = 400  # of a vector: a number takes a product and its part of a conversion
_VIEW_BYTES = 64


def largest(clouds: PackedClouds) -> int:
    """Points of the largest cloud."""
    return int(clouds.lengths.max()) if len(clouds.lengths) else 1


def points(clouds: PackedClouds, backend: str) -> int:
    """Work that the largest sample brings to a pair, in points.

    Example:
        >>> import torch
        >>> points(PackedClouds(torch.zeros(5, 4000), torch.ones(5, dtype=torch.int64)), "features")
        10
    """
    if backend == FEATURES:
        return max(1, clouds.points.shape[1] // _NUMBERS_PER_POINT)
    return largest(clouds)


def points_per_pair(x: PackedClouds, y: PackedClouds, backend: str) -> int:
    """Work for the largest pair, in points."""
    return points(x, backend) + points(y, backend)


def pairs_per_call(points_of_pair: int, backend: str) -> int:
    """Pairs that a backend is given at once."""
    return _CALL_VECTORS if backend == FEATURES else max(1, _CALL_POINTS // points_of_pair)


def bytes_per_sample(clouds: PackedClouds) -> int:
    """Memory of the largest sample as it is."""
    return int(largest(clouds) * clouds.points.shape[1] * clouds.points.element_size())


def bytes_prepared(clouds: PackedClouds, backend: str) -> int:
    """Memory of the largest sample once prepared: of a cloud coordinates, index and boxes, see ``_native/clouds.hpp``.

    A prepared vector is a view of its row.
    """
    if backend == FEATURES:
        return _VIEW_BYTES
    return 6 * clouds.points.element_size() * (largest(clouds) + 128) + 1024
