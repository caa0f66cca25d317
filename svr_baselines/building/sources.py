"""The meshes that data is built from: the files of a folder, by their ids."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from svr_baselines.data.folders import find_files, shape_name
from svr_baselines.data.formats import MESH_SUFFIXES
from svr_baselines.data.item_dataset import take_split
from svr_baselines.rendering import Surface, load_surface


class MeshSource(Protocol):
    """Where a mesh comes from; picklable, as other processes load it.

    One that knows its part of the data set, as the items of published splits do, has it as `split`.
    """

    @property
    def id(self) -> str:
        """Name of the shape, such as `"chair/0007"`, a path."""

    @property
    def mesh(self) -> str | None:
        """The file's path below the folder of meshes, if it has one."""

    def load(self, up: str, materials: bool) -> Surface:
        """Read the mesh; raises a `ValueError` for a bad one.

        Args:
            up: The axis that is up in the mesh, `"y"` or `"z"`. It is Y in the surface.
            materials: Whether colours and textures are needed.
        """


@dataclass(frozen=True)
class MeshFile:
    """A mesh in a file."""

    id: str
    mesh: str
    path: Path

    def load(self, up: str, materials: bool) -> Surface:
        """Read the file."""
        return load_surface(self.path, up, materials)


def find_meshes(folder: str | os.PathLike[str]) -> list[MeshFile]:
    """Find the meshes of a folder and its subfolders: `.ply .obj .off .stl .glb`.

    A mesh is called by its path without suffix; those of ShapeNetCore, `synset/id/model.obj` (v1) and
    `synset/id/models/model_normalized.obj` (v2), are called `synset/id`.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no mesh, or two of one id.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("b.off", "02691156/a/model.obj"):
        ...     (folder / name).parent.mkdir(parents=True, exist_ok=True)
        ...     (folder / name).touch()
        >>> [file.id for file in find_meshes(folder)]
        ['02691156/a', 'b']
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"No folder at {root}.")
    found = find_files(root, MESH_SUFFIXES, "meshes", shape_name)
    return [MeshFile(name, path.relative_to(root).as_posix(), path) for name, path in found.items()]


def category_of(name: str) -> str:
    """The folder part of an id, empty where there is none.

    Example:
        >>> category_of("chair/0007"), category_of("0007")
        ('chair', '')
    """
    return name.rpartition("/")[0]


def split_of(names: Iterable[str]) -> dict[str, str]:
    """Part of the data set that each id belongs to: of each category's sorted ids, the first 80 % train.

    Example:
        >>> split_of(["a/1", "a/2", "a/3", "a/4", "a/5"])["a/5"]
        'test'
    """
    by_category = defaultdict(list)
    for name in names:
        by_category[category_of(name)].append(name)
    members = [(part, names) for names in by_category.values() for part in ("train", "test")]
    return {name: part for part, names in members for name in take_split(names, part)}


def split_of_sources(sources: Iterable[MeshSource]) -> dict[str, str]:
    """Part of the data set of each source by its id: the one that it has itself, or that of `split_of`."""
    known = {source.id: getattr(source, "split", None) for source in sources}
    drawn = split_of(name for name, part in known.items() if part is None)
    return {name: part or drawn[name] for name, part in known.items()}


def load_source(source: MeshSource, up: str, materials: bool) -> Surface:
    """Load a mesh; one that can't be read is a bad one, as an `OSError` is the fault of the folder that is built.

    Raises:
        ValueError: If the mesh is bad or can't be read.
    """
    try:
        return source.load(up, materials)
    except OSError as error:
        raise ValueError(f"the mesh can't be read: {error.strerror or error or type(error).__name__}") from error


def as_sources(meshes: str | os.PathLike[str] | Sequence[MeshSource]) -> Sequence[MeshSource]:
    """The meshes of a folder, or sources as they are, if their ids differ."""
    if isinstance(meshes, str | os.PathLike):
        return find_meshes(meshes)
    names = [source.id for source in meshes]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"Argument `meshes` must hold sources of different ids, but got {names[:5]}.")
    for name in names:
        if not name or name.startswith("/") or "\0" in name or {"", ".", ".."} & set(name.split("/")):
            raise ValueError(
                f"Argument `meshes` must hold sources whose ids are paths below a folder, but got {name!r}"
            )
    return meshes
