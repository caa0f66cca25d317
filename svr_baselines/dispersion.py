"""The Dispersion Score of a set of samples, beside that of its ground truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ds_metrics import DispersionScore
from ds_metrics.clustering import Clustering, Curve, Solver, confidence_interval, dispersion_curve
from ds_metrics.measure import Samples
from ds_metrics.pairwise import check_cluster, memory_bytes, open_cluster
from ds_metrics.sampling import choose_estimator
from svr_baselines.normalized import NormalizedScore, interval_to_json, normalize_score

RESUMABLE_SAMPLES = 2000  # from here on distances take minutes: kept on disk until they are complete
Stage = Callable[[str], AbstractContextManager[Any]]
Keep = Callable[[str, Tensor], None]


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

    @contextmanager
    def with_one_cluster(self) -> Iterator[Resources]:
        """The same, with one cluster for all matrices where ``"local:N"`` would start one for each."""
        if self.cluster is None:
            yield self
            return
        with open_cluster(self.cluster) as address:
            yield replace(self, cluster=address)

    def options(self, n_samples: int) -> dict[str, Any]:
        """Arguments of `DispersionScore`. What takes minutes is resumable, asked for or not."""
        store = "auto" if self.store is None and n_samples >= RESUMABLE_SAMPLES else self.store
        return {"memory_budget": self.memory_budget, "store": store, "cluster": self.cluster}


@dataclass(frozen=True)
class Scoring:
    """Settings of the Dispersion Score, see `ds_metrics.DispersionScore`.

    Attributes:
        n_clusters: Clusters, or ``"knee"``: the knee of DS over k of the ground truth where there is one, so that all
            that predict the same shapes are scored at one k; else that of the predictions themselves.
        solver: Solver of k-medoids.
        estimator: ``"exact"``, ``"sampled"``, or ``"auto"`` for the one that the number of samples asks for.
        confidence: Level of the confidence interval, or ``None`` for none. Where the samples are too few for one, the
            score is given without.
        seed: Seed of the solver, and of what is sampled.
    """

    n_clusters: int | Literal["knee"] = "knee"
    solver: Solver = "fasterpam"
    estimator: Literal["exact", "sampled", "auto"] = "auto"
    confidence: float | None = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        DispersionScore(**asdict(self))  # which refuses what is out of its range


@dataclass(frozen=True)
class Dispersion:
    """What a Dispersion Score was computed from.

    Attributes:
        clustering: The clusters.
        distances: Distances of shape ``(N, N)``, unless they were sampled.
        curve: DS over k, if it was computed.
        normalized: The score over that of the ground truth, if there is one.
        no_interval: Why the score has no confidence interval, if one was asked for and there is none.
    """

    clustering: Clustering
    distances: np.ndarray | None
    curve: Curve | None = None
    normalized: NormalizedScore | None = None
    no_interval: str | None = None

    def full_curve(self) -> Curve | None:
        """DS over k, computed now if it was not before; ``None`` where there are no distances to compute it from."""
        if self.curve is not None or self.distances is None:
            return self.curve
        return dispersion_curve(self.distances, solver=self.clustering.solver, seed=self.clustering.seed)

    def to_json(self) -> dict[str, Any]:
        """What the result file says of the score: how far it can be trusted, and what part of the truth's it is."""
        return {
            "interval": interval_to_json(self.clustering.interval),
            "no_interval": self.no_interval,
            "normalized": None if self.normalized is None else self.normalized.to_json(),
        }

    def settings(self) -> dict[str, Any]:
        """What two scores must share to be compared, and the curves if there are any."""
        found = self.clustering
        true = None if self.normalized is None or self.normalized.truth is None else self.normalized.truth.curve
        settings = {
            "n_clusters": found.n_clusters,
            "n_clusters_chosen": _choice(found.curve, true),
            "solver": found.solver,
            "estimator": found.estimator,
            "sample_size": found.sample_size,
            "seed": found.seed,
        }
        curves = {"curve": self.curve, "ground_truth_curve": true}
        return settings | {name: curve_to_json(curve) for name, curve in curves.items() if curve is not None}


