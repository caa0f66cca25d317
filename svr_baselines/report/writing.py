"""Results to a report on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ds_metrics._files import write_text
from svr_baselines.dispersion import Resources, Stage
from svr_baselines.report.budget import MATRIX_SHAPES, PAGE_BYTES, Plan, plan_page
from svr_baselines.report.details import describe_set
from svr_baselines.report.experiments import Experiment, read_experiment
from svr_baselines.report.markup import script_json
from svr_baselines.report.page import plotly_source, render_page
from svr_baselines.report.sets import ReportSet, name_sets, read_set
from svr_baselines.report.shapes import Shapes, read_again

_PAGE = 100_000  # bytes of the page without plotly, figures and sets


@dataclass(frozen=True)
class Results:
    """What a report is of: experiments, and all scored sets, theirs among them."""

    experiments: tuple[Experiment, ...]
    sets: tuple[ReportSet, ...]

    @property
    def title(self) -> str:
        """A title, where none is given."""
        if self.experiments:
            return self.experiments[0].title
        return self.sets[0].name if len(self.sets) == 1 else f"{len(self.sets)} sets of shapes"


def read_results(paths: Sequence[Path]) -> Results:
    """Read result files and folders of experiments.

    Args:
        paths: Result files of ``ds eval --json`` and folders of ``ds experiment``, in any order.

    Raises:
        OSError: If one can't be read.
        ValueError: If there are none, or one is neither; the text names it and the fault.
    """
    if not paths:
        raise ValueError("a report takes one result at least: a result file, or the folder of an experiment")
    experiments: list[Experiment] = []
    sets: list[ReportSet] = []
    for path in paths:
        if path.is_dir():
            experiments.append(read_experiment(path))
            sets += experiments[-1].sets
        else:
            sets.append(read_set(path, (Path(), path.parent), path.stem))
    return Results(tuple(experiments), tuple(name_sets(sets)))


def write_report(
    results: Results,
    out: Path,
    *,
    title: str | None = None,
    resources: Resources | None = None,
    stage: Stage = nullcontext,
    workers: int = 1,
    visit: Callable[[ReportSet, Shapes], None] | None = None,
    room: int = PAGE_BYTES,
) -> tuple[str, ...]:
    """Write a report as one HTML file, which is the same to the byte for the same results.

    Sets are shown in detail in their order, as long as the page has room, see `svr_baselines.report.budget`.

    Args:
        results: What it is of.
        out: The file.
        title: Its title; by default the experiment's or the set's.
        resources: What computing distances may use.
        stage: Makes the context in which they are computed, from a label.
        workers: Processes that read the files of a folder.
        visit: Is called with each set that is shown in detail, and its shapes.
        room: Bytes that the page may have.

    Returns:
        What the page lacks, one sentence each.

    Raises:
        OSError: If it can't be written.
        ValueError: If a library that it needs is not installed.
    """
    pictures = sum(len(picture.uri or "") for one in results.experiments for picture in one.pictures)
    plotly = len(plotly_source().encode()) if results.sets else 0
    sizes = [(len(one.labels), len(one.medoids)) for one in results.sets]
    left = room - _PAGE - plotly - pictures
    plan = plan_page(sizes, left)
    details: list[dict[str, Any]] = []
    missing: list[str] = []
    for one in results.sets[: plan.sets]:
        shapes = read_again(one, workers)
        described = describe_set(one, shapes, plan, resources, stage)
        left -= len(script_json(described))
        if left < 0:  # the plan was an estimate
            break
        details.append(described)
        missing += [f"{one.name}: {fault}" for fault in shapes.missing]
        if visit is not None:
            visit(one, shapes)
    notes = [*_gone(results.experiments), *_left_out(results.sets, Plan(plan.points, len(details)))]
    page = render_page(title or results.title, results.experiments, results.sets, details, notes)
    write_text(out, page)
    return (*notes, *missing)


def _gone(experiments: Sequence[Experiment]) -> list[str]:
    """Results that experiments name and that are not there."""
    return [f"{one.title}: its results {', '.join(one.gone)} are gone." for one in experiments if one.gone]


def _left_out(sets: Sequence[ReportSet], plan: Plan) -> list[str]:
    """What the page has no room for."""
    notes = []
    if left := [one.name for one in sets[plan.sets :]]:
        notes.append(f"No room for the details of {len(left)} of {len(sets)} sets: {', '.join(left)}.")
    if plan.sets and plan.points == 0:
        notes.append("No room for the members of the clusters: they are named, and medoids are drawn.")
    large = [one.name for one in sets[: plan.sets] if len(one.labels) > MATRIX_SHAPES and not one.of_images]
    if large:
        notes.append(f"Matrix and map show {MATRIX_SHAPES:,} shapes, evenly spaced by cluster, of {', '.join(large)}.")
    return notes
