"""Files below a folder by name: sorted, hidden ones left out, links followed without loops."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


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
    for folder, subfolders, files in os.walk(root, followlinks=True, onerror=_raise):
        subfolders[:] = [sub for sub in subfolders if not sub.startswith(".") and not _is_loop(folder, sub)]
        for file in sorted(files):
            path = Path(folder, file)
            if file.startswith(".") or path.suffix.lower() not in suffixes:
                continue
            name = rename(path.relative_to(root).with_suffix("").as_posix())
            if name in found:
                both = f"{found[name].relative_to(root)} and {path.relative_to(root)}"
                raise ValueError(f"{root}: two files of the same name, {both}, at {name!r}.")
            found[name] = path
    if not found:
        raise ValueError(f"{root}: no {what} in this folder (looked for {' '.join(suffixes)}).")
    return dict(sorted(found.items()))


def _is_loop(folder: str, sub: str) -> bool:
    """A link to a folder that holds it would be walked without end."""
    inside, target = os.path.realpath(folder), os.path.realpath(os.path.join(folder, sub))
    return os.path.commonpath([inside, target]) == target


def _raise(error: OSError) -> None:
    raise ValueError(f"{error.filename}: {error.strerror}.") from error
