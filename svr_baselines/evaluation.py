"""Scores of a set of shapes or of images, with everything needed to tell what they compare with."""

from __future__ import annotations

import inspect
import platform
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torchmetrics import Metric

from ds_metrics import DispersionScore, MetricInfo, RecognitionShare, SetMetric
from ds_metrics._files import write_json
from ds_metrics.clouds import Clouds
from ds_metrics.clustering import Interval
from ds_metrics.measure import Measure
from ds_metrics.pairwise import resolve_backend
from ds_metrics.registry import find_metric
from svr_baselines.data import ImageSet, ShapeSet, normalization_of
from svr_baselines.dispersion import Dispersion, Resources, Scoring, Stage, score_dispersion
from svr_baselines.inputs import as_clouds
from svr_baselines.measures import Recited, SharedSets, update_with_surfaces
from svr_baselines.normalized import NormalizedScore, sizes_of, unlike_frames, unlike_points
from svr_baselines.selection import Available, select_metrics
from svr_baselines.versions import package_versions

SCHEMA = 2  # of the result file; readers refuse any other
_PACKAGES = ("dispersion-score", "torch", "torchmetrics", "numpy", "scipy", "kneed", "trimesh", "pillow")


@dataclass(frozen=True)
class Evaluation:
    """Scores and what they were computed from.

    Attributes:
        scores: Value of each metric, by its registered name.
        metrics: What the registry knows of these metrics, in the same order.
        dispersion: What is behind the Dispersion Score, or ``None`` if it was not asked for.
        provenance: Settings, data and versions, ready for JSON.
        recited: Which predictions are training shapes recited, if that was asked for.
        left_out: Metrics that ``"all"`` does not include here, by name, with the reason.
    """

    scores: dict[str, float]
    metrics: tuple[MetricInfo, ...]
    dispersion: Dispersion | None
    provenance: dict[str, Any]
    recited: Recited | None = None
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def interval(self) -> Interval | None:
        """Confidence interval of the Dispersion Score, if it has one."""
        return None if self.dispersion is None else self.dispersion.clustering.interval

    @property
    def truth_score(self) -> float | None:
        """Dispersion Score of the ground truth at the same settings, if there is one."""
        normalized = self._normalized
        return None if normalized is None or normalized.truth is None else normalized.truth.score

    @property
    def share(self) -> float | None:
        """The Dispersion Score over that of the ground truth; without one, `dispersion.normalized` has the reason."""
        return None if self._normalized is None else self._normalized.score

    @property
    def _normalized(self) -> NormalizedScore | None:
        return None if self.dispersion is None else self.dispersion.normalized

    def with_curve(self) -> Evaluation:
        """With DS over k in the result file, computed now if it was not before and there are distances for it."""
        if self.dispersion is None:
            return self
        found = replace(self.dispersion, curve=self.dispersion.full_curve())
        settings = {**self.provenance["dispersion"], **found.settings()}
        return replace(self, dispersion=found, provenance={**self.provenance, "dispersion": settings})

    def save(self, file: str | Path, names: Sequence[str]) -> None:
        """Write the result file, which `ds compare`, `ds curve` and `ds report` read; whole or not at all.

        Args:
            file: A ``.json`` file; one that is there is replaced.
            names: Those of the samples, such as `ShapeSet.names`.
        """
        write_json(Path(file), self.to_json(names))

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """The result file: scores, clusters by the samples' names, provenance."""
        document: dict[str, Any] = {"schema": SCHEMA, "scores": self.scores}
        if self.dispersion is not None:
            found = self.dispersion.clustering
            document["dispersion"] = self.dispersion.to_json()
            document["clusters"] = [
                {"medoid": names[medoid], "size": int(size)}
                for medoid, size in zip(found.medoids, found.sizes, strict=True)
            ]
            document["labels"] = dict(zip(names, found.labels.tolist(), strict=True))
        if self.recited is not None:
            document["recognition"] = self.recited.to_json(names)
        if self.left_out:
            document["left_out"] = self.left_out
        return document | {"provenance": self.provenance}


