"""The clouds that benchmarks run on: points drawn from surfaces, by area, scaled to the unit ball."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from svr_baselines.data import make_shapes, normalize_points, read_shapes

SEED = 0


def draw_clouds(count: int, points: int, folder: Path | None = None) -> list[np.ndarray]:
    """`count` clouds of `points` points: built-in furniture, or the shapes of a folder (as many as there are).

    Raises:
        ValueError: If a point cloud of the folder is smaller.
    """
    if folder is None:
        return make_shapes(-(-count // 5), points, SEED).clouds  # of five classes
    shapes = read_shapes(folder, points, normalize="unit-ball", seed=SEED, skip_bad=True)
    for name, cloud in zip(shapes.names, shapes.clouds, strict=True):
        if len(cloud) < points:
            raise ValueError(f"Shapes must be meshes or have at least {points} points, but {name!r} has {len(cloud)}")
    return shapes.clouds


def select_clouds(drawn: list[np.ndarray], count: int, points: int) -> list[np.ndarray]:
    """`count` clouds, evenly from all classes, or all; the first `points` points of each, which are a draw too."""
    chosen = np.linspace(0, len(drawn) - 1, min(count, len(drawn))).round().astype(int)
    return [normalize_points(drawn[k][:points]).astype(np.float32) for k in chosen]
