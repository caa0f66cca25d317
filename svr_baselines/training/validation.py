"""How good a network is, and how dispersed what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ds_metrics import ChamferDistance, DispersionScore
from ds_metrics._modes import evaluating
from svr_baselines.data.coordinates import to_object
from svr_baselines.data.items import Item
from svr_baselines.data.points import stable_seed
from svr_baselines.networks import Network
from svr_baselines.training.batches import FixedBatches, create_loader, read_batches
from svr_baselines.training.config import TrainingConfig
from svr_baselines.training.fabric import agree, in_precision

CHAMFER, DISPERSION = "chamfer_distance", "dispersion_score"
TRUTH, SHARE = "dispersion_truth", "dispersion_share"


class Validation:
    """Chamfer distance over a validation set, and the DS of predictions for a part of it.

    The part is the same in every run on a set of this size, whatever the seed of the training, so that runs compare.
    Each process takes a stretch of the set. DS is that of object-centred clouds: viewer-centred ones are turned back.
    Beside it stands the DS of the true clouds of the same samples, which is computed once. All in full precision.
    Points come from the network as float32, from weights in double, too.

    Args:
        dataset: The validation set.
        config: Batch size, and the options of the DS.
        coordinates: `"object"` or `"viewer"`: of the points that the network was trained on.
        fabric: The processes.
        workers: Processes that read the samples of each.

    Raises:
        ValueError: If there are more clusters than the samples allow.
    """

    def __init__(
        self, dataset: Dataset[Item], config: TrainingConfig, coordinates: str, fabric: Any, workers: int
    ) -> None:
        count = len(dataset)  # type: ignore[arg-type]
        self._fabric, self._config, self._coordinates = fabric, config, coordinates
        self._chosen = choose_samples(count, config)
        batch_size = -(-config.batch_size // fabric.world_size)
        self._batches = FixedBatches(count, batch_size, fabric.global_rank, fabric.world_size)
        self._loader = create_loader(dataset, self._batches, workers, fabric.device)
        self._truth: float | None = None

    def run(self, network: Network) -> Mapping[str, float]:
        """Values by name of a network: `chamfer_distance`, and with a DS `dispersion_score`, its truth and share.

        Raises:
            ValueError: If an item is damaged, or the network returns points that are NaN or infinite.
        """
        chamfer, dispersion, truth = self._metrics()
        error = None
        try:
            self._update(network, chamfer, dispersion, truth)
        except ValueError as met:  # the other processes must not wait for this one
            error = met
        agree(self._fabric, error)
        values = {CHAMFER: float(chamfer.compute())}
        if self._chosen:
            values[DISPERSION] = float(dispersion.compute())
            if self._truth is None:
                self._truth = float(truth.compute())
            values[TRUTH] = self._truth
            if self._truth > 0:
                values[SHARE] = values[DISPERSION] / self._truth
        return values

    def _metrics(self) -> tuple[ChamferDistance, DispersionScore, DispersionScore]:
        device, clusters = self._fabric.device, self._config.clusters
        scores = (DispersionScore(n_clusters=clusters, estimator="exact").to(device) for _ in range(2))
        return ChamferDistance().to(device), *scores  # type: ignore[return-value]

    @torch.no_grad()
    def _update(
        self, network: Network, chamfer: ChamferDistance, dispersion: DispersionScore, truth: DispersionScore
    ) -> None:
        dtype = next(network.parameters()).dtype
        with evaluating(network):
            for indices, batch in zip(self._batches, read_batches(self._loader), strict=True):
                moved = self._fabric.to_device(batch)
                with in_precision(self._fabric):
                    points = network(moved.image.to(dtype)).float()
                try:
                    chamfer.update(points, moved.points)
                except ValueError as error:
                    raise ValueError(f"Validation failed at {', '.join(batch.id)}: {error}") from error
                chosen = [place for place, index in enumerate(indices) if index in self._chosen]
                if chosen:
                    # As many points of both, as a DS only compares at equal numbers.
                    count = min(points.shape[1], moved.points.shape[1], self._config.validation_points)
                    dispersion.update(self._prepare(points, moved, chosen, count))
                    if self._truth is None:
                        truth.update(self._prepare(moved.points, moved, chosen, count))

    def _prepare(self, points: Tensor, batch: Item, chosen: list[int], count: int) -> Tensor:
        drawn = choose_points(points.shape[1], count)
        clouds = points[chosen][:, drawn]
        return to_object(clouds, batch.rotation[chosen]) if self._coordinates == "viewer" else clouds


def choose_samples(count: int, config: TrainingConfig) -> frozenset[int]:
    """Indices of the samples whose DS is computed.

    Raises:
        ValueError: If they are too few for the clusters.
    """
    taken = min(config.validation_samples, count)
    if 0 < taken <= config.clusters:
        raise ValueError(
            f"Argument `clusters` must be below the number of validation samples, {taken}, but got {config.clusters}."
        )
    rng = np.random.default_rng(stable_seed(0, f"validation samples/{count}"))
    return frozenset(int(index) for index in rng.choice(count, taken, replace=False))


def choose_points(count: int, wanted: int, seed: int = 0) -> list[int]:
    """Indices of points of a cloud, drawn evenly, the same for all clouds of a size; all if no more are there.

    They are drawn, as the first points of a cloud may be those of one patch, or of a coarse mesh.
    """
    rng = np.random.default_rng(stable_seed(seed, f"validation points/{count}"))
    return sorted(int(index) for index in rng.choice(count, min(count, wanted), replace=False))
