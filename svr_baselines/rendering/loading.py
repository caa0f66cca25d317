"""One mesh file to a surface, with its materials and textures."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from svr_baselines.data.formats import MESH_SUFFIXES, Fault, check_complete, check_file, reading, resolve_indices
from svr_baselines.rendering.materials import Neighbours, Palette
from svr_baselines.rendering.surface import Array, Surface, check_mesh

UP_AXES = ("y", "z")


def load_surface(path: str | os.PathLike[str], up: str = "y", materials: bool = True) -> Surface:
    """Read a mesh with all that is needed to draw it.

    All geometry of a file is read, each node at its place; polygons become triangles. OBJ files bring their materials
    and textures from the files beside them, GLB files have them inside, and colours of vertices or faces are read from
    PLY, those of vertices from OBJ, too. A material or texture that is missing or can't be read is no error: the
    material's colour is drawn, and light grey where there is none. Everything is opaque, glass too; where a texture is
    transparent, the material's colour shows. Smooth normals are those of the file; faces without are flat.

    Args:
        path: `.obj .glb .ply .off .stl`.
        up: `"y"`, or `"z"` for files in which Z is up: `(x, y, z)` becomes `(x, z, -y)`.
        materials: Whether to read materials and textures; without, the shape alone counts.

    Returns:
        The surface as it is in the file, not normalised, Y up.

    Raises:
        FileNotFoundError: If there is nothing at `path`.
        ValueError: For another suffix or axis, for a file that is truncated or no such mesh, without faces, or with
            faces that name no vertex or one that is not finite.
    """
    path = Path(path)
    check_up(up)
    suffix = path.suffix.lower()
    if suffix not in MESH_SUFFIXES:
        raise ValueError(f"expected a mesh, one of {', '.join(MESH_SUFFIXES)}, but got {path.name}")
    if not path.exists():
        raise FileNotFoundError(f"No such file: {path}")
    check_file(path)
    with reading(suffix[1:]):
        surface = _read(path, suffix, materials)
        return to_y_up(surface, up)


def check_up(up: str) -> None:
    """Refuse an axis that cannot be up."""
    if up not in UP_AXES:
        raise ValueError(f"Argument `up` must be one of {UP_AXES}, but got {up!r}.")


def to_y_up(surface: Surface, up: str) -> Surface:
    """The surface with Y up, of one in which `up` is: `(x, y, z)` becomes `(x, z, -y)` where that is `"z"`.

    Example:
        >>> to_y_up(Surface(np.eye(3), np.array([[0, 1, 2]])), "z").vertices.astype(int).tolist()
        [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    """
    check_up(up)
    if up == "y":
        return surface

    def turn(vectors: Array) -> Array:
        return np.stack([vectors[..., 0], vectors[..., 2], -vectors[..., 1]], axis=-1)

    normals = None if surface.normals is None else turn(surface.normals)
    return replace(surface, vertices=turn(np.asarray(surface.vertices)), normals=normals)


def _read(path: Path, suffix: str, materials: bool) -> Surface:
    import trimesh

    data = path.read_bytes()
    check_complete(data, suffix)
    if suffix == ".obj":
        data = resolve_indices(data)
    scene: Any = trimesh.load(
        io.BytesIO(data),
        file_type=suffix[1:],
        force="scene",
        process=False,
        skip_materials=not materials,
        resolver=Neighbours(path.parent),
    )
    palette, parts = Palette(), []
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        geometry = scene.geometry[name]
        if len(getattr(geometry, "faces", ())):
            parts.append(_part(geometry, np.asarray(matrix, dtype=np.float64), palette))
    if not parts:
        raise Fault("the mesh has no faces")
    return _join(parts, palette)


class _Part(NamedTuple):
    """A geometry of a scene, at its place; as in `Surface`."""

    vertices: Array
    faces: Array
    normals: Array | None
    uv: Array | None
    colors: Array | None
    material: Array


def _part(geometry: Any, matrix: Array, palette: Palette) -> _Part:
    vertices = np.asarray(geometry.vertices, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    faces = np.asarray(geometry.faces)
    check_mesh(vertices, faces)
    material = palette.of_faces(geometry)
    textured = any(palette.materials[index].texture is not None for index in np.unique(material))
    return _Part(
        vertices,
        faces,
        _normals(geometry, matrix, faces),
        _uv(geometry, faces) if textured else None,
        _colors(geometry, faces),
        material,
    )


def _normals(geometry: Any, matrix: Array, faces: Array) -> Array | None:
    # Asked for by its public name, the reader would make up normals that the file does not have.
    normals = geometry._cache["vertex_normals"]
    if normals is None or np.shape(normals) != geometry.vertices.shape:
        return None
    turned = np.nan_to_num(np.asarray(normals, dtype=np.float64)) @ np.linalg.pinv(matrix[:3, :3])
    corners: Array = turned.astype(np.float32)[faces]
    return corners


def _uv(geometry: Any, faces: Array) -> Array | None:
    """Texture coordinates of the corners; the reader has v up, whatever the file's format."""
    uv = getattr(geometry.visual, "uv", None)
    if uv is None or len(uv) != len(geometry.vertices):
        return None
    corners: Array = np.nan_to_num(np.asarray(uv, dtype=np.float32)[:, :2], posinf=0, neginf=0)[faces]
    return corners


def _colors(geometry: Any, faces: Array) -> Array | None:
    """Colours of the corners, of files that give some to vertices or faces."""
    kind = getattr(geometry.visual, "kind", None)
    if kind == "vertex":
        colors = np.asarray(geometry.visual.vertex_colors)[faces]
    elif kind == "face":
        colors = np.repeat(np.asarray(geometry.visual.face_colors)[:, None], 3, axis=1)
    else:
        return None
    corners: Array = colors[..., :3].astype(np.float32) / 255
    return corners


def _join(parts: list[_Part], palette: Palette) -> Surface:
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    counts = [len(part.faces) for part in parts]
    return Surface(
        vertices=np.concatenate([part.vertices for part in parts]),
        faces=np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=False)]),
        normals=_stack([part.normals for part in parts], counts, 3, 0.0),
        uv=_stack([part.uv for part in parts], counts, 2, 0.0),
        colors=_stack([part.colors for part in parts], counts, 3, 1.0),
        material=np.concatenate([part.material for part in parts]),
        materials=tuple(palette.materials),
    )


def _stack(values: list[Array | None], counts: list[int], width: int, missing: float) -> Array | None:
    """Values of all corners, with a constant for parts that have none; ``None`` if no part has any."""
    if all(value is None for value in values):
        return None
    return np.concatenate(
        [
            np.full((count, 3, width), missing, dtype=np.float32) if value is None else value
            for value, count in zip(values, counts, strict=True)
        ]
    )
