"""Augmentations of pictures: chosen by seeded numbers, off unless asked for.

They change pictures alone, never the points of the shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import Tensor

from svr_baselines.data.formats import Fault
from svr_baselines.data.pictures import Picture

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in Pillow and torchvision


class Change(NamedTuple):
    """What is done to one picture: see `Augmentation.draw`."""

    top: float | None
    left: float | None
    mirrored: bool
    brightness: float
    contrast: float
    saturation: float


@dataclass(frozen=True)
class Augmentation:
    """Which random changes pictures undergo.

    Attributes:
        crop: Cut the square at random places instead of the centre.
        flip: Mirror every other picture, left to right. A mirrored picture shows the mirrored shape from the other
            side; its object-centred points stay as they are, which is right for shapes that are their own mirror image
            and the usual approximation for others. Viewer-centred points would have to be mirrored too, so datasets
            refuse it there.
        brightness: Multiply by a factor of `[1 - brightness, 1 + brightness]`.
        contrast: Blend with the mean grey, by a factor of such a range: 0 is grey, 1 the picture.
        saturation: Blend with the grey picture, likewise.

    Raises:
        ValueError: For a strength that is not in [0, 1].

    Example:
        >>> Augmentation(flip=True).draw(np.random.default_rng(1))
        Change(top=None, left=None, mirrored=True, brightness=1.0, contrast=1.0, saturation=1.0)
    """

    crop: bool = False
    flip: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation"):
            strength = getattr(self, name)
            if not (math.isfinite(strength) and 0 <= strength <= 1):
                raise ValueError(f"Argument `{name}` must be in [0, 1], but got {strength}.")

    def draw(self, rng: np.random.Generator) -> Change:
        """Choose the changes of one picture; each has its own random numbers, whichever others are on."""
        top, left, side, *levels = rng.random(6).tolist()
        strengths = (self.brightness, self.contrast, self.saturation)
        factors = (1 + strength * (2 * level - 1) for strength, level in zip(strengths, levels, strict=True))
        return Change(top if self.crop else None, left if self.crop else None, self.flip and side < 0.5, *factors)


def cut_at(picture: Picture, crop: int, top: float, left: float) -> Picture:
    """Cut a square of side `crop` out of an `(H, W, 3)` picture, at shares in [0, 1) of the room that there is.

    Example:
        >>> cut_at(np.arange(12).reshape(2, 2, 3), 1, top=0.9, left=0.0).tolist()
        [[[6, 7, 8]]]
    """
    height, width = picture.shape[:2]
    if min(height, width) < crop:
        raise Fault(f"the image has {width} x {height} pixels, fewer than the crop of {crop}")
    row, column = int(top * (height - crop + 1)), int(left * (width - crop + 1))
    return np.ascontiguousarray(picture[row : row + crop, column : column + crop])


def recolour(image: Tensor, change: Change) -> Tensor:
    """Apply brightness, then contrast, then saturation to a `(3, H, W)` image in [0, 1]; each is clamped to [0, 1].

    The background changes with the shape.
    """
    if change.brightness != 1:
        image = (image * change.brightness).clamp(0, 1)
    if change.contrast != 1:
        # numpy's mean, as the rounding of torch's depends on the number of threads.
        image = _blend(image, image.new_tensor(_grey(image).numpy().mean()), change.contrast)
    if change.saturation != 1:
        image = _blend(image, _grey(image), change.saturation)
    return image


def _grey(image: Tensor) -> Tensor:
    return (image * image.new_tensor(_LUMA)[:, None, None]).sum(dim=0)


def _blend(image: Tensor, other: Tensor, share: float) -> Tensor:
    return (other + share * (image - other)).clamp(0, 1)
