"""Pictures a second: by size of the mesh and anti-aliasing, beside a peer, and from a file to a file.

python benchmarks/rendering.py                                       # a minute, on one core
python benchmarks/rendering.py --backend kaolin --out table.md       # on a GPU; the tables as Markdown, too
python benchmarks/rendering.py --meshes furniture                    # the files of a folder instead of a sphere
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from PIL import Image
from report import Section, print_tables, say
from timing import allowed_cores, median, run_on, take_turns

from svr_baselines.data.cameras import UNIT_DISTANCE, Camera
from svr_baselines.data.folders import find_files
from svr_baselines.data.formats import MESH_SUFFIXES
from svr_baselines.rendering import Surface, choose_renderer, load_surface, render
from svr_baselines.rendering.projection import View

VIEWS = 8
SAMPLES = 1, 2, 4
SUBDIVISIONS = 3, 4, 5, 6  # of an icosahedron: 1,280 to 81,920 faces
COMPARED = 4  # 5,120 faces


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="embree", help="auto, embree or kaolin; by default embree")
    parser.add_argument("--size", type=int, default=224, help="pixels along each side; by default 224")
    parser.add_argument("--meshes", type=Path, help="folder of meshes for the way from a file to a file")
    parser.add_argument("--smoke", action="store_true", help="tiny: shows that it runs, its numbers say nothing")
    parser.add_argument("--out", type=Path, help="write the tables to this file, too, as Markdown")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    options = parser.parse_args(arguments)
    try:
        backend = choose_renderer(options.backend)
        meshes = find_files(options.meshes, MESH_SUFFIXES, "meshes") if options.meshes else {}
    except ValueError as error:
        parser.error(str(error))
    size, repeats = (16, 1) if options.smoke else (options.size, 5)
    subdivisions = SUBDIVISIONS[:1] if options.smoke else SUBDIVISIONS
    pinned = run_on(allowed_cores()[:1])
    heading = f"Renderer {backend}, {size} x {size} pixels, {'one core' if pinned else 'all cores'}{_device(backend)}."
    sections = [
        compare_sizes(backend, size, subdivisions, repeats),
        compare_with_peer(backend, size, min(COMPARED, subdivisions[-1]), repeats),
        follow_files(backend, size, meshes, min(COMPARED, subdivisions[-1])),
    ]
    if backend != "embree":
        sections.append(compare_pictures(backend, size, subdivisions))
    print_tables(heading, sections, options.markdown, out=options.out)


def compare_sizes(backend: str, size: int, subdivisions: Sequence[int], repeats: int) -> Section:
    """Pictures a second over faces and samples."""
    say("sizes")
    surfaces = {len(surface.faces): surface for surface in map(sphere, subdivisions)}
    tasks: dict[tuple[int, int], Callable[[], Any]] = {
        (faces, samples): lambda surface=surface, samples=samples: render(surface, cameras(), size, backend, samples)
        for faces, surface in surfaces.items()
        for samples in SAMPLES
    }
    seconds = {key: median(times) for key, times in take_turns(tasks, repeats).items()}
    rows = [[f"{faces:,}", *(f"{VIEWS / seconds[faces, samples]:.1f}" for samples in SAMPLES)] for faces in surfaces]
    return Section(
        "Pictures a second by faces and samples a pixel",
        ["faces", *(f"{samples} x {samples}" for samples in SAMPLES)],
        rows,
        f"A sphere, {VIEWS} views a call, all that is done once for a mesh included.",
    )


def compare_with_peer(backend: str, size: int, subdivisions: int, repeats: int) -> Section:
    """The same rays by the mesh library's own interface, which finds faces and no more."""
    say("a peer")
    surface, views, samples = sphere(subdivisions), [View.of(camera) for camera in cameras()], 2
    side, whole = size * samples, slice(0, size * samples)
    rays = [(view.origin, view.directions(whole, whole, side).reshape(-1, 3)) for view in views]

    def peer() -> None:
        mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
        for origin, directions in rays:
            mesh.ray.intersects_first(np.broadcast_to(origin, directions.shape), directions)

    name = f"trimesh {trimesh.__version__} intersects_first, faces only"
    tasks = {f"render, {backend}, pictures": lambda: render(surface, cameras(), size, backend, samples), name: peer}
    speeds = {key: VIEWS / median(times) for key, times in take_turns(tasks, repeats).items()}
    rows = [[key, f"{speed:.1f}", f"{speed / speeds[name]:.2f}"] for key, speed in speeds.items()]
    return Section(
        f"{len(surface.faces):,} faces, {side} x {side} rays a picture",
        ["", "pictures/s", "speed, peer = 1"],
        rows,
        "The peer's tree is made once a mesh, too; its rays are made before the clock starts, and nothing is shaded.",
    )


