"""`ds report`. Heavy imports wait until the command runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from ds_cli.options import Store, check_paths, one_line_errors

if TYPE_CHECKING:
    from svr_baselines.report.sets import ReportSet
    from svr_baselines.report.shapes import Shapes


@one_line_errors
def report(
    results: Annotated[
        list[Path], typer.Argument(help="Result files of `ds eval --json`, and folders of `ds experiment`.")
    ],
    out: Annotated[Path, typer.Option(help="The page, one HTML file.")] = Path("report.html"),
    title: Annotated[str | None, typer.Option(help="Its title.")] = None,
    turntables: Annotated[
        Path | None, typer.Option(help="Folder for films of the medoids, one each and all on one sheet.")
    ] = None,
    film: Annotated[str, typer.Option("--format", metavar="gif|mp4", help="Format of the films.")] = "gif",
    store: Store = None,
) -> None:
    """Write results as one HTML file that needs no network: scores, verdicts, and the shapes that are recited.

    The shapes are read again from where they were scored; where they are gone or have changed, the page says so and
    shows what it can.
    """
    check_paths(*results)
    from ds_cli.reading import say
    from ds_cli.writing import check_file, check_folder
    from rich.console import Console

    from svr_baselines.report.turntables import FORMATS, check_format

    if out.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"--out must end in .html, but got {str(out)!r}")
    check_file("--out", out, *results)
    check_folder("--store", store)
    if film not in FORMATS:
        raise ValueError(f"--format must be one of {', '.join(FORMATS)}, but got {film!r}")
    if turntables is not None:
        check_format(film)
        check_folder("--turntables", turntables)
    films: list[Path] = []
    visit = None if turntables is None else partial(_film, turntables, film, films)
    write_page(results, out, title=title, store=store, visit=visit)
    if turntables is not None:
        say(Console(), f"wrote {len(films)} films to {turntables}")


def write_page(
    results: Sequence[Path],
    out: Path,
    title: str | None = None,
    store: Path | None = None,
    visit: Callable[[ReportSet, Shapes], None] | None = None,
) -> None:
    """Write the page, and say what it lacks and how large it is; see `svr_baselines.report.write_report`."""
    from ds_cli.progress import pairs_progress
    from ds_cli.reading import say
    from rich.console import Console

    from svr_baselines.dispersion import Resources
    from svr_baselines.parallel import available_cores
    from svr_baselines.report import read_results, write_report

    stderr = Console(stderr=True)
    missing = write_report(
        read_results(results),
        out,
        title=title,
        resources=Resources(store=store),
        stage=partial(pairs_progress, stderr),
        workers=available_cores(),
        visit=visit,
    )
    for line in missing:
        say(stderr, f"ds: warning: {line}")
    say(Console(), f"wrote {out}: {out.stat().st_size / 1e6:.1f} MB")


def _film(folder: Path, kind: str, films: list[Path], one: ReportSet, shapes: Shapes) -> None:
    """The films of a set whose shapes are there."""
    from svr_baselines.report.turntables import write_turntables

    if shapes.predictions is None:
        return
    place = {name: i for i, name in enumerate(one.labels)}
    clouds = [shapes.predictions.clouds[place[name]] for name in one.medoids]
    sizes = [list(one.labels.values()).count(cluster) for cluster in range(len(clouds))]
    films += write_turntables(folder, one.name, clouds, sizes, len(one.labels), kind)
