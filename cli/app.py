"""The commands of `ds` and how they fail. Heavy imports wait until a command runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="Does a 3D reconstruction network reconstruct, or does it recite? The Dispersion Score tells.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Bad input ends with one line on stderr and exit code 2; only bugs show a traceback."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (ValueError, OSError) as error:
            typer.echo(f"ds: {error}", err=True)
            raise typer.Exit(2) from error
        except KeyboardInterrupt as interrupt:
            typer.echo(f"ds: interrupted{f'; {interrupt}' if str(interrupt) else ''}", err=True)
            raise typer.Exit(130) from interrupt

    return run


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


@app.command("eval")
@one_line_errors
def evaluate(
    predictions: Annotated[
        Path, typer.Argument(help="Array (N, P, 3) as .npy or .npz, or a folder of meshes and point clouds.")
    ],
    target: Annotated[
        Path | None,
        typer.Option(help="Ground truth, paired with the predictions by name. Adds CD and F-score."),
    ] = None,
    metric: Annotated[list[str] | None, typer.Option(help="Metric by its name in `ds metrics`; repeatable.")] = None,
    clusters: Annotated[
        str, typer.Option(metavar="knee|K", help="Clusters of the Dispersion Score; fix it to compare runs.")
    ] = "knee",
    points: Annotated[int, typer.Option(min=1, help="Points sampled on each mesh; point clouds stay as is.")] = 2500,
    normalize: Annotated[
        str,
        typer.Option(
            metavar="auto|unit-ball|bounding-box|none",
            help="auto: unit ball for meshes, none for point clouds.",
        ),
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampling and of the solver.")] = 0,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write scores, clusters and provenance as JSON.")
    ] = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for three pictures.")] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps the distances: a killed run goes on there, a repeated one reuses them."),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="500MB|2GB|..",
            help="Memory for the distances; beyond, they go to disk. Half of what is free unless given.",
        ),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS|local:N", help="Dask scheduler, or N processes on this machine.")
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Go on without shapes that can't be read.")] = False,
) -> None:
    """Score a set of shapes: Dispersion Score and, with targets, Chamfer distance and F-score."""
    from ds_cli.evaluate import run

    from svr_baselines.evaluation import Resources

    run(
        predictions,
        target,
        metrics=metric or [],
        clusters=clusters,
        points=points,
        normalize=normalize,
        seed=seed,
        json=json,
        plots=plots,
        resources=Resources(memory, store, cluster),
        skip_bad=skip_bad,
    )


@app.command()
@one_line_errors
def metrics() -> None:
    """List the metrics that `ds eval --metric` knows, plug-ins included."""
    from ds_cli.tables import print_metrics

    print_metrics()


@app.command()
@one_line_errors
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the picture and the scores.")] = Path("demo"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the shapes.")] = 0,
) -> None:
    """Score a network that recites and one that reconstructs, equally good by Chamfer distance."""
    from ds_cli.demo import run

    run(out, seed)


def main() -> None:
    """Entry point of the command."""
    app(prog_name="ds")
