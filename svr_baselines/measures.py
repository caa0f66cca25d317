"""What metrics of one evaluation share: matrices of distances, and the surfaces of shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from ds_metrics import DispersionScore, MetricInfo, RecognitionShare, SetDistances, SetMetric, create_metric
from ds_metrics.clouds import Clouds, pack_clouds
from ds_metrics.functional import Recognition
from ds_metrics.pairwise import memory_bytes
from ds_metrics.pairwise.progress import Counter
from svr_baselines.data import ShapeSet
from svr_baselines.data.surfaces import Surface, Surfaces
from svr_baselines.dispersion import Resources, Scoring, Stage
from svr_baselines.selection import matrices_of


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
        self._held = {name for info in infos for name in matrices_of(info)}
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


def update_with_surfaces(
    metric: Metric, info: MetricInfo, shapes: Mapping[str, ShapeSet], clouds: Mapping[str, Clouds], stage: Stage
) -> None:
    """Give a metric all pairs, one by one, with the normals and the meshes that it takes by keyword.

    Args:
        metric: What to update.
        info: What the registry knows of it.
        shapes: Sets by the name of their side, ``"preds"`` and ``"target"``.
        clouds: The clouds of those that the metric takes.
        stage: Makes the context in which the files are read.

    Raises:
        ValueError: If shapes are no meshes, or a file has changed since its points were drawn.
    """
    parts = {name: name.split("_") for name in info.inputs}
    surfaces = {side: Surfaces(shapes[side]) for side, _ in parts.values()}
    with stage(f"surfaces for {info.name}"):
        counter = Counter(len(clouds["preds"]))
        for index in range(len(clouds["preds"])):
            found = {side: surfaces[side][index] for side in surfaces}
            further = {name: _FURTHER[what](found[side]) for name, (side, what) in parts.items()}
            metric.update(*(some[index : index + 1] for some in clouds.values()), **further)
            counter.add(1)


_FURTHER: dict[str, Callable[[Surface], Any]] = {
    "normals": lambda surface: [torch.from_numpy(surface.normals)],
    "meshes": lambda surface: [(surface.vertices, surface.faces)],
}
