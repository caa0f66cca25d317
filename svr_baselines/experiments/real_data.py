"""Data of the experiments on real shapes: built from the user's meshes, or ShapeNet as it was published."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from svr_baselines.data.opening import CLOUDS
from svr_baselines.experiments import work
from svr_baselines.experiments.jobs import Job
from svr_baselines.experiments.protocol import Options, Protocol

POINTS, RENDERS = "data/points", "data/renders"

_CLOUD_POINTS = 30_000  # of each mesh, as the paper's data have


@dataclass(frozen=True)
class RealData:
    """Points and pictures of the same shapes.

    Attributes:
        points: Folder of the points, or of all that ShapeNet's layout has.
        renders: Folder of the pictures, a data set for each range of azimuths; `None` in ShapeNet's layout.
        needs: Jobs that build them.
    """

    points: str
    renders: str | None
    needs: tuple[Job, ...]

    def seen_within(self, azimuth: float) -> dict[str, Any]:
        """The data set whose pictures are taken from azimuths in `[-azimuth, azimuth]`; all of ShapeNet's."""
        images = None if self.renders is None else f"{self.renders}/azimuth-{azimuth:g}"
        return {"folder": self.points, "images": images}


def plan_data(
    options: Options, protocol: Protocol, azimuth_ranges: Sequence[float], views: int, layout_will_do: bool
) -> RealData:
    """Plan the building of data from meshes.

    Args:
        options: What the user chooses.
        protocol: Size of the pictures.
        azimuth_ranges: Ranges of azimuths, in degrees.
        views: Pictures of each shape in each range.
        layout_will_do: Whether ShapeNet's published layout has what is needed.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If no data are named, or they have no meshes where these are needed.
    """
    if options.data is None:
        raise ValueError("Argument `data` must name a folder of meshes for this experiment, but is missing.")
    if not options.data.is_dir():
        raise FileNotFoundError(f"No folder at {options.data}.")
    source = os.path.abspath(options.data)
    if (options.data / CLOUDS).is_dir():
        if layout_will_do:
            return RealData(source, None, ())
        raise ValueError(
            f"Argument `data` must name a folder of meshes, as pictures are drawn of them, but {source} holds {CLOUDS}."
        )
    points = Job(
        "data/points", work.build_points_of, {"meshes": source, "folder": POINTS, "points": _CLOUD_POINTS, "seed": 0}
    )
    renders = Job(
        "data/renders",
        work.build_renders_of,
        {"meshes": source, "folder": RENDERS, "azimuth_ranges": list(azimuth_ranges), "views": views}
        | {"size": protocol.size, "seed": 0},
    )
    return RealData(POINTS, RENDERS, (points, renders))
