"""Images of any sizes, checked, and made RGB of one size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ds_metrics.arguments import check_plain
from ds_metrics.clouds import FLOATS

Images: TypeAlias = "Tensor | np.ndarray | Sequence[Tensor | np.ndarray]"

_ROUNDING = 1e-4  # beyond [0, 1], as resizing and half precision leave it; what is farther out is another convention


def check_images(images: Images, name: str = "images") -> list[Tensor]:
    """Check images, and return them one by one.

    Args:
        images: ``(B, 3, H, W)`` tensor or array, or a sequence of ``(3, H_i, W_i)``, on one device: uint8, or floating
            point numbers in [0, 1]. One channel instead of three is grey.
        name: What error messages call the argument.

    Raises:
        TypeError: If they are neither uint8 nor floating point numbers.
        ValueError: If a shape is wrong, an image is empty, or a value lies outside [0, 1] or is NaN.

    Example:
        >>> [tuple(image.shape) for image in check_images([torch.rand(3, 8, 8), torch.zeros(1, 2, 4)])]
        [(3, 8, 8), (1, 2, 4)]
    """
    check_plain(name, images)
    if isinstance(images, (Tensor, np.ndarray)):
        if images.ndim != 4:
            raise ValueError(f"Argument `{name}` must have shape (B, 3, H, W), but got {tuple(images.shape)}")
    elif not isinstance(images, Sequence) or isinstance(images, (str, bytes)):
        raise TypeError(
            f"Argument `{name}` must be a (B, 3, H, W) tensor or a sequence of (3, H, W) tensors, "
            f"but got {type(images).__name__}"
        )
    return [_check(image, index, name) for index, image in enumerate(images)]


def as_rgb(images: Sequence[Tensor], size: int) -> Tensor:
    """Checked images as one batch of RGB, ``(B, 3, size, size)``, float32 in [0, 1].

    Other sizes are resized bilinearly, with antialiasing where they shrink. The aspect is not kept: renderings are
    square, and of other pictures nothing is cut off.

    Example:
        >>> as_rgb([torch.full((1, 2, 4), 51, dtype=torch.uint8)], size=2)[0, :, 0, 0]
        tensor([0.2000, 0.2000, 0.2000])
    """
    return torch.cat([_resize(image, size) for image in images])


def _check(image: Tensor | np.ndarray, index: int, name: str) -> Tensor:
    check_plain(name, image)
    if not isinstance(image, (Tensor, np.ndarray)):
        raise TypeError(f"Argument `{name}` must hold tensors or arrays, but image {index} is {type(image).__name__}")
    tensor = image.detach() if isinstance(image, Tensor) else _as_tensor(image, index, name)
    if tensor.dtype not in (torch.uint8, *FLOATS):
        raise TypeError(
            f"Argument `{name}` must hold uint8 or floating point images, but image {index} is {tensor.dtype}"
        )
    if tensor.ndim != 3 or tensor.shape[0] not in (1, 3) or 0 in tensor.shape:
        raise ValueError(
            f"Argument `{name}` must hold images of shape (3, H, W), but image {index} has shape "
            f"{tuple(tensor.shape)}{_hint(tuple(tensor.shape))}"
        )
    if tensor.is_floating_point():
        _check_range(tensor, index, name)
    return tensor


def _as_tensor(image: np.ndarray, index: int, name: str) -> Tensor:
    if image.dtype.kind not in "fiu" or image.dtype.itemsize > 8 or image.dtype in (np.uint32, np.uint64):
        raise TypeError(
            f"Argument `{name}` must hold uint8 or floating point images, but image {index} is {image.dtype}"
        )
    return torch.from_numpy(np.array(image))  # a copy: an array that is mapped or flipped is no tensor


def _hint(shape: tuple[int, ...]) -> str:
    if len(shape) != 3:
        return ""
    if shape[0] == 4:
        return ": lay RGBA over a background first"
    return ": channels come first, see `permute`" if shape[2] in (1, 3, 4) else ""


def _check_range(image: Tensor, index: int, name: str) -> None:
    low, high = (float(end) for end in torch.aminmax(image))
    if low >= -_ROUNDING and high <= 1 + _ROUNDING:  # false for NaN
        return
    if np.isnan(low):
        raise ValueError(f"Argument `{name}` must hold numbers, but image {index} has NaN")
    raise ValueError(
        f"Argument `{name}` must hold floats in [0, 1] or uint8 in [0, 255], but image {index} has values from "
        f"{low:.4g} to {high:.4g}: undo the normalisation, or divide by 255"
    )


def _resize(image: Tensor, size: int) -> Tensor:
    scaled = image.float().div_(255) if image.dtype == torch.uint8 else image.float().clamp(0, 1)
    rgb = scaled.expand(3, -1, -1)[None]
    if rgb.shape[-2:] == (size, size):
        return rgb
    return interpolate(rgb, (size, size), mode="bilinear", antialias=True, align_corners=False)
