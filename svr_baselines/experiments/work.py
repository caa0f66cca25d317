"""What jobs do: build data, score what networks are trained on, train, predict, recall, and score predictions.

Each function takes the context first and else what JSON can hold; paths are relative to the folder of the experiment,
but for data of the user's. Ended and called again, each goes on where it was, or does what little it does again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ds_metrics._files import atomic_write
from svr_baselines.data.item_dataset import ItemDataset
from svr_baselines.data.opening import DataOptions, Role, open_data
from svr_baselines.devices import find_device
from svr_baselines.experiments.jobs import Context

Data = Mapping[str, Any]  # `folder` and `images` of `open_data`


def open_part(out: Path, data: Data, options: Data, part: Role) -> ItemDataset:
    """Open the part of data that a job names.

    Args:
        out: Folder of the experiment.
        data: `folder` and, where the pictures are in another, `images`.
        options: Those of `svr_baselines.data.opening.DataOptions`.
        part: What it is for.
    """
    images = data.get("images")
    return open_data(out / data["folder"], part, DataOptions(**options), images and out / images)


def build_synthetic_set(context: Context, *, folder: str, size: int, points: int, seed: int) -> dict[str, Any]:
    """The morph from a cube to a sphere."""
    from svr_baselines.building import Workers, build_synthetic

    built = build_synthetic(
        context.out / folder, size=size, points=points, seed=seed, workers=Workers(context.processes)
    )
    return {"shapes": built.total}


def build_points_of(context: Context, *, meshes: str, folder: str, points: int, seed: int) -> dict[str, Any]:
    """Points of the user's meshes."""
    from svr_baselines.building import Workers, build_points

    built = build_points(meshes, context.out / folder, points=points, seed=seed, workers=Workers(context.processes))
    return {"shapes": built.built + built.kept, "skipped": [bad.name for bad in built.skipped]}


def build_renders_of(
    context: Context, *, meshes: str, folder: str, azimuth_ranges: Sequence[float], views: int, size: int, seed: int
) -> dict[str, Any]:
    """Pictures of the user's meshes."""
    from svr_baselines.building import Workers, build_renders

    workers = Workers(context.processes)
    built = build_renders(
        meshes, context.out / folder, azimuth_ranges=azimuth_ranges, views=views, size=size, seed=seed, workers=workers
    )
    return {"shapes": built.built + built.kept, "skipped": [bad.name for bad in built.skipped]}


def score_images(
    context: Context, *, data: Data, options: Data, clusters: int, seed: int, distances: str | None = None
) -> dict[str, Any]:
    """Input DS of training images, at the size at which the network sees them."""
    import torch

    from ds_metrics.features import create_extractor

    train_set = open_part(context.out, data, options, "train")
    device = find_device(context.accelerator)
    extractor = create_extractor("vgg16", image_size=train_set.options.size, device=device)
    features = torch.stack([extractor([train_set[index].image])[0] for index in range(len(train_set))])
    return _score_inputs(context, features, "features", clusters, seed, distances)


def score_shapes(
    context: Context, *, data: Data, options: Data, clusters: int, seed: int, distances: str | None = None
) -> dict[str, Any]:
    """Input DS of training shapes, in the axes in which the network learns them."""
    import torch

    train_set = open_part(context.out, data, options, "train")
    clouds = torch.stack([train_set[index].points for index in range(len(train_set))])
    return _score_inputs(context, clouds, "chamfer", clusters, seed, distances)


def predict_and_score(
    context: Context,
    *,
    run: str,
    data: Data,
    options: Data,
    name: str,
    result: str,
    clusters: int,
    points: int,
    seed: int,
    distances: str | None = None,
) -> dict[str, Any]:
    """Predictions of a trained network for the test part, and their scores."""
    from svr_baselines.training import predict

    test_set = open_part(context.out, data, options, "test")
    folder, device = _predictions(context, name), context.accelerator
    predict(context.out / run, test_set, folder, which="best", points=points, device=device)
    return _score_predictions(context, name, result, clusters, seed, distances)


def recall_and_score(
    context: Context,
    *,
    method: str,
    data: Data,
    options: Data,
    name: str,
    result: str,
    clusters: int,
    k: int,
    seed: int,
) -> dict[str, Any]:
    """What recognition alone predicts for the test part, and its scores."""
    from svr_baselines.recall import recall

    train_set, test_set = (
        open_part(context.out, data, options, "train"),
        open_part(context.out, data, options, "test"),
    )
    folder = _predictions(context, name)
    device = context.accelerator
    recall(method, train_set, test_set, folder, k=k, seed=seed, device=device)  # type: ignore[arg-type]
    return _score_predictions(context, name, result, clusters, seed)


def _predictions(context: Context, name: str) -> Path:
    return context.out / "predictions" / name


def _score_inputs(
    context: Context, samples: Any, distance: str, clusters: int, seed: int, distances: str | None
) -> dict[str, Any]:
    from svr_baselines.dispersion import Resources, Scoring, score_dispersion

    scoring = Scoring(clusters, seed=seed)
    metric, found = score_dispersion(samples, None, None, scoring, Resources(), distance=distance)
    interval = found.clustering.interval
    _keep_distances(context, found.distances, distances)
    return {
        "ds": float(metric.compute()),
        "low": interval and interval.low,
        "high": interval and interval.high,
        "n": len(samples),
        "clusters": clusters,
        "distances": distances,
    }


def _score_predictions(
    context: Context, name: str, result: str, clusters: int, seed: int, distances: str | None = None
) -> dict[str, Any]:
    """Score as `ds eval` does, and write the result file that it writes."""
    from svr_baselines.data import read_shapes
    from svr_baselines.dispersion import Scoring
    from svr_baselines.evaluation import evaluate
    from svr_baselines.training.prediction import ARRAY, TARGETS

    folder = _predictions(context, name)
    predictions, targets = (
        replace(read_shapes(folder / file), source=os.path.relpath(folder / file, context.out))
        for file in (ARRAY, TARGETS)
    )
    evaluation = evaluate(predictions, targets, scoring=Scoring(clusters, seed=seed))
    assert evaluation.dispersion is not None
    _keep_distances(context, evaluation.dispersion.distances, distances)
    file = context.out / result
    file.parent.mkdir(parents=True, exist_ok=True)
    evaluation.save(file, predictions.names)
    return {
        "ds": evaluation.scores["dispersion-score"],
        "low": evaluation.interval and evaluation.interval.low,
        "high": evaluation.interval and evaluation.interval.high,
        "cd": evaluation.scores["chamfer-distance"],
        "share": evaluation.share,
        "truth_ds": evaluation.truth_score,
        "n": len(predictions),
        "clusters": clusters,
        "distances": distances,
        "result": result,
    }


def _keep_distances(context: Context, matrix: Any, name: str | None) -> None:
    if name is None or matrix is None:
        return
    file = context.out / name
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as temporary:
        np.save(temporary, np.asarray(matrix, dtype=np.float32))
