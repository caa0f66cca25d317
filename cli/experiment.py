"""`ds experiment`. Heavy imports wait until the command runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from ds_cli.options import one_line_errors

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from svr_baselines.experiments.plan import Plan, Table

NAMES = "synthetic|more-images|more-shapes|more-views"


@one_line_errors
def experiment(
    name: Annotated[str, typer.Argument(metavar=NAMES, help="Section 4, 5.3, 5.4 or 5.5 of the paper.")],
    out: Annotated[Path, typer.Option(help="Folder of the experiment. One that was ended goes on there.")],
    preset: Annotated[
        str, typer.Option(metavar="quick|paper", help="Minutes on two cores, or the published protocol.")
    ] = "quick",
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of meshes, or ShapeNet in its published layout; synthetic builds its own."),
    ] = None,
    networks: Annotated[
        str | None, typer.Option(help="By commas; those of the paper's experiment unless given.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(metavar="1|1,2,3|1:3", help="Of the trainings; the preset's.")] = None,
    clusters: Annotated[
        int | None, typer.Option(min=1, help="Clusters of all Dispersion Scores; the preset's.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes at work here; one a core unless there is a GPU. The same command started elsewhere, on a "
            "folder that all see, takes part.",
        ),
    ] = None,
    accelerator: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where networks are trained.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="GPUs or processes of each training.")] = 1,
    report: Annotated[bool, typer.Option(help="Write report.html, too.")] = True,
) -> None:
    """Repeat an experiment of the paper, test its claim, and draw its figures."""
    from ds_cli.reading import parse_numbers

    from svr_baselines.experiments import Options, plan_experiment

    numbers = None if seeds is None else parse_numbers(seeds)
    if numbers is not None and not numbers:
        raise ValueError(f"--seeds must be numbers such as 1,2,3 or 1:3, but got {seeds!r}")
    options = Options(preset, data, None if networks is None else networks.split(","), numbers, clusters)  # type: ignore[arg-type]
    plan = plan_experiment(name, options)
    run(plan, out, workers, accelerator, devices, report, tell_differences=True)


def run(
    plan: Plan,
    out: Path,
    workers: int | None,
    accelerator: str,
    devices: int,
    report: bool,
    tell_differences: bool = False,
) -> None:
    """Do an experiment, and say what came of it."""
    from ds_cli.reading import say
    from ds_cli.report import write_page
    from ds_cli.writing import check_folder
    from rich.console import Console

    from svr_baselines.experiments import RESULTS, Context, run_experiment
    from svr_baselines.experiments.checks import check_experiment
    from svr_baselines.parallel import available_cores

    _check_packages(report)
    check_folder("--out", out)
    cores = available_cores()
    context = Context(out, cores, accelerator, devices)
    stdout, stderr = Console(), Console(stderr=True)
    chosen = workers or (1 if _has_gpu(accelerator) else cores)
    check_experiment(plan, context, chosen)
    for line in plan.protocol.differs if tell_differences else ():
        say(stderr, f"unlike the paper: {line}")
    try:
        conclusion = run_experiment(plan, context, chosen, lambda line: say(stderr, line))
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(f"what is finished is kept in {out}; the same command goes on there") from interrupt
    if report:  # first, as it may fail
        write_page([out], out / "report.html")
    stdout.print(_table(conclusion.table, plan.title))
    for verdict in conclusion.verdicts:
        say(stdout, f"{verdict.claim} {verdict.sentence}")
    for name in (RESULTS, *(f"figures/{drawing.name}.png" for drawing in conclusion.drawings)):
        say(stdout, f"wrote {out / name}")


def _check_packages(report: bool) -> None:
    """Find out before the work, not after hours of it, that a package is missing."""
    from svr_baselines.environment import lack_of_extra

    if (lack := lack_of_extra("train")) is not None:
        raise ValueError(f"an experiment {lack}")
    if report and (lack := lack_of_extra("report")) is not None:
        raise ValueError(f"the report of an experiment {lack}; or --no-report")


def _has_gpu(accelerator: str) -> bool:
    import torch

    return accelerator != "cpu" and torch.cuda.is_available()


def _table(table: Table, title: str) -> RichTable:
    from ds_cli.tables import as_cell
    from rich.table import Column
    from rich.table import Table as RichTable

    columns = (Column(as_cell(name)) for name in table.columns)
    printed = RichTable(*columns, title=as_cell(title), caption=as_cell(table.caption), caption_justify="left")
    for row in table.rows:
        printed.add_row(*map(as_cell, row))
    return printed
