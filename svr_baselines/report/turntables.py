"""Medoids that turn, as GIF or MP4: one film each, and all of them on one sheet, for a talk."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ds_metrics._files import atomic_write
from ds_metrics.plotting.style import percent, plural
from svr_baselines.report.budget import MEDOID_POINTS
from svr_baselines.report.rendering import Frame, turn_surface
from svr_baselines.report.requirements import require
from svr_baselines.report.surfaces import find_surface

FORMATS = ("gif", "mp4")
FRAMES, SECONDS = 48, 4.0  # of a turn
SIZE, TILE = 360, 240  # pixels of a film, and of a shape on the sheet
SHOWN = 24  # on the sheet

_CAPTION = 44
_MP4 = "pip install av"


def check_format(name: str) -> None:
    """Refuse a format that can't be written here.

    Raises:
        ValueError: If it is unknown, or what it needs is not installed; the text says what to install.
    """
    if name not in FORMATS:
        raise ValueError(f"--format must be one of {', '.join(FORMATS)}, but got {name!r}")
    require("imageio.v3", "imageio", "--turntables")
    if name == "mp4":
        _mp4_options()


def write_turntables(
    folder: Path, name: str, clouds: Sequence[npt.NDArray[Any]], sizes: Sequence[int], total: int, kind: str = "gif"
) -> list[Path]:
    """Write the films of a set's medoids.

    Args:
        folder: Where to write; made if need be.
        name: Name of the set, from which the files take theirs.
        clouds: `(P, 3)` points of each medoid, the largest cluster first.
        sizes: Samples of each cluster.
        total: Samples in all.
        kind: `"gif"` or `"mp4"`.

    Returns:
        The files: ``NAME-medoids``, the sheet, then ``NAME-medoid-001`` and so on.

    Raises:
        OSError: If one can't be written.
        ValueError: As `check_format`.
    """
    check_format(kind)
    folder.mkdir(parents=True, exist_ok=True)
    stem = file_stem(name)
    surfaces = [find_surface(cloud, MEDOID_POINTS) for cloud in clouds]
    written = [folder / f"{stem}-medoids.{kind}"]
    tiles = [turn_surface(surface, FRAMES, TILE) for surface in surfaces[:SHOWN]]
    shares = [f"{percent(size, total)} · {plural(size, 'shape')}" for size in sizes[:SHOWN]]
    write_film(written[0], arrange(tiles, shares), kind)
    for number, surface in enumerate(surfaces, 1):
        written.append(folder / f"{stem}-medoid-{number:03d}.{kind}")
        write_film(written[-1], turn_surface(surface, FRAMES, SIZE), kind)
    return written


def file_stem(name: str) -> str:
    """A name that every file system takes.

    Example:
        >>> file_stem("S1I1, psgn/<seed> 1")
        'S1I1-psgn-seed-1'
    """
    return re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.")[:80] or "set"


def arrange(tiles: Sequence[Sequence[Frame]], captions: Sequence[str]) -> list[Frame]:
    """Films side by side, in rows, each over its caption."""
    columns = max(1, math.ceil(math.sqrt(1.6 * len(tiles))))
    rows = math.ceil(len(tiles) / columns)
    size = tiles[0][0].shape[0]
    labels = [_label(caption, size) for caption in captions]
    sheets = []
    for at in range(len(tiles[0])):
        sheet = np.full((rows * (size + _CAPTION), columns * size, 3), 255, dtype=np.uint8)
        for i, (film, label) in enumerate(zip(tiles, labels, strict=True)):
            top, left = i // columns * (size + _CAPTION), i % columns * size
            sheet[top : top + size, left : left + size] = film[at]
            sheet[top + size : top + size + _CAPTION, left : left + size] = label
        sheets.append(sheet)
    return sheets


def write_film(path: Path, frames: Iterable[Frame], kind: str) -> None:
    """Write frames as a film that repeats, as GIF, or plays once, as MP4; whole or not at all."""
    iio = require("imageio.v3", "imageio", "--turntables")
    shown = np.stack([_even(frame) for frame in frames])
    if kind == "gif":
        options = {"plugin": "pillow", "duration": round(1000 * SECONDS / len(shown)), "loop": 0}
    else:
        options = {"fps": round(len(shown) / SECONDS), **_mp4_options()}
    # In memory first: on a full disk imageio would try again when its writer is collected, and print a traceback.
    film = iio.imwrite("<bytes>", shown, extension=f".{kind}", **options)
    with atomic_write(path) as temporary:
        temporary.write_bytes(film)


def _mp4_options() -> dict[str, Any]:
    """What imageio writes MP4 with, whichever is installed."""
    if find_spec("av") is not None:
        return {"plugin": "pyav", "codec": "libx264", "out_pixel_format": "yuv420p"}
    if find_spec("imageio_ffmpeg") is not None:
        return {"plugin": "FFMPEG", "codec": "libx264", "macro_block_size": 1}
    raise ValueError(f"--format mp4 needs PyAV, which is not installed: {_MP4}")


def _even(frame: Frame) -> Frame:
    """H.264 takes even sides only."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _label(text: str, width: int) -> Frame:
    from matplotlib import font_manager
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (width, _CAPTION), "white")
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 15)
    ImageDraw.Draw(image).text((width / 2, 14), text, fill="#2b2f36", font=font, anchor="mm")
    return np.asarray(image)
