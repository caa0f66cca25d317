"""The Dispersion Score as a torchmetrics metric."""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ds_metrics._accumulating import RecoveringMetric, joined, own_copy
from ds_metrics.arguments import check_flag, check_integer, check_path
from ds_metrics.clouds import PackedClouds, cast
from ds_metrics.clustering import Clustering, Estimator, Solver, cluster
from ds_metrics.clustering.interval import check_level, confidence_interval
from ds_metrics.clustering.solvers import check_solver
from ds_metrics.features import Extractor
from ds_metrics.measure import Measure, Samples
from ds_metrics.pairwise import AllPairs, GrowingMatrix, Ranks, check_cluster, memory_bytes
from ds_metrics.sampling import Choice, SampledClusters, check_estimator, choose_estimator


class DispersionScore(RecoveringMetric):
    r"""How dispersed samples are: 0 if a network recites a few shapes, larger if it reconstructs.

    .. math:: DS = \frac{1}{N} \sum_{i=0}^{N-1} d(x_i, m(x_i))

    the mean distance of a sample to the medoid of its cluster (equation 3 of the paper), over all samples since
    the last reset. It accumulates samples and clusters them on ``compute``; under distributed training over the
    samples of all ranks. See `ds_metrics.functional.dispersion_score` for what makes two scores comparable.

    Under distributed training every rank computes its share of the distances, the first puts them together and
    clusters, and all get the score and the clusters.

    Of images it keeps the features, not the images: with ``distance="vgg16"`` 12.5 KB an image, 1.6 MB with
    ``pooling="none"``. Measured on training images, it predicts what a network will do.

    Memory: 12 bytes a point for the samples, as a metric can't know them before; for more than fit, see
    `ds_metrics.functional.dispersion_score`, which reads them from a file. From ``compute`` until the next ``update``
    or ``reset``, 4 bytes a pair for the distances, which go to disk if they exceed ``memory_budget``; none if sampled.

    As input to ``forward`` and ``update`` the metric accepts:

    - ``preds``: clouds, ``(B, P, 3)`` or a sequence of ``(P_i, 3)``; with ``distance="features"`` vectors ``(B, D)``;
      with any other distance images, ``(B, 3, H, W)`` or a sequence of ``(3, H_i, W_i)``, uint8 or floats in [0, 1].
    - ``target``: likewise. Only one of the two is scored, by default ``preds``; both are taken, so that the metric fits
      in a ``MetricCollection`` beside `ChamferDistance`.
    - ``preds_lengths``, ``target_lengths``: valid points of each cloud, ``(B,)``, if they are padded.

    As output of ``compute`` it returns a scalar tensor; ``forward`` returns the score of the batch alone, NaN where
    the batch has too few samples for one. The clusters and distances of the last ``compute`` are on the attributes
    ``clustering`` and, on the first rank and unless sampled, ``distances``.

    Args:
        n_clusters: Number of clusters, or ``"knee"`` for the knee of DS over k. Fix it to compare epochs.
        distance: Distance between samples: ``"chamfer"``, ``"features"``, ``"vgg16"``, ``"pixels"``, the name of
            another extractor of features, or a network that turns images into features ``(B, D)``; see
            `ds_metrics.measure.Measure`.
        squared: Whether the Chamfer distance squares nearest distances.
        solver: ``"fasterpam"``, ``"alternate"`` (the paper's) or another, see `ds_metrics.clustering.kmedoids`.
        seed: Seed of the solver's starts.
        backend: Backend of the distances.
        memory_budget: Memory that computing the distances may take, see `ds_metrics.pairwise.pairwise_distance`.
        store: Folder to keep the distances in, where an interrupted ``compute`` goes on; see there.
        cluster: Dask cluster that computes the distances, see there; not under distributed training.
        incremental: Whether ``update`` computes the distances of its samples to all before, so that ``compute`` only
            clusters. It spreads the work over the loop and makes further computes cheap, for the memory of half a
            matrix and about 20 bytes a point more. Without effect under distributed training, where the ranks share
            the work at ``compute``. It computes all distances, so ``"auto"`` means ``"exact"``.
        estimator: ``"exact"``, ``"sampled"``, or ``"auto"``: see `ds_metrics.functional.dispersion_score`.
            ``clustering.estimator`` says which it was.
        confidence: Level of a confidence interval of the score, such as 0.95, on ``clustering.interval``; ``None``
            computes none where it costs time.
        weights: Weights of the extractor: for ``"vgg16"`` ``"bundled"`` (default), ``"torchvision"`` (the paper's) or a
            path, see `ds_metrics.features.VGG16`. Scores on different weights don't compare.
        pooling: For ``"vgg16"``, ``"channel-max"`` (default) or ``"none"``, see there.
        image_size: Pixels to which images are resized, 224 by default.
        of: Whose dispersion it is: ``"preds"``, or ``"target"`` for that of the ground truth in the same loop. The
            quotient of the two, at a fixed ``n_clusters``, is the share that predictions have of the truth's.
        kwargs: Options of `torchmetrics.Metric`.

    Raises:
        OSError: If weights can't be read or downloaded.
        ValueError: If an option is unknown; on ``compute``, if there are too few samples.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> metric = DispersionScore(n_clusters=2)
        >>> shapes = torch.rand(2, 100, 3, generator=generator)
        >>> metric.update(shapes[[0, 1, 1]])
        >>> metric.update(shapes[[1, 0]])
        >>> metric.compute()
        tensor(0.)
        >>> metric.clustering.sizes.tolist()
        [3, 2]
        >>> images = DispersionScore(n_clusters=1, distance="vgg16")
        >>> images.update(torch.full((3, 3, 64, 64), 128, dtype=torch.uint8))
        >>> images.compute()
        tensor(0.)

        Metrics can be divided, which gives the share of the truth's dispersion:

        >>> share = DispersionScore(n_clusters=1) / DispersionScore(n_clusters=1, of="target")
        >>> share.update(shapes[[0, 0, 0, 1]], shapes[[0, 0, 1, 1]])
        >>> share.compute()
        tensor(0.5000)
    """

    is_differentiable = False
    higher_is_better = None  # a diagnosis, not a goal: noise is dispersed too
    full_state_update = False
    plot_lower_bound = 0.0

    clustering: Clustering | None
    distances: Tensor | None
    _growing: GrowingMatrix | None

    def __init__(
        self,
        n_clusters: int | Literal["knee"] = "knee",
        distance: str | nn.Module | Extractor = "chamfer",
        squared: bool = True,
        solver: Solver = "fasterpam",
        seed: int = 0,
        backend: str = "auto",
        memory_budget: int | str | None = None,
        store: str | Path | None = None,
        cluster: str | None = None,
        incremental: bool = False,
        estimator: Choice = "auto",
        confidence: float | None = None,
        weights: str | Path | None = None,
        pooling: str | None = None,
        image_size: int | None = None,
        of: Literal["preds", "target"] = "preds",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if of not in ("preds", "target"):
            raise ValueError(f"Argument `of` must be 'preds' or 'target', but got {of!r}")
        if n_clusters != "knee":
            try:
                n_clusters = check_integer("n_clusters", n_clusters, 1, 2**31 - 1)
            except (TypeError, ValueError):
                raise ValueError(
                    f"Argument `n_clusters` must be 'knee' or a positive integer, but got {n_clusters!r}"
                ) from None
        check_solver(solver)
        check_flag("incremental", incremental)
        seed = check_integer("seed", seed, 0, 2**64 - 1)
        memory_bytes(memory_budget)
        check_path("store", store)
        check_estimator(estimator)
        if confidence is not None:
            check_level("confidence", confidence)
        if cluster is not None:
            check_cluster(cluster)
        if incremental and estimator == "sampled":
            raise ValueError('Argument `incremental` computes all distances, so `estimator` can\'t be "sampled"')
        self.measure = Measure(distance, squared, backend, weights, pooling, image_size)
        self.n_clusters = n_clusters
        self.distance = self.measure.name
        self.squared = squared
        self.solver = solver
        self.seed = seed
        self.backend = backend
        self.memory_budget = memory_budget
        self.store = store
        self.cluster = cluster
        self.incremental = incremental
        self.estimator = estimator
        self.confidence = confidence
        self.of = of
        # Named by what they hold, lest a `MetricCollection` takes predictions and targets for one, or the features of
        # two networks where those of the first batch are equal.
        suffix = "" if self.measure.extractor is None else f"_{_digest(self.measure.extractor.key)}"
        self._state = f"{of}_points{suffix}", f"{of}_lengths{suffix}"
        for name in self._state:
            self.add_state(name, default=[], dist_reduce_fx="cat")
        self._forget()
        self._begin_growing()

    def update(
        self,
        preds: Samples,
        target: Any = None,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> None:
        """Add samples, of which those of the other side are ignored."""
        self._add(self._checked(preds, target, preds_lengths, target_lengths))

    def compute(self) -> Tensor:
        """Score of all samples."""
        if len(self._lengths) == 0:
            raise ValueError("DispersionScore needs at least 2 samples, but `update` was never called")
        points = joined(self._points, not self.incremental)
        clouds = PackedClouds(points, joined(self._lengths).cpu())
        self._check_size(len(clouds.lengths))
        ranks = self._ranks
        if self._estimator(len(clouds.lengths)) == "sampled":
            clustering = self._sampled(clouds).run(ranks)
        elif ranks is not None:
            clustering = self._cluster_on_ranks(clouds, ranks)
        elif self._growing is not None and self._growing.covers(self._points):
            self.distances = self._growing.result().to(self.device)
            clustering = self._cluster(self.distances, self.confidence)
        else:
            self.distances = self._all_pairs(clouds).run()
            clustering = self._cluster(self.distances, self.confidence)
        self.clustering = clustering
        return self._as_value(clustering.score)

    def reset(self) -> None:
        """Forget all samples and the clusters of the last compute."""
        super().reset()
        self._forget()
        self._begin_growing()

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the prepared clouds of an incremental metric: a copy computes anew."""
        return {**super().__getstate__(), "_growing": None}

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot one or several values, see `torchmetrics.Metric.plot`."""
        return self._plot(val, ax)

    @property
    def _points(self) -> list[Tensor]:
        """The samples; a tensor after a sync."""
        points: list[Tensor] = getattr(self, self._state[0])
        return points

    @property
    def _lengths(self) -> list[Tensor]:
        """How many points each has; a tensor after a sync."""
        lengths: list[Tensor] = getattr(self, self._state[1])
        return lengths

    @property
    def _fewest(self) -> int:
        """Samples that a score takes at least."""
        return 2 if self.n_clusters == "knee" else int(self.n_clusters) + 1

    def _checked(
        self,
        preds: Samples,
        target: Any = None,
        preds_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
    ) -> PackedClouds:
        samples, lengths = (preds, preds_lengths) if self.of == "preds" else (target, target_lengths)
        packed = self.measure.pack(samples, lengths, self.of)
        if not self._is_synced and self._points and self._points[0].shape[1] != packed.points.shape[1]:
            raise ValueError(
                f"Argument `{self.of}` must have {self._points[0].shape[1]} features a sample as before, "
                f"but got {packed.points.shape[1]}"
            )
        return cast(packed, self.device, self._kept(packed.points.dtype), self.of)

    def _kept(self, dtype: torch.dtype) -> torch.dtype:
        """The type in which samples are kept, see `set_dtype`.

        But unpooled features come in half precision, and stay in it for their size.
        """
        return dtype if dtype == torch.float16 and self.measure.name != "chamfer" else self._precision

    def _measured(self, *args: Any, **kwargs: Any) -> tuple[tuple[PackedClouds], Tensor]:
        batch = self._checked(*args, **kwargs)
        enough = len(batch.lengths) >= self._fewest
        # In this process and in memory, whatever the metric's resources: a step is no place to start a cluster for.
        distances = AllPairs(batch, None, self.squared, self.measure.backend).run() if enough else None
        return (batch,), self._as_value(torch.nan if distances is None else self._cluster(distances).score)

    def _accumulate(self, batch: PackedClouds) -> None:
        points, lengths = (own_copy(part.to(self.device)) for part in batch)
        self._grow(PackedClouds(points, batch.lengths))  # first, as it refuses what it can't compute with
        self._forget()
        self._append(**dict(zip(self._state, (points, lengths), strict=True)))

    def _state_changed(self) -> None:
        super()._state_changed()
        self._forget()

    def _empty_parts(self) -> dict[str, Tensor]:
        width, dtype = self._row_on_ranks()
        empty = (
            torch.empty(0, width, dtype=dtype, device=self.device),
            torch.empty(0, dtype=torch.int64, device=self.device),
        )
        return dict(zip(self._state, empty, strict=True))

    def _row_on_ranks(self) -> tuple[int, torch.dtype]:
        """Width and type of the samples' rows on all ranks."""
        if self.measure.name == "chamfer":  # points, whose rows are alike everywhere
            return 3, self._precision
        row = None
        if self._points:
            row = self._points[0].shape[1], reduce(torch.promote_types, (part.dtype for part in self._points))
        rows = [row]
        if dist.is_available() and dist.is_initialized():
            rows = [None] * dist.get_world_size(self.process_group)
            dist.all_gather_object(rows, row, group=self.process_group)
        known = [row for row in rows if row is not None] or [(3, torch.float32)]
        return known[0][0], reduce(torch.promote_types, (dtype for _, dtype in known))

    def _all_pairs(self, clouds: PackedClouds) -> AllPairs:
        budget = memory_bytes(self.memory_budget)
        return AllPairs(clouds, None, self.squared, self.measure.backend, budget, self.store, self.cluster)

    def _estimator(self, n_samples: int) -> Estimator:
        return "exact" if self.incremental else choose_estimator(self.estimator, n_samples)

    def _sampled(self, clouds: PackedClouds) -> SampledClusters:
        return SampledClusters(
            clouds,
            self.n_clusters,
            self.squared,
            self.solver,
            self.seed,
            self.measure.backend,
            memory_bytes(self.memory_budget),
            self.store,
            self.cluster,
            self.confidence,
        )

    def _cluster(self, distances: Tensor | None, confidence: float | None = None) -> Clustering:
        found = cluster(distances, self.n_clusters, solver=self.solver, seed=self.seed)
        if confidence is None:
            return found
        try:
            return replace(found, interval=confidence_interval(distances, found, confidence))
        except ValueError as error:  # too few samples for an interval have a score nevertheless
            warnings.warn(f"The Dispersion Score has no confidence interval: {error}", RuntimeWarning, stacklevel=2)
            return found

    def _cluster_on_ranks(self, clouds: PackedClouds, ranks: Ranks) -> Clustering:
        self.distances = self._all_pairs(clouds).run(ranks)
        return ranks.from_first(lambda: self._cluster(self.distances, self.confidence))

    def _begin_growing(self) -> None:
        alone = not (dist.is_available() and dist.is_initialized() and dist.get_world_size(self.process_group) > 1)
        self._growing = GrowingMatrix(self.squared, self.measure.backend) if self.incremental and alone else None

    def _grow(self, batch: PackedClouds) -> None:
        """Compute the distances of the next batch, unless the samples before came by another way than `update`."""
        if self._growing is not None and self._growing.covers(self._points):
            self._growing.append(batch)

    def _as_value(self, score: float) -> Tensor:
        return torch.tensor(score, dtype=torch.float32, device=self.device)

    def _check_size(self, n_samples: int) -> None:
        """Refuse before the distances are computed what clustering would refuse after."""
        if n_samples < 2:
            raise ValueError(f"DispersionScore needs at least 2 samples, but got {n_samples}")
        if n_samples < self._fewest:
            raise ValueError(
                f"Argument `n_clusters` must be from 1 to {n_samples - 1} for {n_samples} samples, "
                f"but got {self.n_clusters}"
            )

    def _forget(self) -> None:
        self.clustering = None
        self.distances = None


def _digest(key: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:8]
