"""Readers of shapes and images, ready to score or to train on.

Shapes (meshes, point clouds and arrays of clouds) become `(P, 3)` points, images feature vectors. `ShapeNet` and
`ManifestDataset` pair images with points, as torch datasets.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from svr_baselines.data.image_set import ImageSet
from svr_baselines.data.images import read_images
from svr_baselines.data.points import normalize_points, sample_mesh
from svr_baselines.data.primitives import make_shapes
from svr_baselines.data.reader import normalization_of, read_shapes
from svr_baselines.data.shapes import BadShape, ShapeSet, pair_shapes

if TYPE_CHECKING:
    from svr_baselines.data.dataset import ManifestDataset
    from svr_baselines.data.shapenet import ShapeNet

__all__ = [
    "BadShape",
    "ImageSet",
    "ManifestDataset",
    "ShapeNet",
    "ShapeSet",
    "make_shapes",
    "normalization_of",
    "normalize_points",
    "pair_shapes",
    "read_images",
    "read_shapes",
    "sample_mesh",
]

_OF_TORCH = {"ManifestDataset": "dataset", "ShapeNet": "shapenet"}  # import torch, which takes a second


def __getattr__(name: str) -> Any:
    if name in _OF_TORCH:
        return getattr(import_module(f"svr_baselines.data.{_OF_TORCH[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
