"""Points, normals and distances as few bytes, for a page that decodes them again.

A page holds hundreds of clouds, so coordinates are rounded to 10 bits and distances to 16; both stay far finer than
what a screen shows. All of it is little-endian and base64.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from svr_baselines.report.surfaces import Surface

LEVELS = 1023  # of a coordinate: three of them fill 30 of 32 bits
DISTANCE_LEVELS = 65535
DIRECTIONS = 256

Float = npt.NDArray[np.float64]


def to_base64(array: npt.NDArray[Any]) -> str:
    """The bytes of an array, little-endian, in base64.

    Example:
        >>> to_base64(np.array([1, 258], dtype=np.uint16))
        'AQACAQ=='
    """
    return base64.b64encode(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()).decode()


def bounding_cube(*clouds: npt.NDArray[Any]) -> tuple[Float, float]:
    """Centre and half the side of the least cube around all clouds; the half is never 0.

    Example:
        >>> bounding_cube(np.array([[0.0, 0, 0], [4, 2, 1]]))
        (array([2. , 1. , 0.5]), 2.0)
    """
    points = np.concatenate([np.asarray(cloud, dtype=np.float64) for cloud in clouds])
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, float((high - low).max()) / 2 or 1.0


def quantize_points(points: npt.NDArray[Any], centre: Float, half: float) -> npt.NDArray[np.uint32]:
    """Points of a cube as integers, 10 bits a coordinate, x in the lowest.

    The error of a coordinate is at most ``half / 1023``, half a step.

    Args:
        points: `(P, 3)` points in the cube.
        centre: `(3,)` its centre.
        half: Half its side.

    Returns:
        `(P,)` integers.

    Example:
        >>> quantize_points(np.array([[-1.0, -1.0, -1.0], [1.0, -1.0, -1.0]]), np.zeros(3), 1.0)
        array([   0, 1023], dtype=uint32)
    """
    unit = (np.asarray(points, dtype=np.float64) - centre) / half
    levels = np.clip(np.rint((unit + 1) / 2 * LEVELS), 0, LEVELS).astype(np.uint32)
    packed: npt.NDArray[np.uint32] = levels[:, 0] | levels[:, 1] << np.uint32(10) | levels[:, 2] << np.uint32(20)
    return packed


def dequantize_points(values: npt.NDArray[np.uint32], centre: Float, half: float) -> Float:
    """The reverse of `quantize_points`, as the page does it."""
    levels = np.stack([values >> np.uint32(shift) & np.uint32(LEVELS) for shift in (0, 10, 20)], axis=1)
    return (levels / LEVELS * 2 - 1) * half + centre


@lru_cache
def directions() -> Float:
    """`(256, 3)` directions spread evenly over half a sphere: a spiral of golden angles. Normals here have no sign."""
    index = np.arange(DIRECTIONS)
    z = (index + 0.5) / DIRECTIONS
    angle = index * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - z**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)


def quantize_normals(normals: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Of each of `(P, 3)` normals, the nearest of the 256 `directions`, up to sign.

    Example:
        >>> quantize_normals(np.array([[0.0, 0.0, -1.0]]))
        array([255], dtype=uint8)
    """
    nearest: npt.NDArray[np.int64] = np.abs(np.asarray(normals) @ directions().T).argmax(axis=1)
    return nearest.astype(np.uint8)


def quantize_distances(distances: npt.NDArray[Any]) -> tuple[npt.NDArray[np.uint16], float]:
    """The distances above the diagonal of a symmetric matrix, row by row, in steps; and the length of a step.

    The error is at most half a step, which is the largest distance over 65535.

    Example:
        >>> values, step = quantize_distances(np.array([[0.0, 2.0, 1.0], [2.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
        >>> values * step
        array([2.        , 1.00001526, 0.        ])
    """
    above = np.asarray(distances, dtype=np.float64)[np.triu_indices(len(distances), 1)]
    step = float(above.max(initial=0.0)) / DISTANCE_LEVELS or 1.0
    return np.rint(above / step).astype(np.uint16), step


def encode_surface(surface: Surface, cube: tuple[Float, float] | None = None) -> dict[str, Any]:
    """A cloud as the page has it: points in a cube, by default the least around them, normals, and the gap in the cube.

    Example:
        >>> encode_surface(Surface(np.eye(3), np.eye(3), 0.5))["gap"]
        1.0
    """
    centre, half = cube or bounding_cube(surface.points)
    return {
        "p": to_base64(quantize_points(surface.points, centre, half)),
        "n": to_base64(quantize_normals(surface.normals)),
        "gap": round(surface.spacing / half, 4),
    }
