"""Kaolin's meshes and data sets as sources: what `kaolin.io` reads can be sampled and drawn like files.

Nothing here imports Kaolin: its objects are told by what they have.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from svr_baselines.data.shapes import index_names
from svr_baselines.rendering import Material, Surface, to_y_up
from svr_baselines.rendering.materials import WHITE, Color, shrink

Array = npt.NDArray[Any]

_SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
_TURNED = (0, 15)  # the version of Kaolin from which on its texture coordinate v runs down


@dataclass(frozen=True, eq=False)
class KaolinMesh:
    """An item of a Kaolin data set, or a mesh by itself.

    Other processes get the arrays of this item alone: a `SurfaceMesh` can't be unpickled, and the whole set is large.

    Attributes:
        id: Name of the shape.
        meshes: What holds it: a data set whose items have a `"mesh"`, or a mapping of names to meshes.
        key: Its place there.
        split: Part of the data set that it belongs to, if the data set says so.
    """

    id: str
    meshes: Any
    key: Any
    split: str | None = None

    @property
    def mesh(self) -> None:
        """It is of no file that is known."""

    def load(self, up: str, materials: bool) -> Surface:
        """Convert the mesh; whatever reading it raises is a `ValueError`, as of a bad file."""
        return to_y_up(self._convert(materials), up)

    def _convert(self, materials: bool) -> Surface:
        try:
            return surface_of_kaolin(_mesh_of(self.meshes[self.key]), materials)
        except Exception as error:  # data sets read files in many ways
            said = " ".join(str(error).split())
            kind = "" if said and isinstance(error, ValueError) else f"{type(error).__name__}: "
            raise ValueError(f"{kind}{said}".rstrip(": ")) from error

    def __reduce__(self) -> Any:
        try:
            return _ConvertedMesh, (self.id, self.split, self._convert(materials=True))
        except ValueError as error:
            return _ConvertedMesh, (self.id, self.split, str(error))


@dataclass(frozen=True, eq=False)
class _ConvertedMesh:
    """A `KaolinMesh` in another process: its surface, or why there is none."""

    id: str
    split: str | None
    found: Surface | str

    @property
    def mesh(self) -> None:
        """It is of no file that is known."""

    def load(self, up: str, materials: bool) -> Surface:
        if isinstance(self.found, str):
            raise ValueError(self.found)
        surface = self.found
        if not materials:
            surface = replace(surface, uv=None, colors=None, material=None, materials=(Material(),))
        return to_y_up(surface, up)


def kaolin_sources(meshes: Any) -> list[KaolinMesh]:
    """Sources of a Kaolin data set or of meshes by name, for `build_points` and `build_renders`.

    A shape that can't be read is skipped, as a bad file is. This process reads, also where several work.

    Args:
        meshes: A data set of `kaolin.io`, such as `kaolin.io.shapenet.ShapeNetV2(root, split=1.0, output_dict=True)`
            (its own default leaves out 30 % of the shapes), whose items are dictionaries with a `"mesh"`, or the older
            items with `data`; a mapping of names to `kaolin.rep.SurfaceMesh`; or a batch of these.

    Returns:
        One source an item. Ids are the data set's `names`, as `synset/id`, and `label/name` of ModelNet, whose split is
        kept; or indices, if it has no names.

    Raises:
        TypeError: For anything else.
    """
    if isinstance(meshes, Mapping):
        return [KaolinMesh(str(name), meshes, name) for name in sorted(meshes, key=str)]
    if not hasattr(meshes, "__len__") or not hasattr(meshes, "__getitem__") or isinstance(meshes, str | bytes):
        raise TypeError(f"Argument `meshes` must be a Kaolin data set or a mapping, but got {type(meshes).__name__}.")
    names = getattr(meshes, "names", None)
    if names is None or len(names) != len(meshes):
        return [KaolinMesh(name, meshes, index) for index, name in enumerate(index_names(len(meshes)))]
    return [_source(meshes, index, str(name)) for index, name in enumerate(names)]


def _source(meshes: Any, index: int, name: str) -> KaolinMesh:
    """The source of an item of a data set whose names may begin with a split, as those of ModelNet do."""
    path = PurePosixPath(name.replace("\\", "/"))
    folder = path.parts[0] if len(path.parts) == 2 else ""
    if folder in _SPLITS:  # ModelNet, `root/label/split/name.off`
        label = str(_attributes(meshes, index).get("label") or "")
        return KaolinMesh(str(PurePosixPath(label) / path.stem), meshes, index, _SPLITS[folder])
    if folder == "test_allinone":  # SHREC16, whose test set has no labels
        return KaolinMesh(path.name, meshes, index, "test")
    if hasattr(meshes, "SUPPORTED_SYNSETS") or not hasattr(meshes, "get_attributes"):
        return KaolinMesh(str(path), meshes, index)
    file = PurePosixPath(str(_attributes(meshes, index).get("path", "")).replace("\\", "/"))
    split = _SPLITS.get(file.parent.parent.name) if file.parent.name == folder else None  # `root/split/synset/name.obj`
    return KaolinMesh(str(path), meshes, index, split)


def _attributes(meshes: Any, index: int) -> Mapping[str, Any]:
    """What a data set says of an item; without reading its mesh, if it can."""
    try:
        if hasattr(meshes, "get_attributes"):
            found = meshes.get_attributes(index)
        else:
            item = meshes[index]
            found = item if isinstance(item, Mapping) else getattr(item, "attributes", {})
    except Exception:  # a bad item, which is told of when it is read
        return {}
    return found if isinstance(found, Mapping) else {}


def surface_of_kaolin(mesh: Any, materials: bool = True) -> Surface:
    """Convert a `kaolin.rep.SurfaceMesh`, or what `kaolin.io.off` reads.

    Its `transform` is applied. Faces of more than three corners become fans of triangles. Normals, texture coordinates
    and colours are taken where the mesh holds some of its own, by face or by vertex; diffuse colours and textures of
    `PBRMaterial`, or `Kd` and `map_Kd` of older dictionaries. A texture that can't be converted is no error.

    Args:
        mesh: One mesh, on any device, not a batch.
        materials: Whether to convert colours and textures.

    Raises:
        ValueError: If it is a batch, or no mesh that can be drawn.
    """
    if (batching := str(getattr(mesh, "batching", "NONE")).rpartition(".")[2]) != "NONE":
        raise ValueError(f"expected one mesh, but got a batch ({batching}); take one of it, as `mesh[i]`")
    if hasattr(mesh, "as_transformed"):
        mesh = mesh.as_transformed()
    vertices, faces = _array(mesh, "vertices"), _array(mesh, "faces")
    if vertices is None or faces is None or len(faces) == 0:
        raise ValueError("the mesh has no faces")
    if faces.ndim != 2 or faces.shape[1] < 3:
        raise ValueError(f"faces must have shape (F, 3) or (F, sides), but got {faces.shape}")
    corners = _fan(faces.shape[1])
    count = len(faces) * len(corners)

    def of_corners(values: Array | None) -> Array | None:
        return None if values is None else values[:, corners].reshape(count, 3, values.shape[-1])

    vertices, normals = vertices.astype(np.float64), of_corners(_per_corner(mesh, "normals", faces, 3))
    if (matrix := _array(mesh, "transform")) is not None:  # of a mesh that can't apply it by itself
        matrix = matrix.astype(np.float64)
        placed = vertices @ matrix[:3, :3].T + matrix[:3, 3]
        vertices = placed / (vertices @ matrix[3:, :3].T + matrix[3, 3])
        normals = None if normals is None else normals @ np.linalg.pinv(matrix[:3, :3])
    surface = Surface(vertices, faces[:, corners].reshape(count, 3), normals)
    return _painted(surface, mesh, faces, of_corners) if materials else surface


def _painted(surface: Surface, mesh: Any, faces: Array, of_corners: Callable[[Array | None], Array | None]) -> Surface:
    """The surface with the colours and textures of a mesh."""
    own = _materials(mesh)
    uv = of_corners(_per_corner(mesh, "uvs", faces, 2)) if own else None
    if uv is not None and _v_runs_down():
        uv[..., 1] = 1 - uv[..., 1]
    colors = of_corners(_per_corner(mesh, "colors", faces, 3))
    plain = Material() if colors is None else Material(WHITE)
    assigned = _array(mesh, "material_assignments") if own else None
    material = None
    if assigned is not None and assigned.shape == faces.shape[:1]:
        # Faces of no material name -1.
        assigned = np.where((assigned < 0) | (assigned >= len(own)), len(own), assigned).astype(np.int64)
        material = np.repeat(assigned, len(surface.faces) // len(faces))
        own = [*own, plain]
    return replace(surface, uv=uv, colors=colors, material=material, materials=tuple(own) or (plain,))


def _mesh_of(item: Any) -> Any:
    if isinstance(item, Mapping):
        if "mesh" not in item:
            raise ValueError(f"the item has no 'mesh', but {sorted(map(str, item))}")
        return item["mesh"]
    return getattr(item, "data", item)


def _fan(sides: int) -> Array:
    """Corners of the triangles of a polygon."""
    return np.array([[0, corner, corner + 1] for corner in range(1, sides - 1)])


def _v_runs_down() -> bool:
    """Whether v = 0 is at the top of a texture, as Kaolin has it, but for old versions."""
    version = str(getattr(sys.modules.get("kaolin"), "__version__", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    return len(numbers) < 2 or numbers >= _TURNED


def _array(mesh: Any, name: str) -> Array | None:
    """A tensor that the mesh holds, not one that it could compute, as an array."""
    held = mesh.has_attribute(name) if hasattr(mesh, "has_attribute") else getattr(mesh, name, None) is not None
    return _numpy(getattr(mesh, name)) if held else None


def _numpy(values: Any) -> Array:
    """A tensor of any device and dtype, or numbers, as an array."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if str(values.dtype) == "torch.bfloat16":  # which numpy does not have
            values = values.float()
    return np.asarray(values)


