"""What is drawn: triangles with their normals, colours and textures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from svr_baselines.data.formats import Fault

Array = npt.NDArray[Any]

GREY = (0.8, 0.8, 0.8)  # of what has no colour of its own; Blender's default, too


@dataclass(frozen=True)
class Material:
    """The colour of a part of a surface.

    Attributes:
        color: RGB in [0, 1]. What light falls on where there is no texture, and a factor of the texture where there is
            one.
        texture: `(H, W, 3)` uint8, row 0 at the top, where the texture coordinate v is 1; or ``None``.

    Raises:
        ValueError: If the colour is not three numbers in [0, 1], or the texture is not such an array.
    """

    color: tuple[float, float, float] = GREY
    texture: Array | None = None

    def __post_init__(self) -> None:
        if len(self.color) != 3 or not all(0 <= value <= 1 for value in self.color):
            raise ValueError(f"Argument `color` must be three numbers in [0, 1], but got {self.color}.")
        texture = self.texture
        if texture is None:
            return
        if texture.ndim != 3 or texture.shape[2] != 3 or texture.dtype != np.uint8 or texture.size == 0:
            came = f"{texture.dtype} {texture.shape}"
            raise ValueError(f"Argument `texture` must be uint8 of shape (H, W, 3), but got {came}.")


@dataclass(frozen=True)
class Surface:
    """A triangle mesh that can be drawn. Y is up. Faces have no back: both sides look the same.

    All that varies over a face is kept by face and corner, as files let vertices have several normals and texture
    coordinates.

    Attributes:
        vertices: `(V, 3)` float64 positions.
        faces: `(F, 3)` indices of vertices.
        normals: `(F, 3, 3)` normals of the corners of each face, of any length; zeros where a face is flat. ``None``:
            all faces are flat.
        uv: `(F, 3, 2)` texture coordinates of the corners; they wrap around. ``None``: no textures.
        colors: `(F, 3, 3)` colours of the corners in [0, 1], which the material's are multiplied with. ``None``: white.
        material: `(F,)` index of each face's material. ``None``: the first.
        materials: At least one.

    Raises:
        ValueError: If there are no faces, shapes do not fit together, an index names nothing, or a number that is drawn
            is not finite.

    Example:
        >>> triangle = Surface(np.eye(3), np.array([[0, 1, 2]]))
        >>> triangle.normalized().vertices.round(3).tolist()
        [[0.289, -0.289, -0.289], [-0.289, 0.289, -0.289], [-0.289, -0.289, 0.289]]
    """

    vertices: Array
    faces: Array
    normals: Array | None = None
    uv: Array | None = None
    colors: Array | None = None
    material: Array | None = None
    materials: Sequence[Material] = (Material(),)

    def __post_init__(self) -> None:
        check_mesh(np.asarray(self.vertices), np.asarray(self.faces))
        count = len(self.faces)
        for name, shape in (("normals", (count, 3, 3)), ("uv", (count, 3, 2)), ("colors", (count, 3, 3))):
            values = getattr(self, name)
            if values is None:
                continue
            if values.shape != shape:
                raise ValueError(f"Argument `{name}` must have shape {shape}, but got {values.shape}.")
            if not np.isfinite(values).all():
                raise ValueError(f"Argument `{name}` must be finite, but got NaN or infinite values.")
        if len(self.materials) == 0:
            raise ValueError("Argument `materials` must not be empty.")
        if self.material is None:
            return
        if self.material.shape != (count,):
            raise ValueError(f"Argument `material` must have shape {(count,)}, but got {self.material.shape}.")
        if self.material.min() < 0 or self.material.max() >= len(self.materials):
            known, named = len(self.materials), self.material.max()
            raise ValueError(f"Argument `material` must name one of {known} materials, but got {named}.")

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Least and greatest corner of the bounding box of all faces; vertices of no face do not count."""
        corners = np.asarray(self.vertices, dtype=np.float64)[used_vertices(self.faces, len(self.vertices))]
        return corners.min(axis=0), corners.max(axis=0)

    def normalized(self) -> Surface:
        """The surface with the centre of its bounding box at the origin, and the box's diagonal of length 1.

        Raises:
            ValueError: If all vertices coincide, or are too large to tell the box's size.
        """
        centre, diagonal = self.frame()
        return replace(self, vertices=(np.asarray(self.vertices, dtype=np.float64) - centre) / diagonal)

    def frame(self) -> tuple[Array, float]:
        """Centre and length of the diagonal of the bounding box."""
        low, high = self.bounds
        with np.errstate(over="ignore"):
            diagonal = float(np.linalg.norm(high - low))
        if not np.isfinite(diagonal):
            raise ValueError("the coordinates of the mesh are too large to compute its size")
        # Compared with the size of the coordinates: rounding must not be blown up to a shape.
        if diagonal <= 1e-12 * max(np.abs(low).max(), np.abs(high).max()):
            raise ValueError("all vertices of the mesh coincide, so it has no size to scale by")
        return low / 2 + high / 2, diagonal


def used_vertices(faces: Array, count: int) -> Array:
    """Which of `count` vertices belong to a face."""
    used = np.zeros(count, dtype=bool)
    used[faces] = True
    return used


def check_mesh(vertices: Array, faces: Array) -> None:
    """Refuse faces that name no vertex, or one that is not finite."""
    if vertices.ndim != 2 or vertices.shape[1] != 3:
        raise Fault(f"vertices must have shape (V, 3), but got {vertices.shape}")
    if len(faces) == 0:
        raise Fault("the mesh has no faces")
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise Fault(f"faces must be integers of shape (F, 3), but got {faces.dtype} {faces.shape}")
    if faces.min() < 0 or faces.max() >= len(vertices):
        named = faces.min() if faces.min() < 0 else faces.max()
        raise Fault(f"the mesh has {len(vertices)} vertices, but a face names vertex {named}")
    finite = np.isfinite(vertices).all(axis=1)
    if not finite.all() and (bad := np.setdiff1d(faces, np.flatnonzero(finite))).size:
        raise Fault(f"the mesh has {bad.size} NaN or infinite vertices")
