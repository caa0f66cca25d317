"""Small data for the examples, made on the spot: furniture of boxes and cylinders, with pictures and points.

Put your own data in its place. `svr_baselines.data.ShapeNet` reads ShapeNet; `build_points` and `build_renders`, as
below, make points and pictures of any folder of meshes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import trimesh

from svr_baselines.building import build_points, build_renders
from svr_baselines.data import ManifestDataset

Parts = list[trimesh.Trimesh]


def make_mesh(kind: str, index: int, seed: int = 0) -> trimesh.Trimesh:
    """Make a piece of furniture with random proportions and colours, Y up.

    Args:
        kind: One of `KINDS`.
        index: Which piece of this kind.
        seed: Seed of proportions and colours.
    """
    rng = np.random.default_rng([seed, list(KINDS).index(kind), index])
    parts = KINDS[kind](rng)
    for part in parts:
        part.visual.vertex_colors = rng.integers(60, 240, 3)
    return trimesh.util.concatenate(parts)


def make_meshes(folder: Path, per_kind: int, seed: int = 0) -> None:
    """Write `folder/chair/0000.ply` and so on, `per_kind` pieces of each of `KINDS`."""
    for kind in KINDS:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for index in range(per_kind):
            make_mesh(kind, index, seed).export(folder / kind / f"{index:04d}.ply")


def make_pairs(
    folder: Path, per_kind: int = 40, points: int = 512, size: int = 64
) -> tuple[ManifestDataset, ManifestDataset]:
    """Make pictures and points of furniture below `folder`, for one process at a time; what is there already is kept.

    Returns:
        The training set and the test set, see `open_pairs`.
    """
    make_meshes(folder / "meshes", per_kind)
    build_points(folder / "meshes", folder / "points", points=points)
    build_renders(folder / "meshes", folder / "renders", azimuth_ranges=[30], azimuth_centre=60, size=size)
    return open_pairs(folder, points, size)


def open_pairs(folder: Path, points: int = 512, size: int = 64) -> tuple[ManifestDataset, ManifestDataset]:
    """Open what `make_pairs` has made.

    Returns:
        The training set and the test set, 80 and 20 % of each kind. Items have an `image` `(3, size, size)` in [0, 1]
        and `points` `(points, 3)` in the unit ball.
    """
    train, test = (
        ManifestDataset(folder / "points", folder / "renders" / "azimuth-30", split=split, points=points, size=size)
        for split in ("train", "test")
    )
    return train, test


def _box(size: tuple[float, float, float], at: tuple[float, float, float]) -> trimesh.Trimesh:
    mesh = trimesh.creation.box(size)
    mesh.apply_translation(at)
    return mesh


def _rod(radius: float, bottom: float, top: float) -> trimesh.Trimesh:
    """An upright cylinder."""
    mesh = trimesh.creation.cylinder(radius, top - bottom, sections=24)
    mesh.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0)))
    mesh.apply_translation((0, (bottom + top) / 2, 0))
    return mesh


def _legs(width: float, depth: float, height: float) -> Parts:
    x, z = width / 2 - 0.03, depth / 2 - 0.03
    return [_box((0.06, height, 0.06), (a * x, height / 2, b * z)) for a in (-1, 1) for b in (-1, 1)]


def _chair(rng: np.random.Generator) -> Parts:
    width, depth, seat, back = rng.uniform((0.4, 0.4, 0.35, 0.3), (0.65, 0.6, 0.55, 0.9))
    rest = _box((width, back, 0.06), (0, seat + back / 2, 0.03 - depth / 2))
    return [*_legs(width, depth, seat), _box((width, 0.07, depth), (0, seat, 0)), rest]


def _lamp(rng: np.random.Generator) -> Parts:
    height, foot, shade, length = rng.uniform((0.5, 0.1, 0.12, 0.15), (1.5, 0.25, 0.35, 0.45))
    return [_rod(foot, 0, 0.05), _rod(0.025, 0.05, height), _rod(shade, height, height + length)]


def _shelf(rng: np.random.Generator) -> Parts:
    width, height, depth = rng.uniform((0.5, 0.8, 0.25), (1.2, 1.8, 0.45))
    boards = [_box((width, 0.04, depth), (0, y, 0)) for y in np.linspace(0.02, height - 0.02, rng.integers(3, 7))]
    return [*boards, *(_box((0.04, height, depth), (x, height / 2, 0)) for x in (-width / 2, width / 2))]


def _table(rng: np.random.Generator) -> Parts:
    width, depth, height = rng.uniform((0.7, 0.5, 0.35), (1.8, 1.0, 0.8))
    return [*_legs(width, depth, height), _box((width, 0.06, depth), (0, height, 0))]


KINDS: dict[str, Callable[[np.random.Generator], Parts]] = {
    "chair": _chair,
    "lamp": _lamp,
    "shelf": _shelf,
    "table": _table,
}
