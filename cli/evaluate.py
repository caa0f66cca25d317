"""`ds eval`."""

from __future__ import annotations

import json as jsonlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ds_cli.tables import print_scores
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ds_metrics._files import atomic_write
from ds_metrics.pairwise import report_progress
from svr_baselines.data import ShapeSet, pair_shapes, read_shapes
from svr_baselines.evaluation import Dispersion, Evaluation, evaluate, select_metrics

CHAMFER_LABEL = "Chamfer distance (sum of means of squares)"


def run(
    predictions: Path,
    target: Path | None,
    *,
    metrics: Sequence[str],
    clusters: str,
    points: int,
    normalize: str,
    seed: int,
    json: str | None,
    plots: Path | None,
    skip_bad: bool,
) -> None:
    """Read, score, and write what was asked for."""
    n_clusters = parse_clusters(clusters)
    check_writable(json, plots)
    chosen = [info.name for info in select_metrics(metrics, target is not None)]
    if plots is not None and "dispersion-score" not in chosen:
        raise ValueError(f"--plots shows the Dispersion Score, but the metrics asked for are {chosen}")
    stdout, stderr = Console(), Console(stderr=True)

    def read(path: Path) -> ShapeSet:
        with progress_bar(stderr, f"reading {path.name}", "shapes") as tell:
            return read_shapes(path, points=points, normalize=normalize, seed=seed, skip_bad=skip_bad, progress=tell)

    shapes, truth = read(predictions), None if target is None else read(target)
    if truth is not None:
        shapes, truth = pair_shapes(shapes, truth)
    with progress_bar(stderr, "distances", "pairs") as tell, report_progress(tell):
        evaluation = evaluate(shapes, truth, metrics, n_clusters, seed)

    table = stderr if json == "-" else stdout
    print_scores(evaluation, table)
    for bad in (*shapes.skipped, *(truth.skipped if truth else ())):
        table.print(f"skipped {bad.name}: {bad.reason}", markup=False, highlight=False, soft_wrap=True)
    if json == "-":
        stdout.file.write(_document(evaluation, shapes.names))
    elif json is not None:
        with atomic_write(Path(json)) as temporary:
            temporary.write_text(_document(evaluation, shapes.names))
    if plots is not None and evaluation.dispersion is not None:
        for path in draw(evaluation.dispersion, shapes, plots):
            table.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)


def parse_clusters(text: str) -> int | str:
    """``"knee"`` or a number of clusters."""
    if text == "knee":
        return text
    if text.lstrip("-").isdecimal() and int(text) >= 1:
        return int(text)
    raise ValueError(f"--clusters must be 'knee' or an integer of at least 1, but got {text!r}")


def check_writable(json: str | None, plots: Path | None) -> None:
    """Find out before the work, not after, that its result can't be written."""
    if json is not None and json != "-":
        parent = Path(json).resolve().parent
        if Path(json).is_dir() or not parent.is_dir() or not os.access(parent, os.W_OK):
            raise ValueError(f"--json must name a file in a folder that can be written, but got {json!r}")
    if plots is not None:
        try:
            plots.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"--plots must name a folder that can be made, but got {str(plots)!r}: {error}") from error
        if not os.access(plots, os.W_OK):
            raise ValueError(f"--plots must name a folder that can be written, but got {str(plots)!r}")


def draw(dispersion: Dispersion, shapes: ShapeSet, folder: Path) -> list[Path]:
    """Write the three pictures of a Dispersion Score."""
    from ds_metrics.plotting import plot_curve, plot_distance_matrix, plot_medoids

    clustering, curve = dispersion.clustering, dispersion.curve()
    medoids = clustering.medoids.tolist()
    figures = {
        "distance-matrix.png": plot_distance_matrix(
            dispersion.distances, clustering.labels, medoids=clustering.medoids, distance_label=CHAMFER_LABEL
        )[0],
        "dispersion-curve.png": plot_curve(
            curve.n_clusters,
            curve.scores,
            knee=curve.knee,
            chosen=clustering.n_clusters,
            score_label="Dispersion Score (mean distance to the medoid)",
        )[0],
        "medoids.png": plot_medoids(
            [shapes.clouds[medoid] for medoid in medoids],
            clustering.sizes,
            names=[shapes.names[medoid] for medoid in medoids],
        ),
    }
    paths = []
    for name, figure in figures.items():
        with atomic_write(folder / name) as temporary:
            figure.savefig(temporary, dpi=150)
        paths.append(folder / name)
    return paths


@contextmanager
def progress_bar(console: Console, label: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with rate and time left on a terminal, fed by ``tell(done, total)``."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {self.unit}/s" if speed else "")


def _document(evaluation: Evaluation, names: Sequence[str]) -> str:
    return jsonlib.dumps(evaluation.to_json(names), indent=2, allow_nan=False) + "\n"
