"""R2N2's ``rendering_metadata.txt``: the cameras of a shape's pictures, one line each.

A line holds azimuth, elevation and in-plane rotation in degrees, the distance as a factor of `UNIT_DISTANCE`, and a
constant 25 that stands for the lens: R2N2's renderer is handed it as the field of view, but keeps its lens of 35 mm on
a sensor of 32 mm, of which 25 is half the angle, rounded. The renderings of DISN, and those of the Dispersion Score's
paper, have ten columns: after the first four the focal length and the sensor's size in mm, the unit of distance, and
how far the shape was moved.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

from svr_baselines.data.cameras import LENS, UNIT_DISTANCE, Camera
from svr_baselines.documents import check_regular

FILE_NAME = "rendering_metadata.txt"

_LENS_CODE = 25.0  # what R2N2 writes for its lens


def read_metadata(path: str | os.PathLike[str]) -> list[Camera]:
    r"""Read the cameras of a shape's views, in their order.

    Args:
        path: The file; of five or of ten columns.

    Returns:
        One camera a view. A last column of 25 among five is `LENS`, any other number the field of view itself.

    Raises:
        OSError: If the file can't be read.
        ValueError: If a line is damaged, or the shape was moved away from the point that the camera looks at; the text
            names file, line and fault.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "rendering_metadata.txt"
        >>> _ = path.write_text("90 30 0 0.5 25\n")
        >>> camera = read_metadata(path)[0]
        >>> camera.azimuth, camera.elevation, camera.distance, round(camera.fov, 2)
        (90.0, 30.0, 0.875, 49.13)
    """
    path = Path(path)
    check_regular(path)
    lines = path.read_bytes().decode("ascii", "replace").splitlines()
    cameras = []
    for number, line in enumerate(lines, start=1):
        try:
            cameras.append(_parse(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {str(error).rstrip('.')}.") from error
    if not cameras:
        raise ValueError(f"{path}: the file is empty.")
    return cameras


def format_metadata(cameras: Iterable[Camera]) -> str:
    r"""Write cameras as R2N2 does; `read_metadata` gives them back, the distance to the last bit or two.

    Args:
        cameras: One a view.

    Returns:
        Lines of five columns, the last of which is 25 for `LENS` and otherwise the field of view.

    Raises:
        ValueError: For a field of view of exactly 25 degrees, which would be read as `LENS`.

    Example:
        >>> format_metadata([Camera(azimuth=90, elevation=30, distance=0.875)])
        '90.0 30.0 0.0 0.5 25\n'
    """
    return "".join(f"{_format(camera)}\n" for camera in cameras)


def _parse(line: str) -> Camera:
    columns = line.split()
    if len(columns) not in (5, 10):
        raise ValueError(f"expected 5 numbers, or the 10 of DISN, but got {len(columns)}")
    azimuth, elevation, roll, factor, *rest = (float(column) for column in columns)
    if len(rest) == 1:
        fov = LENS if rest[0] == _LENS_CODE else rest[0]
        return Camera(azimuth, elevation, factor * UNIT_DISTANCE, roll, fov)
    focal, sensor, unit, *shift = rest
    if any(shift):
        raise ValueError(f"the shape was moved by {tuple(shift)}, but cameras here look at its centre")
    if not (focal > 0 and sensor > 0):
        raise ValueError(f"focal length and sensor must be positive, but got {focal} and {sensor}")
    return Camera(azimuth, elevation, factor * unit, roll, math.degrees(2 * math.atan(sensor / 2 / focal)))


def _format(camera: Camera) -> str:
    if camera.fov == _LENS_CODE:
        raise ValueError(f"A field of view of exactly {_LENS_CODE:g} degrees stands for another lens in R2N2's format.")
    numbers = (camera.azimuth, camera.elevation, camera.roll, camera.distance / UNIT_DISTANCE)
    lens = f"{_LENS_CODE:g}" if camera.fov == LENS else repr(float(camera.fov))
    return " ".join([*(repr(float(number)) for number in numbers), lens])
