"""Which metrics score a set of shapes, and what those share that compare sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from torch import Tensor
from torchmetrics import Metric

from ds_metrics import (
    DispersionScore,
    EarthMoversDistance,
    MetricInfo,
    RecognitionShare,
    SetDistances,
    SetMetric,
    create_metric,
    list_metrics,
)
from ds_metrics.clouds import Clouds, pack_clouds
from ds_metrics.functional import Recognition
from ds_metrics.pairwise import memory_bytes
from ds_metrics.registry import find_metric
from svr_baselines.dispersion import Resources, Scoring, Stage

ALL = "all"
EXACT_TRANSPORT = 1024  # points up to which the earth mover's distance takes tenths of a second a pair, not seconds
_ONLY_ALL_PAIRS = "it takes all distances, which are not computed for so many shapes unless it is asked for by name"


def select_metrics(
    names: Sequence[str], with_targets: bool, with_train: bool = False, all_pairs: bool = True, points: int = 0
) -> tuple[MetricInfo, ...]:
    """Metrics by their names, each once; by default those that apply. ``"all"`` is whatever can be computed.

    Args:
        names: Registered names, or ``"all"``.
        with_targets: Whether there is a ground truth.
        with_train: Whether there are training shapes.
        all_pairs: Whether ``"all"`` includes what takes the distances of all pairs.
        points: Points of the largest cloud.

    Raises:
        ValueError: If a name is unknown, or a metric needs targets or training shapes and there are none.
    """
    defaults = ("dispersion-score", "chamfer-distance", "f-score") if with_targets else ("dispersion-score",)
    left = left_out(names, with_targets, with_train, all_pairs, points)
    every = [info for info in list_metrics() if info.name not in left] if ALL in names else []
    named = [find_metric(name) for name in names or defaults if name != ALL]
    infos = {info.name: info for info in every + named}
    for info in infos.values():
        if (reason := _missing(info, with_targets, with_train)) is not None:
            raise ValueError(f"metric {info.name!r} {reason}")
    return tuple(infos.values())


def left_out(
    names: Sequence[str], with_targets: bool, with_train: bool = False, all_pairs: bool = True, points: int = 0
) -> dict[str, str]:
    """Metrics that ``"all"`` can't include, by name, with the reason; none where ``"all"`` was not asked for.

    Example:
        >>> left_out(["all"], with_targets=False)["chamfer-distance"]
        'compares predictions with targets, but no targets were given'
    """
    named = explicit(names)
    reasons: dict[str, str] = {}
    for info in list_metrics() if ALL in names else ():
        reason = _missing(info, with_targets, with_train)
        if reason is None and not all_pairs and _matrices(info):
            reason = _ONLY_ALL_PAIRS
        if reason is None and points > EXACT_TRANSPORT and info.factory is EarthMoversDistance:
            reason = f"it takes seconds a pair of more than {EXACT_TRANSPORT:,} points unless it is asked for by name"
        if reason is not None and info.name not in named:
            reasons[info.name] = reason
    return reasons


def explicit(names: Sequence[str]) -> set[str]:
    """Registered names of the metrics that were asked for by name or alias."""
    return {find_metric(name).name for name in names if name != ALL}


def _matrices(info: MetricInfo) -> tuple[str, ...]:
    """Matrices of distances that a metric asks for."""
    factory = info.factory
    return factory.matrices if isinstance(factory, type) and issubclass(factory, SetMetric) else ()


def _missing(info: MetricInfo, with_targets: bool, with_train: bool) -> str | None:
    if info.needs_target and not with_targets:
        return "compares predictions with targets, but no targets were given"
    if info.needs_train and not with_train:
        return "compares with training shapes, but no training set was given"
    return None


@dataclass(frozen=True)
class Recited:
    """Which test shapes were recited and which reconstructed, see `ds_metrics.functional.recognition_share`.

    Attributes:
        found: What was found of each prediction, in their order.
        medoids: Names of the training medoids that ``found.medoid`` counts.
    """

    found: Recognition
    medoids: tuple[str, ...]

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """What the result file says of it, by the names of the predictions."""
        found = self.found
        rows = zip(
            names,
            found.shares.tolist(),
            found.recited.tolist(),
            found.medoid.tolist(),
            found.to_medoid.tolist(),
            found.to_truth.tolist(),
            strict=True,
        )
        return {
            "n_clusters": len(self.medoids),
            "recited": float(found.proportion),
            "samples": {
                name: {
                    "share": share,
                    "recited": recited,
                    "medoid": self.medoids[medoid],
                    "to_medoid": to_medoid,
                    "to_truth": to_truth,
                }
                for name, share, recited, medoid, to_medoid, to_truth in rows
            },
        }


class SharedSets:
    """Predictions, ground truth and training shapes, with the distances that measures of sets share.

    Args:
        infos: What is to be computed; says which matrices will be held at once.
        preds: Predicted clouds.
        truth: Their ground truth.
        train: Training clouds.
        scoring: Settings of the Dispersion Score; the clusters of the training set are found at the same.
        resources: What computing all distances may use.
        stage: Makes the context in which distances are computed.
    """

    def __init__(
        self,
        infos: Sequence[MetricInfo],
        preds: Clouds,
        truth: Clouds | None,
        train: Clouds | None,
        scoring: Scoring,
        resources: Resources,
        stage: Stage,
    ) -> None:
        self._held = {name for info in infos for name in _matrices(info)}
        if truth is None:
            self._held &= {"d_gg"}
        self._clouds = preds, truth, train
        self._scoring = scoring
        self._stage = stage
        # Matrices that are held at once share the memory; one alone is as it always was.
        dispersed = any(info.factory is DispersionScore for info in infos)
        together = len(self._held | ({"d_gg"} if dispersed else set()))
        self.resources = resources
        if self._held and together > 1:
            self.resources = replace(resources, memory_budget=memory_bytes(resources.memory_budget) // together)

    @cached_property
    def distances(self) -> SetDistances:
        """Of the three sets; made when a measure of sets first asks for it."""
        preds, truth, train = (None if clouds is None else pack_clouds(clouds) for clouds in self._clouds)
        assert preds is not None
        options = self.resources.options(len(preds.lengths))
        return SetDistances(preds, truth, train, stage=self._stage, **options)

    def keep(self, name: str, matrix: Tensor) -> None:
        """Take a matrix that the Dispersion Score has computed, if a measure will ask for it."""
        if name in self._held:
            self.distances.keep(name, matrix)

    def create(self, info: MetricInfo) -> Metric:
        """A metric, with the training shapes where it takes them."""
        options: dict[str, Any] = {"train": self._clouds[2]} if info.needs_train else {}
        if info.factory is RecognitionShare:
            options |= {"n_clusters": self._scoring.n_clusters, "seed": self._scoring.seed}
        return create_metric(info.name, **options)

    def measure(self, metric: SetMetric) -> Tensor:
        """The value of a measure of sets."""
        return metric.measure(self.distances)
