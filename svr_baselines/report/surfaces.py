"""Clouds as surfaces: fewer points of them, and which way the surface faces at each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

_NEIGHBOURS = 24
_LEAST = 4  # points that have a surface


def thin(points: npt.NDArray[Any], count: int, seed: int = 0) -> npt.NDArray[Any]:
    """At most ``count`` of `(P, 3)` points, drawn without replacement and kept in their order.

    Example:
        >>> thin(np.arange(12).reshape(4, 3), 2).shape
        (2, 3)
    """
    if len(points) <= count:
        return points
    return points[np.sort(np.random.default_rng(seed).choice(len(points), count, replace=False))]


@dataclass(frozen=True)
class Surface:
    """What is needed to draw a cloud as a surface.

    Attributes:
        points: `(P, 3)`.
        normals: `(P, 3)` unit vectors without a sign.
        spacing: The typical gap between points, their median distance to the third neighbour; discs of 1.7 times that
            close the surface. 0 where all points coincide.
    """

    points: npt.NDArray[Any]
    normals: Float
    spacing: float


def find_surface(points: npt.NDArray[Any], count: int) -> Surface:
    """Draw at most ``count`` points of a cloud, and find which way its surface faces at each.

    The normal is the direction of least spread of a point's neighbours. Where a thin board is sampled on both faces, or
    points are noisy, single normals differ, so each becomes the main axis of those around it.

    Args:
        points: `(P, 3)` points.
        count: How many to keep.

    Example:
        >>> plane = np.random.default_rng(0).random((50, 3)) * [1, 1, 0]
        >>> found = find_surface(plane, 40)
        >>> found.points.shape, bool(np.allclose(np.abs(found.normals), [0, 0, 1]))
        ((40, 3), True)
    """
    from scipy.spatial import cKDTree

    few = thin(points, count)
    if len(few) < _LEAST:
        return Surface(few, np.tile([0.0, 0.0, 1.0], (len(few), 1)), 0.0)
    wide = np.asarray(few, dtype=np.float64)
    gaps, nearest = cKDTree(wide).query(wide, k=min(_NEIGHBOURS, len(wide)))
    around = wide[nearest] - wide[nearest].mean(axis=1, keepdims=True)
    normals = _axes(around)[:, :, 0]
    return Surface(few, _axes(normals[nearest])[:, :, 2], float(np.median(gaps[:, 3])))


def _axes(vectors: Float) -> Float:
    """Axes of `(P, K, 3)` vectors, `(P, 3, 3)`: columns by ascending spread."""
    axes: Float = np.linalg.eigh(np.matmul(vectors.transpose(0, 2, 1), vectors))[1]
    return axes
