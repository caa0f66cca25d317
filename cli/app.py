"""The commands of `ds`. Heavy imports wait until a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from ds_cli.build import app as build
from ds_cli.experiment import experiment
from ds_cli.options import (
    Cluster,
    Json,
    Memory,
    Normalize,
    OneLineGroup,
    Points,
    Seed,
    SkipBad,
    Solver,
    Store,
    check_paths,
    one_line_errors,
)
from ds_cli.report import report
from ds_cli.train import predict, recall, train

app = typer.Typer(
    help="Does a 3D reconstruction network reconstruct, or does it recite? The Dispersion Score tells.",
    cls=OneLineGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(build, name="build")
app.command()(train)
app.command()(predict)
app.command()(recall)
app.command()(report)
app.command()(experiment)


def print_version(wanted: bool) -> None:
    """Print the installed version and stop, where that is wanted."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"dispersion-score {version('dispersion-score')}")
        raise typer.Exit


@app.callback()
def callback(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Does a 3D reconstruction network reconstruct, or does it recite? The Dispersion Score tells."""


_NO_SET = "PREDICTIONS is missing: an array or a folder of shapes; or --images"
_FOR_SHAPES = "target", "metric", "train_shapes", "common", "points", "normalize"
_FOR_IMAGES = "features", "weights", "pooling", "size", "background", "crop", "views", "device"


def refuse_options(context: typer.Context, names: tuple[str, ...], images: bool) -> None:
    """Refuse an option that was given and would change nothing."""
    given = [name for name in names if context.get_parameter_source(name).name == "COMMANDLINE"]
    if given and images:
        raise ValueError(f"--{given[0].partition('_')[0]} is for shapes, but --images was given")
    if given:
        raise ValueError(f"--{given[0]} is for images, but --images was not given")


def image_option(*names: str, **settings: Any) -> Any:
    """An option that goes with `--images`."""
    return typer.Option(*names, rich_help_panel="Images", **settings)


@app.command("eval")
@one_line_errors
def evaluate(
    context: typer.Context,
    predictions: Annotated[
        Path | None, typer.Argument(help="Array (N, P, 3) as .npy or .npz, or a folder of meshes and point clouds.")
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option(
            help="Ground truth, paired with the predictions by name. Adds CD, F-score, and the Dispersion Score over "
            "that of the ground truth: 1 is as dispersed as the truth, 0 a recital of k shapes."
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Metric by its name in `ds metrics`; repeatable. all: whatever can be computed."),
    ] = None,
    train_shapes: Annotated[
        Path | None,
        typer.Option(
            "--train", help="Shapes that the network was trained on: with --metric all, what it copied or recited."
        ),
    ] = None,
    common: Annotated[
        bool, typer.Option("--common", help="Score only the shapes that both predictions and ground truth have.")
    ] = False,
    clusters: Annotated[
        str,
        typer.Option(
            metavar="knee|K",
            help="Clusters of the Dispersion Score; fix it to compare runs. knee: where DS over k bends, of the ground "
            "truth where there is one, so that all its predictions share k.",
        ),
    ] = "knee",
    points: Points = 2500,
    normalize: Normalize = "auto",
    seed: Seed = 0,
    solver: Solver = "fasterpam",
    estimator: Annotated[
        str,
        typer.Option(
            metavar="auto|exact|sampled",
            help="All distances, or medoids from a sample; auto: exact up to 10,000 samples.",
        ),
    ] = "auto",
    confidence: Annotated[
        str, typer.Option(metavar="0.95|none", help="Level of the confidence interval of the Dispersion Score.")
    ] = "0.95",
    json: Json = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for three pictures.")] = None,
    store: Store = None,
    memory: Memory = None,
    cluster: Cluster = None,
    skip_bad: SkipBad = False,
    images: Annotated[
        Path | None,
        image_option(
            help="Images instead of shapes: a folder of .png .jpg .webp .., also in R2N2's layout; or an array "
            "(N, H, W, C) or (N, C, H, W)."
        ),
    ] = None,
    features: Annotated[str, image_option(metavar="vgg16|pixels|..", help="What images are compared by.")] = "vgg16",
    weights: Annotated[
        str | None,
        image_option(
            metavar="bundled|torchvision|FILE",
            help="Weights of the features: those that come along, torchvision's (the paper's), or a file's.",
        ),
    ] = None,
    pooling: Annotated[
        str | None,
        image_option(metavar="channel-max|none", help="The largest of VGG16's 256 channels, or all of them."),
    ] = None,
    size: Annotated[int, image_option(min=1, help="Pixels to which images are resized.")] = 224,
    background: Annotated[
        str,
        image_option(
            metavar="white|black|#rrggbb|none",
            help="What shows through transparent pixels; none: the colours stored there, as the paper's code.",
        ),
    ] = "white",
    crop: Annotated[
        int | None, image_option(min=1, help="Pixels of the centre to keep, before resizing; 127 for R2N2.")
    ] = None,
    views: Annotated[str | None, image_option(metavar="0|1,5|1:23", help="R2N2 renderings to keep.")] = None,
    device: Annotated[str, image_option(metavar="auto|cpu|cuda", help="Where features are computed.")] = "auto",
) -> None:
    """Score a set of shapes: Dispersion Score and, with targets, Chamfer distance and F-score. Or a set of images."""
    if (predictions is None) == (images is None):
        raise ValueError("one set is scored: PREDICTIONS or --images, but got both" if images else _NO_SET)
    refuse_options(context, _FOR_SHAPES if images else _FOR_IMAGES, images is not None)
    if common and target is None:
        raise ValueError("--common is for predictions with a ground truth, but --target was not given")
    check_paths(predictions, images, target, train_shapes)
    from ds_cli.evaluate import parse_clusters, parse_confidence, run

    from svr_baselines.dispersion import Resources, Scoring

    scoring = Scoring(parse_clusters(clusters), solver, estimator, parse_confidence(confidence), seed)
    resources = Resources(memory, store, cluster)
    if images is not None:
        from ds_cli.images import ImageReading, parse_views
        from ds_cli.images import run as run_images

        reading = ImageReading(
            features, weights, pooling, size, background, crop, parse_views(views), device, skip_bad, store
        )
        run_images(images, scoring=scoring, reading=reading, json=json, plots=plots, resources=resources)
        return
    from ds_cli.reading import Reading

    run(
        predictions,
        target,
        metrics=metric or [],
        scoring=scoring,
        reading=Reading(points, normalize, seed, skip_bad, store),
        json=json,
        plots=plots,
        resources=resources,
        train=train_shapes,
        common=common,
    )


@app.command()
@one_line_errors
def compare(
    results: Annotated[
        list[Path], typer.Argument(help="Result files of `ds eval --json`; the others compare with the first.")
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Compare even what was computed under different conditions.")
    ] = False,
    json: Json = None,
) -> None:
    """Compare results: differences to the first, with confidence intervals.

    Dispersion Scores compare at equal number of shapes, k, points a cloud, distance, normalisation, solver and
    estimator; where these differ, it is refused. Seeds may differ. The interval of a difference takes the two sets as
    independent, so it is rather too wide for predictions of the same shapes.
    """
    check_paths(*results)
    from ds_cli.compare import run

    run(results, force=force, json=json)


@app.command()
@one_line_errors
def curve(
    sets: Annotated[
        list[Path], typer.Argument(help="Arrays or folders as of `ds eval`, or its result files that hold a curve.")
    ],
    out: Annotated[Path, typer.Option(help="The picture: .png, .pdf or .svg.")] = Path("curve.png"),
    clusters: Annotated[
        str | None,
        typer.Option(metavar="1:100|1,2,5,..", help="Numbers of clusters; by default some 40 from 1 to N / 2."),
    ] = None,
    points: Points = 2500,
    normalize: Normalize = "auto",
    seed: Seed = 0,
    solver: Solver = "fasterpam",
    json: Json = None,
    store: Store = None,
    memory: Memory = None,
    cluster: Cluster = None,
    skip_bad: SkipBad = False,
) -> None:
    """Draw the Dispersion Score over k, of one or several sets in one picture, with their knees."""
    check_paths(*sets)
    from ds_cli.curve import run
    from ds_cli.reading import Reading

    from svr_baselines.dispersion import Resources

    run(
        sets,
        clusters=clusters,
        solver=solver,
        reading=Reading(points, normalize, seed, skip_bad, store),
        out=out,
        json=json,
        resources=Resources(memory, store, cluster),
    )


@app.command()
@one_line_errors
def metrics() -> None:
    """List the metrics that `ds eval --metric` knows, plug-ins included."""
    from ds_cli.tables import print_metrics

    print_metrics()


@app.command()
@one_line_errors
def info(json: Json = None) -> None:
    """Say what is installed here, what is missing and how to get it. Belongs into every bug report."""
    from ds_cli.info import run

    run(json=json)


@app.command()
@one_line_errors
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the data, the networks and the report.")] = Path("demo"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the trainings.")] = 1,
) -> None:
    """Train three networks on a morph from a cube to a sphere: one reconstructs, one recites. Some minutes."""
    from ds_cli.experiment import run

    from svr_baselines.experiments.demonstration import plan

    run(plan(seed), out, workers=None, accelerator="auto", devices=1, report=True)


def main() -> None:
    """Entry point of the command."""
    app(prog_name="ds")
