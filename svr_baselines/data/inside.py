r"""Which places are inside of a mesh.

Of a watertight mesh by the parity of a ray's crossings; of any other triangles by their generalised winding number
(Jacobson et al. 2013), the solid angles of all triangles over :math:`4\pi`: 1 inside, 0 outside, and between where
there are holes. The solid angle of a triangle seen from a place is (van Oosterom & Strackee 1983)

.. math:: \tan\frac{\Omega}{2} = \frac{\det(a, b, c)}{|a||b||c| + (a \cdot b)|c| + (b \cdot c)|a| + (c \cdot a)|b|}

with the corners `a`, `b`, `c` from there.

References:
    - A. van Oosterom, J. Strackee. The solid angle of a plane triangle. IEEE Trans. Biomedical Engineering 30(2), 1983.
    - A. Jacobson, L. Kavan, O. Sorkine-Hornung. Robust inside-outside segmentation using generalized winding numbers.
      ACM Trans. Graphics 32(4), 2013.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Method = Literal["auto", "rays", "winding"]

_PAIRS = 2**20  # of a place and a triangle at once: the work fits the cache, nearly


def occupancy_of(
    vertices: npt.ArrayLike, faces: npt.ArrayLike, queries: npt.ArrayLike, method: Method = "auto"
) -> npt.NDArray[np.bool_]:
    """Which places are inside of a mesh.

    Args:
        vertices: `(V, 3)` vertices.
        faces: `(F, 3)` indices of vertices; any triangles.
        queries: `(Q, 3)` places.
        method: `"rays"`, for watertight meshes; `"winding"`, inside where the winding number is beyond a half, in
            either sense; or `"auto"`, rays where the mesh is watertight.

    Returns:
        `(Q,)` bool.

    Raises:
        ValueError: If a shape is wrong, a coordinate is not finite, faces name no vertex, the method is unknown, or
            rays are asked for and the mesh is not watertight.

    Example:
        >>> corners = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
        >>> faces = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]
        >>> occupancy_of(corners, faces, [[0.1, 0.1, 0.1], [0.9, 0.9, 0.9]], method="winding")
        array([ True, False])
    """
    if method not in get_args(Method):
        raise ValueError(f"Argument `method` must be one of {get_args(Method)}, but got {method!r}.")
    vertices, faces, queries = _checked(vertices, faces, queries)
    centre, scale = _frame(vertices, faces)  # brought to size 1, as the library's tolerances are absolute
    mesh = None if method == "winding" else _watertight((vertices - centre) / scale, faces)
    if mesh is None:
        if method == "rays":
            raise ValueError("Argument `method` is 'rays', but the mesh is not watertight.")
        inside: npt.NDArray[np.bool_] = np.abs(winding_number(vertices, faces, queries)) > 0.5
        return inside
    return np.asarray(mesh.contains((queries - centre) / scale), dtype=bool)


def winding_number(vertices: npt.ArrayLike, faces: npt.ArrayLike, queries: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Generalised winding number of triangles about places, exact, in `O(QF)`.

    Args:
        vertices: `(V, 3)` vertices.
        faces: `(F, 3)` indices of vertices, counter-clockwise from outside where the number is to be positive inside.
        queries: `(Q, 3)` places.

    Returns:
        `(Q,)` float64. On a triangle itself the number jumps by one; there it is that of either side, or between.

    Raises:
        ValueError: If a shape is wrong, a coordinate is not finite, or faces name no vertex.

    Example:
        >>> triangle = [[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]
        >>> winding_number(*triangle, [[0.2, 0.2, -1e-9], [0.2, 0.2, 1e-9]]).round(6)
        array([ 0.5, -0.5])
    """
    places, corners = _prepared(*_checked(vertices, faces, queries))
    result = np.empty(len(places))
    rows = max(1, _PAIRS // corners.shape[1])
    for start in range(0, len(places), rows):
        part = places[start : start + rows]
        result[start : start + rows] = _solid_angles(part, corners).sum(dim=1).numpy() / (4 * math.pi)
    return result


def _solid_angles(places: Tensor, corners: Tensor) -> Tensor:
    """`(Q, F)` of places `(Q, 3)` and corners `(3, F, 3)`."""
    lengths = [torch.cdist(places, corner, compute_mode="donot_use_mm_for_euclid_dist") for corner in corners]
    squares = [length.square() for length in lengths]
    edges = [(corners[i] - corners[(i + 1) % 3]).square().sum(dim=1) for i in range(3)]
    denominator = lengths[0] * lengths[1] * lengths[2]
    for i in range(3):
        second = (i + 1) % 3
        # The product of two corners, from the sides of their triangle with the place.
        product = (squares[i] + squares[second]).sub_(edges[i]).mul_(0.5)
        denominator.addcmul_(product, lengths[(i + 2) % 3])
    normal = torch.linalg.cross(corners[1] - corners[0], corners[2] - corners[0])
    determinant = (corners[0] * normal).sum(dim=1) - places @ normal.T
    return torch.atan2(determinant, denominator).mul_(2)


def _prepared(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int64], queries: npt.NDArray[np.float64]
) -> tuple[Tensor, Tensor]:
    """Places, and corners `(3, F, 3)`: about the centre of the mesh and of size 1, which loses the least."""
    centre, scale = _frame(vertices, faces)
    corners = (vertices[faces.T] - centre) / scale
    return torch.from_numpy((queries - centre) / scale), torch.from_numpy(corners)


def _frame(vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], float]:
    """Centre and longest side of the box about a mesh."""
    used = vertices[np.unique(faces)]
    return (used.min(axis=0) + used.max(axis=0)) / 2, float(np.ptp(used, axis=0).max()) or 1.0


def _watertight(vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int64]) -> Any:
    """The mesh, if it is; corners at the same place are one."""
    import trimesh

    mesh: Any = trimesh.Trimesh(vertices, faces, process=True)
    return mesh if mesh.is_watertight and mesh.is_winding_consistent else None


def _checked(
    vertices: npt.ArrayLike, faces: npt.ArrayLike, queries: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    vertices, queries = np.asarray(vertices, dtype=np.float64), np.asarray(queries, dtype=np.float64)
    faces = np.asarray(faces)
    for name, places in (("vertices", vertices), ("queries", queries)):
        if places.ndim != 2 or places.shape[1] != 3:
            raise ValueError(f"Argument `{name}` must have shape (N, 3), but got {places.shape}.")
        if not np.isfinite(places).all():
            raise ValueError(f"Argument `{name}` must be finite, but got NaN or infinite coordinates.")
    if faces.ndim != 2 or faces.shape[1] != 3 or len(faces) == 0 or faces.dtype.kind not in "iu":
        raise ValueError(f"Argument `faces` must be integers of shape (F, 3), but got {faces.dtype} {faces.shape}.")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(
            f"Argument `faces` must name vertices from 0 to {len(vertices) - 1}, but goes from {faces.min()} to "
            f"{faces.max()}."
        )
    return vertices, faces.astype(np.int64), queries
