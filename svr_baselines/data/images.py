"""Folders or arrays of images to feature vectors, an `ImageSet`."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from svr_baselines.data.feature_rows import FeatureRows, MemoryRows, Rows
from svr_baselines.data.feature_store import FeatureStore
from svr_baselines.data.image_set import ImageSet
from svr_baselines.data.image_sources import ImageSource, check_views, open_source
from svr_baselines.data.pictures import Picture, parse_background, quiet_pillow
from svr_baselines.data.points import check_count
from svr_baselines.data.shapes import BadShape, describe_bad

if TYPE_CHECKING:
    import torch

Progress = Callable[[int, int], None]
_Outcome = tuple[bytes, Picture | None] | str  # an image's digest and, where needed, pixels; or what is wrong with it


class Extractor(Protocol):
    """What turns images into feature vectors."""

    @property
    def key(self) -> Mapping[str, Any]:
        """All that the features depend on beside the image, ready for JSON."""

    @property
    def batch_size(self) -> int:
        """Images to hand over at once."""

    def __call__(self, images: list[torch.Tensor]) -> torch.Tensor:
        """`(3, H, W)` uint8 images of any size to `(B, D)` float32 or float16 on the CPU."""


def read_images(
    path: str | os.PathLike[str],
    extractor: Extractor,
    *,
    background: str = "white",
    crop: int | None = None,
    views: Collection[int] | None = None,
    skip_bad: bool = False,
    progress: Progress | None = None,
    store: str | os.PathLike[str] | None = None,
    workers: int = 1,
) -> ImageSet:
    """Read images as feature vectors.

    `path` is a folder, searched with its subfolders in sorted order for `.png .jpg .jpeg .webp .bmp .tif .tiff`; other
    files and hidden ones are ignored. Renderings in the layout of R2N2, `synset/id/rendering/NN.png`, are named
    `synset/id/NN`. Or it is a `.npy` (memory-mapped) or `.npz` with one array of images, `(N, H, W, C)`,
    `(N, C, H, W)` or, grey, `(N, H, W)`, of 1, 3 or 4 channels and of uint8, uint16, or float in [0, 1]; the latter two
    are rounded to the nearest of 256 levels. Nothing is ever unpickled.

    Args:
        path: Folder or array file.
        extractor: What turns images into vectors.
        background: What shows through transparent pixels: `"white"`, `"black"`, `"#rrggbb"`, or `"none"`, which drops
            the transparency and keeps the colours stored under it, as the code of the paper does.
        crop: Side of the square to cut from the centre before anything else, in pixels.
        views: Numbers of the R2N2 renderings to keep; all other images are left out.
        skip_bad: Go on without the images that cannot be read, and list them in `skipped`.
        progress: Called with (images done, images in all).
        store: Folder to keep the vectors in, under a key of extractor, background, crop, and the versions of this
            package and of Pillow. There, each is found by the content of its image: another set, or one that has
            grown, costs only the images that are new. A run that was killed goes on; vectors are read from the disk
            as they are used. ``None`` holds them in memory.
        workers: Threads that read and decode ahead of the extractor.

    Returns:
        The images, named by their path below the folder without suffix, or by their index in the array. Equal images
        have equal vectors: each is computed once.

    Raises:
        FileNotFoundError: If there is nothing at `path`.
        OSError: If the store can't be written, or another process is at it.
        ValueError: For a folder without images or without the views, two files of one name, an array of the wrong
            shape or type or one that can be read in two ways; for images that are truncated, empty, no images, or
            smaller than `crop`, all counted and the first few named; and for features that are not finite.

    Example:
        >>> import tempfile, torch
        >>> class Mean:
        ...     key, batch_size = {"name": "mean"}, 32
        ...     def __call__(self, images):
        ...         return torch.stack([image.float().mean(dim=(1, 2)) for image in images])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/two.npy", np.stack([np.zeros((8, 8, 3)), np.ones((8, 8, 3))]))
        ...     images = read_images(f"{folder}/two.npy", Mean())
        >>> images.names, images.features.tolist()
        (('0000', '0001'), [[0.0, 0.0, 0.0], [255.0, 255.0, 255.0]])
    """
    colour = parse_background(background)
    if crop is not None:
        check_count("crop", crop)
    check_count("workers", workers)
    check_views(views)
    source = open_source(Path(path), colour, crop, views)
    batch = extractor.batch_size  # which may be worked out from the memory that is free
    with quiet_pillow(), _open_rows(store, _key(extractor, colour, crop), len(source)) as rows:
        # The threads end before the store closes.
        with closing(_ahead(partial(_attempt, source, rows), len(source), workers, batch)) as outcomes:
            # Without a store the features of a set that is refused in the end would be for nothing.
            keep_on = skip_bad or store is not None
            good, digests, bad = _collect(source, outcomes, rows, extractor, batch, keep_on, progress)
        if bad and not (skip_bad and good):
            raise ValueError(describe_bad("images", str(path), bad, len(source), skip_bad))
        features = rows.take(digests)
    return ImageSet(
        names=tuple(source.names[i] for i in good),
        features=features,
        digests=tuple(digests),
        files=None if source.files is None else tuple(source.files[i] for i in good),
        skipped=tuple(bad),
        source=str(path),
        settings={"background": background, "crop": crop, "views": None if views is None else sorted(views)},
        extractor=dict(extractor.key),
    )


def _key(extractor: Extractor, colour: tuple[int, int, int] | None, crop: int | None) -> dict[str, Any]:
    return {
        "extractor": dict(extractor.key),
        "background": "none" if colour is None else f"#{bytes(colour).hex()}",
        "crop": crop,
        "version": version("dispersion-score"),
        "pillow": version("pillow"),  # decodes JPEG and WebP, not to the same bits in each version
    }


def _open_rows(
    store: str | os.PathLike[str] | None, key: Mapping[str, Any], total: int
) -> AbstractContextManager[FeatureRows]:
    return nullcontext(MemoryRows(total)) if store is None else FeatureStore.open(Path(store), key)


def _attempt(source: ImageSource, rows: FeatureRows, index: int) -> _Outcome:
    """Read an image, and decode it unless its features are there."""
    try:
        digest, decode = source.fetch(index)
        return digest, None if digest in rows else decode()
    except ValueError as err:
        return str(err).rstrip(".")


def _ahead(call: Callable[[int], _Outcome], total: int, workers: int, batch: int) -> Generator[_Outcome, None, None]:
    """Outcomes in order, with no more than a batch, and one a thread, under way or waiting to be taken."""
    pool = ThreadPoolExecutor(workers)
    try:
        indices = iter(range(total))
        running = deque(pool.submit(call, index) for index in islice(indices, batch + workers))
        while running:
            outcome = running.popleft().result()
            running.extend(pool.submit(call, index) for index in islice(indices, 1))
            yield outcome
    finally:
        pool.shutdown(cancel_futures=True)


def _collect(
    source: ImageSource,
    outcomes: Iterable[_Outcome],
    rows: FeatureRows,
    extractor: Extractor,
    batch: int,
    keep_on: bool,
    progress: Progress | None,
) -> tuple[list[int], list[bytes], list[BadShape]]:
    """Take every image, good or bad, so that one run tells of all faults; compute what `rows` lacks, in batches."""
    good: list[int] = []
    digests: list[bytes] = []
    bad: list[BadShape] = []
    waiting: dict[bytes, tuple[str, Picture]] = {}
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, str):
            bad.append(BadShape(source.names[index], source.paths[index], outcome))
        else:
            digest, picture = outcome
            good.append(index)
            digests.append(digest)
            if picture is not None and digest not in rows:
                waiting.setdefault(digest, (source.paths[index], picture))
        if bad and not keep_on:
            waiting.clear()
        if waiting and (len(waiting) >= batch or index == len(source) - 1):
            rows.append(list(waiting), _extract(extractor, waiting.values()))
            waiting.clear()
        if progress is not None and not waiting:
            progress(index + 1, len(source))
    return good, digests, bad


def _extract(extractor: Extractor, images: Collection[tuple[str, Picture]]) -> Rows:
    """Features of a batch `(B, D)`, checked."""
    import torch

    features = extractor([torch.from_numpy(picture).permute(2, 0, 1) for _, picture in images])
    if features.ndim != 2 or len(features) != len(images) or features.dtype not in (torch.float32, torch.float16):
        came = f"{tuple(features.shape)} of {features.dtype}"
        raise ValueError(f"The extractor must give {len(images)} rows of float32 or float16, but gave {came}.")
    rows: Rows = features.detach().cpu().numpy()
    for (path, _), row in zip(images, rows, strict=True):
        if not np.isfinite(row).all():
            raise ValueError(f"{path}: the extractor gave features that are NaN or infinite.")
    return rows
