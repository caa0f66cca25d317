"""Pictures of a folder of meshes, from viewpoints in a range: the data of section 5.3 of the paper."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from svr_baselines.building.build import Part, Summary, Workers, begun_with, run_build, write_file
from svr_baselines.building.sources import MeshSource, as_sources, category_of, load_source, split_of_sources
from svr_baselines.data.cameras import UNIT_DISTANCE, Camera
from svr_baselines.data.manifest import Sample
from svr_baselines.data.metadata import FILE_NAME, format_metadata
from svr_baselines.data.points import check_count, check_memory, stable_seed
from svr_baselines.rendering import check_up, choose_renderer, render

RANGES = (0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0)  # of the paper, degrees


@dataclass(frozen=True)
class Viewpoints:
    """Where shapes are seen from: numbers drawn evenly from ranges; angles in degrees.

    Attributes:
        azimuth: Azimuths are in `[centre - azimuth, centre + azimuth]`.
        elevation: Lowest and highest elevation.
        distance: Nearest and farthest distance, as a factor of `UNIT_DISTANCE`. From 0.69 on, all of a shape of
            diagonal 1 is in the picture; from the paper's 0.65, one in a hundred pictures lacks a tip.
        centre: Azimuth of the middle view.

    Raises:
        ValueError: If a range is not finite, upside down, or beyond what a camera can have.
    """

    azimuth: float = 90.0
    elevation: tuple[float, float] = (20.0, 30.0)
    distance: tuple[float, float] = (0.7, 1.0)
    centre: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.azimuth <= 180:
            raise ValueError(f"Argument `azimuth` must be in [0, 180] degrees, but got {self.azimuth}.")
        if not math.isfinite(self.centre):
            raise ValueError(f"Argument `centre` must be finite, but got {self.centre}.")
        for name, low, high in (("elevation", -90, 90), ("distance", 0, math.inf)):
            first, last = getattr(self, name)
            if not (low <= first <= last <= high and math.isfinite(last)) or (name == "distance" and first == 0):
                raise ValueError(f"Argument `{name}` must be a range in [{low}, {high}], but got {first} to {last}.")

    def draw(self, views: int, seed: int) -> list[Camera]:
        """Draw cameras. The first views of more are the same, and so are those of other ranges, stretched.

        Example:
            >>> narrow, wide = (Viewpoints(azimuth).draw(3, seed=0) for azimuth in (15, 90))
            >>> round(wide[2].azimuth / narrow[2].azimuth, 9), wide[2].elevation == narrow[2].elevation
            (6.0, True)
        """
        drawn = np.random.default_rng(seed).random((views, 3))
        return [
            Camera(
                azimuth=self.centre + self.azimuth * (2 * a - 1),
                elevation=_between(self.elevation, b),
                distance=UNIT_DISTANCE * _between(self.distance, c),
            )
            for a, b, c in drawn.tolist()
        ]


@dataclass(frozen=True)
class _Maker:
    out: Path
    viewpoints: tuple[Viewpoints, ...]
    views: int
    size: int
    up: str
    renderer: str
    samples: int
    seed: int

    def cameras(self, viewpoints: Viewpoints, name: str) -> list[Camera]:
        return viewpoints.draw(self.views, stable_seed(self.seed, name))

    def finished(self, item: MeshSource) -> bool:
        return not self._missing(item.id)

    def make(self, item: MeshSource, scratch: Path) -> None:
        missing = self._missing(item.id)
        cameras = [self.cameras(viewpoints, item.id) for viewpoints in missing]
        surface = load_source(item, self.up, materials=True).normalized()
        pictures = render(surface, list(chain.from_iterable(cameras)), self.size, self.renderer, self.samples)
        for viewpoints, own, drawn in zip(missing, cameras, np.split(pictures, len(missing)), strict=True):
            folder = self.out / part_of(viewpoints)
            for view, picture in enumerate(drawn):
                write_file(folder / image_path(item.id, view), scratch, partial(write_png, picture))
            text = format_metadata(own)
            write_file(folder / item.id / "rendering" / FILE_NAME, scratch, partial(_write_text, text))

    def _missing(self, name: str) -> list[Viewpoints]:
        """The sets that lack this shape: the file of its cameras is written last."""
        return [
            viewpoints
            for viewpoints in self.viewpoints
            if not (self.out / part_of(viewpoints) / name / "rendering" / FILE_NAME).exists()
        ]

    def part(self, viewpoints: Viewpoints, split: dict[str, str]) -> Part:
        """The data set of a range."""
        settings: dict[str, Any] = {"kind": "renders", "viewpoints": asdict(viewpoints), "views": self.views}
        settings |= {"size": self.size, "up": self.up, "renderer": self.renderer}
        settings |= {"samples": self.samples, "seed": self.seed}

        def samples(source: MeshSource) -> list[Sample]:
            name = source.id
            return [
                Sample(name, category_of(name), split[name], view, image_path(name, view), None, source.mesh, camera)
                for view, camera in enumerate(self.cameras(viewpoints, name))
            ]

        def files(source: MeshSource) -> list[str]:
            pictures = [image_path(source.id, view) for view in range(self.views)]
            return [*pictures, f"{source.id}/rendering/{FILE_NAME}"]

        return Part(part_of(viewpoints), settings, samples, files)


def build_renders(
    meshes: str | os.PathLike[str] | Sequence[MeshSource],
    out: str | os.PathLike[str],
    *,
    azimuth_ranges: Sequence[float] = (90.0,),
    elevation: tuple[float, float] = (20.0, 30.0),
    distance: tuple[float, float] = (0.7, 1.0),
    azimuth_centre: float = 0.0,
    views: int = 1,
    size: int = 224,
    up: Literal["y", "z"] = "y",
    renderer: str = "auto",
    samples: int = 2,
    seed: int = 0,
    workers: Workers | None = None,
) -> Summary:
    """Draw each mesh from random viewpoints, a data set `OUT/azimuth-A` for each range `[-A, A]` of azimuths.

    A shape's bounding box is moved and scaled so that its centre is at the origin and its diagonal has length 1. Its
    pictures are `OUT/azimuth-A/<id>/rendering/00.png`, with a transparent ground, their cameras beside them in
    `rendering_metadata.txt`, as those of 3D-R2N2; and exactly in `manifest.csv`. The same random numbers make the views
    of all ranges: nothing but the azimuth differs between them. A run that was ended goes on where it was.

    Args:
        meshes: Folder of meshes, see `find_meshes`; or sources, see `kaolin_sources`.
        out: Folder to build.
        azimuth_ranges: One or several, in degrees; the paper's are `RANGES`.
        elevation: Lowest and highest elevation, in degrees.
        distance: Nearest and farthest distance, as a factor of 1.75 times the shape's diagonal. The paper's 0.65 to 1
            cuts the tips off some shapes.
        azimuth_centre: Azimuth of the middle view: 0 looks from +X, 90 from +Z.
        views: Pictures of each shape, in each range.
        size: Pixels along each side.
        up: The axis that is up in the meshes.
        renderer: `"auto"`, `"kaolin"` or `"embree"`, see `svr_baselines.rendering.choose_renderer`.
        samples: Samples along each side of a pixel.
        seed: Seed of the viewpoints. Those of a shape depend on this and on its id alone.
        workers: Who does the work.

    Returns:
        How many shapes were drawn, and those that were skipped because they are bad.

    Raises:
        FileNotFoundError: If there is no such folder.
        OSError: If `out` can't be written.
        ValueError: If there is no mesh, all are bad, an argument is not as described, or `out` holds anything else.
    """
    for name, count in (("views", views), ("size", size), ("samples", samples)):
        check_count(name, count)
    check_pictures(size, samples, views * len(azimuth_ranges))
    check_up(up)
    if not azimuth_ranges or len(set(azimuth_ranges)) < len(azimuth_ranges):
        raise ValueError(f"Argument `azimuth_ranges` must hold different ranges, but got {list(azimuth_ranges)}.")
    viewpoints = tuple(
        Viewpoints(float(azimuth), _pair(elevation), _pair(distance), azimuth_centre) for azimuth in azimuth_ranges
    )
    sources = as_sources(meshes)
    begun = begun_with(Path(out), map(part_of, viewpoints)).values()
    if renderer == "auto" and any(settings.get("renderer") == "embree" for settings in begun):
        renderer = "embree"  # as it was begun, though Kaolin and a GPU may be there by now
    maker = _Maker(Path(out), viewpoints, views, size, up, choose_renderer(renderer), samples, seed)
    split = split_of_sources(sources)
    parts = [maker.part(of, split) for of in viewpoints]
    return run_build(Path(out), parts, sources, maker, "meshes", workers or Workers())


def check_pictures(size: int, samples: int, pictures: int) -> None:
    """Refuse pictures of one shape that memory has no room for: all of them, and the rays of one."""
    check_memory("views" if pictures > 1 else "size", 4 * pictures * size**2, "the pictures of a shape")
    check_memory("size", 64 * (size * samples) ** 2, "the rays of a picture")


def _pair(bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = bounds
    return float(low), float(high)


def part_of(viewpoints: Viewpoints) -> str:
    """Folder of the data set of a range.

    Example:
        >>> part_of(Viewpoints(azimuth=7.5))
        'azimuth-7.5'
    """
    return f"azimuth-{viewpoints.azimuth:g}"


def image_path(name: str, view: int) -> str:
    """Path of a picture below the data set's folder, as R2N2 has it."""
    return f"{name}/rendering/{view:02d}.png"


def write_png(picture: npt.NDArray[np.uint8], path: Path) -> None:
    """Write an `(H, W, 4)` picture."""
    from PIL import Image

    Image.fromarray(picture).save(path, "PNG")


def _write_text(text: str, path: Path) -> None:
    path.write_text(text)


def _between(bounds: tuple[float, float], share: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * share
