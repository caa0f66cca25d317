"""Metrics that tell whether a 3D reconstruction network reconstructs or merely recognises.

Samples -> pairwise distances (`pairwise`) -> k-medoids (`clustering`) -> Dispersion Score (`functional`).
The classes here wrap the functions of `functional` for torchmetrics; `registry` finds them by name.
"""

from importlib.metadata import PackageNotFoundError, version

from ds_metrics import functional
from ds_metrics.clouds import pack_clouds
from ds_metrics.dispersion import DispersionScore
from ds_metrics.generation import (
    Coverage,
    ManifoldCoverage,
    ManifoldDensity,
    ManifoldPrecision,
    ManifoldRecall,
    MinimumMatchingDistance,
    OccupancyDivergence,
    OneNearestNeighborAccuracy,
    VendiScore,
)
from ds_metrics.recognition import MemorizationZScore, OracleNearestNeighbor, RecognitionShare
from ds_metrics.reconstruction import (
    ChamferDistance,
    DensityAwareChamferDistance,
    EarthMoversDistance,
    FScore,
    HausdorffDistance,
    NormalConsistency,
    OccupancyIoU,
    PairMetric,
    PointToSurfaceDistance,
    VoxelIoU,
)
from ds_metrics.registry import MetricInfo, create_metric, list_metrics, register_metric
from ds_metrics.set_distances import SetDistances
from ds_metrics.sets import SetMetric

try:
    __version__ = version("dispersion-score")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"

__all__ = [
    "ChamferDistance",
    "Coverage",
    "DensityAwareChamferDistance",
    "DispersionScore",
    "EarthMoversDistance",
    "FScore",
    "HausdorffDistance",
    "ManifoldCoverage",
    "ManifoldDensity",
    "ManifoldPrecision",
    "ManifoldRecall",
    "MemorizationZScore",
    "MetricInfo",
    "MinimumMatchingDistance",
    "NormalConsistency",
    "OccupancyDivergence",
    "OccupancyIoU",
    "OneNearestNeighborAccuracy",
    "OracleNearestNeighbor",
    "PairMetric",
    "PointToSurfaceDistance",
    "RecognitionShare",
    "SetDistances",
    "SetMetric",
    "VendiScore",
    "VoxelIoU",
    "create_metric",
    "functional",
    "list_metrics",
    "pack_clouds",
    "register_metric",
]

_OWN = "dispersion-score"
register_metric("dispersion-score", DispersionScore, needs_target=False, aliases=("ds",), provider=_OWN)
register_metric("chamfer-distance", ChamferDistance, needs_target=True, aliases=("cd",), provider=_OWN)
register_metric("f-score", FScore, needs_target=True, aliases=("fscore",), provider=_OWN)
for _name, _alias, _pairs in (
    ("earth-movers-distance", "emd", EarthMoversDistance),
    ("hausdorff-distance", "hd", HausdorffDistance),
    ("density-aware-chamfer-distance", "dcd", DensityAwareChamferDistance),
    ("normal-consistency", "nc", NormalConsistency),
    ("point-to-surface-distance", "p2s", PointToSurfaceDistance),
    ("voxel-iou", "miou", VoxelIoU),
    ("occupancy-iou", "iou", OccupancyIoU),
):
    register_metric(_name, _pairs, needs_target=True, aliases=(_alias,), provider=_OWN)
for _name, _alias, _factory, _what in (
    ("minimum-matching-distance", "mmd", MinimumMatchingDistance, "Mean distance of truths to the nearest prediction."),
    ("coverage", "cov", Coverage, "Share of the truths that are nearest to a prediction."),
    ("1-nn-accuracy", "1-nna", OneNearestNeighborAccuracy, "Predictions told from truths by neighbours; 0.5 is best."),
    ("occupancy-divergence", "jsd", OccupancyDivergence, "Jensen-Shannon divergence of occupied space, in bits."),
    ("manifold-precision", "precision", ManifoldPrecision, "Share of predictions within k-NN reach of a truth."),
    ("manifold-recall", "recall", ManifoldRecall, "Share of truths within k-NN reach of a prediction."),
    ("manifold-density", "density", ManifoldDensity, "Truths with a prediction in k-NN reach, over k."),
    ("manifold-coverage", "prdc-coverage", ManifoldCoverage, "Share of truths with a prediction in k-NN reach."),
    ("vendi-score", "vendi", VendiScore, "How many distinct shapes predictions effectively are."),
    ("memorization-z", "z-u", MemorizationZScore, "Z_U: below 0 if training shapes are copied."),
    ("oracle-nn", "oracle", OracleNearestNeighbor, "Mean distance of truths to the nearest training shape."),
    ("recognition-share", "recognition", RecognitionShare, "1: training medoids recited, 0: truths reconstructed."),
):
    _target = _factory is not VendiScore
    register_metric(_name, _factory, description=_what, needs_target=_target, aliases=(_alias,), provider=_OWN)
