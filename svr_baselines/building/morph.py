"""The morph from a cube to a sphere (section 4.1 of the paper).

The cube is inscribed in the unit sphere, so both ends fill the unit ball, and from the isometric view they look equally
large: the cube's outline is a hexagon of radius 0.94, the sphere's is 1. A point `q` of the cube moves along its ray,

    p = ((1 - value) + value / |q|) q

so the eight corners stay, the faces bulge and the edges open until they vanish at value 1. All meshes of a resolution
share their faces, and the surface does not depend on the resolution but for the chords of its triangles.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from svr_baselines.data.cameras import Camera

ISOMETRIC = Camera(azimuth=45.0, elevation=math.degrees(math.atan(math.sqrt(0.5))), distance=3.0)
"""Sees three faces of the cube alike; the unit ball takes 85 % of the picture's width."""

_HALF = 1 / math.sqrt(3)  # half a side of the cube in the unit ball
# Lines of the grid lie at tan(t WARP) / tan(WARP), t even in [-1, 1]: even ones make stretched triangles on the sphere,
# even angles (WARP of 45 degrees) make them on the cube. In between no angle is below 40 degrees at any value.
_WARP = math.pi / 8


class _Grid(NamedTuple):
    vertices: npt.NDArray[np.float64]  # (V, 3) on the cube
    faces: npt.NDArray[np.int64]  # (F, 3)
    sides: npt.NDArray[np.float64]  # (F, 3) normal of the cube's side that the face is on


def morph_value(index: int, count: int = 1000) -> float:
    """Morph value of a mesh of the set: `index / count`, from 0 to just below 1.

    Raises:
        ValueError: If the index is not one of `range(count)`.

    Example:
        >>> morph_value(0), morph_value(250), morph_value(999)
        (0.0, 0.25, 0.999)
    """
    if not 0 <= index < count:
        raise ValueError(f"Argument `index` must be in [0, {count}), but got {index}.")
    return index / count


def morph_mesh(value: float, resolution: int = 32) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Mesh of one step between the cube and the sphere.

    The mesh is closed, faces outwards and has the symmetry of the cube, whose edges lie on lines of the grid. All its
    angles are between 40 and 90 degrees at any value.

    Args:
        value: 0 for the cube, 1 for the sphere.
        resolution: Triangles along an edge of the cube, an even number. At 32 the chords are within 0.0004 of the
            unit sphere, and a mesh has 12,288 triangles.

    Returns:
        Vertices `(6 r^2 + 2, 3)` in the unit ball and faces `(12 r^2, 3)` for the resolution `r`.

    Raises:
        ValueError: If the value is not in [0, 1], or the resolution is not a positive even number.

    Example:
        >>> vertices, faces = morph_mesh(0.0, resolution=2)
        >>> vertices.shape, faces.shape, vertices.max().round(4).item()
        ((26, 3), (48, 3), 0.5774)
    """
    _check(value, resolution)
    grid = _grid(resolution)
    radius = np.linalg.norm(grid.vertices, axis=1, keepdims=True)
    return ((1 - value) + value / radius) * grid.vertices, grid.faces.copy()


def morph_normals(value: float, resolution: int = 32) -> npt.NDArray[np.float64]:
    """Unit normals of the smooth surface at the corners of each triangle of `morph_mesh`.

    Each of the six sides is smooth, and the sides meet in creases that flatten as the sphere nears: shaded with these
    normals the cube has sharp edges, the sphere has no facets, and the picture changes steadily with the value. The
    normal at `p` of a side whose normal on the cube is `e` follows from the derivatives of `p` along the side:

        n ~ (1 - value) e + value a / |q|^3 q

    with the point `q` of the cube and half its side `a`.

    Args:
        value: As for `morph_mesh`.
        resolution: As for `morph_mesh`.

    Returns:
        `(F, 3, 3)`: face, corner, coordinate.

    Raises:
        ValueError: As for `morph_mesh`.

    Example:
        >>> normals = morph_normals(0.0, resolution=2)
        >>> normals.shape, bool((normals == normals[:, :1]).all())
        ((48, 3, 3), True)
    """
    _check(value, resolution)
    grid = _grid(resolution)
    corners = grid.vertices[grid.faces]
    cubed = np.linalg.norm(corners, axis=2, keepdims=True) ** 3
    normals = (1 - value) * grid.sides[:, None] + value * _HALF / cubed * corners
    unit: npt.NDArray[np.float64] = normals / np.linalg.norm(normals, axis=2, keepdims=True)
    return unit


@functools.lru_cache(maxsize=4)
def _grid(resolution: int) -> _Grid:
    """Triangulated cube whose sides share the vertices on their edges."""
    lattice, sides = [], []
    for axis in range(3):
        for level in (0, resolution):
            lattice.append(_side(axis, level, resolution))
            side = np.zeros(3)
            side[axis] = 1.0 if level else -1.0
            sides.append(np.tile(side, (2 * resolution**2, 1)))
    corners = np.concatenate(lattice)
    points, inverse = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    lines = np.tan((2 * np.arange(resolution + 1) - resolution) / resolution * _WARP) / math.tan(_WARP)
    return _Grid(_HALF * lines[points], inverse.reshape(-1, 3).astype(np.int64), np.concatenate(sides))


def _side(axis: int, level: int, resolution: int) -> npt.NDArray[np.int64]:
    """Lattice points `(2 r^2, 3, 3)` of the triangles of one side, counter-clockwise from outside.

    The diagonal of a square runs along that of its quarter of the side: three angles of 120 degrees meet in a corner of
    the sphere, and so are halved.
    """
    i, j = (index.ravel() for index in np.meshgrid(np.arange(resolution), np.arange(resolution), indexing="ij"))
    square = np.stack([np.stack([i + di, j + dj], axis=1) for di, dj in ((0, 0), (1, 0), (1, 1), (0, 1))], axis=1)
    rising = (2 * i + 1 < resolution) == (2 * j + 1 < resolution)
    square = np.where(rising[:, None, None], square, np.roll(square, -1, axis=1))
    triangles = np.concatenate([square[:, [0, 1, 2]], square[:, [0, 2, 3]]])
    if level == 0:
        triangles = triangles[:, ::-1]
    points = np.full((len(triangles), 3, 3), level, dtype=np.int64)
    points[:, :, [(axis + 1) % 3, (axis + 2) % 3]] = triangles
    return points


def _check(value: float, resolution: int) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"Argument `value` must be in [0, 1], but got {value!r}.")
    if isinstance(resolution, bool) or not isinstance(resolution, int | np.integer) or resolution < 2 or resolution % 2:
        raise ValueError(f"Argument `resolution` must be a positive even number, but got {resolution!r}.")
