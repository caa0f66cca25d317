"""The meshes that clouds were drawn from, for measures that take normals or surfaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from svr_baselines.data.folders import find_files, shape_name
from svr_baselines.data.formats import MESH_SUFFIXES, read_mesh
from svr_baselines.data.points import draw_points, frame_of, to_single
from svr_baselines.data.reader import normalization_of, seed_of
from svr_baselines.data.shapes import ShapeSet


class Surface(NamedTuple):
    """The mesh that a cloud was drawn from, in the frame of the cloud.

    Attributes:
        vertices: `(V, 3)`.
        faces: `(F, 3)` vertex indices.
        normals: Of the faces that the points of the cloud are on, `(P, 3)`, of length 1.
    """

    vertices: npt.NDArray[np.float64]
    faces: npt.NDArray[Any]
    normals: npt.NDArray[np.float32]


class Surfaces:
    """The surfaces of a set of shapes by their index. Each is read when it is asked for, and not kept.

    Args:
        shapes: A set of `svr_baselines.data.read_shapes`, all of whose clouds were drawn from meshes.

    Raises:
        ValueError: If a cloud was not; later, if a file has changed since.

    Example:
        >>> import tempfile, trimesh
        >>> from svr_baselines.data import read_shapes
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = trimesh.creation.box().export(f"{folder}/box.ply")
        ...     surface = Surfaces(read_shapes(folder, points=100))[0]
        >>> surface.faces.shape, surface.normals.shape
        ((12, 3), (100, 3))
    """

    def __init__(self, shapes: ShapeSet) -> None:
        if not has_surfaces(shapes):
            raise ValueError(f"Argument `shapes` must be of a folder of meshes, but got {shapes.source or 'clouds'}.")
        files = find_files(Path(shapes.source), MESH_SUFFIXES, "meshes", shape_name)
        self._shapes = shapes
        self._files = [files.get(name) for name in shapes.names]

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Surface:
        file, name, settings = self._files[index], self._shapes.names[index], self._shapes.settings
        if file is None:
            raise ValueError(f"the mesh of {name!r} is gone from {self._shapes.source}")
        vertices, faces = read_mesh(file)
        seed = seed_of(name, settings["seed"], settings["side"])
        cloud, face = draw_points(vertices, faces, settings["points"], seed)
        frame = frame_of(cloud, normalization_of(settings["normalize"], "mesh"))
        if frame is not None:
            vertices, cloud = frame.normalize(vertices), frame.normalize(cloud)
        if not np.array_equal(to_single(cloud), self._shapes.clouds[index]):
            raise ValueError(f"{file} has changed since its points were drawn")
        return Surface(vertices, faces, _normals(vertices[faces[face]]))


def has_surfaces(shapes: ShapeSet) -> bool:
    """Whether all clouds were drawn from meshes whose files are known."""
    known = {"points", "normalize", "seed", "side"} <= shapes.settings.keys() and Path(shapes.source).is_dir()
    return known and set(shapes.kinds) == {"mesh"}


def _normals(triangles: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Of length 1; none of the triangles is without area, as points were drawn from them."""
    edges = triangles[:, 1:] - triangles[:, :1]
    edges = edges / np.linalg.norm(edges, axis=2, keepdims=True)  # lest the product vanishes for small ones
    across = np.cross(edges[:, 0], edges[:, 1])
    normals: npt.NDArray[np.float32] = (across / np.linalg.norm(across, axis=1, keepdims=True)).astype(np.float32)
    return normals
