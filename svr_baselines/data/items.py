"""One item of a dataset for single-view reconstruction: a picture, points of the shape that it shows, and its camera.

`read_item` is the one way from files to tensors, for all datasets: the picture is laid over the background, cut to the
crop and resized; the cloud is normalised as a whole, then points are drawn from it, then they are turned into the
camera's axes if they are to be viewer-centred. (The unit ball's centre and radius turn along, so the order of turning
and normalising to it does not matter; the bounding box's do not.)
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ds_metrics.features.images import as_rgb
from svr_baselines.data.augment import Augmentation, Change, cut_at, recolour
from svr_baselines.data.cameras import Camera
from svr_baselines.data.coordinates import to_viewer
from svr_baselines.data.formats import read_points
from svr_baselines.data.pictures import cut_centre, parse_background, read_picture
from svr_baselines.data.points import Normalization, check_count, check_memory, normalize_points, stable_seed

Coordinates = Literal["object", "viewer"]


class Item(NamedTuple):
    """A picture and the shape that it shows; `torch.utils.data.default_collate` makes batches of it.

    Attributes:
        image: `(3, size, size)` float32 in [0, 1].
        points: `(P, 3)` float32.
        rotation: `(3, 3)` float32, the camera's axes, for `to_viewer` and `to_object`; NaN without a camera.
        camera: `(5,)` float64: azimuth, elevation, distance, roll, field of view; NaN without a camera.
        id: Name of the shape.
        category: Name of its category.
        view: Number of the picture.
    """

    image: Tensor
    points: Tensor
    rotation: Tensor
    camera: Tensor
    id: str
    category: str
    view: int


class Place(NamedTuple):
    """Where an item is found."""

    id: str
    category: str
    view: int
    image: Path
    points: Path
    camera: Camera | None


@dataclass(frozen=True)
class ItemOptions:
    """How items are made.

    Attributes:
        points: Points to draw from each cloud, without repetition.
        coordinates: `"object"`, or `"viewer"` to turn them into the camera's axes.
        normalize: `"unit-ball"`, `"bounding-box"` or `"none"`; see `normalize_points`.
        background: What shows through transparent pixels; see `read_picture`.
        crop: Side of the square to cut from the picture, in pixels; `None` leaves it whole.
        size: Side of the image.
        augmentation: Random changes to the pictures.
        seed: Seed of all that is drawn.

    Raises:
        ValueError: If one of them is not as described, or two do not go together.
    """

    points: int = 2500
    coordinates: Coordinates = "object"
    normalize: Normalization = "unit-ball"
    background: str = "white"
    crop: int | None = None
    size: int = 224
    augmentation: Augmentation | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_count("points", self.points)
        check_count("size", self.size)
        check_memory("size", 12 * self.size**2, "the pixels of one image")
        if self.crop is not None:
            check_count("crop", self.crop)
        parse_background(self.background)
        for name, value, known in (
            ("coordinates", self.coordinates, get_args(Coordinates)),
            ("normalize", self.normalize, get_args(Normalization)),
        ):
            if value not in known:
                raise ValueError(f"Argument `{name}` must be one of {known}, but got {value!r}.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, (int, np.integer)):
            raise ValueError(f"Argument `seed` must be an integer, but got {self.seed!r}.")
        if self.augmentation is not None:
            _check_augmentation(self.augmentation, self.crop, self.coordinates)


def read_item(place: Place, options: ItemOptions, epoch: int = 0) -> Item:
    """Read one item.

    What is drawn depends on seed, epoch, category, id and view, and on nothing else.

    Args:
        place: Where it is found.
        options: How it is made.
        epoch: Number of the epoch.

    Raises:
        ValueError: If a file is missing, damaged, or has fewer points or pixels than are wanted, or if viewer-centred
            points are wanted and there is no camera; the text names the file.
    """
    name = f"{place.category}/{place.id}/{place.view}/{epoch}"
    return Item(
        image=_read_image(place.image, options, _generator(options.seed, f"image/{name}")),
        points=_read_cloud(place, options, _generator(options.seed, f"points/{name}")),
        rotation=_tensor((3, 3), place.camera and place.camera.rotation, torch.float32),
        camera=_tensor((5,), place.camera and astuple(place.camera), torch.float64),
        id=place.id,
        category=place.category,
        view=place.view,
    )


def _check_augmentation(augmentation: Augmentation, crop: int | None, coordinates: Coordinates) -> None:
    if augmentation.crop and crop is None:
        raise ValueError("Argument `crop` must give the side of the square that is to be cut at random places.")
    if augmentation.flip and coordinates == "viewer":
        raise ValueError(
            "Argument `augmentation` must not flip pictures of viewer-centred points: they are not mirrored."
        )


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng(stable_seed(seed, name))


def _read_image(path: Path, options: ItemOptions, rng: np.random.Generator) -> Tensor:
    change = (options.augmentation or Augmentation()).draw(rng)
    try:
        picture = _cut(read_picture(path, options.background), options.crop, change)
    except ValueError as error:
        raise _naming(path, error) from error
    image = as_rgb([torch.from_numpy(picture).permute(2, 0, 1)], options.size)[0]
    return recolour(image.flip(-1) if change.mirrored else image, change)


def _cut(picture: npt.NDArray[Any], crop: int | None, change: Change) -> npt.NDArray[Any]:
    if crop is None or change.top is None or change.left is None:
        return cut_centre(picture, crop)
    return cut_at(picture, crop, change.top, change.left)


def _read_cloud(place: Place, options: ItemOptions, rng: np.random.Generator) -> Tensor:
    try:
        cloud = read_points(place.points)
        if cloud is None:
            raise ValueError("expected a point cloud, but this may be a mesh")
        if len(cloud) < options.points:
            wanted = f"the {options.points} of `points` (`--points`)"
            raise ValueError(f"the cloud has {len(cloud)} points, fewer than {wanted}")
        cloud = normalize_points(cloud, options.normalize)
    except ValueError as error:
        raise _naming(place.points, error) from error
    drawn = cloud[rng.choice(len(cloud), options.points, replace=False)].astype(np.float32)
    if options.coordinates == "viewer":
        if place.camera is None:
            raise ValueError(f"{place.image}: no camera to turn the points to.")
        drawn = to_viewer(drawn, place.camera)
    return torch.from_numpy(drawn)


def _naming(path: Path, error: ValueError) -> ValueError:
    return ValueError(f"{path}: {str(error).rstrip('.')}.")


def _tensor(shape: tuple[int, ...], numbers: Any, dtype: torch.dtype) -> Tensor:
    if numbers is None:
        return torch.full(shape, torch.nan, dtype=dtype)
    return torch.as_tensor(np.asarray(numbers), dtype=dtype)
