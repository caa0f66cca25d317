"""A set of named images and their feature vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy.typing as npt

from svr_baselines.data.picture_arrays import PictureArray, open_pictures
from svr_baselines.data.pictures import Picture, parse_background, read_picture
from svr_baselines.data.shapes import BadShape


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images with their names and feature vectors, in the order of the names.

    Attributes:
        names: Path below the root without its suffix (`"chair/0007"`), or the index in an array (`"0007"`).
        features: `(N, D)` float32 or float16, perhaps read from the disk as it is used.
        digests: SHA-256 of each file, or of the type, shape and numbers of an array's row.
        files: Each image's file; `None` for an array.
        skipped: Images that were left out because they are bad.
        source: Where the set was read from.
        settings: How it was read: background, crop, views.
        extractor: The extractor's key.
    """

    names: tuple[str, ...]
    features: npt.NDArray[Any]
    digests: tuple[bytes, ...]
    files: tuple[Path, ...] | None = None
    skipped: tuple[BadShape, ...] = ()
    source: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    extractor: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(self.names), len(self.features), len(self.digests)}
        if len(lengths) > 1 or (self.files is not None and len(self.files) != len(self.names)):
            raise ValueError("An image set needs one name, feature vector, digest and file per image.")
        if len(set(self.names)) != len(self.names):
            raise ValueError("An image set needs a different name for each image.")

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over names and what the images are stored as; equal for equal content, wherever it lies."""
        digest = hashlib.sha256()
        for name, image in zip(self.names, self.digests, strict=True):
            digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + image)
        return digest.hexdigest()

    def picture(self, index: int) -> Picture:
        """Read an image again, as `(H, W, 3)` uint8, for plots.

        Raises:
            ValueError: If it cannot be read any more.
        """
        background, crop = self.settings["background"], self.settings["crop"]
        if self.files is not None:
            return read_picture(self.files[index], background, crop)
        images = self._array
        return images.decode(images.row(int(self.names[index])), parse_background(background), crop)

    @cached_property
    def _array(self) -> PictureArray:
        return open_pictures(Path(self.source))
