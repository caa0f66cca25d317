"""Light and colour of what is seen, the same for all renderers.

    picture = base colour x (AMBIENT + SUN max(0, n . sun) + FILL max(0, n . fill))

in the values of the files and pictures themselves, without conversion to linear light. The lamps are at rest in the
frame of the shape, as in the renderings of the paper: a sun from above, the front (+X) and a little from +Z, and a
weaker one from the other side. There are no shadows and no highlights. No normal gets more than 1, so that white faces
differ. The normal `n` is turned to the side that is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from svr_baselines.rendering.projection import View
from svr_baselines.rendering.surface import Surface

Array = npt.NDArray[Any]

AMBIENT, SUN, FILL = 0.35, 0.6, 0.25
TO_SUN = np.array([2.0, 3.0, 1.0]) / 14**0.5
TO_FILL = np.array([-1.0, 1.0, -2.0]) / 6**0.5


@dataclass(frozen=True)
class Hits:
    """What the samples of a picture see; those that see nothing are left out.

    Attributes:
        sample: `(N,)` index of the sample, row by row.
        face: `(N,)` index of the face.
        weights: `(N, 3)` barycentric coordinates on it, of its three corners; float32.
    """

    sample: Array
    face: Array
    weights: Array


def light_of(normals: Array) -> Array:
    """Light that falls on unit normals `(..., 3)`.

    Example:
        >>> light_of(np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])).round(3).tolist()
        [0.671, 0.933, 0.51]
    """
    sun, fill = (np.maximum(normals @ lamp.astype(normals.dtype), 0) for lamp in (TO_SUN, TO_FILL))
    light: Array = AMBIENT + SUN * sun + FILL * fill
    return light


class Shader:
    """The light and the colours of a surface, with all that does not depend on the view computed once."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        corners = np.asarray(surface.vertices, dtype=np.float64)[surface.faces]
        self._anchor = corners[:, 0]
        self._normal = _unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
        if not self._normal.any():
            raise ValueError("the surface of the mesh has no area")
        self._flat_light = [light_of(side * self._normal).astype(np.float32) for side in (1, -1)]
        self._smooth, self._corner_normals = _smooth_normals(surface, self._normal)

    def colors(self, hits: Hits, view: View) -> Array:
        """RGB of hits, `(N, 3)` float32 in [0, 1], as seen from a view in the frame of the surface."""
        return self._base(hits) * self._light(hits, view)[:, None]

    def _light(self, hits: Hits, view: View) -> Array:
        # A face is a part of a plane, which has the camera on one side, wherever it is hit.
        behind = np.einsum("fc,fc->f", self._normal, view.origin - self._anchor) < 0
        light: Array = np.where(behind, self._flat_light[1], self._flat_light[0])[hits.face]
        if self._corner_normals is not None:
            smooth = np.flatnonzero(self._smooth[hits.face])
            face = hits.face[smooth]
            normals = _interpolate(self._corner_normals, face, hits.weights[smooth])
            normals *= np.where(behind, np.float32(-1), np.float32(1))[face, None]
            light[smooth] = light_of(_unit(normals))
        return light

    def _base(self, hits: Hits) -> Array:
        """Colours without light."""
        surface = self._surface
        palette = np.array([material.color for material in surface.materials], dtype=np.float32)
        if surface.material is None:
            base = np.broadcast_to(palette[0], (len(hits.face), 3)).copy()
        else:
            base = palette[surface.material[hits.face]]
        if surface.uv is not None:
            self._paint(base, hits)
        if surface.colors is not None:
            base *= _interpolate(surface.colors.astype(np.float32, copy=False), hits.face, hits.weights)
        return base

    def _paint(self, base: Array, hits: Hits) -> None:
        """Multiply by the textures."""
        surface = self._surface
        assert surface.uv is not None
        own = np.zeros(len(hits.face), dtype=np.intp) if surface.material is None else surface.material[hits.face]
        for index in np.unique(own):
            texture = surface.materials[index].texture
            if texture is not None:
                chosen = np.flatnonzero(own == index)
                uv = _interpolate(surface.uv, hits.face[chosen], hits.weights[chosen])
                base[chosen] *= look_up(texture, uv)


def look_up(texture: Array, uv: Array) -> Array:
    """Colours `(N, 3)` in [0, 1] of a texture at coordinates `(N, 2)`: between the centres of four texels, wrapped.

    Example:
        >>> texture = np.array([[[0, 0, 0], [255, 0, 0]], [[0, 255, 0], [255, 255, 255]]], dtype=np.uint8)
        >>> look_up(texture, np.array([[0.25, 0.75], [0.75, 0.25], [1.75, -0.75], [0.5, 0.75]])).tolist()
        [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.5, 0.0, 0.0]]
    """
    height, width = texture.shape[:2]
    wrapped = np.asarray(uv, dtype=np.float64) % 1
    x = wrapped[:, 0] * width - 0.5
    y = (1 - wrapped[:, 1]) * height - 0.5
    left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    across, down = (x - left).astype(np.float32)[:, None], (y - top).astype(np.float32)[:, None]
    columns, rows = (left % width, (left + 1) % width), (top % height, (top + 1) % height)
    flat = texture.reshape(-1, 3)
    upper, lower = (
        flat[row * width + columns[0]] * (1 - across) + flat[row * width + columns[1]] * across for row in rows
    )
    colors: Array = (upper * (1 - down) + lower * down) * np.float32(1 / 255)
    return colors


def _smooth_normals(surface: Surface, flat: Array) -> tuple[Array, Array | None]:
    """Which faces are smooth, and the normals of their corners, on the side that the face's own normal is on."""
    if surface.normals is None:
        return np.zeros(len(flat), dtype=bool), None
    normals = surface.normals.astype(np.float64)
    smooth = (np.abs(normals).max(axis=2) > 0).all(axis=1)
    # Files have their normals, or the order of their vertices, either way round.
    side = np.einsum("fkc,fc->fk", normals, flat)
    normals = _unit(normals) * np.where(side < 0, -1.0, 1.0)[..., None]
    return smooth, normals.astype(np.float32)


def _interpolate(corners: Array, face: Array, weights: Array) -> Array:
    """Values `(N, D)` at points of faces, from those of their corners `(F, 3, D)`."""
    values = corners[face]
    result: Array = values[:, 0] * weights[:, :1]
    result += values[:, 1] * weights[:, 1:2]
    result += values[:, 2] * weights[:, 2:]
    return result


def _unit(vectors: Array) -> Array:
    """Vectors made to length 1; those of length 0 stay."""
    length = np.sqrt(np.einsum("...c,...c->...", vectors, vectors))[..., None]
    return vectors / np.where(length > 0, length, 1)
