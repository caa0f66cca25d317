"""The synthetic set of the paper, a morph from a cube to a sphere, with the sub-trainsets of its section 4."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from svr_baselines.building.build import Part, Summary, Workers, run_build, write_file
from svr_baselines.building.morph import ISOMETRIC, morph_mesh, morph_normals, morph_value
from svr_baselines.building.renders import check_pictures, write_png
from svr_baselines.building.subsets import Split, SubTrainset, needed_samples, split_indices, sub_trainsets
from svr_baselines.data.manifest import Manifest, Sample, write_manifest
from svr_baselines.data.points import check_count, sample_mesh, stable_seed
from svr_baselines.data.shapes import index_names
from svr_baselines.rendering import Surface, choose_renderer, render

RESOLUTION = 24  # triangles along an edge of the cube: chords within 0.0007 of the unit sphere
TRAINSETS = "trainsets"  # folder of the sub-trainsets' manifests


@dataclass(frozen=True)
class Step:
    """One shape of the morph."""

    id: str
    value: float


@dataclass(frozen=True)
class _Maker:
    out: Path
    points: int
    size: int
    renderer: str
    samples: int
    seed: int

    def finished(self, item: Step) -> bool:
        return (self.out / _points(item.id)).exists()

    def make(self, item: Step, scratch: Path) -> None:
        vertices, faces = morph_mesh(item.value, RESOLUTION)
        surface = Surface(vertices, faces, morph_normals(item.value, RESOLUTION))
        picture = render(surface, [ISOMETRIC], self.size, self.renderer, self.samples)[0]
        cloud = sample_mesh(vertices, faces, self.points, stable_seed(self.seed, item.id)).astype(np.float32)
        write_file(self.out / _mesh(item.id), scratch, partial(_write_ply, surface))
        write_file(self.out / _image(item.id), scratch, partial(write_png, picture))
        write_file(self.out / _points(item.id), scratch, lambda path: np.save(path, cloud))


def build_synthetic(
    out: str | os.PathLike[str],
    *,
    count: int = 1000,
    points: int = 2500,
    size: int = 224,
    renderer: str = "auto",
    samples: int = 2,
    seed: int = 0,
    workers: Workers | None = None,
) -> Summary:
    """Build the synthetic set: meshes, pictures from the isometric view, and points.

    `OUT/meshes/0000.ply`, `images/0000.png` and `points/0000.npy` are the cube, the last ones all but the sphere;
    `manifest.csv` has the morph value and the split, 70 : 10 : 20. `OUT/trainsets/SjIi` holds the manifests of the
    sub-trainsets, whose paths are below `OUT`: `ManifestDataset(OUT, manifest=read_manifest(OUT / "trainsets/S1I1"))`.
    Along `S1I1 .. S1I8` the images spread while the shapes are the two ends, along `S1I8 .. S8I8` the shapes do; see
    `svr_baselines.building.subsets`. A run that was ended goes on where it was.

    Args:
        out: Folder to build.
        count: Steps of the morph. Sub-trainsets need some 900; fewer steps make none.
        points: Points of each cloud; they are in the unit ball.
        size: Pixels along each side of a picture.
        renderer: `"auto"`, `"kaolin"` or `"embree"`, see `svr_baselines.rendering.choose_renderer`.
        samples: Samples along each side of a pixel.
        seed: Seed of the points and of the split.
        workers: Who does the work.

    Returns:
        How many steps were built.

    Raises:
        OSError: If `out` can't be written.
        ValueError: If an argument is not as described, or `out` holds anything else.
    """
    for name, number in (("count", count), ("points", points), ("size", size), ("samples", samples)):
        check_count(name, number)
    check_pictures(size, samples, 1)
    out = Path(out)
    maker = _Maker(out, points, size, choose_renderer(renderer), samples, seed)
    settings: dict[str, Any] = {"kind": "synthetic", "count": count, "points": points, "size": size}
    settings |= {"normalized": "unit-ball"}
    settings |= {"renderer": maker.renderer, "samples": samples, "seed": seed}
    steps = [Step(name, morph_value(index, count)) for index, name in enumerate(index_names(count))]
    split = split_indices(count, seed)
    rows = {step.id: _sample(step, part) for step, part in zip(steps, _parts_of(split, count), strict=True)}

    def samples_of(step: Step) -> list[Sample]:
        return [rows[step.id]]

    def files_of(step: Step) -> list[str]:
        return [_mesh(step.id), _image(step.id), _points(step.id)]

    part = Part(".", settings, samples_of, files_of)
    summary = run_build(out, [part], steps, maker, "shapes", workers or Workers())
    for subset in sub_trainsets(split.train) if len(split.train) >= needed_samples() else ():
        _write_trainset(out, subset, list(rows.values()), part.to_json())
    return summary


def _sample(step: Step, part: str) -> Sample:
    name = step.id
    return Sample(
        name, "", part, 0, _image(name), _points(name), _mesh(name), camera=ISOMETRIC, values={"morph": step.value}
    )


def _write_trainset(out: Path, subset: SubTrainset, rows: list[Sample], settings: dict[str, Any]) -> None:
    """The manifest of a sub-trainset: each row has the image of one step and the points of another."""
    half = len(subset.pairs) // 2
    samples = tuple(
        replace(
            rows[image],
            id=f"{position:02d}",
            category="cube" if position < half else "sphere",
            split="train",
            points=rows[shape].points,
            mesh=rows[shape].mesh,
            values={"image_morph": rows[image].values["morph"], "shape_morph": rows[shape].values["morph"]},
        )
        for position, (image, shape) in enumerate(subset.pairs)
    )
    widths = {"trainset": subset.name, "image_width": subset.image_width, "shape_width": subset.shape_width}
    folder = out / TRAINSETS / subset.name
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(folder, Manifest(samples, {**settings, **widths, "paths_below": "../.."}))


def _parts_of(split: Split, count: int) -> list[str]:
    parts = [""] * count
    for name in ("train", "validation", "test"):
        for index in getattr(split, name):
            parts[index] = name
    return parts


def _write_ply(surface: Surface, path: Path) -> None:
    import trimesh

    mesh: Any = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    path.write_bytes(mesh.export(file_type="ply"))


def _mesh(name: str) -> str:
    return f"meshes/{name}.ply"


def _image(name: str) -> str:
    return f"images/{name}.png"


def _points(name: str) -> str:
    return f"points/{name}.npy"