def evaluate(
    predictions: ShapeSet,
    targets: ShapeSet | None = None,
    metrics: Sequence[str] = (),
    scoring: Scoring | None = None,
    resources: Resources | None = None,
    stage: Stage = nullcontext,
    train: ShapeSet | None = None,
) -> Evaluation:
    """Score predicted shapes.

    With targets, the Dispersion Score comes beside that of the targets at the same settings, k included. Measures that
    compare sets share the matrices of distances with it: each is computed once.

    Args:
        predictions: Shapes to score.
        targets: Ground truth, paired one to one with the predictions (see `svr_baselines.data.pair_shapes`).
        metrics: Registered names; by default the Dispersion Score and, with targets, Chamfer distance and F-score.
            ``"all"`` is each that can be computed; what can't is on the attribute ``left_out`` of the result.
        scoring: Settings of the Dispersion Score, and of the clusters of the training shapes.
        resources: What computing the distances may use.
        stage: Makes the context in which a set's distances are computed, from a label that says which set's.
        train: Shapes that the network was trained on, for the metrics that need them.

    Raises:
        ValueError: If a metric is unknown or needs targets or training shapes that are not there, or the samples are
            too few.
    """
    start = time.perf_counter()
    scoring, resources = scoring or Scoring(), resources or Resources()
    shapes = {"preds": predictions} | ({} if targets is None else {"target": targets})
    chosen = select_metrics(metrics, Available.of(shapes, train is not None, scoring.estimator))
    infos, left = chosen.infos, dict(chosen.left_out)
    clouds = {side: as_clouds(some) for side, some in shapes.items()}
    preds, truth, training = clouds["preds"], clouds.get("target"), None if train is None else as_clouds(train)
    data = _data(predictions, targets)

    scores: dict[str, float] = {}
    dispersion: Dispersion | None = None
    recited: Recited | None = None
    settings: dict[str, Any] = {}
    with resources.with_one_cluster() as shared:
        sets = SharedSets(infos, preds, truth, training, scoring, shared, stage)
        # First the Dispersion Score, as it keeps its matrices.
        for info in sorted(infos, key=lambda info: info.factory is not DispersionScore):
            if info.factory is DispersionScore:
                unlike = None if targets is None else _unlike(predictions, targets, data["sizes"])
                sources = preds, truth, unlike, scoring, sets.resources, stage
                metric, dispersion = score_dispersion(*sources, keep=sets.keep)
                scores[info.name] = float(metric.compute())
                settings["dispersion"] = {**_distance(metric), **dispersion.settings()}
                continue
            try:
                other = sets.create(info)
                scores[info.name] = _score(other, info, shapes, clouds, sets, stage)
            except (ValueError, TypeError, ImportError) as error:
                if info.name in chosen.named:
                    raise
                left[info.name] = str(error)
                continue
            if isinstance(other, SetMetric):
                settings.setdefault("sets", {"convention": Measure().convention})[info.name] = other.settings()
            elif info.needs_target and (options := _options(other, info)):
                settings.setdefault("pairs", {})[info.name] = options
            if isinstance(other, RecognitionShare) and other.recognition is not None and train is not None:
                recited = Recited(other.recognition, tuple(train.names[medoid] for medoid in other.clustering.medoids))
    provenance = {
        **data,
        **({} if train is None else {"train": {**_source(train), "n_samples": len(train.clouds)}}),
        **settings,
        **_run(start),
    }
    computed = tuple(info for info in infos if info.name in scores)
    scores = {info.name: scores[info.name] for info in computed}
    return Evaluation(scores, computed, dispersion, provenance, recited, left)


def evaluate_images(
    images: ImageSet,
    scoring: Scoring | None = None,
    resources: Resources | None = None,
    stage: Stage = nullcontext,
) -> Evaluation:
    """Score images: the Dispersion Score of their features.

    Args:
        images: Images to score.
        scoring: Settings of the score.
        resources: What computing the distances may use.
        stage: Makes the context in which the distances are computed, from a label.

    Raises:
        ValueError: If the images are too few.
    """
    start = time.perf_counter()
    scoring, resources = scoring or Scoring(), resources or Resources()
    metric, dispersion = score_dispersion(images.features, None, None, scoring, resources, stage, "features")
    info = find_metric("dispersion-score")
    provenance = {
        "predictions": _source(images),
        "targets": None,
        "n_samples": len(images),
        "features": {**images.extractor, "count": images.features.shape[1], "dtype": str(images.features.dtype)},
        "dispersion": {**_distance(metric), "distance": features_text(images.extractor), **dispersion.settings()},
        **_run(start),
    }
    return Evaluation({info.name: float(metric.compute())}, (info,), dispersion, provenance)


