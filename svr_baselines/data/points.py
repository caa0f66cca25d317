"""Points from surfaces and their normalisation: numpy only, every random choice seeded."""

from __future__ import annotations

import hashlib
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

Normalization = Literal["unit-ball", "bounding-box", "none"]

# The most that is taken for a count, by the name of the argument: more would be a slip, and end in the system's hands.
MOST = {
    "points": 10_000_000,
    "queries": 10_000_000,
    "count": 1_000_000,
    "size": 16_384,
    "crop": 16_384,
    "samples": 64,
    "views": 10_000,
    "workers": 1024,
    "processes": 1024,
}
_MOST = 2**31 - 1  # of all others

_ROUNDING = 1e-4  # of the extent of a cloud: rounded by more, its distances are others


class Frame(NamedTuple):
    """Where a shape is and how large: what `normalize_points` brings to the origin and to size 1."""

    center: npt.NDArray[np.float64]
    scale: float

    def normalize(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Points in this frame."""
        normalized: npt.NDArray[np.float64] = (np.asarray(points, dtype=np.float64) - self.center) / self.scale
        return normalized


def normalize_points(points: npt.ArrayLike, mode: Normalization = "unit-ball") -> npt.NDArray[np.floating]:
    """Move and scale a point cloud to a common frame.

    `"unit-ball"` subtracts the mean of the points and divides by the largest norm, as the paper does.
    `"bounding-box"` puts the centre of the axis-aligned box at the origin and makes its largest side 1.
    `"none"` returns the points as they are.

    Args:
        points: `(P, 3)` points.
        mode: One of the three names above.

    Returns:
        `(P, 3)` points in the input's floating dtype (float64 for integers).

    Raises:
        ValueError: For an unknown mode, a wrong shape, non-finite points, or points that all coincide.

    Example:
        >>> normalize_points([[0, 0, 0], [4, 0, 0]], "unit-ball").tolist()
        [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
        >>> normalize_points([[0, 0, 0], [4, 2, 0]], "bounding-box").tolist()
        [[-0.5, -0.25, 0.0], [0.5, 0.25, 0.0]]
    """
    points = np.asarray(points)
    frame = frame_of(points, mode)
    dtype = points.dtype if points.dtype.kind == "f" else np.dtype(np.float64)
    return points.astype(dtype, copy=False) if frame is None else frame.normalize(points).astype(dtype)


def frame_of(points: npt.NDArray[Any], mode: Normalization) -> Frame | None:
    """The frame that `normalize_points` brings points to; ``None`` where it leaves them.

    Raises:
        ValueError: As `normalize_points`.
    """
    if mode not in get_args(Normalization):
        raise ValueError(f"Argument `mode` must be one of {get_args(Normalization)}, but got {mode!r}.")
    if points.ndim != 2 or points.shape[1] != 3 or len(points) == 0:
        raise ValueError(f"Argument `points` must have shape (P, 3) with P >= 1, but got {points.shape}.")
    if mode == "none":
        return None
    if not np.isfinite(points).all():
        raise ValueError("Argument `points` must be finite, but got NaN or infinite points.")
    wide = points.astype(np.float64)
    if mode == "unit-ball":
        center = wide.mean(axis=0)
        scale = np.linalg.norm(wide - center, axis=1).max()
    else:
        low, high = wide.min(axis=0), wide.max(axis=0)
        center, scale = (low + high) / 2, (high - low).max()
    # Compared with the size of the coordinates: the rounding of a mean must not be blown up to a shape.
    if scale <= 1e-12 * np.abs(wide).max():
        raise ValueError("all points coincide, so the cloud has no size to scale by")
    return Frame(center, float(scale))


def sample_mesh(
    vertices: npt.ArrayLike, faces: npt.ArrayLike, points: int = 2500, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Draw points uniformly from the surface of a triangle mesh.

    A triangle is drawn in proportion to its area, a point in it by folding the unit square onto the triangle.

    Args:
        vertices: `(V, 3)` vertices.
        faces: `(F, 3)` vertex indices of the triangles.
        points: How many points to draw.
        seed: Seed of the draw.

    Returns:
        `(points, 3)` float64 points.

    Raises:
        ValueError: For wrong shapes, faces that name no vertex, non-finite vertices, a surface without area,
            or `points` below 1.

    Example:
        >>> cloud = sample_mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], points=100)
        >>> cloud.shape, bool((cloud[:, :2].sum(axis=1) <= 1).all())
        ((100, 3), True)
    """
    return draw_points(vertices, faces, points, seed)[0]


def draw_points(
    vertices: npt.ArrayLike, faces: npt.ArrayLike, points: int, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """What `sample_mesh` draws, and the face that each point is on."""
    vertices, faces = np.asarray(vertices, dtype=np.float64), np.asarray(faces)
    check_count("points", points)
    _check_mesh(vertices, faces)
    corners = vertices[faces]
    if not (finite := np.isfinite(corners).all(axis=2)).all():
        bad = len(np.unique(faces[~finite]))
        raise ValueError(f"the mesh has {bad} NaN or infinite vertices")
    with np.errstate(over="ignore", invalid="ignore"):
        origin, edges = corners[:, 0], corners[:, 1:] - corners[:, :1]
        cumulative = np.cumsum(np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1))
    if cumulative[-1] <= 0:
        raise ValueError("the surface of the mesh has no area")
    if not np.isfinite(cumulative[-1]):
        raise ValueError("the coordinates of the mesh are too large to compute its area")
    rng = np.random.default_rng(seed)
    face = np.searchsorted(cumulative, rng.random(points) * cumulative[-1], side="right")
    weights = rng.random((points, 2))
    beyond = weights.sum(axis=1) > 1
    weights[beyond] = 1 - weights[beyond]
    cloud: npt.NDArray[np.float64] = origin[face] + np.einsum("pe,pec->pc", weights, edges[face])
    return cloud, face


def to_single(points: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Points in float32; as they are where that would round them by more than 1e-4 of their extent.

    Example:
        >>> points = np.eye(3)
        >>> to_single(points).dtype, to_single(points + 4e6).dtype
        (dtype('float32'), dtype('float64'))
    """
    rounding, extent = np.abs(points).max() * np.finfo(np.float32).eps, np.ptp(points, axis=0).max()
    with np.errstate(over="ignore"):
        return points if rounding > _ROUNDING * extent > 0 else points.astype(np.float32)


def stable_seed(seed: int, name: str) -> int:
    """Seed of one shape from the user's seed and the shape's name, whatever else is in the set."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode("utf-8", "surrogateescape")).digest()[:8], "little")


def check_count(argument: str, value: Any, most: int | None = None) -> None:
    """Refuse a count that is not an integer of at least 1, or beyond what anyone could mean: by default, see `MOST`.

    Example:
        >>> check_count("points", 10**12)
        Traceback (most recent call last):
        ValueError: Argument `points` must be at most 10,000,000, but got 1000000000000
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"Argument `{argument}` must be an integer of at least 1, but got {value!r}.")
    if value > (most := most or MOST.get(argument, _MOST)):
        raise ValueError(f"Argument `{argument}` must be at most {most:,}, but got {value}")


def check_memory(argument: str, needed: float, what: str) -> None:
    """Refuse an argument that asks for more than the free memory, before anything is allocated.

    Args:
        argument: Its name.
        needed: Bytes that are taken at least.
        what: What takes them, in the plural.
    """
    from ds_metrics.pairwise.memory import free_memory  # brings torch

    free = free_memory()
    if needed > free:
        raise ValueError(
            f"Argument `{argument}` is too large: {what} take {needed / 1e9:,.1f} GB, but {free / 1e9:,.1f} GB of "
            "memory are free"
        )


def _check_mesh(vertices: npt.NDArray[np.float64], faces: npt.NDArray[Any]) -> None:
    if len(faces) == 0:
        raise ValueError("the mesh has no faces")
    if vertices.ndim != 2 or vertices.shape[1] != 3:
        raise ValueError(f"vertices must have shape (V, 3), but got {vertices.shape}")
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise ValueError(f"faces must be integers of shape (F, 3), but got {faces.dtype} {faces.shape}")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(f"faces name vertices up to {faces.max()}, but the mesh has {len(vertices)} vertices")
