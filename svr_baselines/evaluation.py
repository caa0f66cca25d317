"""Scores of a set of shapes, with everything needed to tell what they compare with."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchmetrics import Metric

from ds_metrics import DispersionScore, MetricInfo, create_metric
from ds_metrics.clouds import Clouds
from ds_metrics.clustering import Clustering, Curve, dispersion_curve
from ds_metrics.pairwise import check_cluster, memory_bytes, resolve_backend
from ds_metrics.registry import find_metric
from svr_baselines.data import ShapeSet

SCHEMA = 1
RESUMABLE_SAMPLES = 2000  # from here on distances take minutes: kept on disk until they are complete
_PACKAGES = ("dispersion-score", "torch", "torchmetrics", "numpy", "scipy", "kneed", "trimesh")


@dataclass(frozen=True)
class Resources:
    """What computing the distances may use, see `ds_metrics.pairwise.pairwise_distance`. No score depends on it.

    Attributes:
        memory_budget: Memory that it may take.
        store: Folder that keeps the distances.
        cluster: Dask cluster that computes them.
    """

    memory_budget: int | str | None = None
    store: Path | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        memory_bytes(self.memory_budget)
        if self.cluster is not None:
            check_cluster(self.cluster)

    def options(self, n_samples: int) -> dict[str, Any]:
        """Arguments of `DispersionScore`. What takes minutes is resumable, asked for or not."""
        store = "auto" if self.store is None and n_samples >= RESUMABLE_SAMPLES else self.store
        return {"memory_budget": self.memory_budget, "store": store, "cluster": self.cluster}


@dataclass(frozen=True)
class Dispersion:
    """What a Dispersion Score was computed from: clusters, and distances of shape ``(N, N)``."""

    clustering: Clustering
    distances: np.ndarray

    def curve(self) -> Curve:
        """DS over k: the one that the knee was found on, or one computed now."""
        found = self.clustering
        return found.curve or dispersion_curve(self.distances, solver=found.solver, seed=found.seed)


@dataclass(frozen=True)
class Evaluation:
    """Scores and what they were computed from.

    Attributes:
        scores: Value of each metric, by its registered name.
        metrics: What the registry knows of these metrics, in the same order.
        dispersion: What is behind the Dispersion Score, or ``None`` if it was not asked for.
        provenance: Settings, data and versions, ready for JSON.
    """

    scores: dict[str, float]
    metrics: tuple[MetricInfo, ...]
    dispersion: Dispersion | None
    provenance: dict[str, Any]

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """The result file: scores, clusters by the samples' names, provenance."""
        document: dict[str, Any] = {"schema": SCHEMA, "scores": self.scores}
        if self.dispersion is not None:
            found = self.dispersion.clustering
            document["clusters"] = [
                {"medoid": names[medoid], "size": int(size)}
                for medoid, size in zip(found.medoids, found.sizes, strict=True)
            ]
            document["labels"] = dict(zip(names, found.labels.tolist(), strict=True))
        return document | {"provenance": self.provenance}


def evaluate(
    predictions: ShapeSet,
    targets: ShapeSet | None = None,
    metrics: Sequence[str] = (),
    n_clusters: int | str = "knee",
    seed: int = 0,
    resources: Resources | None = None,
) -> Evaluation:
    """Score predicted shapes.

    Args:
        predictions: Shapes to score.
        targets: Ground truth, paired one to one with the predictions (see `svr_baselines.data.pair_shapes`).
        metrics: Registered names; by default the Dispersion Score and, with targets, Chamfer distance and F-score.
        n_clusters: Clusters of the Dispersion Score, or ``"knee"``.
        seed: Seed of the solver.
        resources: What computing the distances may use.

    Raises:
        ValueError: If a metric is unknown or needs targets that are not there, or the samples are too few.
    """
    start = time.perf_counter()
    infos = select_metrics(metrics, targets is not None)
    preds = _as_input(predictions)
    truth = None if targets is None else _as_input(targets)

    scores: dict[str, float] = {}
    dispersion: Dispersion | None = None
    settings: dict[str, Any] = {}
    own = {"n_clusters": n_clusters, "seed": seed, **(resources or Resources()).options(len(predictions))}
    for info in infos:
        metric = create_metric(info.name, **(own if info.factory is DispersionScore else {}))
        scores[info.name] = _score(metric, info, preds, truth)
        if isinstance(metric, DispersionScore) and metric.clustering is not None and metric.distances is not None:
            dispersion = Dispersion(metric.clustering, metric.distances.numpy())
            settings["dispersion"] = _settings(metric, metric.clustering)
    provenance = {
        **_data(predictions, targets),
        **settings,
        "versions": {package: version(package) for package in _PACKAGES} | {"python": platform.python_version()},
        "seconds": round(time.perf_counter() - start, 3),
    }
    return Evaluation(scores, infos, dispersion, provenance)


