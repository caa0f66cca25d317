"""Predictions of a trained network for a dataset, ready to be scored."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ds_metrics._files import atomic_write, create_array
from svr_baselines.data.cameras import Camera
from svr_baselines.data.coordinates import to_object
from svr_baselines.data.items import Item
from svr_baselines.data.manifest import Manifest, Sample, write_manifest
from svr_baselines.data.points import check_count
from svr_baselines.data.thumbnails import INPUTS, make_thumbnails
from svr_baselines.devices import find_device
from svr_baselines.networks import Network
from svr_baselines.networks.building import usual_defaults
from svr_baselines.training.batches import FixedBatches, check_items, coordinates_of, create_loader, read_batches
from svr_baselines.training.checkpoints import LAST, Checkpoint, read_checkpoint
from svr_baselines.training.validation import choose_points

ARRAY, TARGETS = "predictions.npy", "targets.npy"

_BLOCK = 256  # clouds to copy at once


@usual_defaults()
def predict(
    checkpoint: str | os.PathLike[str],
    dataset: Dataset[Item],
    out: str | os.PathLike[str],
    *,
    which: str = LAST,
    points: int | None = None,
    seed: int = 0,
    batch_size: int = 32,
    device: str | torch.device = "auto",
    data_workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write what a network predicts for each item of a dataset.

    ``predictions.npy`` holds `(N, P, 3)` float32 points in the axes of the shapes: those of a viewer-centred network
    are turned back by the camera of each item. Its rows are those of ``manifest.csv``, sorted by id and view;
    ``targets.npy`` holds the points of the items, so that ``ds eval OUT/predictions.npy --target OUT/targets.npy``
    scores the network; ``inputs.npy`` the images, `(N, s, s, 3)` uint8 of 64 pixels at most, for people;
    ``dataset.json`` says which checkpoint it was. Arrays are written as they are computed, so they
    may be larger than memory. Predictions do not depend on the batch size, but for rounding. Weights in double are
    rounded to float32 first.

    A DS only compares at equal numbers of points, and a network may give others than the targets have: with `points`
    as many of each are kept, at places that are drawn without repetition, the same for all clouds of a size.

    Args:
        checkpoint: Folder of a run, or a checkpoint's file.
        dataset: Items with the images.
        out: Folder to write into, made if need be.
        which: `"last"` or `"best"` of a folder.
        points: Points to keep of each prediction and of each target; `None` keeps all.
        seed: Seed of the draw of these.
        batch_size: Images at once.
        device: Where to compute; `"auto"` is the GPU if there is one.
        data_workers: Processes that read items.
        progress: Is told after each batch how many items of how many are done.

    Returns:
        Path of the predictions.

    Raises:
        FileNotFoundError: If there is no checkpoint.
        ValueError: If the checkpoint is damaged, the dataset is empty, an item lacks the camera that is needed, the
            network returns points that are NaN or infinite, or not equally many for all, or there are fewer points to
            keep than `points`, of predictions or targets.
    """
    check_count("batch_size", batch_size)
    if points is not None:
        check_count("points", points)
    check_items(dataset, "dataset")
    read = read_checkpoint(checkpoint, which)
    place = find_device(device)
    network = read.build().to(place)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    batches = FixedBatches(len(dataset), batch_size)  # type: ignore[arg-type]
    loader = create_loader(dataset, batches, data_workers, place)
    predicted = _predict(network, read_batches(loader), read, coordinates_of(dataset) == "viewer")
    if points is not None:
        predicted = _keep(predicted, points, seed)
    with ExitStack() as stack:
        files = [stack.enter_context(atomic_write(folder / name)) for name in (ARRAY, TARGETS, INPUTS)]
        written = _write_arrays(files, predicted, len(dataset), progress)  # type: ignore[arg-type]
        samples, order = sort_samples(written)
        if order != list(range(len(order))):
            for file in files:
                _reorder(file, order)
        count = int(np.load(files[0], mmap_mode="r").shape[1])
        manifest = Manifest(samples, {**_settings(read, count), "points_seed": None if points is None else seed})
    write_manifest(folder, manifest)
    return folder / ARRAY


