"""`ds build`: data sets from meshes. Heavy imports wait until a command runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from ds_cli.options import Cluster, one_line_errors

if TYPE_CHECKING:
    from svr_baselines.building import Summary, Workers

app = typer.Typer(help="Build data: the synthetic set, point clouds, renders.", no_args_is_help=True)

Out = Annotated[Path, typer.Argument(help="Folder to build. A run that was ended goes on there.")]
Meshes = Annotated[
    Path,
    typer.Argument(
        help="Folder of meshes, searched with its subfolders; ShapeNetCore v1 and v2, category/name.obj, or flat."
    ),
]
Up = Annotated[str, typer.Option(metavar="y|z", help="The axis that is up in the meshes.")]
Size = Annotated[int, typer.Option(min=1, help="Pixels along each side of a picture.")]
Samples = Annotated[int, typer.Option(min=1, help="Samples along each side of a pixel; 1: no anti-aliasing.")]
Renderer = Annotated[
    str, typer.Option(metavar="auto|kaolin|embree", help="Kaolin on a GPU, or Embree on the CPU. auto: what is there.")
]
Processes = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; unless given, one a core where it takes long.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all that is drawn. Each shape's draw depends on its id alone.")]


@app.command()
@one_line_errors
def synthetic(
    out: Out,
    count: Annotated[int, typer.Option(min=1, help="Steps from the cube to the sphere.")] = 1000,
    points: Annotated[int, typer.Option(min=1, help="Points of each shape.")] = 2500,
    size: Size = 224,
    renderer: Renderer = "auto",
    samples: Samples = 2,
    seed: Seed = 0,
    workers: Processes = None,
    cluster: Cluster = None,
) -> None:
    """Build the paper's morph from a cube to a sphere: meshes, isometric views, points, and 15 sub-trainsets."""
    from svr_baselines.building import build_synthetic

    def build(who: Workers) -> Summary:
        return build_synthetic(
            out, count=count, points=points, size=size, renderer=renderer, samples=samples, seed=seed, workers=who
        )

    _run(build, out, "shapes", workers, cluster)


@app.command()
@one_line_errors
def points(
    meshes: Meshes,
    out: Out,
    points: Annotated[int, typer.Option(min=1, help="Points drawn from each surface.")] = 30_000,
    up: Up = "y",
    sampler: Annotated[
        str,
        typer.Option(
            metavar="auto|kaolin|numpy", help="What draws: auto is numpy; Kaolin draws other points for one seed."
        ),
    ] = "auto",
    seed: Seed = 0,
    workers: Processes = None,
    cluster: Cluster = None,
) -> None:
    """Draw points from the surfaces of meshes, evenly by area: OUT/<id>.npy."""
    from svr_baselines.building import build_points

    def build(who: Workers) -> Summary:
        return build_points(meshes, out, points=points, up=up, sampler=sampler, seed=seed, workers=who)

    _run(build, out, "meshes", workers, cluster)


@app.command()
@one_line_errors
def occupancy(
    meshes: Meshes,
    points: Annotated[Path, typer.Argument(help="Folder that `ds build points` has made of the same meshes.")],
    out: Out,
    queries: Annotated[int, typer.Option(min=1, help="Places about each shape.")] = 100_000,
    up: Up = "y",
    normalize: Annotated[str, typer.Option(metavar="unit-ball|none", help="As items will be.")] = "unit-ball",
    seed: Seed = 0,
    workers: Processes = None,
    cluster: Cluster = None,
) -> None:
    """Find out which places about meshes are inside, to train occnet: OUT/<id>.npz."""
    from svr_baselines.building import build_occupancy

    def build(who: Workers) -> Summary:
        return build_occupancy(meshes, points, out, queries=queries, up=up, normalize=normalize, seed=seed, workers=who)

    _run(build, out, "meshes", workers, cluster)


@app.command()
@one_line_errors
def renders(
    meshes: Meshes,
    out: Out,
    azimuth_range: Annotated[
        str,
        typer.Option(
            metavar="A,B,..|paper",
            help="Azimuths are drawn from -A to A degrees; for each range a data set OUT/azimuth-A. paper: "
            "0,15,30,45,60,75,90.",
        ),
    ] = "90",
    elevation: Annotated[tuple[float, float], typer.Option(help="Lowest and highest elevation, degrees.")] = (20, 30),
    distance: Annotated[
        tuple[float, float],
        typer.Option(
            help="Nearest and farthest distance, in 1.75 diagonals of the shape; the paper's 0.65 cuts off tips."
        ),
    ] = (0.7, 1.0),
    azimuth_centre: Annotated[
        float, typer.Option(help="Azimuth of the middle view: 0 looks from +X, 90 from +Z.")
    ] = 0.0,
    views: Annotated[int, typer.Option(min=1, help="Pictures of each shape, in each range.")] = 1,
    size: Size = 224,
    up: Up = "y",
    renderer: Renderer = "auto",
    samples: Samples = 2,
    seed: Seed = 0,
    workers: Processes = None,
    cluster: Cluster = None,
) -> None:
    """Draw meshes from random viewpoints, on a transparent ground, in the layout of 3D-R2N2's renderings."""
    from svr_baselines.building import build_renders

    ranges = _parse_ranges(azimuth_range)

    def build(who: Workers) -> Summary:
        return build_renders(
            meshes,
            out,
            azimuth_ranges=ranges,
            elevation=elevation,
            distance=distance,
            azimuth_centre=azimuth_centre,
            views=views,
            size=size,
            up=up,
            renderer=renderer,
            samples=samples,
            seed=seed,
            workers=who,
        )

    _run(build, out, "meshes", workers, cluster)


def _parse_ranges(text: str) -> list[float]:
    from svr_baselines.building import RANGES

    if text == "paper":
        return list(RANGES)
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--azimuth-range must be numbers such as 0,90, or 'paper', but got {text!r}") from None


def _run(build: Callable[[Workers], Summary], out: Path, what: str, processes: int | None, cluster: str | None) -> None:
    """Build, with progress, and tell what was done and what was left out."""
    from ds_cli.progress import progress_bar
    from ds_cli.reading import say
    from rich.console import Console

    from svr_baselines.building import Workers

    console = Console(stderr=True)
    begun = time.monotonic()
    try:
        with progress_bar(console, f"building {out.name}", what) as tell:
            summary = build(Workers(processes, cluster, tell))
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt("what is built stays, the same command goes on") from interrupt
    for bad in summary.skipped:
        say(console, f"skipped {bad.path}: {bad.reason}")
    seconds = time.monotonic() - begun
    kept = f"{summary.kept:,} were there, " if summary.kept else ""
    skipped = f", {len(summary.skipped):,} skipped" if summary.skipped else ""
    rate = f" in {seconds:.1f} s, {summary.built / seconds:,.1f} a second"
    say(Console(), f"{out}: {kept}{summary.built:,} of {summary.total:,} {what} built{rate}{skipped}")
