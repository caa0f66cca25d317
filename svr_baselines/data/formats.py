"""One file to points or a mesh; every fault on the way becomes a one-line `ValueError`."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from svr_baselines.documents import check_regular

ARRAY_SUFFIXES = (".npy", ".npz")
MESH_SUFFIXES = (".ply", ".obj", ".off", ".stl", ".glb")
SUFFIXES = (*ARRAY_SUFFIXES, *MESH_SUFFIXES, ".xyz")

_LARGE = 2**29  # bytes that a file may have before the free memory is asked for
_ARRAY_NAMES = ("points", "pred", "preds", "predictions", "arr_0")

Array = npt.NDArray[Any]


def read_points(path: Path) -> Array | None:
    """Read the `(P, 3)` points of a point cloud file, text in float64; `None` for a file that may hold a mesh."""
    suffix = path.suffix.lower()
    if suffix == ".xyz":
        check_file(path)
    if suffix in ARRAY_SUFFIXES:
        return _as_cloud(load_array(path))
    if suffix == ".xyz":
        with reading("xyz"), path.open("rb") as file:
            table = np.loadtxt(file, ndmin=2)
        return _as_cloud(table)
    return None


def read_mesh(path: Path) -> tuple[Array, Array]:
    """Read all geometry of a file as vertices `(V, 3)` and faces `(F, 3)`; no faces: a PLY point cloud."""
    import trimesh

    suffix = path.suffix.lower()
    check_file(path)
    with reading(suffix[1:]):
        data = path.read_bytes()
        check_complete(data, suffix)
        if suffix == ".obj":
            data = resolve_indices(data)
        # From memory: with no folder to look in, materials and textures are never searched for.
        scene: Any = trimesh.load(
            io.BytesIO(data), file_type=suffix[1:], force="scene", process=False, skip_materials=True
        )
        vertices, faces = _concatenate(scene)
    if len(faces) == 0 and suffix != ".ply":
        raise ValueError("the mesh has no faces")
    return vertices, faces


def load_array(path: Path, memory_map: bool = False) -> Array:
    """Read the array of a `.npy`, or the one array of a `.npz`, without ever unpickling."""
    check_file(path, whole=not memory_map)
    with reading("NumPy"):
        _refuse_empty(path.stat().st_size)
        # "c": writable views, so that torch takes them without a copy, and the file stays as it is.
        loaded = np.load(path, mmap_mode="c" if memory_map else None, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            name = _pick_array(loaded.files)
            _check_room(sum(part.file_size for part in loaded.zip.infolist() if part.filename in (name, f"{name}.npy")))
            return np.asarray(loaded[name])


def check_file(path: Path, whole: bool = True) -> None:
    """Refuse what is not a regular file, or, if it is to be read as a whole, has no room in memory.

    Raises:
        Fault: If it is so, or if it can't be looked at.
    """
    try:
        check_regular(path)
        size = path.stat().st_size
    except OSError as error:
        raise Fault(error.strerror or "the file can't be read") from error
    except ValueError as error:
        raise Fault(str(error).removeprefix(f"{path} ")) from error
    if whole:
        _check_room(size)


def _check_room(size: int) -> None:
    if size < _LARGE:
        return
    from ds_metrics.pairwise.memory import free_memory  # brings torch

    if size > free_memory():
        raise Fault(f"it takes {size / 1e9:,.1f} GB, but {free_memory() / 1e9:,.1f} GB of memory are free")


def as_points(array: Array) -> Array:
    """Convert to contiguous float32 (float64 stays), and check that there are points and all are finite."""
    if array.dtype.kind not in "iuf":
        raise ValueError(f"expected real numbers, but got dtype {array.dtype}")
    if array.shape[0] == 0:
        raise ValueError("the cloud is empty")
    wide = array.dtype.kind == "f" and array.dtype.itemsize >= 8
    with np.errstate(over="ignore"):
        points = np.ascontiguousarray(array, dtype=np.float64 if wide else np.float32)
    if bad := int((~np.isfinite(points)).any(axis=1).sum()):
        raise ValueError(f"{bad} of {len(points)} points are NaN or infinite")
    return points


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever a reader raises into a one-line `ValueError`; silence its warnings and log."""
    log = logging.getLogger("trimesh")
    disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Raised by numpy where text ends in the middle of a number: points would go missing.
            warnings.filterwarnings("error", message="string or file could not be read to its end")
            yield
    except Fault:
        raise
    except OSError as err:
        raise Fault(err.strerror or f"not a readable {what} file") from err
    except Exception as err:
        if "Python objects in dtype" in str(err) or "Object arrays cannot" in str(err):
            raise Fault("the array has dtype object, which is never unpickled") from err
        detail = "" if isinstance(err, ImportError) else f" ({one_line(err)})"
        raise Fault(f"not a readable {what} file, perhaps truncated{detail}") from err
    finally:
        log.disabled = disabled


class Fault(ValueError):
    """A fault whose message is fit to be shown as it is."""