def _per_corner(mesh: Any, name: str, faces: Array, width: int) -> Array | None:
    """Values of the corners of faces, `(F, sides, width)` float32, zeros where a corner has none; ``None`` without any.

    Those of a list and indices into it come first, then those by face, as what is by vertex may have been computed from
    them; last those by vertex.
    """
    count = len(mesh.vertices)
    values, index, by_face = (_array(mesh, each) for each in (name, f"face_{name}_idx", f"face_{name}"))
    if by_face is not None and by_face.ndim == 2:  # one a face
        by_face = np.repeat(by_face[:, None], faces.shape[1], axis=1)
    flat = by_face.reshape(faces.size, -1) if by_face is not None and by_face.shape[:2] == faces.shape else None
    of_vertices = [_array(mesh, f"vertex_{name}"), values if index is None else None]
    for found, places in (
        (values, index),
        (flat, np.arange(faces.size).reshape(faces.shape)),
        *((each, faces) for each in of_vertices if each is not None and len(each) == count),
    ):
        if found is None or places is None or places.shape != faces.shape or found.ndim != 2 or found.shape[1] == 0:
            continue
        known = (places >= 0) & (places < len(found))
        if known.any() and (found.shape[1] >= width or name == "colors"):
            if name == "colors":
                found = _rgb(found)
            corners: Array = np.nan_to_num(found[:, :width].astype(np.float32), posinf=0, neginf=0)
            return np.where(known[..., None], corners[np.where(known, places, 0)], np.float32(0))
    return None


