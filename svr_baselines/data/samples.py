"""The samples of a dataset on disk, and how they were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from svr_baselines.data.cameras import Camera
from svr_baselines.data.shapes import BadShape

TEXTS = ("id", "category", "split", "view", "image", "points", "mesh")
ANGLES = tuple(item.name for item in fields(Camera))
COLUMNS = (*TEXTS, *ANGLES)  # of the table of samples; further values may not be named so


@dataclass(frozen=True)
class Sample:
    """One sample of a dataset: a shape, a picture of it, or both.

    Attributes:
        id: Name of the shape.
        category: Its category, empty where there are none.
        split: Part of the dataset that it belongs to, such as `"train"`.
        view: Number of the picture among those of the shape.
        image: Path of the picture below the dataset's folder, with forward slashes.
        points: Path of the points there.
        mesh: Path of the mesh that it was made from, below the folder that the meshes came from.
        camera: Where the picture was taken from.
        values: Further numbers by name, such as `"morph"`.

    Raises:
        ValueError: For an empty id, a view that is no integer from 0, a path that leads out of the folder, a value that
            is not finite, or one named as another column.

    Example:
        >>> Sample("chair/0007", view=3, image="chair/0007/03.png").view
        3
    """

    id: str
    category: str = ""
    split: str = ""
    view: int = 0
    image: str | None = None
    points: str | None = None
    mesh: str | None = None
    camera: Camera | None = None
    values: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("Argument `id` must not be empty.")
        if isinstance(self.view, bool) or not isinstance(self.view, (int, np.integer)) or self.view < 0:
            raise ValueError(f"Argument `view` must be an integer from 0, but got {self.view!r}.")
        for name in ("image", "points", "mesh"):
            _check_path(name, getattr(self, name))
        for name, value in self.values.items():
            if not name or name in COLUMNS:
                raise ValueError(f"Argument `values` must have names of its own, but got {name!r}.")
            if not np.isfinite(value):
                raise ValueError(f"Argument `values` must hold finite numbers, but {name!r} is {value}.")


@dataclass(frozen=True)
class Manifest:
    """The samples of a dataset, and how they were made.

    Attributes:
        samples: One per shape and view.
        settings: What the dataset depends on, ready for JSON.
        skipped: Shapes that were left out because they are bad.

    Raises:
        ValueError: If two samples have the same id and view.
    """

    samples: tuple[Sample, ...]
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    skipped: tuple[BadShape, ...] = ()

    def __post_init__(self) -> None:
        keys = {(sample.id, sample.view) for sample in self.samples}
        if len(keys) < len(self.samples):
            counts = Counter((sample.id, sample.view) for sample in self.samples)
            (name, view), count = counts.most_common(1)[0]
            raise ValueError(
                f"A manifest needs different ids or views, but {count} samples are view {view} of {name!r}."
            )


def _check_path(name: str, path: str | None) -> None:
    if path is None:
        return
    if not path or path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise ValueError(f"Argument `{name}` must be a path below the folder, or None, but got {path!r}.")
