"""The torchmetrics metric that measures a set of clouds against another."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ds_metrics._accumulating import RecoveringMetric, joined, own_copy
from ds_metrics.arguments import check_flag, check_path
from ds_metrics.clouds import Clouds, PackedClouds, cast, pack_clouds
from ds_metrics.pairwise import Ranks, check_backend, check_cluster, memory_bytes
from ds_metrics.set_distances import SetDistances

_SIDES = "preds", "target"


class SetMetric(RecoveringMetric):
    """A measure of a set of generated clouds against a reference set, accumulated batch by batch.

    A subclass says what it makes of `SetDistances` in ``measure``. Metrics of one `MetricCollection` share the clouds
    of both sets; those that are computed by ``measure`` of one `SetDistances` share the matrices too. Under distributed
    training the sets are those of all ranks, which share the work on what ``matrices`` and ``to_train`` name; the first
    does the rest and tells the others.

    ``forward`` returns the measure of the batch alone, NaN where the batch is too small for one.

    Args:
        squared: Whether the Chamfer distance squares nearest distances.
        backend: As the next three, see `ds_metrics.pairwise.pairwise_distance`.
        memory_budget: Memory that computing each matrix may take.
        store: Folder that keeps the matrices.
        cluster: Dask cluster that computes them; not under distributed training.
        kwargs: Options of `torchmetrics.Metric`.
    """

    is_differentiable = False
    full_state_update = False
    plot_lower_bound = 0.0

    matrices: tuple[str, ...] = ()  # that `measure` asks for
    to_train: ClassVar[tuple[str, ...]] = ()  # sets whose distances to the training set it asks for
    findings: ClassVar[tuple[str, ...]] = ()  # attributes that it sets, beside the value
    needs_train: ClassVar[bool] = False
    needs_target: ClassVar[bool] = True

    preds_points: list[Tensor]
    preds_lengths: list[Tensor]
    target_points: list[Tensor]
    target_lengths: list[Tensor]

    def __init__(
        self,
        squared: bool = True,
        backend: str = "auto",
        memory_budget: int | str | None = None,
        store: str | Path | None = None,
        cluster: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_backend(backend)
        check_flag("squared", squared)
        memory_bytes(memory_budget)
        check_path("store", store)
        if cluster is not None:
            check_cluster(cluster)
        self.squared = squared
        self.backend = backend
        self.memory_budget = memory_budget
        self.store = store
        self.cluster = cluster
        self.train_set: PackedClouds | None = None
        for side in _SIDES:
            for part in ("points", "lengths"):
                self.add_state(f"{side}_{part}", default=[], dist_reduce_fx="cat")

    @abstractmethod
    def measure(self, sets: SetDistances) -> Tensor:
        """The value for two sets, a scalar tensor."""

    def settings(self) -> dict[str, Any]:
        """What two values must share to be compared, beside the sets' sizes and points."""
        return {}

    def update(
        self,
        preds: Clouds,
        target: Clouds,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> None:
        """Add clouds to both sets; their numbers may differ."""
        self._add(*self._checked(preds, target, preds_lengths, target_lengths))

    def compute(self) -> Tensor:
        """The measure of all clouds."""
        preds, target = self._joined("preds"), self._joined("target")
        if preds is None or self._smallest(preds, target) < self._fewest:
            count = 0 if preds is None else self._smallest(preds, target)
            raise ValueError(f"{type(self).__name__} needs at least {self._fewest} clouds a set, but got {count}")
        if (ranks := self._ranks) is not None:
            return self._measure_on_ranks(self._distances(preds, target, self.store), ranks).to(self.device)
        with self._distances(preds, target, self.store, self.cluster) as sets:
            return self.measure(sets).to(self.device)

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot one or several values, see `torchmetrics.Metric.plot`."""
        return self._plot(val, ax)

    @property
    def _fewest(self) -> int:
        """Clouds of each set that a value takes at least."""
        return 1

    def _measured(
        self,
        preds: Clouds,
        target: Clouds | None = None,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> tuple[tuple[PackedClouds, PackedClouds | None], Tensor]:
        batch = self._checked(preds, target, preds_lengths, target_lengths)
        enough = self._smallest(*batch) >= self._fewest
        value = (
            self.measure(self._distances(*batch))
            if enough
            else torch.tensor(torch.nan, dtype=torch.float32, device=self.device)
        )
        return batch, value.to(self.device)

    def _empty_parts(self) -> dict[str, Tensor]:
        points = torch.empty(0, 3, dtype=self._precision, device=self.device)
        lengths = torch.empty(0, dtype=torch.int64, device=self.device)
        return {f"{side}_points": points for side in _SIDES} | {f"{side}_lengths": lengths for side in _SIDES}

    def _measure_on_ranks(self, sets: SetDistances, ranks: Ranks) -> Tensor:
        sets.share(ranks, self.matrices, self.to_train)

        def measure() -> tuple[Tensor, dict[str, Any]]:
            value = self.measure(sets).cpu()
            return value, {name: _moved(getattr(self, name), value.device) for name in self.findings}

        value, findings = ranks.from_first(measure)
        for name, found in findings.items():
            setattr(self, name, _moved(found, self.device))
        return value

    def _smallest(self, preds: PackedClouds, target: PackedClouds | None) -> int:
        return min(len(clouds.lengths) for clouds in (preds, target) if clouds is not None)

    def _checked(
        self, preds: Clouds, target: Clouds | None, preds_lengths: Tensor | None, target_lengths: Tensor | None
    ) -> tuple[PackedClouds, PackedClouds | None]:
        def pack(clouds: Clouds, lengths: Tensor | None, name: str) -> PackedClouds:
            return cast(pack_clouds(clouds, lengths, name), self.device, self._precision, name)

        if target is None and self.needs_target:
            raise TypeError(f"Argument `target` must be the clouds of the reference set for {type(self).__name__}")
        packed = pack(preds, preds_lengths, "preds")
        return packed, None if target is None else pack(target, target_lengths, "target")

    def _accumulate(self, preds: PackedClouds | None, target: PackedClouds | None) -> None:
        for side, clouds in (("preds", preds), ("target", target)):
            if clouds is not None:
                parts = {"points": clouds.points, "lengths": clouds.lengths}
                self._append(**{f"{side}_{name}": own_copy(part.to(self.device)) for name, part in parts.items()})

    def _joined(self, side: str) -> PackedClouds | None:
        points, lengths = getattr(self, f"{side}_points"), getattr(self, f"{side}_lengths")
        if len(lengths) == 0:
            return None
        clouds = PackedClouds(joined(points).to(self._precision), joined(lengths).cpu())
        return clouds if len(clouds.lengths) else None

    def _distances(
        self,
        preds: PackedClouds,
        target: PackedClouds | None,
        store: str | Path | None = None,
        cluster: str | None = None,
    ) -> SetDistances:
        train = self.train_set
        if train is not None:
            train = cast(train, preds.points.device, preds.points.dtype, "train")
        return SetDistances(
            preds,
            target,
            train,
            squared=self.squared,
            backend=self.backend,
            memory_budget=self.memory_budget,
            store=store,
            cluster=cluster,
        )


def _moved(found: Any, device: torch.device) -> Any:
    """A finding with its tensors on a device."""
    if isinstance(found, Tensor):
        return found.to(device)
    if is_dataclass(found) and not isinstance(found, type):
        return replace(found, **{field.name: _moved(getattr(found, field.name), device) for field in fields(found)})
    return found
