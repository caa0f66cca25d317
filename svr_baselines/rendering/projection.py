"""Where the samples of a picture look."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from svr_baselines.data.cameras import Camera

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class View:
    """A pinhole, ready to project.

    The sample of row `r` and column `c` of a picture of `side` x `side` samples looks from `origin` along
    `x X + y Y - Z` with

        x = extent ((2 c + 1) / side - 1),  y = extent (1 - (2 r + 1) / side)

    so it goes through the centre of its square; row 0 is on top.

    Attributes:
        origin: Where the camera stands.
        axes: Rows are X to the right of the picture, Y to its top, Z towards the camera.
        extent: Tangent of half the field of view.
    """

    origin: Array
    axes: Array
    extent: float

    @classmethod
    def of(cls, camera: Camera, centre: Array | None = None, scale: float = 1.0) -> View:
        """The view of a camera, from within a frame that is moved to `centre` and shrunk by `scale`.

        Example:
            >>> View.of(Camera(azimuth=90, elevation=0, distance=2, roll=90)).axes.round().astype(int).tolist()
            [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
        """
        x, y, z = camera.rotation
        cos, sin = math.cos(math.radians(camera.roll)), math.sin(math.radians(camera.roll))
        # The picture turns counter-clockwise, so the camera turns the other way.
        axes = np.stack([cos * x - sin * y, sin * x + cos * y, z])
        position = camera.position if centre is None else camera.position - centre
        return cls(position / scale, axes, math.tan(math.radians(camera.fov) / 2))

    def project(self, points: Array) -> tuple[Array, Array]:
        """Place in the picture and depth of points `(..., 3)`.

        Returns:
            `(..., 2)` coordinates, from -1 to 1 over the picture, x to the right and y up; and `(...)` depths along the
            axis, positive before the camera. Places of points that are not before it mean nothing.
        """
        local = (points - self.origin) @ self.axes.T
        depth = -local[..., 2]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return local[..., :2] / (self.extent * depth[..., None]), depth

    def window(self, points: Array, side: int) -> tuple[slice, slice]:
        """Rows and columns of samples that can see what lies within the hull of the points; all if some are behind."""
        place, depth = self.project(points)
        if not (depth > 0).all():
            return slice(0, side), slice(0, side)
        low, high = (np.clip((edge + 1) / 2 * side, 0, side) for edge in (place.min(axis=0), place.max(axis=0)))
        left, bottom = (math.floor(value) for value in np.maximum(low - 1, 0))
        right, top = (math.ceil(value) for value in np.minimum(high + 1, side))
        return slice(side - top, side - bottom), slice(left, right)

    def directions(self, rows: slice, columns: slice, side: int) -> Array:
        """Directions `(R, C, 3)` of a window of samples, float32, of depth 1 along the axis."""
        x = self.extent * ((2 * np.arange(columns.start, columns.stop) + 1) / side - 1)
        y = self.extent * (1 - (2 * np.arange(rows.start, rows.stop) + 1) / side)
        across = (x[:, None] * self.axes[0] - self.axes[2]).astype(np.float32)
        up = (y[:, None] * self.axes[1]).astype(np.float32)
        directions: Array = up[:, None] + across[None]
        return directions
