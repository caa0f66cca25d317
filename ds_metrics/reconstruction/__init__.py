"""Measures of pairs, a prediction and its ground truth each, as torchmetrics metrics: a mean over pairs.

- `mean`: what they share, and `PairMetric` for one of your own.
- `nearest`: of nearest points; `transport`: of the best assignment of all points.
- `surfaces`: with normals, or to triangles; `volumes`: of occupancy.
"""

from ds_metrics.reconstruction.mean import PairMetric
from ds_metrics.reconstruction.nearest import (
    ChamferDistance,
    DensityAwareChamferDistance,
    FScore,
    HausdorffDistance,
)
from ds_metrics.reconstruction.surfaces import NormalConsistency, PointToSurfaceDistance
from ds_metrics.reconstruction.transport import EarthMoversDistance
from ds_metrics.reconstruction.volumes import OccupancyIoU, VoxelIoU

__all__ = [
    "ChamferDistance",
    "DensityAwareChamferDistance",
    "EarthMoversDistance",
    "FScore",
    "HausdorffDistance",
    "NormalConsistency",
    "OccupancyIoU",
    "PairMetric",
    "PointToSurfaceDistance",
    "VoxelIoU",
]
