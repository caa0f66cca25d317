"""Good files of each kind for `malformed.py`, and copies of them with one fault."""

from __future__ import annotations

import copy
import json
import os
import shutil
import socket
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[[Sequence[str], Path], None]

# What no reader of documents takes, whatever it expects.
BODIES = {
    "empty": b"",
    "binary": bytes(range(256)) * 8,
    "not-utf8": b'{"schema": "\xff\xfe"}',
    "list": b"[]",
    "number": b"3",
    "null": b"null",
    "half": b'{"schema": 2',
    "deep-lists": b"[" * 100_000,
    "deep-objects": b'{"a":' * 100_000,
    "huge-integer": b'{"schema": ' + b"9" * 10_000 + b"}",
    "constant": b'{"schema": NaN}',
}
_WRONG = ([], {}, "x", 3.5, None, 10**30, True)


@dataclass
class Files:
    """Paths of good files below `root`, and ways to spoil them."""

    root: Path
    _numbers: Iterator[int] = field(default_factory=count)

    def __truediv__(self, name: str) -> Path:
        return self.root / name

    def _new(self, suffix: str) -> Path:
        (self.root / "bad").mkdir(exist_ok=True)
        return self.root / "bad" / f"bad-{next(self._numbers)}{suffix}"

    def file(self, suffix: str, data: bytes) -> Path:
        """A new file."""
        path = self._new(suffix)
        path.write_bytes(data)
        return path

    def folder(self, good: str | None = None, **spoiled: bytes | None) -> Path:
        """A new folder, a copy of a good one, in which some files have other contents, or are gone."""
        path = self._new("")
        if good is None:
            path.mkdir()
        else:
            shutil.copytree(self.root / good, path, symlinks=True, copy_function=os.link)
        for name, data in spoiled.items():
            if data is None:
                (path / name).unlink()
            else:
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).unlink(missing_ok=True)  # a link to the good one
                (path / name).write_bytes(data)
        return path

    def pipe(self, suffix: str = "", folder: Path | None = None) -> Path:
        """A pipe that nobody writes to."""
        path = self._new(suffix) if folder is None else folder / f"pipe{suffix}"
        os.mkfifo(path)
        return path

    def link(self, target: str | Path, suffix: str = "", folder: Path | None = None) -> Path:
        """A link, to a device for example."""
        path = self._new(suffix) if folder is None else folder / f"link{suffix}"
        path.symlink_to(target)
        return path

    def socket(self, suffix: str = "") -> Path:
        """A socket's file."""
        path, before = self._new(suffix), Path.cwd()
        os.chdir(path.parent)  # as the path of a socket must be short
        try:
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(path.name)
        finally:
            os.chdir(before)
        return path

    def specials(self, suffix: str = "") -> list[Path]:
        """What is there, and is no file."""
        zero, random = self.link("/dev/zero", suffix), self.link("/dev/urandom", suffix)
        loop = self._new(suffix)
        loop.symlink_to(loop.name)
        return [self.pipe(suffix), zero, random, self.socket(suffix), loop]