def features_text(extractor: Mapping[str, Any]) -> str:
    """What makes features comparable, in words; of the weights, the start of their hash.

    Example:
        >>> features_text({"extractor": "vgg16", "image_size": 224, "pooling": "none", "weights": "c4e7a6197f3736f6"})
        'vgg16 (none, 224 px, weights c4e7a6197f37)'
        >>> features_text({"extractor": "pixels", "image_size": 64, "weights": None})
        'pixels (64 px)'
    """
    weights = extractor["weights"]
    options = [extractor.get("pooling"), f"{extractor['image_size']} px", weights and f"weights {weights[:12]}"]
    return f"{extractor['extractor']} ({', '.join(filter(None, options))})"


def _score(
    metric: Metric,
    info: MetricInfo,
    shapes: Mapping[str, ShapeSet],
    clouds: Mapping[str, Clouds],
    sets: SharedSets,
    stage: Stage,
) -> float:
    taken = clouds if info.needs_target else {"preds": clouds["preds"]}
    if isinstance(metric, SetMetric):
        value = sets.measure(metric)
    elif info.inputs:
        update_with_surfaces(metric, info, shapes, taken, stage)
        value = metric.compute()
    else:
        metric.update(*taken.values())
        value = metric.compute()
    if not isinstance(value, torch.Tensor) or value.numel() != 1 or not torch.isfinite(value):
        raise ValueError(f"metric {info.name!r} must give one finite number, but gave {value}")
    return float(value)


def _options(metric: Metric, info: MetricInfo) -> dict[str, Any]:
    """What a metric was made with, read off its attributes of the names of its factory's parameters."""
    found = {name: getattr(metric, name, None) for name in inspect.signature(info.factory).parameters}
    return {name: value for name, value in found.items() if isinstance(value, bool | int | float | str)}


def _unlike(predictions: ShapeSet, targets: ShapeSet, sizes: Mapping[str, float]) -> str | None:
    """Why the Dispersion Scores of the two sets don't compare, if they don't."""
    frames = normalization(predictions), normalization(targets)
    reasons = unlike_points(predictions, targets), unlike_frames(*frames, sizes)
    return "; ".join(filter(None, reasons)) or None


def _run(start: float) -> dict[str, Any]:
    """Versions, and the time since ``start``."""
    return {
        "versions": package_versions(_PACKAGES) | {"python": platform.python_version()},
        "seconds": round(time.perf_counter() - start, 3),
    }


def _distance(metric: DispersionScore) -> dict[str, Any]:
    return {
        "distance": metric.distance,
        "convention": metric.measure.convention,
        "squared": metric.squared,
        "backend": resolve_backend(metric.measure.backend, metric.device),
    }


def _data(predictions: ShapeSet, targets: ShapeSet | None) -> dict[str, Any]:
    points = [len(cloud) for cloud in predictions.clouds]
    return {
        "predictions": _source(predictions),
        "targets": None if targets is None else _source(targets),
        "n_samples": len(points),
        "points": {"min": min(points), "max": max(points)},
        **({} if targets is None else {"sizes": sizes_of(predictions, targets)}),
    }


def _source(samples: ShapeSet | ImageSet) -> dict[str, Any]:
    return {
        "source": samples.source,
        "read_with": dict(samples.settings),
        "normalization": normalization(samples),
        "sha256": samples.content_hash,
        "skipped": [asdict(bad) for bad in samples.skipped],
    }


def normalization(samples: ShapeSet | ImageSet) -> str:
    """How shapes were normalised, whatever asked for it; or what images were made of before they were resized."""
    if isinstance(samples, ImageSet):
        crop, background = samples.settings["crop"], samples.settings["background"]
        over = "transparency dropped" if background == "none" else f"over {background}"
        return f"{over}, {'uncropped' if crop is None else f'centre {crop} px'}"
    asked = samples.settings.get("normalize", "none")
    return " and ".join(sorted({normalization_of(asked, kind) for kind in samples.kinds}))
