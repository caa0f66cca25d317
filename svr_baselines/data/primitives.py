"""Furniture of boxes and frustums with random proportions: shapes for a demonstration without a download.

Each class is a function from a random generator to parts; a part is a mesh `(vertices, faces)`. Y is up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from svr_baselines.data.points import check_count, normalize_points, sample_mesh, stable_seed
from svr_baselines.data.shapes import Kind, ShapeSet

Part = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]
_Triple = tuple[float, float, float]

_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
_SEGMENTS = 32


def make_shapes(n_per_class: int, points: int = 2500, seed: int = 0) -> ShapeSet:
    """Make furniture with random proportions as point clouds in the unit ball.

    The classes are chair, lamp, shelf, sofa and table. A shape depends on the seed and its name alone, so a
    larger set holds the smaller one.

    Args:
        n_per_class: Shapes of each class.
        points: Points drawn from the surface of each shape.
        seed: Seed of the proportions and of the drawing.

    Returns:
        The shapes with names such as `"chair/0007"`; `categories` tells the classes.

    Raises:
        ValueError: If a count is below 1.

    Example:
        >>> shapes = make_shapes(n_per_class=2, points=100)
        >>> len(shapes), shapes.names[0], shapes.clouds[0].shape
        (10, 'chair/0000', (100, 3))
    """
    check_count("n_per_class", n_per_class)
    check_count("points", points)
    names = tuple(f"{kind}/{i:04d}" for kind in sorted(_CLASSES) for i in range(n_per_class))
    clouds = [_make_cloud(name, points, stable_seed(seed, name)) for name in names]
    kinds: list[Kind] = ["mesh"] * len(names)
    return ShapeSet(names, clouds, tuple(kinds), source=f"primitives(seed={seed})")


def box(center: _Triple, size: _Triple) -> Part:
    """Axis-aligned box."""
    faces = np.concatenate([_QUADS[:, [0, 1, 2]], _QUADS[:, [0, 2, 3]]])
    return _CORNERS * size + center, faces


def frustum(base: _Triple, bottom: float, top: float, height: float) -> Part:
    """Upright cone cut off at both ends, with its lids; equal radii make a cylinder."""
    angle = np.linspace(0, 2 * np.pi, _SEGMENTS, endpoint=False)
    ring = np.stack([np.cos(angle), np.zeros_like(angle), np.sin(angle)], axis=1)
    lift = np.array([0.0, height, 0.0])
    vertices = np.concatenate([ring * bottom, ring * top + lift, [np.zeros(3), lift]]) + base
    i = np.arange(_SEGMENTS)
    j = (i + 1) % _SEGMENTS
    low, high = np.full_like(i, 2 * _SEGMENTS), np.full_like(i, 2 * _SEGMENTS + 1)
    up = _SEGMENTS
    sides = [np.stack([i, i + up, j], axis=1), np.stack([j, i + up, j + up], axis=1)]
    lids = [np.stack([i, j, low], axis=1), np.stack([i + up, high, j + up], axis=1)]
    return vertices, np.concatenate(sides + lids)


def _make_cloud(name: str, points: int, seed: int) -> npt.NDArray[Any]:
    parts = _CLASSES[name.partition("/")[0]](np.random.default_rng(seed))
    starts = np.cumsum([0] + [len(vertices) for vertices, _ in parts[:-1]])
    vertices = np.concatenate([vertices for vertices, _ in parts])
    faces = np.concatenate([faces + start for (_, faces), start in zip(parts, starts, strict=True)])
    return normalize_points(sample_mesh(vertices, faces, points, seed)).astype(np.float32)


def _legs(width: float, depth: float, height: float, thick: float) -> list[Part]:
    x, z = (width - thick) / 2, (depth - thick) / 2
    return [box((sx * x, height / 2, sz * z), (thick, height, thick)) for sx in (-1, 1) for sz in (-1, 1)]


def _chair(rng: np.random.Generator) -> list[Part]:
    width, depth, seat = rng.uniform(0.42, 0.58), rng.uniform(0.42, 0.56), rng.uniform(0.38, 0.5)
    back, thick, leg = rng.uniform(0.35, 0.75), rng.uniform(0.03, 0.07), rng.uniform(0.035, 0.06)
    parts = [*_legs(width, depth, seat, leg), box((0, seat, 0), (width, thick, depth))]
    z = -(depth - leg) / 2
    if rng.random() < 0.5:
        parts.append(box((0, seat + back / 2, z), (width, back, leg)))
    else:
        rail = 0.3 * back
        parts.append(box((0, seat + back - rail / 2, z), (width, rail, leg)))
        parts += [box((x, seat + back / 2, z), (leg, back, leg)) for x in np.linspace(-0.5, 0.5, 4) * (width - leg)]
    if rng.random() < 0.4:
        arm = rng.uniform(0.16, 0.24)
        for x in (-width / 2, width / 2):
            parts.append(box((x, seat + arm, 0), (leg, leg, depth)))
            parts.append(box((x, seat + arm / 2, (depth - leg) / 2), (leg, arm, leg)))
    return parts


def _lamp(rng: np.random.Generator) -> list[Part]:
    height, shade = rng.uniform(0.5, 1.6), rng.uniform(0.22, 0.4)
    bottom = rng.uniform(0.16, 0.3)
    top, foot = bottom * rng.uniform(0.35, 0.95), rng.uniform(0.1, 0.22)
    return [
        frustum((0, 0, 0), foot, foot * rng.uniform(0.5, 1.0), 0.05),
        frustum((0, 0.05, 0), 0.022, 0.022, height - 0.05),
        frustum((0, height - 0.3 * shade, 0), bottom, top, shade),
    ]


def _shelf(rng: np.random.Generator) -> list[Part]:
    width, height, depth = rng.uniform(0.5, 1.2), rng.uniform(0.8, 2.0), rng.uniform(0.25, 0.4)
    thick, boards = rng.uniform(0.025, 0.05), int(rng.integers(3, 7))
    parts = [box((0, y, 0), (width, thick, depth)) for y in np.linspace(thick / 2, height - thick / 2, boards)]
    parts += [box((x, height / 2, 0), (thick, height, depth)) for x in (-width / 2, width / 2)]
    parts.append(box((0, height / 2, -depth / 2), (width, height, 0.01)))
    return parts


def _sofa(rng: np.random.Generator) -> list[Part]:
    width, depth, seat = rng.uniform(1.0, 2.4), rng.uniform(0.75, 1.0), rng.uniform(0.35, 0.45)
    back, arm, thick = rng.uniform(0.3, 0.5), rng.uniform(0.1, 0.28), rng.uniform(0.12, 0.22)
    foot = rng.uniform(0.05, 0.12)
    parts = [
        *_legs(width * 0.95, depth * 0.95, foot, 0.06),
        box((0, (foot + seat) / 2, 0), (width, seat - foot, depth)),
    ]
    parts.append(box((0, seat + back / 2, -(depth - thick) / 2), (width, back, thick)))
    for x in (-(width - thick) / 2, (width - thick) / 2):
        parts.append(box((x, seat + arm / 2, 0), (thick, arm, depth)))
    return parts


def _table(rng: np.random.Generator) -> list[Part]:
    height, thick = rng.uniform(0.4, 0.8), rng.uniform(0.03, 0.07)
    if rng.random() < 0.4:
        radius = rng.uniform(0.35, 0.7)
        return [
            frustum((0, height - thick, 0), radius, radius, thick),
            frustum((0, 0.04, 0), 0.05, 0.05, height - thick - 0.04),
            frustum((0, 0, 0), radius * rng.uniform(0.45, 0.7), 0.06, 0.04),
        ]
    width, depth, leg = rng.uniform(0.8, 1.8), rng.uniform(0.6, 0.9), rng.uniform(0.04, 0.09)
    return [*_legs(width, depth, height - thick, leg), box((0, height - thick / 2, 0), (width, thick, depth))]


_CLASSES: dict[str, Callable[[np.random.Generator], list[Part]]] = {
    "chair": _chair,
    "lamp": _lamp,
    "shelf": _shelf,
    "sofa": _sofa,
    "table": _table,
}