def edits(document: Any, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """JSON of copies of a document in which the value at a dotted path is gone, or of another kind; with its key."""
    for number, path in enumerate(paths):
        *parents, key = path.split(".")
        value = _at(document, path)
        wrong = [other for other in _WRONG if type(other) is not type(value)]
        if isinstance(value, float):
            wrong = [other for other in wrong if type(other) is not int]
        yield key, _changed(document, parents, key, None, remove=True)
        for other in (wrong[number % len(wrong)], wrong[(number + 3) % len(wrong)]):
            yield key, _changed(document, parents, key, other)


def _at(document: Any, path: str) -> Any:
    for part in path.split("."):
        document = document[int(part) if isinstance(document, list) else part]
    return document


def _changed(document: Any, parents: Sequence[str], key: str, value: Any, remove: bool = False) -> bytes:
    copied = copy.deepcopy(document)
    place = _at(copied, ".".join(parents)) if parents else copied
    index = int(key) if isinstance(place, list) else key
    if remove:
        del place[index]
    else:
        place[index] = value
    return json.dumps(copied).encode()


def npy(shape: tuple[int, ...], kind: str = "<f4", body: bytes = b"\0" * 64) -> bytes:
    """A .npy file that claims a shape."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def png(width: int, height: int) -> bytes:
    """A PNG that claims a size, and has a few bytes of it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def glb(length: int, accessors: int = 3) -> bytes:
    """A GLB whose buffer and accessor claim a length."""
    document = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "buffers": [{"byteLength": length}],
        "bufferViews": [{"buffer": 0, "byteLength": length}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": accessors, "type": "VEC3"}],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", 36, 0x004E4942) + b"\0" * 36
    return b"glTF" + struct.pack("<II", 2, 12 + len(body)) + body


def make_files(root: Path, run: Run) -> Files:
    """Good files of each kind, most of them by the commands themselves."""
    import trimesh
    from PIL import Image

    files, rng = Files(root), np.random.default_rng(0)
    clouds = rng.random((12, 60, 3)).astype(np.float32)
    np.save(root / "good.npy", clouds)
    np.save(root / "truth.npy", clouds + 0.1 * rng.random(clouds.shape).astype(np.float32))
    for folder in ("clouds", "meshes", "pictures"):
        (root / folder).mkdir()
    for index in range(6):
        np.save(root / "clouds" / f"{index}.npy", clouds[index])
        extents = 1 + rng.random(3)
        (root / "meshes" / f"{index}.ply").write_bytes(trimesh.creation.box(extents).export(file_type="ply"))
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(root / "pictures" / f"{index}.png")

    def good(text: str) -> None:
        run(text.replace("@", f"{root}/").split(), root / f"made-{len(list(root.glob('made-*')))}")

    good("eval @good.npy --target @truth.npy --clusters 2 --json @given.json")
    good("eval @good.npy --target @truth.npy --json @knee.json")
    good("eval --images @pictures --features pixels --size 8 --clusters 2 --json @images.json")
    good("build points @meshes @points --points 80")
    good("build renders @meshes @rendered --size 32 --samples 1")
    (root / "rendered" / "azimuth-90").rename(root / "renders")
    good("build occupancy @meshes @points @occupancy --queries 100")
    options = 'precision = "32-true"\naccelerator = "cpu"\n[network_options]\ncode = 8\nhidden = 8\npoints = 50\n'
    (root / "train.toml").write_text(f"epochs = 1\npasses = 1\ndecays = []\nbatch_size = 4\nclusters = 1\n{options}")
    good("train psgn @points @run --images @renders --size 32 --points 50 --config @train.toml")
    _make_experiment(root)
    _make_shapenet(root, rng)
    (root / "weights.pth").write_bytes(_pickle())
    return files


def _make_experiment(root: Path) -> None:
    folder = root / "experiment"
    (folder / "figures").mkdir(parents=True)
    (folder / "scores").mkdir()
    shutil.copy(root / "given.json", folder / "scores" / "a.json")
    shutil.copy(root / "pictures" / "0.png", folder / "figures" / "a.png")
    row = {"series": "a", "step": 1, "network": "psgn", "seed": 1, "result": "scores/a.json", "ds": 0.5}
    document = {
        "schema": 1,
        "kind": "experiment",
        "experiment": "synthetic",
        "title": "A title",
        "claim": "A claim",
        "preset": "quick",
        "preset_changes": ["fewer"],
        "verdicts": [{"claim": "c", "holds": True, "sentence": "s", "rho": 0.5, "p": 0.1, "n": 8}],
        "table": {"columns": ["a", "b"], "rows": [["1", "2"]], "caption": "c"},
        "figures": [{"file": "figures/a.png", "caption": "c", "alt": "a"}],
        "rows": [row],
        "provenance": {"versions": {}},
    }
    (folder / "results.json").write_text(json.dumps(document))


def _make_shapenet(root: Path, rng: np.random.Generator) -> None:
    from PIL import Image

    for name in "abcdefgh":
        clouds = root / "shapenet" / "ShapeNetV1PointCloud" / "02691156"
        renders = root / "shapenet" / "ShapeNetV1Renderings" / "02691156" / name / "rendering"
        clouds.mkdir(parents=True, exist_ok=True)
        renders.mkdir(parents=True)
        np.save(clouds / f"{name}.points.ply.npy", rng.random((60, 3)).astype(np.float32))
        for view in range(3):
            pixels = rng.integers(0, 255, (137, 137, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(renders / f"{view:02d}.png")
        (renders / "rendering_metadata.txt").write_text("90 30 0 0.5 25\n" * 3)


def _pickle() -> bytes:
    import pickle

    return pickle.dumps({"features.0.weight": os.getcwd})
