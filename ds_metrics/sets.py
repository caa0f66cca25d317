"""The torchmetrics metric that measures a set of clouds against another."""

from __future__ import annotations

from abc import abstractmethod
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ds_metrics._syncing import RecoveringMetric
from ds_metrics.clouds import Clouds, PackedClouds, pack_clouds
from ds_metrics.pairwise import Ranks, check_backend, check_cluster, memory_bytes
from ds_metrics.set_distances import SetDistances


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
        memory_bytes(memory_budget)
        if cluster is not None:
            check_cluster(cluster)
        self.squared = squared
        self.backend = backend
        self.memory_budget = memory_budget
        self.store = store
        self.cluster = cluster
        self.train_set: PackedClouds | None = None
        for side in ("preds", "target"):
            self.add_state(f"{side}_points", default=[], dist_reduce_fx="cat")
            self.add_state(f"{side}_lengths", default=[], dist_reduce_fx="cat")

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

    def forward(
        self,
        preds: Clouds,
        target: Clouds,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> Tensor:
        """Add clouds, and return the measure of this batch alone: checked first, so that a bad batch costs itself."""
        batch = self._checked(preds, target, preds_lengths, target_lengths)
        self._computed = None
        self._update_count += 1
        self._add(*batch)
        enough = self._smallest(*batch) >= self._fewest
        value = self.measure(self._distances(*batch)) if enough else torch.tensor(torch.nan)
        self._forward_cache = value.to(self.device)  # type: ignore[assignment]
        return value.to(self.device)

    def sync(self, *args: Any, **kwargs: Any) -> None:
        """Gather the clouds of all ranks; one without clouds takes part with none."""
        for side in ("preds", "target"):
            if not getattr(self, f"{side}_points"):
                dtype = torch.promote_types(self.dtype, torch.float32)
                getattr(self, f"{side}_points").append(torch.empty(0, 3, dtype=dtype, device=self.device))
                getattr(self, f"{side}_lengths").append(torch.empty(0, dtype=torch.int64, device=self.device))
        super().sync(*args, **kwargs)

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot one or several values, see `torchmetrics.Metric.plot`."""
        return self._plot(val, ax)

    @property
    def _fewest(self) -> int:
        """Clouds of each set that a value takes at least."""
        return 1

    def _measure_on_ranks(self, sets: SetDistances, ranks: Ranks) -> Tensor:
        sets.share(ranks, self.matrices, self.to_train)

        def measure() -> bytes:
            value = self.measure(sets)
            torch.save((value, {name: getattr(self, name) for name in self.findings}), packed := BytesIO())
            return packed.getvalue()

        # Through `torch.load`, which puts tensors on the device of this rank.
        packed = BytesIO(ranks.from_first(measure))
        value, findings = torch.load(packed, map_location=self.device, weights_only=False)
        for name, found in findings.items():
            setattr(self, name, found)
        return torch.as_tensor(value)

    def _smallest(self, preds: PackedClouds, target: PackedClouds | None) -> int:
        return min(len(clouds.lengths) for clouds in (preds, target) if clouds is not None)

    def _checked(
        self, preds: Clouds, target: Clouds | None, preds_lengths: Tensor | None, target_lengths: Tensor | None
    ) -> tuple[PackedClouds, PackedClouds | None]:
        dtype = torch.promote_types(self.dtype, torch.float32)

        def pack(clouds: Clouds, lengths: Tensor | None, name: str) -> PackedClouds:
            packed = pack_clouds(clouds, lengths, name)
            return PackedClouds(packed.points.detach().to(self.device, dtype), packed.lengths)

        packed = pack(preds, preds_lengths, "preds")
        return packed, None if target is None else pack(target, target_lengths, "target")

    def _add(self, preds: PackedClouds, target: PackedClouds | None) -> None:
        for side, clouds in (("preds", preds), ("target", target)):
            if clouds is not None:
                getattr(self, f"{side}_points").append(clouds.points)
                getattr(self, f"{side}_lengths").append(clouds.lengths.to(self.device))

    def _joined(self, side: str) -> PackedClouds | None:
        points, lengths = getattr(self, f"{side}_points"), getattr(self, f"{side}_lengths")
        if len(lengths) == 0:
            return None
        whole = isinstance(lengths, Tensor)  # after a sync
        joined = PackedClouds(*((points, lengths.cpu()) if whole else (torch.cat(points), torch.cat(lengths).cpu())))
        return joined if len(joined.lengths) else None

    def _distances(
        self,
        preds: PackedClouds,
        target: PackedClouds | None,
        store: str | Path | None = None,
        cluster: str | None = None,
    ) -> SetDistances:
        train = self.train_set
        if train is not None:
            train = PackedClouds(train.points.to(preds.points.device, preds.points.dtype), train.lengths)
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
