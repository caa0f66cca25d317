"""Folders of meshes and point clouds, or one array of clouds, to a `ShapeSet`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import numpy.typing as npt

from svr_baselines.data.folders import find_files, shape_name
from svr_baselines.data.formats import (
    ARRAY_SUFFIXES,
    MESH_SUFFIXES,
    SUFFIXES,
    as_points,
    load_array,
    read_mesh,
    read_points,
)
from svr_baselines.data.points import (
    Normalization,
    check_count,
    check_memory,
    normalize_points,
    sample_mesh,
    stable_seed,
    to_single,
)
from svr_baselines.data.shapes import BadShape, Kind, ShapeSet, describe_bad, index_names
from svr_baselines.data.spool import Outcome, Spool
from svr_baselines.parallel import map_in_order

Progress = Callable[[int, int], None]
Side = Literal["preds", "target", "train"]
_Cloud = tuple[npt.NDArray[Any], Kind]

_FILES_PER_WORKER = 50  # a process takes a second or two to start
_FILES_PER_TASK = 4


def read_shapes(
    path: str | os.PathLike[str],
    points: int = 2500,
    normalize: Literal["auto"] | Normalization = "auto",
    seed: int = 0,
    skip_bad: bool = False,
    progress: Progress | None = None,
    workers: int = 1,
    store: str | os.PathLike[str] | None = None,
    side: Side = "preds",
) -> ShapeSet:
    """Read shapes as point clouds.

    `path` is either an array of clouds `(N, P, 3)` in a `.npy` (memory-mapped) or `.npz`, or a folder with
    one shape per file, searched with its subfolders in sorted order: `.npy .npz .xyz` (points, `(P, 3)`, or
    `(P, 6)` whose last three columns are left out), `.ply .obj .off .stl .glb` (meshes; a PLY without faces
    is a point cloud). Files of other kinds and hidden ones are ignored. Nothing is ever unpickled.

    Args:
        path: Array file or folder.
        points: Points to draw from the surface of each mesh. Point clouds keep all theirs.
        normalize: `"unit-ball"`, `"bounding-box"`, `"none"`, or `"auto"`: unit ball for meshes only.
        seed: Seed of the drawing. The points of a shape depend on this, on its name and on `side` alone.
        skip_bad: Go on without the shapes that cannot be read, and list them in `skipped`.
        progress: Called with (shapes done, shapes in all).
        workers: Processes that read the files of a folder. They are spawned, so a script that asks for more than one
            keeps its own work under ``if __name__ == "__main__"``.
        store: Folder to keep the points of a folder's shapes in, under a key of files, times and settings. They are
            then read from there as they are used, and memory holds some 500 bytes a shape; a run that was killed goes
            on at the last shape, and a finished set comes back at once; kept points are verified, and read again where
            they are damaged. ``None`` holds all points in memory.
        side: What the shapes are in a comparison, `"preds"`, `"target"` or `"train"`: each has its own random numbers.
            Were they the same, points of a prediction would lie where those of a truth with the same faces do, and
            be nearer to them than two samples of one surface are.

    Returns:
        The shapes, named by their path below the folder without suffix (`synset/id` in ShapeNet's published layouts),
        or by their index in the array.

    Raises:
        FileNotFoundError: If there is nothing at `path`.
        ValueError: For a folder without shapes, two files of one name, an array of the wrong shape, or shapes
            that are truncated, empty, not finite or without area; all are counted and the first few named.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/cube.npy", np.eye(3))
        ...     read_shapes(folder).names
        ('cube',)
    """
    path = Path(path)
    check_count("points", points)
    check_count("workers", workers)
    if normalize not in ("auto", *get_args(Normalization)):
        raise ValueError(
            f"Argument `normalize` must be 'auto' or one of {get_args(Normalization)}, but got {normalize!r}."
        )
    if side not in get_args(Side):
        raise ValueError(f"Argument `side` must be one of {get_args(Side)}, but got {side!r}.")
    if not path.exists():
        raise FileNotFoundError(f"No file or folder at {path}.")
    if path.is_dir():
        found = find_files(path, SUFFIXES, "shapes", shape_name)
        names, paths = list(found), [file.relative_to(path).as_posix() for file in found.values()]
        if store is None:
            meshes = sum(file.suffix.lower() in MESH_SUFFIXES for file in found.values())
            check_memory("points", 12 * points * meshes, f"the points of {meshes:,} meshes")
        read = partial(_attempt, partial(_read_file, points=points, seed=seed, side=side), normalize)
        if store is None:
            outcomes = _map(read, list(found.values()), names, workers=workers)
        else:
            key = f"{version('dispersion-score')} {points} {normalize} {seed} {side} {_listing(found)}"
            outcomes = _kept(Path(store), key, read, list(found.values()), names, workers, progress)
            progress = None
    else:
        array = _open_array(path)
        names = index_names(len(array))
        paths = [f"sample {name}" for name in names]
        outcomes = map(partial(_attempt, lambda cloud, _: (as_points(cloud), "points"), normalize), array, names)
    shapes = _collect(str(path), zip(names, paths, outcomes, strict=True), len(names), skip_bad, progress)
    return replace(shapes, settings={"points": points, "normalize": normalize, "seed": seed, "side": side})


def _kept(
    store: Path,
    key: str,
    read: Callable[[Path, str], Outcome],
    files: list[Path],
    names: list[str],
    workers: int,
    progress: Progress | None,
) -> Iterator[Outcome]:
    """Read the files that a store lacks; then all, from there."""

    def missing(done: int) -> Iterator[Outcome]:
        for outcome in _map(read, files[done:], names[done:], workers):
            yield outcome
            done += 1
            if progress is not None:
                progress(done, len(files))

    with Spool.open(store, key) as spool:
        spool.extend(missing(len(spool)))
        yield from spool


def _listing(files: dict[str, Path]) -> str:
    """A digest of names, sizes and times."""
    digest = hashlib.sha256()
    for name, path in files.items():
        status = path.stat()
        digest.update(
            f"{name}\0{path.suffix}\0{status.st_size}\0{status.st_mtime_ns}\0".encode("utf-8", "surrogateescape")
        )
    return digest.hexdigest()


def _attempt(read: Callable[[Any, str], _Cloud], normalize: Any, source: Any, name: str) -> Outcome:
    """A shape, or what is wrong with it."""
    try:
        cloud, kind = read(source, name)
        cloud = normalize_points(cloud, normalization_of(normalize, kind))
        # What was text, PLY or a mesh is float64 so far: cast only once it is centred, where it costs no precision.
        of_array = not isinstance(source, Path) or source.suffix.lower() in ARRAY_SUFFIXES
        return (cloud if of_array else as_points(to_single(cloud))), kind
    except ValueError as err:
        return str(err).rstrip(".")


def _map(read: Callable[[Path, str], Outcome], files: list[Path], names: list[str], workers: int) -> Iterator[Outcome]:
    """Read files in order, in as many processes as are worth their start."""
    items = list(zip(files, names, strict=True))
    workers = min(workers, len(files) // _FILES_PER_WORKER)
    return map_in_order(partial(_read_item, read), items, lost=_lost, workers=workers, chunk=_FILES_PER_TASK)


def _read_item(read: Callable[[Path, str], Outcome], item: tuple[Path, str]) -> Outcome:
    return read(*item)


def _lost(item: tuple[Path, str]) -> Outcome:
    return "the process that read it was ended; has it memory enough?"


def _collect(
    source: str,
    shapes: Iterable[tuple[str, str, Outcome]],
    total: int,
    skip_bad: bool,
    progress: Progress | None,
) -> ShapeSet:
    """Take every shape, good or bad, so that one run tells of all faults."""
    good: dict[str, _Cloud] = {}
    bad: list[BadShape] = []
    for done, (name, path, outcome) in enumerate(shapes, start=1):
        if isinstance(outcome, str):
            bad.append(BadShape(name, path, outcome))
        else:
            good[name] = outcome
        if progress is not None:
            progress(done, total)
    if bad and not (skip_bad and good):
        raise ValueError(describe_bad("shapes", source, bad, total, skip_bad))
    clouds, kinds = [cloud for cloud, _ in good.values()], tuple(kind for _, kind in good.values())
    return ShapeSet(tuple(good), clouds, kinds, tuple(bad), source)


def normalization_of(normalize: Literal["auto"] | Normalization, kind: Kind) -> Normalization:
    """What `read_shapes` does to a shape: `"auto"` is the unit ball for meshes, and nothing for point clouds."""
    if normalize == "auto":
        return "unit-ball" if kind == "mesh" else "none"
    return normalize


def seed_of(name: str, seed: int, side: Side) -> int:
    """Seed of the points of one mesh."""
    return stable_seed(seed, name if side == "preds" else f"{side}/{name}")


def _read_file(path: Path, name: str, points: int, seed: int, side: Side) -> _Cloud:
    cloud = read_points(path)
    if cloud is not None:
        return cloud, "points"
    vertices, faces = read_mesh(path)
    if len(faces) == 0:
        return as_points(vertices), "points"
    return sample_mesh(vertices, faces, points, seed_of(name, seed, side)), "mesh"


def _open_array(path: Path) -> npt.NDArray[Any]:
    if path.suffix.lower() not in ARRAY_SUFFIXES:
        raise ValueError(f"{path}: expected a folder of shapes, or a .npy or .npz array.")
    try:
        array = load_array(path, memory_map=True)
    except ValueError as err:
        raise ValueError(f"{path}: {err}.") from err
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        hint = "; a single cloud is a set of one, (1, P, 3)" if array.ndim == 2 and array.shape[1] == 3 else ""
        hint = "; array.transpose(0, 2, 1) may be it" if array.ndim == 3 and array.shape[1] == 3 else hint
        raise ValueError(f"{path}: expected an array of clouds with shape (N, P, 3), but got {array.shape}{hint}.")
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{path}: expected real numbers, but got dtype {array.dtype}.")
    return array
