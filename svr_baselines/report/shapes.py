"""The shapes behind a result, read again and checked to be the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from svr_baselines.data import ShapeSet, read_shapes
from svr_baselines.data.formats import ARRAY_SUFFIXES, load_array
from svr_baselines.data.manifest import DOCUMENT, Sample, read_manifest
from svr_baselines.data.thumbnails import INPUTS
from svr_baselines.report.sets import ReportSet, Source


@dataclass(frozen=True)
class Shapes:
    """What could be read again.

    Attributes:
        predictions: The shapes, in the order of the result; ``None`` if they are gone or have changed.
        targets: Likewise the ground truth.
        samples: Id and category of each shape.
        inputs: Images that the network saw, `(N, s, s, 3)` uint8.
        missing: What is not there, and why, one sentence each.
    """

    predictions: ShapeSet | None
    targets: ShapeSet | None
    samples: tuple[Sample, ...]
    inputs: npt.NDArray[np.uint8] | None
    missing: tuple[str, ...]


def read_again(one: ReportSet, workers: int = 1) -> Shapes:
    """Read the shapes that a result was computed from.

    They are sought where the result says, below the folders of the set. What is gone, can't be read or has another
    hash than then is left out, and said.

    Args:
        one: The set.
        workers: Processes that read the files of a folder.
    """
    missing: list[str] = []
    names = list(one.labels)
    if one.of_images:
        missing.append("These are images: the report shows their scores and clusters, and draws shapes only.")
        return Shapes(None, None, _samples_of(names), None, tuple(missing))
    place, predictions = _read_checked("shapes", one.predictions, one, workers, missing)
    targets = None
    if one.targets is not None:
        _, targets = _read_checked("ground truth", one.targets, one, workers, missing)
    samples = _samples_of(names)
    inputs = None
    if place is not None and place.suffix.lower() in ARRAY_SUFFIXES:
        samples, inputs = _beside(place, names, missing)
    return Shapes(predictions, targets, samples, inputs, tuple(missing))


def _read_checked(
    what: str, source: Source, one: ReportSet, workers: int, missing: list[str]
) -> tuple[Path | None, ShapeSet | None]:
    """The shapes of a source in the order of the result's names, or why they are not to be had."""
    places = [place for folder in one.folders if (place := folder / source.path).exists()]
    why = "there is nothing there now"
    for place in places:
        try:
            read = read_shapes(place, **source.settings, skip_bad=source.skipped > 0, workers=workers)
        except (ValueError, TypeError, OSError) as error:
            why = " ".join(str(error).split()).rstrip(".")
            continue
        chosen = _choose(read, list(one.labels))
        if chosen is not None and chosen.content_hash == source.sha256:
            return place, chosen
        why = "what is there has changed since it was scored"
    missing.append(f"The {what} of {source.path} can't be shown: {why}.")
    return None, None


def _choose(shapes: ShapeSet, names: list[str]) -> ShapeSet | None:
    """The shapes of these names, in their order."""
    place = {name: i for i, name in enumerate(shapes.names)}
    if not set(names) <= set(place):
        return None
    return take(shapes, [place[name] for name in names])


def take(shapes: ShapeSet, order: Sequence[int]) -> ShapeSet:
    """Some shapes of a set, in any order."""
    names, kinds = tuple(shapes.names[i] for i in order), tuple(shapes.kinds[i] for i in order)
    return replace(shapes, names=names, clouds=[shapes.clouds[i] for i in order], kinds=kinds)


def _samples_of(names: Sequence[str]) -> tuple[Sample, ...]:
    """Names as ids, their folders as categories."""
    return tuple(Sample(name, category=name.rpartition("/")[0]) for name in names)


def _beside(
    array: Path, names: Sequence[str], missing: list[str]
) -> tuple[tuple[Sample, ...], npt.NDArray[np.uint8] | None]:
    """Ids, categories and input images of an array of predictions, from the files beside it."""
    total = len(load_array(array, memory_map=True))
    rows = [int(name) for name in names]  # an array's samples are named by their index
    samples = _samples_of(names)
    if (array.parent / DOCUMENT).exists():
        try:
            manifest = read_manifest(array.parent)
            if manifest.settings.get("array", array.name) != array.name:
                raise ValueError(f"{array.parent / DOCUMENT} is of {manifest.settings['array']}")
            if len(manifest.samples) != total:
                raise ValueError(f"{len(manifest.samples)} samples for {total} shapes")
            samples = tuple(manifest.samples[row] for row in rows)
        except (ValueError, OSError) as error:
            missing.append(f"Ids and categories are missing: {error}")
    return samples, _inputs(array.parent / INPUTS, total, rows, missing)


def _inputs(file: Path, total: int, rows: list[int], missing: list[str]) -> npt.NDArray[np.uint8] | None:
    if not file.exists():
        return None
    try:
        images = load_array(file, memory_map=True)
    except (ValueError, OSError) as error:
        missing.append(f"The input images are missing: {file}: {error}.")
        return None
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or len(images) != total:
        missing.append(
            f"The input images are missing: {file} must hold {total} images (N, s, s, 3) of uint8, "
            f"but holds {images.shape} of {images.dtype}."
        )
        return None
    return images[rows] if rows != list(range(total)) else images
