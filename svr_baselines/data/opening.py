"""One way to open data for training and prediction, whatever its layout."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from svr_baselines.data.dataset import ManifestDataset
from svr_baselines.data.item_dataset import ItemDataset
from svr_baselines.data.items import Coordinates
from svr_baselines.data.manifest import TABLE, Manifest, read_manifest
from svr_baselines.data.points import check_count
from svr_baselines.data.shapenet import ShapeNet

Role = Literal["train", "validation", "test"]

CLOUDS = "ShapeNetV1PointCloud"  # by which ShapeNet's published layout is known
_R2N2_CROP = 127


@dataclass(frozen=True)
class DataOptions:
    """How items are made of any data; see `svr_baselines.data.ShapeNet` for what each means.

    Attributes:
        views: Training pictures of each shape, at most; ``None`` takes all, of ShapeNet one.
        points: Points drawn from each cloud.
        coordinates: `"object"` or `"viewer"`.
        background: What shows through transparent pixels.
        crop: Side of the square to cut from the centre; `"auto"` is 127 for ShapeNet's pictures, and none for others.
        size: Pixels along each side of the images.
        seed: Seed of what is drawn.

    Raises:
        ValueError: If a count is not from 1 to a million points or views, or 16,384 pixels.

    Example:
        >>> DataOptions(size=64).to_json()["size"]
        64
    """

    views: int | None = None
    points: int = 2500
    coordinates: Coordinates = "object"
    background: str = "white"
    crop: int | Literal["auto"] | None = "auto"
    size: int = 224
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("views", "points", "crop", "size"):
            value = getattr(self, name)
            if value is not None and (name, value) != ("crop", "auto"):
                check_count(name, value)

    def to_json(self) -> dict[str, Any]:
        """All options by name."""
        return asdict(self)


def open_data(
    folder: str | os.PathLike[str],
    role: Role | None,
    options: DataOptions | None = None,
    images: str | os.PathLike[str] | None = None,
) -> ItemDataset:
    """Open a part of a data set.

    Args:
        folder: ShapeNet in its published layout; a data set with a manifest, as `ds build` leaves them; or one of the
            sub-trainsets of the synthetic set, such as `synthetic/trainsets/S1I1`.
        role: What the part is for. `"validation"` is the part of this name, or the test part where there is none.
            ``None`` takes all samples of a manifest. A sub-trainset is all for training: its validation and test parts
            are those of the whole synthetic set.
        options: How items are made.
        images: Folder of the pictures, where those of the points are in another.

    Returns:
        The data set.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the folder holds no such data, no sample is left, or an option is not as described.
    """
    folder, chosen = Path(folder), options or DataOptions()
    common: dict[str, Any] = {"points": chosen.points, "coordinates": chosen.coordinates, "seed": chosen.seed}
    common |= {"background": chosen.background, "size": chosen.size}
    if (folder / CLOUDS).is_dir():
        crop = _R2N2_CROP if chosen.crop == "auto" else chosen.crop
        split: Literal["train", "test"] = "train" if role == "train" else "test"
        if role is None:
            raise ValueError(f"{folder}: of ShapeNet, a part must be named, train or test.")
        return ShapeNet(folder, split=split, views=chosen.views or 1, crop=crop, **common)
    if not folder.is_dir():
        raise FileNotFoundError(f"No folder at {folder}.")
    if not (folder / TABLE).exists():
        raise ValueError(f"{folder} must hold {CLOUDS}/ or {TABLE}, but holds neither.")
    common |= {"crop": None if chosen.crop == "auto" else chosen.crop, "views": chosen.views}
    manifest = read_manifest(folder)
    if (below := manifest.settings.get("paths_below")) is not None:
        if not isinstance(below, str) or "\0" in below:
            raise ValueError(f"{folder}: 'paths_below' must be the path of a folder, but is {below!r}")
        root = Path(os.path.normpath(folder / below))
        if role in ("train", None):
            return ManifestDataset(root, manifest=manifest, **common)
        return open_data(root, role, chosen)
    if images is not None:
        manifest = read_manifest(images)
    return ManifestDataset(folder, images, split=_split_of(manifest, role), manifest=manifest, **common)


def _split_of(manifest: Manifest, role: Role | None) -> str | None:
    """The name of a part in the manifest of the pictures."""
    if role != "validation":
        return role
    return "validation" if any(sample.split == "validation" for sample in manifest.samples) else "test"
