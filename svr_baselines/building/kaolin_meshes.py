"""Kaolin's meshes and data sets as sources: what `kaolin.io` reads can be sampled and drawn like files.

Nothing here imports Kaolin: its objects are told by what they have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from svr_baselines.data.shapes import index_names
from svr_baselines.rendering import Material, Surface, to_y_up

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class KaolinMesh:
    """An item of a Kaolin data set, or a mesh by itself.

    Attributes:
        id: Name of the shape.
        meshes: What holds it: a data set whose items have a `"mesh"`, or a mapping of names to meshes.
        key: Its place there.
    """

    id: str
    meshes: Any
    key: Any

    @property
    def mesh(self) -> None:
        """It is of no file that is known."""

    def load(self, up: str, materials: bool) -> Surface:
        """Convert the mesh."""
        item = self.meshes[self.key]
        surface = surface_of_kaolin(_mesh_of(item), materials)
        return to_y_up(surface, up)


def kaolin_sources(meshes: Any) -> list[KaolinMesh]:
    """Sources of a Kaolin data set or of meshes by name, for `build_points` and `build_renders`.

    Args:
        meshes: A data set of `kaolin.io`, such as `kaolin.io.shapenet.ShapeNetV2(root, output_dict=True)`, whose items
            are dictionaries with a `"mesh"`, or the older items with `data`; or a mapping of names to
            `kaolin.rep.SurfaceMesh`. For several processes, it must be picklable.

    Returns:
        One source an item. Ids are the data set's `names`, as `synset/id`; or indices, if it has none.

    Raises:
        TypeError: For anything else.
    """
    if isinstance(meshes, Mapping):
        return [KaolinMesh(str(name), meshes, name) for name in sorted(meshes)]
    if not hasattr(meshes, "__len__") or not hasattr(meshes, "__getitem__"):
        raise TypeError(f"Argument `meshes` must be a Kaolin data set or a mapping, but got {type(meshes).__name__}.")
    names = getattr(meshes, "names", None)
    if names is None or len(names) != len(meshes):
        names = index_names(len(meshes))
    return [KaolinMesh(str(name), meshes, index) for index, name in enumerate(names)]


def surface_of_kaolin(mesh: Any, materials: bool = True) -> Surface:
    """Convert a `kaolin.rep.SurfaceMesh`.

    Faces of more than three corners become fans of triangles. Normals and texture coordinates are taken where the mesh
    holds some of its own; diffuse colours and textures of `PBRMaterial`, or `Kd` and `map_Kd` of older dictionaries.

    Args:
        mesh: One mesh, on any device, not a batch.
        materials: Whether to convert colours and textures.

    Raises:
        ValueError: If it is a batch, or no mesh that can be drawn.
    """
    if (batching := str(getattr(mesh, "batching", "NONE")).rpartition(".")[2]) != "NONE":
        raise ValueError(f"expected one mesh, but got a batch ({batching}); use its to_batched or get_mesh first")
    vertices, faces = _array(mesh, "vertices"), _array(mesh, "faces")
    if vertices is None or faces is None or faces.ndim != 2 or faces.shape[1] < 3:
        raise ValueError("the mesh has no faces")
    corners = _fan(faces.shape[1])
    count = len(faces) * len(corners)
    normals, uv = _indexed(mesh, "normals"), _indexed(mesh, "uvs")
    own = _materials(mesh) if materials else None
    assigned = _array(mesh, "material_assignments") if own else None
    return Surface(
        vertices=vertices.astype(np.float64),
        faces=faces[:, corners].reshape(count, 3),
        normals=None if normals is None else normals[:, corners].reshape(count, 3, 3),
        uv=None if uv is None or not own else uv[:, corners].reshape(count, 3, 2),
        material=None if assigned is None else np.repeat(np.maximum(assigned, 0), len(corners)),
        materials=tuple(own) if own else (Material(),),
    )


def _mesh_of(item: Any) -> Any:
    if isinstance(item, Mapping):
        return item["mesh"]
    return getattr(item, "data", item)


def _fan(sides: int) -> Array:
    """Corners of the triangles of a polygon."""
    return np.array([[0, corner, corner + 1] for corner in range(1, sides - 1)])


def _array(mesh: Any, name: str) -> Array | None:
    """A tensor that the mesh holds, not one that it could compute, as an array."""
    held = mesh.has_attribute(name) if hasattr(mesh, "has_attribute") else getattr(mesh, name, None) is not None
    return np.asarray(getattr(mesh, name).detach().cpu()) if held else None


def _indexed(mesh: Any, name: str) -> Array | None:
    """Values of the corners of faces, `(F, sides, D)`, from a list of values and indices into it."""
    values, index = _array(mesh, name), _array(mesh, f"face_{name}_idx")
    if values is None or index is None or len(values) == 0 or index.min() < 0 or index.max() >= len(values):
        return None
    corners: Array = np.nan_to_num(values.astype(np.float32))[index]
    return corners


def _materials(mesh: Any) -> list[Material]:
    return [_material(material) for material in getattr(mesh, "materials", None) or []]


def _material(material: Any) -> Material:
    names = ("Kd", "map_Kd") if isinstance(material, Mapping) else ("diffuse_color", "diffuse_texture")
    held = material if isinstance(material, Mapping) else {name: getattr(material, name, None) for name in names}
    color, texture = held.get(names[0]), held.get(names[1])
    rgb = Material().color if color is None else tuple(np.clip(color.detach().cpu().numpy(), 0, 1).ravel()[:3].tolist())
    if texture is None:
        return Material(rgb if len(rgb) == 3 else Material().color)
    picture = texture.detach().cpu().numpy()
    if picture.shape[2] not in (3, 4):  # channels first
        picture = np.moveaxis(picture, 0, 2)
    if picture.dtype != np.uint8:
        picture = (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
    return Material((1.0, 1.0, 1.0), np.ascontiguousarray(picture[..., :3]))
