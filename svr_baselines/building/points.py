"""Point clouds of the surfaces of a folder of meshes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from svr_baselines.building.build import Part, Summary, Workers, begun_with, run_build, write_file
from svr_baselines.building.sampling import choose_sampler, sample_surface
from svr_baselines.building.sources import MeshSource, as_sources, category_of, load_source, split_of_sources
from svr_baselines.data.manifest import Sample
from svr_baselines.data.points import check_count, stable_seed
from svr_baselines.rendering import check_up


@dataclass(frozen=True)
class _Maker:
    out: Path
    points: int
    up: str
    sampler: str
    seed: int

    def finished(self, item: MeshSource) -> bool:
        return (self.out / _path(item.id)).exists()

    def make(self, item: MeshSource, scratch: Path) -> None:
        surface = load_source(item, self.up, materials=False).normalized()
        cloud = sample_surface(surface, self.points, stable_seed(self.seed, item.id), self.sampler)
        write_file(self.out / _path(item.id), scratch, lambda path: np.save(path, cloud))


def build_points(
    meshes: str | os.PathLike[str] | Sequence[MeshSource],
    out: str | os.PathLike[str],
    *,
    points: int = 30_000,
    up: Literal["y", "z"] = "y",
    sampler: str = "auto",
    seed: int = 0,
    workers: Workers | None = None,
) -> Summary:
    """Draw points from the surface of each mesh, evenly by area, into `OUT/<id>.npy`.

    Shapes are moved and scaled so that their bounding box has its centre at the origin and a diagonal of length 1, as
    in their renders, and Y is up. A cloud is `(points, 3)` float32; `manifest.csv` lists all of them with the split by
    category, 80 % of the sorted ids for training. A run that was ended goes on where it was.

    Args:
        meshes: Folder of meshes, see `find_meshes`; or sources, see `kaolin_sources`.
        out: Folder to build.
        points: Points of each cloud.
        up: The axis that is up in the meshes.
        sampler: `"auto"`, `"kaolin"` or `"numpy"`, see `choose_sampler`.
        seed: Seed of the draw. The points of a shape depend on this and on its id alone.
        workers: Who does the work.

    Returns:
        How many were built, and those that were skipped because they are bad.

    Raises:
        FileNotFoundError: If there is no such folder.
        OSError: If `out` can't be written.
        ValueError: If there is no mesh, all are bad, an argument is not as described, or `out` holds anything else.

    Example:
        >>> import tempfile, trimesh
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "meshes").mkdir()
        >>> _ = trimesh.creation.box().export(folder / "meshes" / "box.ply")
        >>> build_points(folder / "meshes", folder / "points", points=100).built
        1
        >>> np.load(folder / "points" / "box.npy").shape
        (100, 3)
    """
    check_count("points", points)
    check_up(up)
    sources = as_sources(meshes)
    split = split_of_sources(sources)
    if sampler == "auto" and begun_with(Path(out), ["."]).get(".", {}).get("sampler") == "kaolin":
        sampler = "kaolin"  # as it was begun
    maker = _Maker(Path(out), points, up, choose_sampler(sampler), seed)
    settings = {"kind": "points", "points": points, "up": up, "sampler": maker.sampler, "seed": seed}

    def samples(source: MeshSource) -> list[Sample]:
        name = source.id
        return [Sample(name, category_of(name), split[name], points=_path(name), mesh=source.mesh)]

    return run_build(Path(out), [Part(".", settings, samples)], sources, maker, "meshes", workers or Workers())


def _path(name: str) -> str:
    return f"{name}.npy"
