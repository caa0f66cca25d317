"""Readers of shapes and images, ready to score.

Shapes (meshes, point clouds and arrays of clouds) become `(P, 3)` points, images feature vectors.
"""

from svr_baselines.data.image_set import ImageSet
from svr_baselines.data.images import read_images
from svr_baselines.data.points import normalize_points, sample_mesh
from svr_baselines.data.primitives import make_shapes
from svr_baselines.data.reader import normalization_of, read_shapes
from svr_baselines.data.shapes import BadShape, ShapeSet, pair_shapes

__all__ = [
    "BadShape",
    "ImageSet",
    "ShapeSet",
    "make_shapes",
    "normalization_of",
    "normalize_points",
    "pair_shapes",
    "read_images",
    "read_shapes",
    "sample_mesh",
]