def one_line(err: Exception, width: int = 100) -> str:
    """What an exception says, without line breaks and not too long."""
    text = " ".join(str(err).split()) or type(err).__name__
    return text if len(text) <= width else text[: width - 3] + "..."


def _refuse_empty(size: int) -> None:
    if size == 0:
        raise Fault("the file is empty")


def _pick_array(keys: list[str]) -> str:
    if len(keys) == 1:
        return keys[0]
    if any(key.endswith("data.pkl") for key in keys):
        raise Fault("a torch file, which is never unpickled; numpy.save(file, tensor.numpy()) makes one that is read")
    known = [key for key in _ARRAY_NAMES if key in keys]
    if len(known) != 1:
        wanted = f"one array, or exactly one of those named {', '.join(_ARRAY_NAMES)}"
        more = f", .. ({len(keys)} in all)" if len(keys) > 5 else ""
        raise Fault(f"expected {wanted}, but got {', '.join(sorted(keys)[:5]) or 'none'}{more}")
    return known[0]


def _as_cloud(array: Array) -> Array:
    if array.ndim == 2 and array.shape[1] in (3, 6):
        return as_points(array[:, :3])
    hint = "; pass the file itself to read an array of clouds" if array.ndim == 3 else ""
    hint = "; it may have to be transposed" if array.ndim == 2 and len(array) == 3 else hint
    raise ValueError(f"expected shape (P, 3), or (P, 6) with normals, but got {array.shape}{hint}")


def _concatenate(scene: Any) -> tuple[Array, Array]:
    """Vertices and faces of every node of the scene, moved to where the node puts them."""
    vertices, faces, start = [np.empty((0, 3))], [np.empty((0, 3), dtype=np.int64)], 0
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        geometry = scene.geometry[name]
        local = np.asarray(geometry.vertices, dtype=np.float64)
        vertices.append(local @ matrix[:3, :3].T + matrix[:3, 3])
        faces.append(np.asarray(getattr(geometry, "faces", faces[0])) + start)
        start += len(local)
    return np.concatenate(vertices), np.concatenate(faces)


def resolve_indices(data: bytes) -> bytes:
    r"""An OBJ file with the indices of its faces counted from the start, as the mesh reader takes all for granted.

    Negative ones count from the last vertex (or normal, or texture coordinate) before the face.

    Raises:
        ValueError: For an index of 0, which OBJ does not have.

    Example:
        >>> resolve_indices(b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\nv 0 0 1\nf -4 -3 -1\n").splitlines()[3::2]
        [b'f 1 2 3', b'f 1 2 4']
    """
    if not re.search(rb"^[ \t]*f[^\n]*[\s/](?:-\d|0+(?:[\s/]|$))", data, re.MULTILINE):
        return data
    counts = {b"v": 0, b"vt": 0, b"vn": 0}
    lines = data.replace(b"\\\n", b" ").splitlines()
    for number, line in enumerate(lines):
        kind, *words = line.split() or [b""]
        if kind in counts:
            counts[kind] += 1
        elif kind == b"f":
            lines[number] = b" ".join([b"f", *(_from_start(word, counts.values()) for word in words)])
    return b"\n".join([*lines, b""])


def _from_start(corner: bytes, counts: Iterable[int]) -> bytes:
    """`v/vt/vn` of a corner with every negative index made positive."""
    found = []
    for part, count in zip(corner.split(b"/"), counts, strict=False):
        index = int(part or 1)
        if index == 0 or index < -count:
            raise Fault(f"a face has index {index}, but {count} elements come before it, counted from 1")
        found.append(b"%d" % (index + count + 1) if index < 0 else part)
    return b"/".join(found)


def check_complete(data: bytes, suffix: str) -> None:
    """Refuse files shorter than their header says, which the mesh reader would take without a word."""
    _refuse_empty(len(data))
    if suffix == ".ply" and re.search(rb"^format\s+binary", data[:1000], re.MULTILINE):
        header, _, body = data.partition(b"end_header")
        expected = sum(int(n) for n in re.findall(rb"^element\s+\w+\s+(\d+)", header, re.MULTILINE))
        found = min(expected, len(body))  # as each takes a byte at least
    elif suffix == ".ply" and re.search(rb"^format\s+ascii", data[:1000], re.MULTILINE):
        header, _, body = data.partition(b"end_header")
        expected = sum(int(n) for n in re.findall(rb"^element\s+\w+\s+(\d+)", header, re.MULTILINE))
        found = sum(1 for line in body.splitlines() if line.strip())
    elif suffix == ".off":
        lines = [line for line in data.splitlines() if line.strip() and not line.lstrip().startswith(b"#")]
        counts = re.findall(rb"\d+", b" ".join(lines[:2]))[:2]
        expected, found = sum(map(int, counts)), len(lines) - (1 if re.search(rb"\d", lines[0]) else 2)
    elif suffix == ".stl" and not re.search(rb"facet|endsolid", data[:1000]):
        expected = int.from_bytes(data[80:84], "little")
        found = (len(data) - 84) // 50
    else:
        return
    if found < expected:
        raise Fault(f"truncated: the header promises {expected} elements, the file has {max(found, 0)}")
