"""`ds eval`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ds_cli.progress import pairs_progress
from ds_cli.reading import Reading, say, shorten, tell_skipped
from ds_cli.tables import print_scores
from ds_cli.terminal import drawable
from ds_cli.writing import check_folder, check_json, write_figure, write_json
from rich.console import Console

from svr_baselines.data import ImageSet, ShapeSet, pair_shapes
from svr_baselines.dispersion import Dispersion, Resources, Scoring
from svr_baselines.evaluation import Evaluation, evaluate
from svr_baselines.selection import Available, select_metrics

_DIGITS = 18  # of a number of clusters
CHAMFER_LABEL = "Chamfer distance (sum of means of squares)"
SCORE_LABEL = "Dispersion Score (mean distance to the medoid)"


def run(
    predictions: Path,
    target: Path | None,
    *,
    metrics: Sequence[str],
    scoring: Scoring,
    reading: Reading,
    json: str | None,
    plots: Path | None,
    resources: Resources,
    train: Path | None = None,
    common: bool = False,
) -> None:
    """Read, score, and write what was asked for."""
    check_outputs(json, plots, resources, predictions, target, train)
    selected = select_metrics(metrics, Available(target is not None, train is not None)).infos
    chosen = [info.name for info in selected]
    if train is not None and not any(info.needs_train for info in selected):
        raise ValueError(f"--train is for metrics that need training shapes, but the metrics asked for are {chosen}")
    if plots is not None and "dispersion-score" not in chosen:
        raise ValueError(f"--plots shows the Dispersion Score, but the metrics asked for are {chosen}")
    stderr = Console(stderr=True)

    shapes, truth = (
        reading.read(predictions, stderr),
        None if target is None else reading.read(target, stderr, "target"),
    )
    if truth is not None:
        shapes, truth = pair_shapes(shapes, truth, common)
    training = None if train is None else reading.read(train, stderr, "train")
    evaluation = evaluate(shapes, truth, metrics, scoring, resources, partial(pairs_progress, stderr), training)
    sides = {"predictions": shapes, "targets": truth, "training shapes": training}
    sets = {side: found for side, found in sides.items() if found is not None}
    report(evaluation, sets, shapes.clouds.__getitem__, CHAMFER_LABEL, json, plots)


def check_outputs(json: str | None, plots: Path | None, resources: Resources, *inputs: Path | None) -> None:
    """Find out before the work that something can't be written."""
    check_json(json, *inputs)
    check_folder("--plots", plots)
    check_folder("--store", resources.store)


def report(
    evaluation: Evaluation,
    sets: Mapping[str, ShapeSet | ImageSet],
    sample: Callable[[int], Any],
    distance_label: str,
    json: str | None,
    plots: Path | None,
) -> None:
    """Print the scores, and write what was asked for.

    Args:
        evaluation: The scores.
        sets: ``"predictions"``, what was scored, and its ground truth and training set if there are such.
        sample: The cloud or the picture at an index.
        distance_label: What the distances are.
        json: As of `--json`; where it is stdout, all else goes to stderr.
        plots: Folder for pictures.
    """
    table, names, drawn = Console(stderr=json == "-"), sets["predictions"].names, list[str]()
    # Files come before anything is shown, as to write them may fail.
    if plots is not None:
        evaluation = evaluation.with_curve()
        if evaluation.dispersion is not None:
            drawn = draw(evaluation.dispersion, names, sample, distance_label, plots)
    write_json(evaluation.to_json(names), json)
    print_scores(evaluation, table)
    for reason in dict.fromkeys(evaluation.left_out.values()):
        say(
            table, f"left out {', '.join(name for name, why in evaluation.left_out.items() if why == reason)}: {reason}"
        )
    tell_skipped(table, {side: some.skipped for side, some in sets.items()})
    for line in drawn:
        say(table, line)


def parse_clusters(text: str) -> int | str:
    """``"knee"`` or a number of clusters."""
    if text == "knee":
        return text
    if text.isdecimal() and len(text) <= _DIGITS and int(text) >= 1:
        return int(text)
    raise ValueError(f"--clusters must be 'knee' or an integer of at least 1, but got {shorten(text)}")


def parse_confidence(text: str) -> float | None:
    """``"none"`` or a level of confidence."""
    if text == "none":
        return None
    try:
        level = float(text)
    except ValueError:
        level = float("nan")
    if not 0 < level < 1:
        raise ValueError(f"--confidence must be 'none' or between 0 and 1, such as 0.95, but got {shorten(text)}")
    return level


def draw(
    dispersion: Dispersion, names: Sequence[str], sample: Callable[[int], Any], distance_label: str, folder: Path
) -> list[str]:
    """Write the pictures of a Dispersion Score; says of each of the three where it is, or why it isn't.

    Args:
        dispersion: The score.
        names: Names of all samples.
        sample: The cloud or the picture at an index.
        distance_label: What the distances are.
        folder: Where to write.
    """
    from ds_metrics.plotting import plot_curve, plot_distance_matrix, plot_medoids

    found, curve = dispersion.clustering, dispersion.full_curve()
    medoids = found.medoids.tolist()
    interval = None if found.interval is None else (found.interval.low, found.interval.high)
    figures = {
        "medoids.png": plot_medoids(
            [sample(medoid) for medoid in medoids], found.sizes, names=[drawable(names[medoid]) for medoid in medoids]
        )
    }
    lines = []
    if dispersion.distances is not None:
        figures["distance-matrix.png"] = plot_distance_matrix(
            dispersion.distances, found.labels, medoids=found.medoids, distance_label=distance_label
        )[0]
    else:
        lines.append(f"left out distance-matrix.png: the {found.estimator} estimator computes a part of it only")
    if curve is not None:
        figures["dispersion-curve.png"] = plot_curve(
            curve.n_clusters,
            curve.scores,
            knee=curve.knee,
            chosen=found.n_clusters,
            interval=interval,
            score_label=SCORE_LABEL,
        )[0]
    else:
        lines.append(f"left out dispersion-curve.png: with k given, the {found.estimator} estimator computes no curve")
    for name, figure in sorted(figures.items()):
        write_figure(figure, folder / name)
        lines.append(f"wrote {folder / name}")
    return lines
