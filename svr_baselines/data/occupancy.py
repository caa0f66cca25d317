r"""What is inside of a shape: targets for implicit networks.

Queries are drawn evenly from the cube `[-1.1, 1.1]^3` in the frame of the *normalised* cloud, which is where networks
see the shape: `sample_occupancy` takes the mesh and the cloud that `ds build points` drew from it, moves the queries
back by the cloud's centre and scale, and asks the mesh. Stored queries are therefore in the frame of the items.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple, Protocol, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ds_metrics._files import atomic_write
from svr_baselines.data.coordinates import to_viewer
from svr_baselines.data.inside import occupancy_of
from svr_baselines.data.items import Coordinates, Item
from svr_baselines.data.points import Normalization, check_count, frame_of, stable_seed
from svr_baselines.documents import check_regular

BOX = 1.1  # half of the side of the cube that queries are drawn from: the unit ball and a tenth around it


class OccupancyItem(NamedTuple):
    """An `Item` with places, and whether each is inside of the shape.

    Attributes:
        image: `(3, size, size)` float32 in [0, 1]; this and the next six as in `Item`.
        points: `(P, 3)` float32.
        rotation: `(3, 3)` float32.
        camera: `(5,)` float64.
        id: Name of the shape.
        category: Name of its category.
        view: Number of the picture.
        queries: `(Q, 3)` float32, in the frame of the points.
        occupied: `(Q,)` bool.
    """

    image: Tensor
    points: Tensor
    rotation: Tensor
    camera: Tensor
    id: str
    category: str
    view: int
    queries: Tensor
    occupied: Tensor


class Occupancy(NamedTuple):
    """Places and whether each is inside of a shape.

    Attributes:
        queries: `(Q, 3)` float32.
        occupied: `(Q,)` bool.
    """

    queries: npt.NDArray[np.float32]
    occupied: npt.NDArray[np.bool_]


def sample_occupancy(
    vertices: npt.ArrayLike,
    faces: npt.ArrayLike,
    cloud: npt.ArrayLike,
    queries: int = 100_000,
    seed: int = 0,
    normalize: Normalization = "unit-ball",
) -> Occupancy:
    """Draw places about a shape and find out which of them are inside.

    Args:
        vertices: `(V, 3)` vertices of the mesh.
        faces: `(F, 3)` indices of vertices.
        cloud: `(P, 3)` points of its surface, the whole cloud that items are read from, in the frame of the vertices.
        queries: How many places.
        seed: Seed of the draw.
        normalize: As items are normalised: queries come in the frame of `normalize_points(cloud, normalize)`.

    Raises:
        ValueError: If the mesh or the cloud is not as described, or `queries` is no count.

    Example:
        >>> import trimesh
        >>> ball = trimesh.creation.icosphere(radius=3.0)
        >>> found = sample_occupancy(ball.vertices, ball.faces, ball.vertices, queries=5000)
        >>> bool(abs(found.occupied.mean() - 4.19 / 2.2**3) < 0.02)  # the normalised ball's share of the cube
        True
    """
    check_count("queries", queries)
    cloud = np.asarray(cloud, dtype=np.float64)
    frame = frame_of(cloud, normalize)
    places = np.random.default_rng(seed).uniform(-BOX, BOX, (queries, 3)).astype(np.float16)
    queried = places.astype(np.float64)
    if frame is not None:
        queried = queried * frame.scale + frame.center
    return Occupancy(places.astype(np.float32), occupancy_of(vertices, faces, queried))


def write_occupancy(path: Path, occupancy: Occupancy, normalize: Normalization = "unit-ball") -> None:
    """Write a `.npz`: `queries` as float16, which those of `sample_occupancy` fit, and `occupied`, eight in a byte.

    Args:
        path: The file.
        occupancy: What to write.
        normalize: How the frame of the queries came from the cloud; readers compare it.

    Raises:
        OSError: If it can't be written.
    """
    bits = np.packbits(np.asarray(occupancy.occupied, dtype=bool))
    queries = np.asarray(occupancy.queries, dtype=np.float16)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, queries=queries, occupied=bits, normalize=np.array(normalize))


def read_occupancy(path: Path) -> tuple[Occupancy, Normalization]:
    """Read what `write_occupancy` wrote: places, and how their frame came from the cloud.

    Raises:
        ValueError: If the file is missing, damaged, or holds anything else; the text names it.
    """
    try:
        check_regular(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            queries, bits, mode = arrays["queries"], arrays["occupied"], str(arrays["normalize"])
    except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"{type(error).__name__}: {error}"
        raise ValueError(f"{path}: can't be read as occupancy ({reason}).") from error
    count = len(queries) if queries.ndim == 2 else 0
    if queries.shape != (count, 3) or count == 0 or queries.dtype.kind != "f" or not np.isfinite(queries).all():
        raise ValueError(f"{path}: expected finite queries (Q, 3), but got {queries.dtype} {queries.shape}.")
    if bits.dtype != np.uint8 or bits.shape != (-(-count // 8),):
        raise ValueError(f"{path}: expected {count} bits of occupancy, but got {bits.dtype} {bits.shape}.")
    if mode not in get_args(Normalization):
        raise ValueError(f"{path}: expected one of {get_args(Normalization)} as `normalize`, but got {mode!r}.")
    occupied = np.unpackbits(bits, count=count).astype(bool)
    return Occupancy(queries.astype(np.float32), occupied), mode  # type: ignore[return-value]


class _Items(Protocol):
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Item: ...


class OccupancyDataset(Dataset[OccupancyItem]):
    """The items of a dataset, each with queries from `<folder>/<id>.npz`.

    Which of the file's queries are drawn depends on seed, epoch, category, id and view. Queries are turned into the
    camera's axes where the points are.

    Args:
        items: A dataset of `Item`s.
        folder: Folder of the files that `write_occupancy` wrote.
        queries: How many to draw for an item, without repetition.
        coordinates: Axes of the items' points; `None` takes those of the dataset's options.
        seed: Seed of the draw.
        redraw: Whether others are drawn each epoch.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If an argument is not as described.
    """

    def __init__(
        self,
        items: _Items,
        folder: str | Path,
        *,
        queries: int = 2048,
        coordinates: Coordinates | None = None,
        seed: int = 0,
        redraw: bool = True,
    ) -> None:
        check_count("queries", queries)
        if not Path(folder).is_dir():
            raise FileNotFoundError(f"{folder}: no such folder.")
        options = getattr(items, "options", None)
        if coordinates is None:
            coordinates = getattr(options, "coordinates", None)
        if coordinates not in get_args(Coordinates):
            raise ValueError(f"Argument `coordinates` must be one of {get_args(Coordinates)}, but got {coordinates!r}.")
        self._items, self._folder, self._queries = items, Path(folder), queries
        self._coordinates, self._seed, self._redraw = coordinates, seed, redraw
        self._normalize = getattr(options, "normalize", None)
        epoch: Any = torch.zeros((), dtype=torch.int64)
        self._epoch: Tensor = epoch.share_memory_()  # persistent workers see it change

    @property
    def options(self) -> Any:
        """Those of the dataset of items."""
        return getattr(self._items, "options", None)

    def set_epoch(self, epoch: int) -> None:
        """Draw others from now on, and let the dataset of items do so."""
        forward = getattr(self._items, "set_epoch", None)
        if forward is not None:
            forward(epoch)
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> OccupancyItem:
        """Read an item and its queries.

        Raises:
            IndexError: Beyond the end.
            ValueError: If a file is missing, damaged, has too few queries, or is in the frame of another normalisation.
        """
        item = self._items[index]
        path = self._folder / f"{item.id}.npz"
        occupancy, mode = read_occupancy(path)
        if self._normalize not in (None, "none", mode):
            raise ValueError(f"{path}: queries are normalised by {mode!r}, but points by {self._normalize!r}.")
        if len(occupancy.queries) < self._queries:
            raise ValueError(f"{path}: {len(occupancy.queries)} queries, fewer than the {self._queries} to draw.")
        epoch = int(self._epoch) if self._redraw else 0
        name = f"occupancy/{item.category}/{item.id}/{item.view}/{epoch}"
        rng = np.random.default_rng(stable_seed(self._seed, name))
        drawn = rng.choice(len(occupancy.queries), self._queries, replace=False)
        queries = torch.from_numpy(occupancy.queries[drawn])
        if self._coordinates == "viewer":
            queries = to_viewer(queries, item.rotation)
        return OccupancyItem(*item, queries, torch.from_numpy(occupancy.occupied[drawn]))