def select_metrics(names: Sequence[str], with_targets: bool) -> tuple[MetricInfo, ...]:
    """Metrics by their names, each once; by default those that apply.

    Raises:
        ValueError: If a name is unknown, or a metric needs targets and there are none.
    """
    defaults = ("dispersion-score", "chamfer-distance", "f-score") if with_targets else ("dispersion-score",)
    infos = {info.name: info for info in map(find_metric, names or defaults)}
    for info in infos.values():
        if info.needs_target and not with_targets:
            raise ValueError(f"metric {info.name!r} compares predictions with targets, but no targets were given")
    return tuple(infos.values())


def _as_input(shapes: ShapeSet) -> Clouds:
    """One tensor where all clouds are equally large, as most metrics expect; a list otherwise."""
    clouds = [np.ascontiguousarray(cloud) for cloud in shapes.clouds]
    if len({(cloud.shape, cloud.dtype) for cloud in clouds}) > 1:
        return [torch.from_numpy(cloud) for cloud in clouds]
    first = clouds[0]
    if all(cloud.ctypes.data == first.ctypes.data + k * first.nbytes for k, cloud in enumerate(clouds)):
        # Views of one array, end to end: a mapped file larger than memory stays where it is.
        strides = (first.nbytes, *first.strides)
        return torch.from_numpy(np.lib.stride_tricks.as_strided(first, (len(clouds), *first.shape), strides))
    return torch.from_numpy(np.stack(clouds))


def _score(metric: Metric, info: MetricInfo, preds: Clouds, targets: Clouds | None) -> float:
    if info.needs_target:
        metric.update(preds, targets)
    else:
        metric.update(preds)
    value = metric.compute()
    if not isinstance(value, torch.Tensor) or value.numel() != 1 or not torch.isfinite(value):
        raise ValueError(f"metric {info.name!r} must give one finite number, but gave {value}")
    return float(value)


def _settings(metric: DispersionScore, clustering: Clustering) -> dict[str, Any]:
    """What two Dispersion Scores must share to be compared."""
    curve = clustering.curve
    settings = {
        "distance": metric.distance,
        "convention": f"sum of the two means of {'squared ' if metric.squared else ''}nearest distances",
        "squared": metric.squared,
        "backend": resolve_backend(metric.backend, metric.device),
        "n_clusters": clustering.n_clusters,
        "n_clusters_chosen": "given" if curve is None else f"knee of DS over k ({curve.knee_method})",
        "solver": clustering.solver,
        "seed": clustering.seed,
    }
    if curve is not None:
        settings["curve"] = {"n_clusters": curve.n_clusters.tolist(), "scores": curve.scores.tolist()}
    return settings


def _data(predictions: ShapeSet, targets: ShapeSet | None) -> dict[str, Any]:
    sizes = [len(cloud) for cloud in predictions.clouds]
    return {
        "predictions": _source(predictions),
        "targets": None if targets is None else _source(targets),
        "n_samples": len(sizes),
        "points": {"min": min(sizes), "max": max(sizes)},
    }


def _source(shapes: ShapeSet) -> dict[str, Any]:
    return {
        "source": shapes.source,
        "read_with": dict(shapes.settings),
        "sha256": shapes.content_hash,
        "skipped": [asdict(bad) for bad in shapes.skipped],
    }
