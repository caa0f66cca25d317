"""Predictions that are training shapes, written as those of networks are: `svr_baselines.recognition` on data sets."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from ds_metrics._files import atomic_write
from ds_metrics.features import create_extractor
from svr_baselines.data.coordinates import to_object
from svr_baselines.data.item_dataset import ItemDataset
from svr_baselines.data.manifest import Manifest, Sample, write_manifest
from svr_baselines.data.thumbnails import INPUTS, make_thumbnails
from svr_baselines.devices import find_device
from svr_baselines.networks.building import usual_defaults
from svr_baselines.recognition import cluster_shapes, oracle_nn, retrieval
from svr_baselines.training.prediction import ARRAY, TARGETS, sort_samples

Method = Literal["oracle-nn", "retrieval", "clustering"]
Progress = Callable[[int, int], None]


class _Read(NamedTuple):
    samples: tuple[Sample, ...]
    points: Tensor  # (N, P, 3), object-centred
    features: Tensor | None  # (N, D)
    inputs: np.ndarray  # (N, s, s, 3)


@usual_defaults()
def recall(
    method: Method,
    train_set: ItemDataset,
    test_set: ItemDataset,
    out: str | os.PathLike[str],
    *,
    k: int = 500,
    seed: int = 0,
    features: str = "vgg16",
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> Path:
    """Write what recognition alone predicts for each item of a test set.

    `OUT/predictions.npy`, `targets.npy` and `inputs.npy` are as `svr_baselines.training.predict` writes them, points
    object-centred; `manifest.csv` the items, with the index of the training shape recalled as the value ``"recalled"``.

    Args:
        method: `"oracle-nn"` recalls the training shape nearest to the ground truth, `"retrieval"` that of the nearest
            training image, `"clustering"` the medoid of the nearest training image's cluster.
        train_set: What is recalled.
        test_set: What is to be predicted.
        out: Folder to write into, made if need be.
        k: Clusters of `"clustering"`; a set of fewer shapes is refused.
        seed: Seed of the clustering.
        features: What images are compared by, see `ds_metrics.features.create_extractor`.
        device: Where features are computed; `"auto"` is the GPU if there is one.
        progress: Is told how many items of how many are read.

    Returns:
        Path of the predictions.

    Raises:
        ValueError: If there is no such method, a set is empty, items can't be read, or `k` is too large.
    """
    if method not in get_args(Method):
        raise ValueError(f"Argument `method` must be one of {get_args(Method)}, but got {method!r}.")
    for name, dataset in (("train_set", train_set), ("test_set", test_set)):
        if len(dataset) == 0:
            raise ValueError(f"Argument `{name}` must hold items, but is empty.")
    if method == "clustering" and not 1 <= k < len(train_set):
        raise ValueError(f"Argument `k` must be from 1 to less than the {len(train_set)} training shapes, but got {k}")
    total = len(train_set) + len(test_set)
    extractor = None if method == "oracle-nn" else create_extractor(features, device=find_device(device))
    train = _read(train_set, extractor, progress, 0, total)
    test = _read(test_set, extractor, progress, len(train_set), total)
    recalled = _recall(method, train, test, k, seed)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in ((ARRAY, recalled.points), (TARGETS, test.points), (INPUTS, test.inputs)):
        with atomic_write(folder / name) as temporary:
            np.save(temporary, np.asarray(array))
    settings: dict[str, Any] = {"kind": "recall", "method": method, "array": ARRAY, "coordinates": "object"}
    settings |= {"train": len(train_set)}
    if extractor is not None:
        settings["features"] = dict(extractor.key)
    if method == "clustering":
        settings |= {"k": k, "seed": seed}
    write_manifest(folder, Manifest(_with_recalled(test.samples, recalled.indices), settings))
    return folder / ARRAY


def _recall(method: Method, train: _Read, test: _Read, k: int, seed: int) -> Any:
    if method == "oracle-nn":
        return oracle_nn(test.points, train.points)
    assert train.features is not None
    assert test.features is not None
    if method == "retrieval":
        return retrieval(test.features, train.features, train.points)
    return cluster_shapes(train.points, k, seed).by_images(test.features, train.features)


def _read(dataset: ItemDataset, extractor: Any, progress: Progress | None, start: int, total: int) -> _Read:
    """All items in the order of ids and views."""
    viewer = dataset.options.coordinates == "viewer"
    written, points, features, inputs = [], [], [], []
    for index in range(len(dataset)):
        item = dataset[index]
        written.append(Sample(item.id, item.category, view=item.view))
        inputs.append(make_thumbnails(item.image[None])[0])
        points.append(to_object(item.points, item.rotation) if viewer else item.points)
        if extractor is not None:
            features.append(extractor([item.image])[0])
        if progress is not None:
            progress(start + index + 1, total)
    samples, order = sort_samples(written)
    described = torch.stack(features)[order] if features else None
    return _Read(samples, torch.stack(points)[order], described, np.stack(inputs)[order])


def _with_recalled(samples: tuple[Sample, ...], indices: Any) -> tuple[Sample, ...]:
    return tuple(
        replace(sample, values={"recalled": float(index)}) for sample, index in zip(samples, indices, strict=True)
    )