def follow_files(backend: str, size: int, meshes: Mapping[str, Path], subdivisions: int) -> Section:
    """Every step from a mesh file to a PNG file, one view a mesh."""
    say("files")
    steps: dict[str, Callable[[Any], Any]] = {
        "read and normalise": lambda path: load_surface(path).normalized(),
        "draw, 2 x 2 samples": lambda surface: render(surface, cameras()[:1], size, backend)[0],
        "encode PNG": lambda picture: Image.fromarray(picture).save(io.BytesIO(), "PNG"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    faces = []
    with tempfile.TemporaryDirectory() as temporary:
        paths = list(meshes.values()) if meshes else write_examples(Path(temporary), subdivisions)
        load_surface(paths[0])  # imports
        for path in paths:
            value: Any = path
            for name, step in steps.items():
                start = time.perf_counter()
                value = step(value)
                seconds[name].append(time.perf_counter() - start)
                if isinstance(value, Surface):
                    faces.append(len(value.faces))
    means = {name: float(np.mean(values)) for name, values in seconds.items()}
    means["all"] = sum(means.values())
    return Section(
        f"From file to file: {len(paths)} meshes, one view each, {np.median(faces):,.0f} faces in the median",
        ["", "ms a picture", "pictures/s"],
        [[name, f"{1e3 * mean:.1f}", f"{1 / mean:.1f}"] for name, mean in means.items()],
    )


def compare_pictures(backend: str, size: int, subdivisions: Sequence[int]) -> Section:
    """How far pictures differ from Embree's."""
    say("agreement")
    rows = []
    for surface in map(sphere, subdivisions):
        first, second = (render(surface, cameras(), size, name).astype(float) for name in (backend, "embree"))
        solid = first[..., 3] > 127, second[..., 3] > 127
        both, either = solid[0] & solid[1], solid[0] | solid[1]
        rows.append([f"{len(surface.faces):,}", f"{both.sum() / either.sum():.4f}"])
        rows[-1].append(f"{np.abs(first - second)[both].mean():.3f}")
    return Section("Beside Embree's pictures", ["faces", "silhouette IoU", "mean difference, of 255"], rows)


def cameras() -> list[Camera]:
    return [Camera(360 * view / VIEWS, 25, 0.8 * UNIT_DISTANCE) for view in range(VIEWS)]


def sphere(subdivisions: int) -> Surface:
    """Smooth, and of a size to fill as much of a picture as shapes do."""
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions)
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    return Surface(vertices, faces, normals=vertices[faces]).normalized()


def write_examples(folder: Path, subdivisions: int, count: int = 4) -> list[Path]:
    """OBJ files of spheres with a texture, as the field's meshes have."""
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8))
    file = io.BytesIO()
    image.save(file, "PNG")
    mesh.visual = trimesh.visual.TextureVisuals(uv=np.asarray(mesh.vertices)[:, :2], image=Image.open(file))
    for index in range(count):
        (folder / str(index)).mkdir()
        mesh.export(folder / str(index) / "model.obj")
    return sorted(folder.glob("*/model.obj"))


def _device(backend: str) -> str:
    if backend != "kaolin":
        return ""
    import torch

    return f" and {torch.cuda.get_device_name()}"


if __name__ == "__main__":
    main()
