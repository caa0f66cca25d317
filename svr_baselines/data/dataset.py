"""Our own datasets on disk, a manifest beside pictures and points, as a torch dataset."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from typing import Literal

from svr_baselines.data.augment import Augmentation
from svr_baselines.data.item_dataset import ItemDataset, Missing, check_split, take_split
from svr_baselines.data.items import Coordinates, ItemOptions, Place
from svr_baselines.data.manifest import Manifest, Sample, read_manifest
from svr_baselines.data.points import Normalization, check_count


class ManifestDataset(ItemDataset):
    """Pictures and points that a manifest names.

    A sample's picture goes with the points of the same sample or, where it has none, with those of its id: pictures and
    points may be built into two folders, and a shape with many pictures has its points once.

    Args:
        folder: Folder of the dataset, or of its points alone.
        images: Folder of the pictures, where they are in another; the samples are then its own.
        split: Part to take, as the manifest names them; `None` takes all. If no sample has a split, then `"train"` is
            the first 80 % of the sorted ids of each category and `"test"` the rest, as `ShapeNet` does.
        views: Pictures of each shape to take at most, the lowest views first; `None` takes all.
        manifest: Samples to take instead of those of the manifest on disk, such as a sub-trainset; its paths are below
            `images`, or `folder` if that is `None`.
        points: Points to draw from each cloud, without repetition: others each epoch, but for a split called `"test"`.
        coordinates: `"object"`, or `"viewer"` for points in the axes of the picture's camera.
        normalize: How a whole cloud is normalised before points are drawn, see `normalize_points`. `"auto"` is
            `"unit-ball"`, or `"none"` where the settings of the manifest say that clouds are `"normalized"` already.
        background: What shows through transparent pixels; see `read_picture`.
        crop: Side of the square to cut from the picture's centre; `None` leaves it whole.
        size: Side that it is resized to.
        augmentation: Random changes to the pictures; none by default.
        seed: Seed of what is drawn.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If a manifest is missing or damaged, an option is not as described, two manifests differ in the
            split of a shape, viewer-centred points are wanted of samples without a camera, or no sample is left.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        images: str | os.PathLike[str] | None = None,
        *,
        split: str | None = None,
        views: int | None = None,
        manifest: Manifest | None = None,
        points: int = 2500,
        coordinates: Coordinates = "object",
        normalize: Literal["auto"] | Normalization = "auto",
        background: str = "white",
        crop: int | None = None,
        size: int = 224,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        if views is not None:
            check_count("views", views)
        self._folder, self._images = Path(folder), Path(folder if images is None else images)
        own = read_manifest(self._images) if manifest is None else manifest
        shapes = read_manifest(self._folder) if images is not None else own
        if normalize == "auto":
            normalize = "none" if "normalized" in shapes.settings else "unit-ball"
        options = ItemOptions(points, coordinates, normalize, background, crop, size, augmentation, seed)
        samples, missing = _join(own, shapes)
        super().__init__(options, split != "test", missing)
        self._samples = _limit_views(_take_split(samples, split), views)
        if not self._samples:
            raise ValueError(f"{self._images}: {_explain(samples, split, missing)}.")
        if coordinates == "viewer":
            _check_cameras(self._samples)

    def __len__(self) -> int:
        return len(self._samples)

    def _shapes(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys((sample.category, sample.id) for sample in self._samples))

    def _place(self, index: int) -> Place:
        sample = self._samples[index]
        assert sample.image is not None
        assert sample.points is not None
        image, points = self._images / sample.image, self._folder / sample.points
        return Place(sample.id, sample.category, sample.view, image, points, sample.camera)


def _join(images: Manifest, shapes: Manifest) -> tuple[list[Sample], Missing]:
    """Samples with a picture and points each, in the order of ids and views; and the shapes with one side only."""
    clouds: dict[str, list[Sample]] = {}
    for sample in shapes.samples:
        if sample.points is not None:
            clouds.setdefault(sample.id, []).append(sample)
    pictured = [sample for sample in images.samples if sample.image is not None]
    complete = [sample for sample in pictured if sample.id in clouds]
    with_images = {sample.id for sample in pictured}
    missing = Missing(
        without_images=_names(same[0] for name, same in clouds.items() if name not in with_images),
        without_points=_names(sample for sample in pictured if sample.id not in clouds),
    )
    paired = (_pair(sample, clouds[sample.id], one_folder=shapes is images) for sample in complete)
    return sorted(paired, key=lambda sample: (sample.id, sample.view)), missing


def _pair(sample: Sample, clouds: list[Sample], one_folder: bool) -> Sample:
    """The sample of a picture with its points, and with the category and split of either."""
    cloud = clouds[0]
    points = sample.points if one_folder else None
    if points is None:
        points = cloud.points
        if any(other.points != points for other in clouds):
            raise ValueError(f"Sample {sample.id!r} has several point clouds, so view {sample.view} must name its own.")
    if sample.split and cloud.split and sample.split != cloud.split and not one_folder:
        raise ValueError(
            f"Sample {sample.id!r} has split {sample.split!r} by its picture, {cloud.split!r} by its points."
        )
    category, split = sample.category or cloud.category, sample.split or cloud.split
    return replace(sample, points=points, category=category, split=split)


def _take_split(samples: list[Sample], split: str | None) -> list[Sample]:
    if split is None:
        return samples
    if any(sample.split for sample in samples):
        return [sample for sample in samples if sample.split == split]
    check_split(split)
    ids: dict[str, set[str]] = {}
    for sample in samples:
        ids.setdefault(sample.category, set()).add(sample.id)
    taken = {category: set(take_split(names, split)) for category, names in ids.items()}
    return [sample for sample in samples if sample.id in taken[sample.category]]


def _limit_views(samples: list[Sample], views: int | None) -> list[Sample]:
    """The lowest views of each shape; the samples come in their order."""
    groups = groupby(samples, key=lambda sample: sample.id)
    return [sample for _, group in groups for sample in islice(group, views)]


def _check_cameras(samples: list[Sample]) -> None:
    without = [sample for sample in samples if sample.camera is None]
    if without:
        first = f"view {without[0].view} of {without[0].id!r}"
        raise ValueError(f"{len(without)} of {len(samples)} samples have no camera to turn points to, such as {first}.")


def _explain(samples: list[Sample], split: str | None, missing: Missing) -> str:
    if not samples:
        return "no sample has both a picture and points" + (
            f" ({'; '.join(str(missing).splitlines())})" if missing else ""
        )
    return f"no sample of split {split!r}, only of {', '.join(sorted({repr(sample.split) for sample in samples}))}"


def _names(samples: Iterable[Sample]) -> tuple[str, ...]:
    return tuple(sorted({_name(sample) for sample in samples}))


def _name(sample: Sample) -> str:
    """Category and id, which may begin with the category already."""
    prefix = f"{sample.category}/" if sample.category else ""
    return prefix + sample.id.removeprefix(prefix)
