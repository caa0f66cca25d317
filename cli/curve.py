"""`ds curve`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ds_cli.evaluate import SCORE_LABEL
from ds_cli.progress import pairs_progress
from ds_cli.reading import MOST_NUMBERS, Reading, parse_numbers, say, shorten, tell_skipped
from ds_cli.tables import print_curves
from ds_cli.terminal import drawable
from ds_cli.writing import check_file, check_folder, check_json, write_figure, write_json
from rich.console import Console

from ds_metrics.clustering import Solver
from svr_baselines.curves import SetCurve, compute_curve, curves_of_result, tell_apart, without_repeats
from svr_baselines.data.shapes import BadShape
from svr_baselines.dispersion import Resources

PICTURES = (".png", ".pdf", ".svg")


def run(
    sets: Sequence[Path],
    *,
    clusters: str | None,
    solver: Solver,
    reading: Reading,
    out: Path,
    json: str | None,
    resources: Resources,
) -> None:
    """Read or compute the curves, print what they show, and draw them."""
    grid = None if clusters is None else parse_grid(clusters)
    results = [path for path in sets if path.suffix.lower() == ".json"]
    if grid is not None and results:
        raise ValueError(f"--clusters is for shapes, but the curve of {results[0]} has the grid that it was made with")
    if out.suffix.lower() not in PICTURES:
        raise ValueError(f"--out must end in one of {' '.join(PICTURES)}, but got {str(out)!r}")
    check_file("--out", out, *sets)
    check_json(json, *sets)
    check_folder("--store", resources.store)
    stdout, stderr = Console(), Console(stderr=True)
    table = stderr if json == "-" else stdout

    known = {path: curves_of_result(path) for path in results}  # at once: what is wrong with them shows before the work
    curves, skipped = list[SetCurve](), dict[str, Sequence[BadShape]]()
    for path in sets:
        if path in known:
            curves += known[path]
            continue
        shapes = reading.read(path, stderr)
        skipped[str(path)] = shapes.skipped
        stage = partial(pairs_progress, stderr, f"distances of {path.name}")
        curves.append(compute_curve(shapes, grid, solver, reading.seed, resources, stage))

    curves = without_repeats(curves)
    names, warning = tell_apart(curves)
    draw(dict(zip(map(drawable, names), curves, strict=True)), out)  # before anything is shown, as it may fail
    write_json({"curves": [curve.to_json() for curve in curves]}, json)
    tell_skipped(table, skipped)
    print_curves(curves, table)
    if warning is not None:
        say(stderr, f"ds: warning: {warning}")
    say(table, f"wrote {out}")


def parse_grid(text: str) -> list[int]:
    """Numbers of clusters from ``"1:100"``, both ends included, or ``"1,2,5"``."""
    grid = parse_numbers(text)
    if not grid or grid[0] < 1 or sorted(set(grid)) != grid:
        numbers = f"ascending numbers such as '1:100' or '1,2,5,10', but got {shorten(text)}"
        raise ValueError(f"--clusters must be {numbers}; {MOST_NUMBERS:,} are the most")
    return grid


def draw(curves: dict[str, SetCurve], out: Path) -> None:
    """All curves in one picture, with the confidence intervals that are known."""
    from ds_metrics.plotting import plot_curves

    intervals = {name: curve.interval for name, curve in curves.items() if curve.interval is not None}
    lines = {name: curve.curve for name, curve in curves.items()}
    write_figure(plot_curves(lines, intervals, score_label=SCORE_LABEL)[0], out)
