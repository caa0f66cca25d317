"""The distances of two sets of clouds, and to the training set: each computed once, for all measures that take them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ds_metrics.clouds import PackedClouds
from ds_metrics.clustering import Clustering
from ds_metrics.functional.manifold import PRDC, prdc
from ds_metrics.pairwise import AllPairs, NearestOf, Ranks, memory_bytes, resolve_backend
from ds_metrics.pairwise.backends import load_backend
from ds_metrics.pairwise.blocks import pair_distances
from ds_metrics.pairwise.cluster import open_cluster
from ds_metrics.pairwise.costs import pairs_per_call, points_per_pair
from ds_metrics.pairwise.engine import match
from ds_metrics.pairwise.tiles import Tile
from ds_metrics.sampling import cluster_samples

Stage = Callable[[str], AbstractContextManager[Any]]
_SETS = {"g": "generated", "r": "reference", "t": "train"}
_PAIRED = 256  # clouds compared one to one at once


class SetDistances:
    """Chamfer distances between the samples of sets, computed when they are first asked for and then kept.

    Several measures that are given one such object share its matrices. Under ``with`` they share the processes of
    ``cluster="local:N"`` too, which end with it.

    Args:
        generated: Generated or predicted clouds.
        reference: Clouds that they are compared with: held-out real ones, such as the ground truth.
        train: Clouds that the network was trained on.
        squared: Whether nearest distances are squared before the mean.
        backend: As the next three, see `ds_metrics.pairwise.pairwise_distance`.
        memory_budget: Memory that computing each matrix may take.
        store: Folder that keeps them.
        cluster: Dask cluster that computes them.
        stage: Makes the context in which distances are computed, from a label that says which.

    Example:
        >>> from ds_metrics.clouds import pack_clouds
        >>> clouds = torch.tensor([[[0.0, 0, 0]], [[1.0, 0, 0]], [[3.0, 0, 0]]])
        >>> sets = SetDistances(pack_clouds(clouds[:2]), pack_clouds(clouds[1:]))
        >>> sets.matrix("d_gr")
        tensor([[ 2., 18.],
                [ 0.,  8.]])
        >>> sets.paired()
        tensor([2., 8.])
    """

    def __init__(
        self,
        generated: PackedClouds,
        reference: PackedClouds | None = None,
        train: PackedClouds | None = None,
        *,
        squared: bool = True,
        backend: str = "auto",
        memory_budget: int | str | None = None,
        store: str | Path | None = None,
        cluster: str | None = None,
        stage: Stage = nullcontext,
    ) -> None:
        self.generated = generated
        self.reference = reference
        self.train = train
        self.squared = squared
        self.backend = backend
        self.memory_budget = memory_bytes(memory_budget)
        self.store = store
        self.cluster = cluster
        self.stage = stage
        self._kept: dict[Hashable, Any] = {}
        self._opened: ExitStack | None = None
        self._shared_cluster: str | None = None

    def __enter__(self) -> SetDistances:
        self._opened = ExitStack()
        return self

    def __exit__(self, *error: object) -> None:
        assert self._opened is not None
        opened, self._opened, self._shared_cluster = self._opened, None, None
        opened.close()

    def clouds(self, side: str) -> PackedClouds:
        """One of the sets: ``"generated"``, ``"reference"`` or ``"train"``.

        Raises:
            ValueError: If it was not given.
        """
        found: PackedClouds | None = getattr(self, side)
        if found is None:
            raise ValueError(f"there is no set {side!r}, which the measure compares with")
        return found

    def matrix(self, name: str) -> Tensor:
        """All distances between two sets, by the names that measures have for them: ``"d_gg"``, ``"d_gr"``, ``"d_rr"``.

        Rows are of the first set, columns of the second.
        """
        if name not in self._kept:
            self._kept[name] = self._matrix(name)
        kept: Tensor = self._kept[name]
        return kept

    def share(self, ranks: Ranks, matrices: Sequence[str], to_train: Sequence[str]) -> None:
        """Compute matrices, and distances of sets to the training set, by ranks that call this together.

        The first rank keeps them. Sets that are not there are left out.
        """
        there = [name for name in matrices if all(getattr(self, _SETS[letter]) is not None for letter in name[2:])]
        for name in there:
            if (matrix := self._matrix(name, ranks)) is not None:
                self._kept[name] = matrix
        for side in to_train:
            if (distances := self._to_train(side, ranks)) is not None:
                self._kept[f"{side} to train"] = distances

    def keep(self, name: str, matrix: Tensor) -> None:
        """Take a matrix that was computed elsewhere, at the same settings."""
        self._kept[name] = matrix

    def paired(self) -> Tensor:
        """Distance of each generated cloud to the reference cloud at its index, ``(N,)``."""
        generated, reference = self.clouds("generated"), self.clouds("reference")
        if len(generated.lengths) != len(reference.lengths):
            raise ValueError(
                "Arguments `preds` and `target` must hold equally many clouds where they are compared one to one, "
                f"but got {len(generated.lengths)} and {len(reference.lengths)}"
            )
        x, y = match(generated, reference)
        # By the engine, so that a truth which is also a medoid is as far, to the bit, as that medoid.
        name = resolve_backend(self.backend, x.points.device, x.points.dtype)
        parts = np.array_split(np.arange(len(x.lengths)), -(-len(x.lengths) // _PAIRED) or 1)
        found = [_one_to_one(x.take(part), y.take(part), name, self.squared) for part in parts]
        return torch.from_numpy(np.concatenate(found)).to(x.points.device)

    def to_train(self, side: str) -> Tensor:
        """Distance of each cloud of a set to its nearest training cloud, ``(N,)``; bounds rule out most pairs."""
        name = f"{side} to train"
        if name not in self._kept:
            self._kept[name] = self._to_train(side)
        kept: Tensor = self._kept[name]
        return kept

    def prdc(self, nearest_k: int) -> PRDC:
        """Precision, recall, density and coverage: all four take the same neighbours."""
        key = "prdc", nearest_k
        if key not in self._kept:
            self._kept[key] = prdc(self.matrix("d_gg"), self.matrix("d_gr"), self.matrix("d_rr"), nearest_k)
        kept: PRDC = self._kept[key]
        return kept

    def train_clusters(self, n_clusters: int | Literal["knee"], seed: int = 0) -> Clustering:
        """Clusters of the training clouds by FasterPAM; of more than 10,000, sought in a part of them."""
        with self.stage("distances of the training set"):
            return cluster_samples(
                self.clouds("train"),
                n_clusters,
                squared=self.squared,
                seed=seed,
                backend=self.backend,
                memory_budget=self.memory_budget,
                store=self.store,
                cluster=self._address(),
            )

    def to_medoids(self, clusters: Clustering) -> Tensor:
        """Distances of generated clouds to the training medoids, ``(N, k)``."""
        medoids, x = match(self.clouds("train").take(clusters.medoids), self.clouds("generated"), "train")
        with self.stage("distances to the training medoids"):
            found = self._all_pairs(x, medoids).run()
        assert found is not None
        return found

    def _matrix(self, name: str, ranks: Ranks | None = None) -> Tensor | None:
        x, y = (self.clouds(_SETS[letter]) for letter in name[2:])
        if x is not y:
            y, x = match(y, x)
        with self.stage(f"distances, {_between(name)}"):
            return self._all_pairs(x, None if x is y else y, ranks).run(ranks)

    def _all_pairs(self, x: PackedClouds, y: PackedClouds | None, ranks: Ranks | None = None) -> AllPairs:
        cluster = None if ranks is not None else self._address()
        return AllPairs(x, y, self.squared, self.backend, self.memory_budget, self.store, cluster)

    def _to_train(self, side: str, ranks: Ranks | None = None) -> Tensor | None:
        candidates, x = match(self.clouds("train"), self.clouds(side), "train")
        with self.stage(f"nearest training shapes of the {side}"):
            found = NearestOf(x, candidates, self.squared, self.backend, self.store).run(ranks)
        return None if found is None else torch.from_numpy(found.distance).to(x.points.device)

    def _address(self) -> str | None:
        """Of the cluster, which starts when it is first needed if ``with`` is to end it."""
        if self.cluster is None or self._opened is None:
            return self.cluster
        if self._shared_cluster is None:
            self._shared_cluster = self._opened.enter_context(open_cluster(self.cluster))
        return self._shared_cluster


def _one_to_one(x: PackedClouds, y: PackedClouds, name: str, squared: bool) -> NDArray[np.float32]:
    """Distance of each cloud of ``x`` to that of ``y`` at its index, as the matrix has it on its diagonal."""
    engine, n = load_backend(name), len(x.lengths)
    tile, index = Tile(0, range(n), range(n), on_diagonal=False), np.arange(n)
    at_once = pairs_per_call(points_per_pair(x, y, name), name)
    return pair_distances(tile, index, index, engine.prepare(x), engine.prepare(y), at_once, engine, squared)


def _between(name: str) -> str:
    first, second = (_SETS[letter] for letter in name[2:])
    return f"among the {first} set" if first == second else f"{first} to {second} set"
