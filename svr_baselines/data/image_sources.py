"""Where the images of a set come from: the files of a folder or the rows of an array, behind one face."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from svr_baselines.data.folders import find_files
from svr_baselines.data.picture_arrays import PictureArray, open_pictures
from svr_baselines.data.pictures import SUFFIXES, Colour, Picture, decode_picture, read_bytes
from svr_baselines.data.shapes import index_names


@dataclass(frozen=True)
class ImageSource:
    """The images of a set, none of them read yet.

    Attributes:
        names: One per image.
        paths: What to call each in an error message.
        files: Their files, `None` for an array.
        fetch: Reads an image by its index: the SHA-256 of what is stored, and a function that decodes it to
            `(H, W, 3)` uint8. Both raise a `ValueError` for a bad image, and may run in any thread.
    """

    names: list[str]
    paths: list[str]
    files: tuple[Path, ...] | None
    fetch: Callable[[int], tuple[bytes, Callable[[], Picture]]]

    def __len__(self) -> int:
        return len(self.names)


def open_source(
    path: Path, background: Colour | None = None, crop: int | None = None, views: Collection[int] | None = None
) -> ImageSource:
    """Find the images of a folder or an array file; see `read_images`."""
    if not path.exists():
        raise FileNotFoundError(f"No file or folder at {path}.")
    if path.is_dir():
        return _folder_source(path, background, crop, views)
    if views is not None:
        raise ValueError(f"Argument `views` is for folders of R2N2 renderings, but {path} is a file.")
    images = open_pictures(path)
    names = index_names(len(images))
    fetch = partial(_fetch_row, images, background, crop)
    return ImageSource(names, [f"sample {name}" for name in names], None, fetch)


def check_views(views: Collection[int] | None) -> None:
    """Raise a `ValueError` unless `views` is `None` or numbers of views."""
    if views is None:
        return
    plain = not isinstance(views, (str, bytes)) and isinstance(views, Collection)
    if not plain or not views or any(type(view) is not int or view < 0 for view in views):
        raise ValueError(f"Argument `views` must be a collection of integers from 0, or None, but got {views!r}.")


def _folder_source(
    root: Path, background: Colour | None, crop: int | None, views: Collection[int] | None
) -> ImageSource:
    found = find_files(root, SUFFIXES, "images", _short_name)
    if views is not None:
        found = _only_views(root, found, views)
    files = tuple(found.values())
    paths = [file.relative_to(root).as_posix() for file in files]
    return ImageSource(list(found), paths, files, partial(_fetch_file, files, background, crop))


def _only_views(root: Path, found: dict[str, Path], views: Collection[int]) -> dict[str, Path]:
    numbers = {name: view for name, path in found.items() if (view := _view_of(path)) is not None}
    if not numbers:
        raise ValueError(f"{root}: no R2N2 renderings (.../rendering/00.png) in this folder to take views of.")
    kept = {name: found[name] for name, view in numbers.items() if view in views}
    if not kept:
        there = f"{min(numbers.values())} to {max(numbers.values())}"
        raise ValueError(f"{root}: none of the views {sorted(views)} is in this folder, only some of {there}.")
    return kept


def _view_of(path: Path) -> int | None:
    """The number of an R2N2 rendering (`synset/id/rendering/NN.png`), `None` for other images."""
    inside = path.absolute().parent.name == "rendering"
    return int(path.stem) if inside and re.fullmatch("[0-9]+", path.stem) else None


def _short_name(name: str) -> str:
    """R2N2's `synset/id/rendering/NN` as `synset/id/NN`."""
    return re.sub("(^|/)rendering/([0-9]+)$", r"\1\2", name)


def _fetch_file(
    files: tuple[Path, ...], background: Colour | None, crop: int | None, index: int
) -> tuple[bytes, Callable[[], Picture]]:
    data = read_bytes(files[index])
    return hashlib.sha256(data).digest(), partial(decode_picture, data, background, crop)


def _fetch_row(
    images: PictureArray, background: Colour | None, crop: int | None, index: int
) -> tuple[bytes, Callable[[], Picture]]:
    row = images.row(index)
    digest = hashlib.sha256(f"{row.dtype.str}\0{row.shape}\0".encode())
    digest.update(row.data)
    return digest.digest(), partial(images.decode, row, background, crop)
