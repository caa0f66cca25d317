"""Files below a folder by name: sorted, hidden ones left out, links followed, each folder once."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path

# ShapeNetCore calls every mesh the same, v1 `synset/id/model.obj`, v2 `synset/id/models/model_normalized.obj`;
# AtlasNet's clouds are `synset/id.points.ply.npy`.
_SHAPENET = re.compile(r"/(model|models/model_normalized)$|\.points\.ply$")
# What goes with shapes: descriptions, pictures, materials, voxels, and what systems leave in folders.
_BESIDE = (
    *("", ".json", ".csv", ".txt", ".md", ".yaml", ".yml", ".log", ".html", ".pdf", ".mtl", ".binvox", ".db", ".ini"),
    *(".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tga", ".tif", ".tiff", ".webp"),
)


def shape_name(path: str) -> str:
    """Name of the shape in a file, from its path below the root without suffix.

    It is the path, but `synset/id` in ShapeNet's published layouts. Letters with accents are one character each,
    as macOS may have split them.

    Example:
        >>> shape_name("02691156/1a0/models/model_normalized"), shape_name("02691156/1a0.points.ply"), shape_name("a/b")
        ('02691156/1a0', '02691156/1a0', 'a/b')
    """
    return unicodedata.normalize("NFC", _SHAPENET.sub("", path))


def find_files(root: Path, suffixes: tuple[str, ...], what: str, rename: Callable[[str], str] = str) -> dict[str, Path]:
    """Find the files of some kinds in a folder and its subfolders.

    Args:
        root: The folder.
        suffixes: Kinds to look for, in small letters with their dot; files of other kinds are ignored.
        what: What such files hold, in the plural, for the error messages.
        rename: Turns a file's path below the root, without suffix, into its name.

    Returns:
        Paths by name, sorted by name.

    Raises:
        ValueError: If there is no such file, two have one name, or a folder can't be listed.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> for name in ("b.png", "a.png", ".hidden.png", "notes.txt"):
        ...     (root / name).touch()
        >>> list(find_files(root, (".png",), "images"))
        ['a', 'b']
    """
    found: dict[str, Path] = {}
    for path in _walk(root):
        if path.suffix.lower() not in suffixes:
            continue
        name = rename(path.relative_to(root).with_suffix("").as_posix())
        if name in found:
            both = f"{found[name].relative_to(root)} and {path.relative_to(root)}"
            raise ValueError(f"{root}: two files of the same name, {both}, at {name!r}.")
        found[name] = path
    if not found:
        raise ValueError(f"{root}: no {what} in this folder (looked for {' '.join(suffixes)}).")
    return dict(sorted(found.items()))


def count_others(root: Path, suffixes: tuple[str, ...]) -> Counter[str]:
    """How many files of which other kinds a folder and its subfolders hold, but those that go with shapes.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> for name in ("a.obj", "a.mtl", "b.pt", "c.PT"):
        ...     (root / name).touch()
        >>> count_others(root, (".obj",))
        Counter({'.pt': 2})
    """
    return Counter(kind for path in _walk(root) if (kind := path.suffix.lower()) not in (*suffixes, *_BESIDE))


def _walk(root: Path) -> Iterator[Path]:
    """Each real folder once: by its own path if it is below the root, else by that of the first link to it."""
    known: set[tuple[int, int]] = set()
    starts = deque([str(root)])
    while starts:
        for folder, subfolders, files in os.walk(starts.popleft(), onerror=_raise):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in known:
                subfolders.clear()
                continue
            known.add((status.st_dev, status.st_ino))
            subfolders[:] = sorted(sub for sub in subfolders if not sub.startswith("."))
            links = [sub for sub in subfolders if os.path.islink(os.path.join(folder, sub))]
            starts += [os.path.join(folder, sub) for sub in links if not _is_loop(folder, sub)]
            yield from (Path(folder, file) for file in sorted(files) if not file.startswith("."))


def _is_loop(folder: str, sub: str) -> bool:
    """A link to a folder that holds it would be walked without end."""
    inside, target = os.path.realpath(folder), os.path.realpath(os.path.join(folder, sub))
    return os.path.commonpath([inside, target]) == target


def _raise(error: OSError) -> None:
    raise ValueError(f"{error.filename}: {error.strerror}.") from error