def _rgb(values: Array) -> Array:
    """Colours in [0, 1], `(N, 3)`, of integers up to 255 or floats, grey or not; transparency is left out."""
    scaled = values / 255 if values.dtype.kind in "iu" else values
    if values.shape[-1] < 3:
        scaled = np.repeat(scaled[..., :1], 3, axis=-1)
    return np.clip(scaled[..., :3], 0, 1)


def _materials(mesh: Any) -> list[Material]:
    return [_material(material) for material in getattr(mesh, "materials", None) or []]


def _material(material: Any) -> Material:
    names = ("kd", "map_kd") if isinstance(material, Mapping) else ("diffuse_color", "diffuse_texture")
    if isinstance(material, Mapping):
        held = {str(name).lower(): value for name, value in material.items()}
    else:
        held = {name: getattr(material, name, None) for name in names}
    color = _color(held.get(names[0]))
    texture = None if held.get(names[1]) is None else _texture(_numpy(held[names[1]]), color or WHITE)
    return Material(WHITE, texture) if texture is not None else Material(color) if color else Material()


def _color(values: Any) -> Color | None:
    if values is None or not (numbers := np.atleast_2d(_numpy(values))).size or numbers.dtype.kind not in "iuf":
        return None
    if not np.isfinite(numbers).all():
        return None
    red, green, blue = _rgb(numbers.astype(np.float64))[0].tolist()
    return red, green, blue


def _texture(picture: Array, ground: Color) -> Array | None:
    """Pixels `(H, W, 3)` of a picture with channels last, as Kaolin reads them, or first, as `PBRMaterial` says."""
    from PIL import Image

    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.ndim != 3 or picture.size == 0:
        return None
    for count, axis in ((1, 2), (3, 2), (1, 0), (3, 0), (4, 2), (4, 0), (2, 2), (2, 0)):  # the likelier come first
        if picture.shape[axis] == count:
            picture = np.moveaxis(picture, axis, 2)
            break
    else:
        return None
    if picture.dtype.kind in "fb":
        picture = (np.clip(np.nan_to_num(picture), 0, 1) * 255).round()
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    grey = picture[..., :1].repeat(3, axis=2)
    channels = {1: (grey,), 2: (grey, picture[..., 1:])}.get(picture.shape[2], (picture,))
    return shrink(Image.fromarray(np.ascontiguousarray(np.concatenate(channels, axis=2))), ground)
