"""Cameras that look at the origin, in the convention of the field's renderings.

Y is up. A camera at azimuth `az`, elevation `el` and distance `d` stands at `d (cos el cos az, sin el, cos el sin az)`:
azimuth 0 looks from +X, azimuth 90 from +Z.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LENS = math.degrees(2 * math.atan(16 / 35))  # field of view of a lens of 35 mm on a sensor of 32 mm: 49.13 degrees
UNIT_DISTANCE = 1.75  # what the distance factors of R2N2's renderings are multiples of


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks at the origin; angles in degrees.

    Attributes:
        azimuth: Angle about the Y axis, from +X towards +Z.
        elevation: Angle above the XZ plane, in [-90, 90].
        distance: Distance to the origin, in units of the shape.
        roll: Turn of the picture about its centre, counter-clockwise.
        fov: Field of view, of the width as of the height: pictures are square.

    Raises:
        ValueError: If a number is not finite, the elevation is beyond the poles, the distance is not positive, or the
            field of view is not between 0 and 180.

    Example:
        >>> Camera(azimuth=90, elevation=0, distance=2).position.round(6).tolist()
        [0.0, 0.0, 2.0]
    """

    azimuth: float
    elevation: float
    distance: float = UNIT_DISTANCE
    roll: float = 0.0
    fov: float = LENS

    def __post_init__(self) -> None:
        for name in ("azimuth", "elevation", "distance", "roll", "fov"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"Argument `{name}` must be finite, but got {getattr(self, name)}.")
        if abs(self.elevation) > 90:
            raise ValueError(f"Argument `elevation` must be in [-90, 90] degrees, but got {self.elevation}.")
        if self.distance <= 0:
            raise ValueError(f"Argument `distance` must be positive, but got {self.distance}.")
        if not 0 < self.fov < 180:
            raise ValueError(f"Argument `fov` must be between 0 and 180 degrees, but got {self.fov}.")

    @property
    def direction(self) -> npt.NDArray[np.float64]:
        """Unit vector from the origin to the camera."""
        az, el = math.radians(self.azimuth), math.radians(self.elevation)
        return np.array([math.cos(el) * math.cos(az), math.sin(el), math.cos(el) * math.sin(az)])

    @property
    def position(self) -> npt.NDArray[np.float64]:
        """Where the camera stands."""
        return self.distance * self.direction

    @property
    def rotation(self) -> npt.NDArray[np.float64]:
        """Rows are the camera's axes without roll, X to the right, Y up and Z towards the camera.

        Z is `direction`, X = (0, 1, 0) x Z and Y = Z x X, both made unit vectors. At the poles, where the first product
        vanishes, X is its limit along the meridian.

        Example:
            >>> np.allclose(Camera(azimuth=90, elevation=0).rotation, np.eye(3))
            True
        """
        az = math.radians(self.azimuth)
        z = self.direction
        x = np.array([math.sin(az), 0.0, -math.cos(az)])  # (0, 1, 0) x Z, divided by cos el
        return np.stack([x, np.cross(z, x), z])

    def to_json(self) -> dict[str, Any]:
        """The five numbers by name."""
        return asdict(self)
