"""Metrics that tell whether a 3D reconstruction network reconstructs or merely recognises.

Samples -> pairwise distances (`pairwise`) -> k-medoids (`clustering`) -> Dispersion Score (`functional`).
The classes here wrap the functions of `functional` for torchmetrics; `registry` finds them by name.
"""

from importlib.metadata import PackageNotFoundError, version

from ds_metrics import functional
from ds_metrics.dispersion import DispersionScore
from ds_metrics.reconstruction import ChamferDistance, FScore
from ds_metrics.registry import MetricInfo, create_metric, list_metrics, register_metric

try:
    __version__ = version("dispersion-score")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"

__all__ = [
    "ChamferDistance",
    "DispersionScore",
    "FScore",
    "MetricInfo",
    "create_metric",
    "functional",
    "list_metrics",
    "register_metric",
]

_OWN = "dispersion-score"
register_metric("dispersion-score", DispersionScore, needs_target=False, aliases=("ds",), provider=_OWN)
register_metric("chamfer-distance", ChamferDistance, needs_target=True, aliases=("cd",), provider=_OWN)
register_metric("f-score", FScore, needs_target=True, aliases=("fscore",), provider=_OWN)