@torch.no_grad()
def _predict(
    network: Network, batches: Iterator[Item], checkpoint: Checkpoint, targets_turned: bool
) -> Iterator[tuple[Tensor, Tensor, Item]]:
    """Predictions and targets in the axes of the shapes, and the items that they are of."""
    device = next(network.parameters()).device
    viewer = checkpoint.data.get("coordinates") == "viewer"
    for batch in batches:
        points = network(batch.image.to(device)).float()
        _check_finite(points, batch, "points that are NaN or infinite")
        if viewer:
            _check_finite(batch.rotation, batch, "no camera to turn the points back by")
            points = to_object(points, batch.rotation.to(device))
        yield points.cpu(), to_object(batch.points, batch.rotation) if targets_turned else batch.points, batch


def _keep(
    predicted: Iterator[tuple[Tensor, Tensor, Item]], wanted: int, seed: int
) -> Iterator[tuple[Tensor, Tensor, Item]]:
    """As many points of predictions and targets as wanted."""
    for *both, batch in predicted:
        for who, points in zip(("predictions", "targets"), both, strict=True):
            if points.shape[1] < wanted:
                raise ValueError(
                    f"Argument `points` must be at most {points.shape[1]}, as many as the {who} have, but got {wanted}."
                )
        first, second = (points[:, choose_points(points.shape[1], wanted, seed)] for points in both)
        yield first, second, batch


def _write_arrays(
    paths: Sequence[Path],
    predicted: Iterator[tuple[Tensor, Tensor, Item]],
    count: int,
    progress: Callable[[int, int], None] | None,
) -> list[Sample]:
    samples: list[Sample] = []
    files: list[BinaryIO] = []
    shapes: list[tuple[int, ...]] = []
    with ExitStack() as stack:
        for *both, batch in predicted:
            parts = [*(points.numpy() for points in both), make_thumbnails(batch.image)]
            if not files:
                shapes = [part.shape[1:] for part in parts]
                for path, part in zip(paths, parts, strict=True):
                    files.append(stack.enter_context(create_array(path, part.dtype, (count, *part.shape[1:]))))
            for file, shape, part, who in zip(files, shapes, parts, ("network", "dataset", "dataset"), strict=True):
                if part.shape[1:] != shape:
                    raise ValueError(
                        f"The {who} must give {shape[0]} points for all, but gave {part.shape[1]} for {batch.id[0]!r}."
                    )
                file.write(part.tobytes())
            samples += _samples(batch)
            if progress is not None:
                progress(len(samples), count)
    return samples


def _samples(batch: Item) -> Iterator[Sample]:
    for name, category, view, angles in zip(
        batch.id, batch.category, np.asarray(batch.view), batch.camera.tolist(), strict=True
    ):
        camera = Camera(*angles) if np.isfinite(angles).all() else None
        yield Sample(name, category=category, view=int(view), camera=camera)


def sort_samples(samples: list[Sample]) -> tuple[tuple[Sample, ...], list[int]]:
    """Samples by id and view, as a manifest has them, and where each was before."""
    if len({(sample.id, sample.view) for sample in samples}) < len(samples):
        # Of one name in several categories; if they still are the same, the manifest refuses them.
        samples = [replace(sample, id=f"{sample.category}/{sample.id}") for sample in samples]
    order = sorted(range(len(samples)), key=lambda place: (samples[place].id, samples[place].view))
    return tuple(samples[place] for place in order), order


def _reorder(path: Path, order: list[int]) -> None:
    before = np.load(path, mmap_mode="r")
    with atomic_write(path) as temporary, create_array(temporary, before.dtype, before.shape) as after:
        for start in range(0, len(order), _BLOCK):
            after.write(before[order[start : start + _BLOCK]].tobytes())


def _settings(checkpoint: Checkpoint, points: int) -> dict[str, Any]:
    return {
        "kind": "predictions",
        "array": ARRAY,
        "points": points,
        "coordinates": "object",
        "checkpoint": checkpoint.sha256,
        "epoch": checkpoint.epoch,
        "network": checkpoint.config.network,
        "network_options": dict(checkpoint.options),
        "seed": checkpoint.config.seed,
        "trained_on": dict(checkpoint.data),
    }


def _check_finite(values: Tensor, batch: Item, lack: str) -> None:
    right = torch.isfinite(values).flatten(1).all(dim=1).tolist()
    if bad := [name for name, finite in zip(batch.id, right, strict=True) if not finite]:
        raise ValueError(f"There are {lack}, for {', '.join(bad)}.")
