"""One image to RGB pixels; every fault on the way becomes a one-line `ValueError`.

Pixels are what the file holds: transparency is composited over a background, 16-bit grey is scaled to 8 bits, and the
orientation that a camera noted is applied. Colour profiles are not.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from svr_baselines.data.formats import Fault, check_file, one_line
from svr_baselines.data.points import check_count

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")

# Named, so that Pillow never hands a file to one of its rarer readers, such as Ghostscript.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
_NAMED_COLOURS = {"white": (255, 255, 255), "black": (0, 0, 0), "none": None}
_ORIENTATION = 0x0112  # tag of EXIF

Picture = npt.NDArray[Any]  # (H, W, 3), uint8
Colour = tuple[int, int, int]


def read_picture(path: str | os.PathLike[str], background: str = "white", crop: int | None = None) -> Picture:
    """Read an image file as RGB.

    PNG, JPEG, WebP, BMP, TIFF and the first frame of a GIF, whatever the file is called. 16-bit colour is taken by
    its high byte, as Pillow reads it; 16-bit grey is scaled and rounded.

    Args:
        path: The file.
        background: What shows through transparent pixels: `"white"`, `"black"` or `"#rrggbb"`. `"none"` drops the
            transparency and keeps the colours that are stored under it, as the code of the paper does: what shows
            there is up to the program that wrote the file.
        crop: Side of the square to cut from the centre, in pixels. 127 of the 137 pixels of an R2N2 rendering is usual.

    Returns:
        `(H, W, 3)` uint8 pixels.

    Raises:
        ValueError: For a file that is no image, truncated, empty, damaged, smaller than the crop, larger than Pillow
            deems safe, or floating-point; or for another background or crop.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> path = Path(tempfile.mkdtemp()) / "glass.png"
        >>> Image.new("RGBA", (2, 1), (200, 0, 0, 51)).save(path)
        >>> read_picture(path)[0, 0].tolist(), read_picture(path, "none")[0, 0].tolist()
        ([244, 204, 204], [200, 0, 0])
    """
    colour = parse_background(background)
    if crop is not None:
        check_count("crop", crop)
    with quiet_pillow():
        return decode_picture(read_bytes(Path(path)), colour, crop)


def parse_background(text: str) -> Colour | None:
    """Turn a background into its colour, `None` for `"none"`.

    Raises:
        ValueError: If it is neither a known name nor `"#rrggbb"`.

    Example:
        >>> parse_background("#ff8000")
        (255, 128, 0)
    """
    if isinstance(text, str) and text in _NAMED_COLOURS:
        return _NAMED_COLOURS[text]
    if not isinstance(text, str) or not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise ValueError(f"Argument `background` must be 'white', 'black', 'none' or '#rrggbb', but got {text!r}.")
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


@contextlib.contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings and log, in all threads: `decode_picture` tells by itself what is wrong."""
    log = logging.getLogger("PIL")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\b")
            yield
    finally:
        log.setLevel(level)


def read_bytes(path: Path) -> bytes:
    """Read a file whole, a fault being a one-line `ValueError`."""
    check_file(path)
    try:
        return path.read_bytes()
    except OSError as err:
        raise Fault(err.strerror or "the file cannot be read") from err


def decode_picture(data: bytes, background: Colour | None, crop: int | None = None) -> Picture:
    """As `read_picture`, of a file's bytes; may run in any thread."""
    if not data:
        raise Fault("the file is empty")
    with _decoding():
        pixels, orientation = _decode(data)
    return cut_centre(flatten(_turn(pixels, orientation), background), crop)


def flatten(pixels: Picture, background: Colour | None) -> Picture:
    """Turn `(H, W, C)` uint8 pixels into RGB: C is 1 (grey), 3, or 4 (alpha over the background, `None` drops it).

    Example:
        >>> flatten(np.array([[[0, 0, 0, 128]]], dtype=np.uint8), (255, 255, 255)).tolist()
        [[[127, 127, 127]]]
    """
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    if pixels.shape[2] == 3:
        return np.ascontiguousarray(pixels)
    colours, alpha = pixels[..., :3], pixels[..., 3:].astype(np.uint16)
    if background is None or alpha.min(initial=255) == 255:
        return np.ascontiguousarray(colours)
    behind = np.asarray(background, dtype=np.uint16)
    # Adding half of 255 rounds to the nearest; all stays below 2^16.
    return ((colours * alpha + behind * (255 - alpha) + 127) // 255).astype(np.uint8)


def cut_centre(picture: Picture, crop: int | None) -> Picture:
    """Cut the square of side `crop` from the centre, with torchvision's rounding."""
    if crop is None:
        return picture
    height, width = picture.shape[:2]
    if min(height, width) < crop:
        raise Fault(f"the image has {width} x {height} pixels, fewer than the crop of {crop}")
    top, left = round((height - crop) / 2), round((width - crop) / 2)
    return np.ascontiguousarray(picture[top : top + crop, left : left + crop])


def scale_16_bits(values: Picture) -> Picture:
    """Scale integers of 0 to 65535 to 0 to 255, rounded to the nearest."""
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


@contextlib.contextmanager
def _decoding() -> Iterator[None]:
    """Turn whatever Pillow raises into a one-line `ValueError`."""
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except (Fault, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as err:
        raise Fault(_too_large()) from err
    except UnidentifiedImageError as err:
        raise Fault(f"not an image that can be read ({', '.join(_FORMATS)})") from err
    except Exception as err:
        if "truncated" in str(err).lower():
            raise Fault("the file is truncated") from err
        # Some of Pillow's texts quote objects and bytes as Python writes them.
        plain = isinstance(err, (OSError, SyntaxError, ValueError)) and not re.search(r"<|b['\"]|\\", str(err))
        raise Fault(f"not a readable image, perhaps damaged{f' ({one_line(err)})' if plain else ''}") from err


def _decode(data: bytes) -> tuple[Picture, int]:
    """Pixels `(H, W, C)` as they are stored, and the orientation to turn them to."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        if 0 in image.size:
            raise Fault("the image has no pixels")
        # Pillow only warns of the smaller bombs.
        if Image.MAX_IMAGE_PIXELS is not None and image.width * image.height > Image.MAX_IMAGE_PIXELS:
            raise Fault(_too_large())
        image.load()
        return _pixels(image), _orientation(image)


def _too_large() -> str:
    from PIL import Image

    return f"the image has more than the {Image.MAX_IMAGE_PIXELS} pixels that Pillow deems safe to decode"


def _pixels(image: Any) -> Picture:
    if image.mode == "F":
        raise Fault("a floating-point image (mode F) has no fixed white to scale by")
    if image.mode.startswith("I"):
        return _grey_pixels(image)
    if not image.has_transparency_data:
        return np.array(image.convert("RGB"))
    key = image.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:  # of 16-bit colour, of which Pillow keeps the high bytes
        image.info["transparency"] = tuple(value >> 8 for value in key)
    return np.array(image.convert("RGBA"))


def _grey_pixels(image: Any) -> Picture:
    values = np.array(image)
    if values.min() < 0 or values.max() > 65535:
        raise Fault("grey values outside of 16 bits have no fixed white to scale by")
    grey = scale_16_bits(values)
    key = image.info.get("transparency")
    if key is None:
        return grey[..., None]
    return np.stack([grey, grey, grey, np.where(values == key, 0, 255).astype(np.uint8)], axis=2)


def _orientation(image: Any) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged note beside a picture that is whole
        return 1


def _turn(pixels: Picture, orientation: int) -> Picture:
    """Undo how the camera was held (EXIF 2.3, 4.6.4)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
