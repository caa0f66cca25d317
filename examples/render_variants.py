r"""Pictures of meshes from wider and wider ranges of viewpoints, and how dispersed they are: section 5.3 of the paper.

    python examples/render_variants.py
    python examples/render_variants.py --meshes ShapeNetCore.v2/ --ranges paper --distance 0.65 1 --azimuth-centre 0 \
        --size 224 --clusters 500 --workers 8

For each range A azimuths are drawn within A degrees of `--azimuth-centre`, elevations from 20 to 30 degrees. The second
command has the paper's settings: ranges 0, 15, 30, 45, 60, 75 and 90, one picture a shape. NVIDIA Kaolin draws where it
and a CUDA GPU are there, Embree on the CPU elsewhere. Leaves a data set `OUT/renders/azimuth-A` for each range, in the
layout of 3D-R2N2, and `OUT/contact_sheet.png`, a row a range. Prints the Dispersion Score of each range's pictures with
its 95 % interval, which is wide for so few. Meshes are ShapeNetCore v1 or v2, or any folder; furniture without.
"""

from __future__ import annotations

import sys
from pathlib import Path

import typer
from PIL import Image, ImageDraw
from small_data import make_meshes

from ds_metrics.features import create_extractor
from svr_baselines.building import RANGES, Workers, build_renders
from svr_baselines.data import read_images
from svr_baselines.data.manifest import read_manifest
from svr_baselines.dispersion import Scoring
from svr_baselines.evaluation import evaluate_images
from svr_baselines.rendering import choose_renderer

LABEL = 16  # pixels above each row


def draw_contact_sheet(parts: dict[str, Path], columns: int, size: int) -> Image.Image:
    """The first shapes of each data set over white, a row a set."""
    sheet = Image.new("RGB", (columns * size, len(parts) * (size + LABEL)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, (name, folder) in enumerate(parts.items()):
        top = row * (size + LABEL)
        pen.text((4, top + 2), name, fill="black")
        samples = read_manifest(folder).samples
        step = max(1, len(samples) // columns)
        for column, sample in enumerate(samples[::step][:columns]):
            with Image.open(folder / sample.image) as picture:
                drawn = picture.convert("RGBA").resize((size, size))
            sheet.paste(drawn, (column * size, top + LABEL), drawn)
    return sheet


def tell(done: int, total: int) -> None:
    """Say how far it is, now and then."""
    if done % 100 == 0 or done == total:
        print(f"{done} of {total} meshes drawn", file=sys.stderr)


def main(
    *,
    meshes: Path | None = None,
    out: Path = Path("demo/render_variants"),
    ranges: str = "0,30,90",
    distance: tuple[float, float] = (0.7, 1.0),
    azimuth_centre: float = 60.0,  # shows the front of the furniture and a side
    views: int = 1,
    size: int = 128,
    clusters: int = 4,
    renderer: str = "auto",
    workers: int = 1,
    seed: int = 0,
) -> None:
    """Draw, score the pictures of each range, and leave a contact sheet."""
    if meshes is None:
        meshes = out / "meshes"
        make_meshes(meshes, per_kind=6)
    angles = list(RANGES) if ranges == "paper" else [float(angle) for angle in ranges.split(",")]
    print(f"drawing by {choose_renderer(renderer)}", file=sys.stderr)
    summary = build_renders(
        meshes,
        out / "renders",
        azimuth_ranges=angles,
        azimuth_centre=azimuth_centre,
        distance=distance,
        views=views,
        size=size,
        renderer=renderer,
        seed=seed,
        workers=Workers(workers, progress=tell),
    )
    for bad in summary.skipped:
        print(f"skipped {bad.path}: {bad.reason}", file=sys.stderr)

    names = [f"azimuths within {angle:g} degrees" for angle in angles]
    parts = dict(zip(names, summary.folders, strict=True))
    draw_contact_sheet(parts, columns=8, size=min(size, 128)).save(out / "contact_sheet.png")
    print(f"wrote {out / 'contact_sheet.png'}", file=sys.stderr)
    extractor = create_extractor("vgg16")
    print("azimuths within   images           DS   95 % interval")
    for angle, folder in zip(angles, parts.values(), strict=True):
        images = read_images(folder, extractor)
        found = evaluate_images(images, Scoring(n_clusters=clusters, seed=seed)).dispersion
        interval = found.clustering.interval
        ends = found.no_interval if interval is None else f"{interval.low:,.0f} to {interval.high:,.0f}"
        print(f"{angle:15g}   {len(images):6d}   {found.clustering.score:10,.0f}   {ends}")


if __name__ == "__main__":
    typer.run(main)
