"""Places inside and outside of the shapes of a folder of meshes: what implicit networks are trained on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from svr_baselines.building.build import Part, Summary, Workers, run_build, write_file
from svr_baselines.building.sources import MeshSource, as_sources, category_of, load_source
from svr_baselines.data.formats import load_array
from svr_baselines.data.manifest import Sample
from svr_baselines.data.occupancy import sample_occupancy, write_occupancy
from svr_baselines.data.points import Normalization, check_count, stable_seed
from svr_baselines.rendering import check_up


@dataclass(frozen=True)
class _Maker:
    out: Path
    clouds: Path
    queries: int
    up: str
    normalize: Normalization
    seed: int

    def finished(self, item: MeshSource) -> bool:
        return (self.out / _path(item.id)).exists()

    def make(self, item: MeshSource, scratch: Path) -> None:
        cloud = load_array(self.clouds / f"{item.id}.npy")
        surface = load_source(item, self.up, materials=False).normalized()
        low, high = surface.bounds
        beyond = max(float((low - cloud.min(axis=0)).max()), float((cloud.max(axis=0) - high).max()))
        if beyond > 1e-4:
            raise ValueError(f"the points {item.id}.npy are not of this mesh, in the frame of `ds build points`")
        seed = stable_seed(self.seed, item.id)
        found = sample_occupancy(surface.vertices, surface.faces, cloud, self.queries, seed, self.normalize)
        write = partial(_write, occupancy=found, normalize=self.normalize)
        write_file(self.out / _path(item.id), scratch, write)


def build_occupancy(
    meshes: str | os.PathLike[str] | Sequence[MeshSource],
    points: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    queries: int = 100_000,
    up: Literal["y", "z"] = "y",
    normalize: Normalization = "unit-ball",
    seed: int = 0,
    workers: Workers | None = None,
) -> Summary:
    """Draw places about each shape and find out which are inside, into `OUT/<id>.npz`.

    A place is inside where the mesh is closed around it or, of a mesh with holes, where its winding number is above a
    half. Places are even in a cube a little larger than the unit ball, in the frame that items have.

    Args:
        meshes: Folder of meshes, see `find_meshes`; or sources, see `kaolin_sources`.
        points: Folder that `build_points` has made of the same meshes.
        out: Folder to build.
        queries: Places of each shape.
        up: The axis that is up in the meshes.
        normalize: As items will be normalised.
        seed: Seed of the draw.
        workers: Who does the work.

    Returns:
        How many were built, and those that were skipped because they are bad.

    Raises:
        FileNotFoundError: If there is no such folder.
        OSError: If `out` can't be written.
        ValueError: If there is no mesh, all are bad, an argument is not as described, or `out` holds anything else.
    """
    check_count("queries", queries)
    check_up(up)
    if normalize not in get_args(Normalization):
        raise ValueError(f"Argument `normalize` must be one of {get_args(Normalization)}, but got {normalize!r}")
    if not Path(points).is_dir():
        raise FileNotFoundError(f"No folder at {points}.")
    sources = as_sources(meshes)
    maker = _Maker(Path(out), Path(points), queries, up, normalize, seed)
    settings = {"kind": "occupancy", "queries": queries, "up": up, "normalize": normalize, "seed": seed}

    def samples(source: MeshSource) -> list[Sample]:
        return [Sample(source.id, category_of(source.id), mesh=source.mesh)]

    part = Part(".", settings, samples, files=lambda source: [_path(source.id)])
    return run_build(Path(out), [part], sources, maker, "meshes", workers or Workers())


def _path(name: str) -> str:
    return f"{name}.npz"


def _write(path: Path, occupancy: Any, normalize: Normalization) -> None:
    write_occupancy(path, occupancy, normalize)
