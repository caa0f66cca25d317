"""Materials of the mesh reader to ours; textures and material files beside a mesh."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from svr_baselines.rendering.surface import GREY, Array, Material

LARGEST_TEXTURE = 1024  # pixels of the longer side; a picture of 224 x 224 pixels has no use for more

Color = tuple[float, float, float]

WHITE: Color = (1.0, 1.0, 1.0)


class Neighbours:
    """Finds the files that a mesh file names, as the mesh reader's `resolver`.

    Names are taken as they come from many systems: with backslashes, with the folders of the machine that wrote them
    (then the last part is looked for beside the mesh), in other upper and lower case, and with options before them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: If there is none of this name.
        """
        words = name.strip().strip('"').split(" ")
        for start in range(len(words)):
            if (path := self._find(" ".join(words[start:]).strip())) is not None:
                return path.read_bytes()
        raise FileNotFoundError(name)

    __getitem__ = get

    def keys(self) -> list[str]:
        """Names of the files beside the mesh."""
        return sorted(path.name for path in self._folder.iterdir() if path.is_file())

    def namespaced(self, namespace: str) -> Neighbours:
        """The same in a folder below."""
        return Neighbours(self._folder / namespace)

    def _find(self, name: str) -> Path | None:
        path = PureWindowsPath(name)  # which knows both kinds of slashes
        parts = [part for part in path.parts if part != path.anchor]
        for tail in (parts, parts[-1:]):
            found = self._folder
            for part in tail:
                found = _child(found, part)
            if tail and found.is_file():
                return found
        return None


def _child(folder: Path, name: str) -> Path:
    """An entry of a folder, by its name in any case; what has no entry does not exist."""
    exact = folder / name
    if exact.exists() or not folder.is_dir():
        return exact
    return next((path for path in sorted(folder.iterdir()) if path.name.lower() == name.lower()), exact)


class Palette:
    """The materials of a file, each converted once however many parts have it.

    Attributes:
        materials: Those met so far.
    """

    def __init__(self) -> None:
        self.materials: list[Material] = []
        self._known: dict[Any, tuple[int, Any]] = {}  # with its source, which keeps the key from being reused

    def of_faces(self, geometry: Any) -> Array:
        """Index of the material of each face of a mesh, `(F,)`."""
        count, visual = len(geometry.faces), geometry.visual
        source = getattr(visual, "material", None)
        if source is None:
            # Colours of vertices or faces stand for themselves.
            plain = Material(WHITE) if getattr(visual, "kind", None) in ("vertex", "face") else Material()
            return np.full(count, self._index(plain.color, plain))
        several = getattr(source, "materials", None)
        if not several:
            return np.full(count, self._index(id(source), source))
        own = np.array([self._index(id(one), one) for one in several])
        index = getattr(visual, "face_materials", None)
        chosen: Array = own[np.asarray(index)] if index is not None else np.full(count, own[0])
        return chosen

    def _index(self, key: Any, source: Any) -> int:
        if key not in self._known:
            self._known[key] = len(self.materials), source
            self.materials.append(source if isinstance(source, Material) else _convert(source))
        return self._known[key][0]


def _convert(source: Any) -> Material:
    if hasattr(source, "baseColorFactor"):
        factor = source.baseColorFactor
        color = WHITE if factor is None else _clip(np.asarray(factor)[:3] / 255)
        return Material(color, _texture(source.baseColorTexture, WHITE))
    diffuse = getattr(source, "kwargs", {}).get("kd")
    color = GREY if diffuse is None or np.size(diffuse) != 3 else _clip(diffuse)
    texture = _texture(getattr(source, "image", None), color)
    # Of OBJ's materials the texture replaces the colour, which many exporters leave black.
    return Material(color) if texture is None else Material(WHITE, texture)


def _clip(values: Any) -> Color:
    red, green, blue = (float(value) for value in np.clip(np.nan_to_num(np.asarray(values, dtype=float)), 0, 1))
    return red, green, blue


def _texture(image: Any, ground: Color) -> Array | None:
    """`shrink` of the image that a file names, if it can be read."""
    if image is None or image.format is None:  # not from a file: the reader makes one up for meshes without material
        return None
    try:
        image.draft("RGB", (LARGEST_TEXTURE, LARGEST_TEXTURE))  # JPEG decodes to a smaller size by itself
        image = image.convert("RGBA")
    except (OSError, ValueError, SyntaxError, MemoryError):  # what Pillow raises for broken images
        return None
    return shrink(image, ground)


def shrink(image: Any, ground: Color) -> Array:
    """Pixels of a Pillow image, `(H, W, 3)`, not too many; the ground shows where the image is transparent."""
    from PIL import Image

    image = image.convert("RGBA")
    if max(image.size) > LARGEST_TEXTURE:
        image.thumbnail((LARGEST_TEXTURE, LARGEST_TEXTURE), Image.Resampling.BOX)
    pixels = np.asarray(image)
    share = pixels[..., 3:].astype(np.float32) / 255
    mixed: Array = pixels[..., :3] * share + 255 * np.array(ground, dtype=np.float32) * (1 - share)
    return mixed.round().astype(np.uint8)
