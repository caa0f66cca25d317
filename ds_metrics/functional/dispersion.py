"""Dispersion Score."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ds_metrics import clustering
from ds_metrics.clouds import Clouds, pack_clouds
from ds_metrics.clustering import Solver
from ds_metrics.pairwise import AllPairs, check_distance, memory_bytes
from ds_metrics.sampling import Choice, SampledClusters, check_estimator, choose_estimator


def dispersion_score(
    samples: Clouds,
    n_clusters: int | Literal["knee"] = "knee",
    *,
    distance: str = "chamfer",
    squared: bool = True,
    solver: Solver = "fasterpam",
    seed: int = 0,
    backend: str = "auto",
    memory_budget: int | str | None = None,
    store: str | Path | None = None,
    cluster: str | None = None,
    estimator: Choice = "auto",
    lengths: Tensor | None = None,
) -> Tensor:
    r"""Mean distance of the samples to the medoid of their cluster (equation 3 of the paper).

    .. math:: DS = \frac{1}{N} \sum_{i=0}^{N-1} d(x_i, m(x_i))

    where :math:`m(x_i)` is the medoid, among ``n_clusters`` found by k-medoids, that is nearest to :math:`x_i`.
    0 means that every sample repeats one of ``n_clusters`` shapes; the larger, the more dispersed the samples.
    Two scores compare only at equal ``N``, ``n_clusters``, points a cloud, distance, solver and estimator.

    ``estimator="exact"`` computes all :math:`N (N - 1) / 2` distances. ``"sampled"`` seeks the medoids in a part of
    the samples and assigns all samples to them: in time linear in ``N`` and, but for some 40 bytes a sample, in memory
    that does not depend on ``N``, as samples in a memory-mapped array are read block by block. `ds_metrics.sampling`
    tells how, and how far the score is above the exact one.

    Args:
        samples: Point clouds, ``(N, P, 3)`` or a sequence of ``(P_i, 3)``; or a distance matrix ``(N, N)``.
        n_clusters: Number of clusters, or ``"knee"`` to take the knee of DS over k (Kneedle).
        distance: Distance between clouds, see `ds_metrics.pairwise.pairwise_distance`.
        squared: Whether the Chamfer distance squares nearest distances.
        solver: ``"fasterpam"``, ``"alternate"`` (the paper's) or another, see `ds_metrics.clustering.kmedoids`.
        seed: Seed of the solver's starts.
        backend: Backend of the distances.
        memory_budget: Memory that computing the distances may take; like the next two, see
            `ds_metrics.pairwise.pairwise_distance`.
        store: Folder to keep the distances in, where an interrupted computation goes on.
        cluster: Dask cluster that computes the distances; if sampled, those among the first few samples alone.
        estimator: ``"exact"``, ``"sampled"``, or ``"auto"``: exact up to 10,000 samples, sampled above.
        lengths: Valid points of each cloud, if ``samples`` is padded.

    Returns:
        A scalar tensor, float32, in the units of the distance (squared, for the Chamfer distance).

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If there are fewer than two samples, ``n_clusters`` is not between 1 and N - 1, an option is
            unknown, or samples or distances are not finite.

    Example:
        >>> recited = torch.eye(3).expand(10, 3, 3)  # one shape, ten times
        >>> dispersion_score(recited, n_clusters=1)
        tensor(0.)
        >>> generator = torch.Generator().manual_seed(0)
        >>> varied = torch.rand(10, 50, 3, generator=generator)
        >>> bool(dispersion_score(varied, n_clusters=1) > 0)
        True
    """
    check_estimator(estimator)
    if isinstance(samples, (Tensor, np.ndarray)) and samples.ndim == 2:
        if lengths is not None:
            raise ValueError("Argument `lengths` goes with padded point clouds, not with a distance matrix")
        if estimator == "sampled":
            raise ValueError("Argument `estimator` is 'sampled', which takes samples, not a distance matrix")
        distances = torch.as_tensor(samples)
        return _as_score(clustering.cluster(distances, n_clusters, solver=solver, seed=seed), distances)
    check_distance(distance)
    clouds = pack_clouds(samples, lengths, "samples")
    budget = memory_bytes(memory_budget)
    if choose_estimator(estimator, len(clouds.lengths)) == "sampled":
        task = SampledClusters(clouds, n_clusters, squared, solver, seed, backend, budget, store, cluster)
        return _as_score(task.run(), clouds.points)
    matrix = AllPairs(clouds, None, squared, backend, budget, store, cluster).run()
    return _as_score(clustering.cluster(matrix, n_clusters, solver=solver, seed=seed), clouds.points)


def _as_score(found: clustering.Clustering, beside: Tensor) -> Tensor:
    return torch.tensor(found.score, dtype=torch.float32, device=beside.device)
