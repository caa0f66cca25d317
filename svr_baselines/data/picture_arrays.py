"""Arrays of images in a `.npy` or `.npz`: their layout, and one of them as RGB."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from svr_baselines.data.formats import ARRAY_SUFFIXES, Fault, load_array
from svr_baselines.data.pictures import Colour, Picture, cut_centre, flatten, scale_16_bits

Layout = Literal["NHWC", "NCHW", "NHW"]

_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class PictureArray:
    """Images in one array, `(N, H, W, C)`, `(N, C, H, W)` or `(N, H, W)`."""

    array: npt.NDArray[Any]
    layout: Layout

    def __len__(self) -> int:
        return len(self.array)

    def row(self, index: int) -> npt.NDArray[Any]:
        """The numbers of one image, copied from the disk."""
        return np.array(self.array[index], order="C")

    def decode(self, row: npt.NDArray[Any], background: Colour | None, crop: int | None) -> Picture:
        """Turn a row into `(H, W, 3)` uint8: floats of 0 to 1 and 16-bit numbers are rounded to the nearest of 255.

        Raises:
            ValueError: If the row holds NaN or numbers outside of [0, 1], or is smaller than the crop.
        """
        pixels = _as_bytes(row)
        if self.layout == "NCHW":
            pixels = pixels.transpose(1, 2, 0)
        return cut_centre(flatten(pixels[..., None] if pixels.ndim == 2 else pixels, background), crop)


def open_pictures(path: Path) -> PictureArray:
    """Open an array of images, a `.npy` without reading it.

    Args:
        path: A `.npy`, or a `.npz` of one array. The array has 1, 3 or 4 channels, first or last, or none (grey),
            and dtype uint8, uint16, or float of 0 to 1.

    Raises:
        ValueError: For another file, shape or dtype, and for a shape that can be read in two ways.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "images.npy"
        >>> np.save(path, np.zeros((5, 3, 8, 8), dtype=np.uint8))
        >>> open_pictures(path).layout
        'NCHW'
    """
    if path.suffix.lower() not in ARRAY_SUFFIXES:
        raise ValueError(f"{path}: expected a folder of images, or a .npy or .npz array.")
    try:
        array = load_array(path, memory_map=True)
        return PictureArray(array, _layout(array))
    except ValueError as err:
        raise ValueError(f"{path}: {err}.") from err


def _layout(array: npt.NDArray[Any]) -> Layout:
    if array.dtype.kind != "f" and (array.dtype.kind, array.dtype.itemsize) not in (("u", 1), ("u", 2)):
        raise Fault(f"expected uint8, uint16 or float pixels, but got dtype {array.dtype}")
    shape = array.shape
    first = array.ndim == 4 and shape[1] in _CHANNELS
    last = array.ndim == 4 and shape[3] in _CHANNELS
    if 0 in shape or not (first or last or array.ndim == 3):
        wanted = "(N, H, W, C), (N, C, H, W) or (N, H, W) with 1, 3 or 4 channels"
        raise Fault(f"expected an array of images with shape {wanted}, but got {shape}")
    if first and last:
        raise Fault(f"shape {shape} can be read as (N, H, W, C) and as (N, C, H, W)")
    if array.ndim == 3 and shape[2] in _CHANNELS:
        advice = "add an axis for the one that is meant"
        raise Fault(f"shape {shape} can be read as grey images (N, H, W) and as one image (H, W, C); {advice}")
    return "NCHW" if first else "NHWC" if last else "NHW"


def _as_bytes(row: npt.NDArray[Any]) -> Picture:
    if row.dtype.kind == "u":
        return row if row.dtype.itemsize == 1 else scale_16_bits(row)
    outside = row.size - int(((row >= 0) & (row <= 1)).sum())  # NaN is neither
    if outside:
        raise Fault(f"{outside} of {row.size} values are NaN or outside [0, 1]")
    return np.rint(row.astype(np.float64) * 255).astype(np.uint8)
