"""Readers of shapes: meshes, point clouds and arrays of clouds, as `(P, 3)` points ready to score."""

from svr_baselines.data.points import normalize_points, sample_mesh
from svr_baselines.data.primitives import make_shapes
from svr_baselines.data.reader import normalization_of, read_shapes
from svr_baselines.data.shapes import BadShape, ShapeSet, pair_shapes

__all__ = [
    "BadShape",
    "ShapeSet",
    "make_shapes",
    "normalization_of",
    "normalize_points",
    "pair_shapes",
    "read_shapes",
    "sample_mesh",
]
