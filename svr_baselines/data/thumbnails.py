"""Small pictures of images that networks see, for people."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn.functional import interpolate

INPUTS = "inputs.npy"  # beside predictions: what the network saw
PIXELS = 64  # along each side, at most


def make_thumbnails(images: Tensor) -> npt.NDArray[np.uint8]:
    """Images `(B, 3, H, W)` in [0, 1] as `(B, s, s, 3)` bytes, averaged down where they are larger than 64 pixels.

    Example:
        >>> import torch
        >>> make_thumbnails(torch.ones(2, 3, 224, 224)).shape
        (2, 64, 64, 3)
        >>> int(make_thumbnails(torch.full((1, 3, 4, 4), 0.5)).max())
        128
    """
    if images.shape[-1] > PIXELS:
        images = interpolate(images, (PIXELS, PIXELS), mode="area")
    scaled = (images.clamp(0, 1) * 255).round()
    return np.ascontiguousarray(scaled.permute(0, 2, 3, 1).numpy().astype(np.uint8))
