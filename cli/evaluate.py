"""`ds eval`."""

from __future__ import annotations

import json as jsonlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
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
from svr_baselines.evaluation import Dispersion, Evaluation, Resources, evaluate, select_metrics

LOG_SECONDS = 30.0  # between two lines of progress where there is no terminal
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
    resources: Resources,
    skip_bad: bool,
) -> None:
    """Read, score, and write what was asked for."""
    n_clusters = parse_clusters(clusters)
    check_writable(json, plots, resources.store)
    chosen = [info.name for info in select_metrics(metrics, target is not None)]
    if plots is not None and "dispersion-score" not in chosen:
        raise ValueError(f"--plots shows the Dispersion Score, but the metrics asked for are {chosen}")
    stdout, stderr = Console(), Console(stderr=True)

    def read(path: Path) -> ShapeSet:
        with progress_bar(stderr, f"reading {path.name}", "shapes") as tell:
            return read_shapes(
                path,
                points=points,
                normalize=normalize,
                seed=seed,
                skip_bad=skip_bad,
                progress=tell,
                workers=available_cores(),
            )

    shapes, truth = read(predictions), None if target is None else read(target)
    if truth is not None:
        shapes, truth = pair_shapes(shapes, truth)
    with progress_bar(stderr, "distances", "pairs") as tell, report_progress(tell):
        evaluation = evaluate(shapes, truth, metrics, n_clusters, seed, resources)

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


def available_cores() -> int:
    """Cores that this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parse_clusters(text: str) -> int | str:
    """``"knee"`` or a number of clusters."""
    if text == "knee":
        return text
    if text.lstrip("-").isdecimal() and int(text) >= 1:
        return int(text)
    raise ValueError(f"--clusters must be 'knee' or an integer of at least 1, but got {text!r}")


def check_writable(json: str | None, plots: Path | None, store: Path | None) -> None:
    """Find out before the work, not after, that its result can't be written."""
    if json is not None and json != "-":
        parent = Path(json).resolve().parent
        if Path(json).is_dir() or not parent.is_dir() or not os.access(parent, os.W_OK):
            raise ValueError(f"--json must name a file in a folder that can be written, but got {json!r}")
    for option, folder in {"--plots": plots, "--store": store}.items():
        if folder is None:
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"{option} must name a folder that can be made, but got {str(folder)!r}: {error}"
            ) from error
        if not os.access(folder, os.W_OK):
            raise ValueError(f"{option} must name a folder that can be written, but got {str(folder)!r}")


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
    """A bar with rate and time left on a terminal, lines now and then elsewhere; fed by ``tell(done, total)``."""
    if not console.is_terminal:
        yield _Log(console, label, unit)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)


class _Log:
    """Progress for a file: whoever reads a batch job's output sees that it lives, and how long it will take."""

    def __init__(self, console: Console, label: str, unit: str) -> None:
        self._console = console
        self._label = label
        self._unit = unit
        self._begun: tuple[float, int] | None = None
        self._told = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._begun is None:
            self._begun = now, done
        if now - self._told < LOG_SECONDS:
            return
        self._told = now
        rate = (done - self._begun[1]) / max(now - self._begun[0], 1e-9)
        left = f", {timedelta(seconds=round((total - done) / rate))} left" if rate else ""
        line = f"{self._label}: {done:,} of {total:,} {self._unit}, {rate:,.0f} a second{left}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {self.unit}/s" if speed else "")


def _document(evaluation: Evaluation, names: Sequence[str]) -> str:
    return jsonlib.dumps(evaluation.to_json(names), indent=2, allow_nan=False) + "\n"
