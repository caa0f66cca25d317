"""ShapeNet-13 in its published layouts: the point clouds of AtlasNet with the renderings of 3D-R2N2.

``ShapeNetV1PointCloud/<synset>/<id>.points.ply.npy`` (or ``<id>.npy``) holds 30,000 points of a shape;
``ShapeNetV1Renderings/<synset>/<id>/rendering/`` 24 pictures of 137 x 137 pixels, ``00.png`` to ``23.png``, and their
cameras in ``rendering_metadata.txt``.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from svr_baselines.data.augment import Augmentation
from svr_baselines.data.cameras import Camera
from svr_baselines.data.item_dataset import ItemDataset, Missing, check_split, take_split
from svr_baselines.data.items import Coordinates, ItemOptions, Place
from svr_baselines.data.metadata import FILE_NAME, read_metadata
from svr_baselines.data.points import Normalization, check_count

SYNSETS = {
    "airplane": "02691156",
    "bench": "02828884",
    "cabinet": "02933112",
    "car": "02958343",
    "chair": "03001627",
    "display": "03211117",
    "lamp": "03636649",
    "loudspeaker": "03691459",
    "rifle": "04090263",
    "sofa": "04256520",
    "table": "04379243",
    "telephone": "04401088",
    "vessel": "04530566",
}

_SUFFIXES = (".points.ply.npy", ".npy")
_TEST_VIEW = 0
_TRAINING_VIEWS = 23


class ShapeNet(ItemDataset):
    """Pictures of ShapeNet's shapes with points of their surfaces, split as the field does.

    Of each category the ids that have points and pictures are sorted; the first 80 % are for training, the rest for
    test. Training pictures are views 01 and on, the test picture is view 00. Folders are listed once, when the dataset
    is made; files are opened as items are asked for.

    Args:
        root: Folder that holds those of the point clouds and the renderings.
        split: `"train"` or `"test"`.
        categories: Names or synset ids of those to take; `None` takes all 13. Their order does not matter.
        views: Training pictures of each shape, 1 to 23; each is an item. A test shape has one.
        points: Points to draw from each cloud, without repetition: others each epoch in training, always the same in
            test.
        coordinates: `"object"`, or `"viewer"` for points in the axes of the picture's camera.
        normalize: How a whole cloud is normalised before points are drawn; see `normalize_points`.
        background: What shows through transparent pixels. `"none"` drops the transparency and keeps the colours stored
            under it, as the code of the paper does.
        crop: Side of the square to cut from the picture's centre; `None` leaves it whole.
        size: Side that it is resized to.
        augmentation: Random changes to the pictures; none by default.
        seed: Seed of what is drawn.
        clouds: Folder of the point clouds, below the root.
        renderings: Folder of the renderings, below the root.

    Raises:
        FileNotFoundError: If there is no such root.
        ValueError: For an unknown category, another option that is not as described, or if no shape is left.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        split: Literal["train", "test"] = "train",
        categories: Collection[str] | str | None = None,
        views: int = 1,
        points: int = 2500,
        coordinates: Coordinates = "object",
        normalize: Normalization = "unit-ball",
        background: str = "white",
        crop: int | None = 127,
        size: int = 224,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        clouds: str = "ShapeNetV1PointCloud",
        renderings: str = "ShapeNetV1Renderings",
    ) -> None:
        check_split(split)
        _check_views(views)
        options = ItemOptions(points, coordinates, normalize, background, crop, size, augmentation, seed)
        root = Path(root)
        if not root.is_dir():
            raise FileNotFoundError(f"No folder at {root}.")
        self._clouds, self._renderings = root / clouds, root / renderings
        self._views = range(1, views + 1) if split == "train" else range(_TEST_VIEW, _TEST_VIEW + 1)
        self._found: list[tuple[str, str, str]] = []  # category, id, name of the cloud's file
        super().__init__(options, split == "train", self._scan(_parse_categories(categories), split))
        if not self._found:
            detail = "; ".join(str(self.missing).splitlines())
            raise ValueError(f"{root}: no shape of the {split} split with points and images ({detail or 'too few'}).")

    def __len__(self) -> int:
        return len(self._found) * len(self._views)

    def _shapes(self) -> list[tuple[str, str]]:
        return [(category, name) for category, name, _ in self._found]

    def _place(self, index: int) -> Place:
        shape, view = divmod(index, len(self._views))
        category, name, file = self._found[shape]
        number = self._views[view]
        folder = self._renderings / SYNSETS[category] / name / "rendering"
        cloud = self._clouds / SYNSETS[category] / file
        return Place(name, category, number, folder / f"{number:02d}.png", cloud, _camera(folder / FILE_NAME, number))

    def _scan(self, categories: list[str], split: str) -> Missing:
        """Find the shapes of the split, and tell which have one side only."""
        without_images: list[str] = []
        without_points: list[str] = []
        empty: list[str] = []
        for category in categories:
            clouds = _list_clouds(self._clouds / SYNSETS[category])
            pictures = set(_list_folders(self._renderings / SYNSETS[category]))
            without_images += [f"{category}/{name}" for name in sorted(clouds.keys() - pictures)]
            without_points += [f"{category}/{name}" for name in sorted(pictures - clouds.keys())]
            both = clouds.keys() & pictures
            if not both:
                empty.append(category)
            self._found += [(category, name, clouds[name]) for name in take_split(both, split)]
        return Missing(tuple(without_images), tuple(without_points), tuple(empty))


def _parse_categories(categories: Collection[str] | str | None) -> list[str]:
    """Names in the order of `SYNSETS`, each once."""
    if categories is None:
        return list(SYNSETS)
    asked = {categories} if isinstance(categories, str) else set(categories)
    if unknown := sorted(asked - SYNSETS.keys() - set(SYNSETS.values()), key=str):
        known = ", ".join(f"{name} ({synset})" for name, synset in SYNSETS.items())
        raise ValueError(f"Argument `categories` must be among {known}, but got {unknown[0]!r}.")
    return [name for name, synset in SYNSETS.items() if name in asked or synset in asked]


def _check_views(views: int) -> None:
    check_count("views", views)
    if views > _TRAINING_VIEWS:
        raise ValueError(
            f"Argument `views` must be at most {_TRAINING_VIEWS}, as a shape has no more, but got {views}."
        )


def _list_clouds(folder: Path) -> dict[str, str]:
    """File names of a category's point clouds by id."""
    found: dict[str, str] = {}
    for entry in _list(folder):
        suffix = next((suffix for suffix in _SUFFIXES if entry.name.endswith(suffix)), None)
        if suffix is None:
            continue
        name = entry.name.removesuffix(suffix)
        if name in found:
            raise ValueError(f"{folder}: two files of the same id, {found[name]} and {entry.name}.")
        found[name] = entry.name
    return found


def _list_folders(folder: Path) -> list[str]:
    return [entry.name for entry in _list(folder) if entry.is_dir()]


def _list(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What is in a folder, in the order of names, hidden ones left out; nothing where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return
    except OSError as error:
        raise ValueError(f"{folder}: {error.strerror}.") from error
    yield from sorted(found, key=lambda entry: entry.name)


def _camera(path: Path, view: int) -> Camera:
    try:
        cameras = read_metadata(path)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}.") from error
    if view >= len(cameras):
        raise ValueError(f"{path}: {len(cameras)} cameras, but view {view:02d} is wanted.")
    return cameras[view]