def score_dispersion(
    preds: Samples,
    truth: Samples | None,
    unlike: str | None,
    scoring: Scoring,
    resources: Resources,
    stage: Stage = nullcontext,
    distance: str = "chamfer",
    keep: Keep | None = None,
) -> tuple[DispersionScore, Dispersion]:
    """Cluster predictions and, if they compare, the ground truth: that first, as its knee may decide on k.

    Args:
        preds: Predicted clouds, or features of images.
        truth: Their ground truth, if there is one.
        unlike: Why the two don't compare, if they don't. Then the predictions are scored alone.
        scoring: Settings of the score.
        resources: What computing the distances may use.
        stage: Makes the context in which a set's distances are computed, from a label that says which set's.
        distance: Distance between samples, see `ds_metrics.DispersionScore`.
        keep: Called with each matrix of all distances: ``"d_rr"`` of the truth and ``"d_gg"`` of the predictions.
            Without it the truth's is dropped before the predictions' is computed.

    Returns:
        The metric that scored the predictions, and what was found.
    """
    if truth is None or unlike is not None:
        with stage("distances"):
            metric, found = _cluster(preds, scoring, resources, distance)
        _pass_on(keep, "d_gg", metric)
        normalized = None if truth is None else NormalizedScore(None, unlike)
        return metric, replace(found, curve=found.clustering.curve, normalized=normalized)
    with stage("distances of the ground truth"):
        true = _cluster_truth(truth, scoring, resources, distance, keep)
    with stage("distances of the predictions"):
        metric, found = _cluster(preds, replace(scoring, n_clusters=true.n_clusters), resources, distance)
    _pass_on(keep, "d_gg", metric)
    # Where the knee was sought, the predictions' own curve is to be seen beside the truth's.
    curve = found.full_curve() if scoring.n_clusters == "knee" else None
    return metric, replace(found, curve=curve, normalized=normalize_score(found.clustering, true))


def _cluster_truth(
    truth: Samples, scoring: Scoring, resources: Resources, distance: str, keep: Keep | None
) -> Clustering:
    """The clusters alone: the distances go unless they are kept, as others need the room."""
    metric, found = _cluster(truth, scoring, resources, distance)
    _pass_on(keep, "d_rr", metric)
    return found.clustering


def _pass_on(keep: Keep | None, name: str, metric: DispersionScore) -> None:
    if keep is not None and metric.distances is not None:
        keep(name, metric.distances)


def _cluster(
    samples: Samples, scoring: Scoring, resources: Resources, distance: str
) -> tuple[DispersionScore, Dispersion]:
    options = asdict(scoring) | resources.options(len(samples)) | {"distance": distance}
    if choose_estimator(scoring.estimator, len(samples)) == "exact":
        options["confidence"] = None  # it would refuse the score where only the interval can't be had
    metric = DispersionScore(**options)
    parts = samples if isinstance(samples, Sequence) else [samples]
    if any(getattr(part, "dtype", None) == torch.float64 for part in parts):
        metric.set_dtype(torch.float64)  # or it would keep them in float32, whatever is lost
    metric.update(samples)
    metric.compute()
    assert metric.clustering is not None
    if metric.distances is None:
        return metric, Dispersion(metric.clustering, None)
    found = Dispersion(metric.clustering, metric.distances.numpy())
    return metric, found if scoring.confidence is None else _with_interval(found, scoring.confidence)


def _with_interval(found: Dispersion, level: float) -> Dispersion:
    """With a confidence interval, or with the reason why these samples and clusters have none."""
    try:
        interval = confidence_interval(found.distances, found.clustering, level)
    except ValueError as error:
        return replace(found, no_interval=str(error))
    return replace(found, clustering=replace(found.clustering, interval=interval))


def curve_to_json(curve: Curve) -> dict[str, Any]:
    """A curve as the result file has it."""
    return {
        "n_clusters": curve.n_clusters.tolist(),
        "scores": curve.scores.tolist(),
        "knee": curve.knee,
        "knee_method": curve.knee_method,
    }


def _choice(own: Curve | None, true: Curve | None) -> str:
    """How the number of clusters was chosen."""
    if true is not None:
        return f"knee of the ground truth's DS over k ({true.knee_method})"
    return "given" if own is None else f"knee of DS over k ({own.knee_method})"
