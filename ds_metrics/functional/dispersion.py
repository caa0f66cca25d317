"""Dispersion Score."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from ds_metrics import clustering
from ds_metrics.arguments import check_plain
from ds_metrics.clustering import Solver
from ds_metrics.features import Extractor
from ds_metrics.measure import Measure, Samples
from ds_metrics.sampling import Choice, check_estimator, cluster_samples


def dispersion_score(
    samples: Samples,
    n_clusters: int | Literal["knee"] = "knee",
    *,
    distance: str | nn.Module | Extractor = "chamfer",
    squared: bool = True,
    solver: Solver = "fasterpam",
    seed: int = 0,
    backend: str = "auto",
    memory_budget: int | str | None = None,
    store: str | Path | None = None,
    cluster: str | None = None,
    estimator: Choice = "auto",
    lengths: Tensor | None = None,
    weights: str | Path | None = None,
    pooling: str | None = None,
    image_size: int | None = None,
) -> Tensor:
    r"""Mean distance of the samples to the medoid of their cluster (equation 3 of the paper).

    .. math:: DS = \frac{1}{N} \sum_{i=0}^{N-1} d(x_i, m(x_i))

    where :math:`m(x_i)` is the medoid, among ``n_clusters`` found by k-medoids, that is nearest to :math:`x_i`.
    0 means that every sample repeats one of ``n_clusters`` shapes; the larger, the more dispersed the samples.
    Two scores compare only at equal ``N``, ``n_clusters``, points a cloud, distance, solver and estimator; of images,
    at equal weights, pooling and size too.

    ``estimator="exact"`` computes all :math:`N (N - 1) / 2` distances. ``"sampled"`` seeks the medoids in a part of
    the samples and assigns all samples to them: in time linear in ``N`` and, but for some 40 bytes a sample, in memory
    that does not depend on ``N``, as samples in a memory-mapped array are read block by block. `ds_metrics.sampling`
    tells how, and how far the score is above the exact one.

    Args:
        samples: Point clouds, ``(N, P, 3)`` or a sequence of ``(P_i, 3)``; or a distance matrix ``(N, N)``; with
            ``distance="features"`` vectors ``(N, D)``; with any other distance images, ``(N, 3, H, W)`` or a sequence
            of ``(3, H_i, W_i)``, uint8 or floats in [0, 1].
        n_clusters: Number of clusters, or ``"knee"`` to take the knee of DS over k (Kneedle).
        distance: ``"chamfer"``; ``"features"``, the mean squared difference of vectors; or the same of what an
            extractor makes of images: ``"vgg16"`` (the paper's), ``"pixels"``, another's name, or a network. See
            `ds_metrics.measure.Measure`.
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
        weights: Weights of the extractor: for ``"vgg16"`` ``"bundled"`` (default), ``"torchvision"`` (the paper's) or a
            path, see `ds_metrics.features.VGG16`.
        pooling: For ``"vgg16"``, ``"channel-max"`` (default) or ``"none"``, see there.
        image_size: Pixels to which images are resized, 224 by default.

    Returns:
        A scalar tensor, float32, in the units of the distance, which are squared ones by default.

    Raises:
        TypeError: If points are not floating point numbers, or images neither those nor uint8.
        OSError: If weights can't be read or downloaded.
        ValueError: If there are fewer than two samples, ``n_clusters`` is not between 1 and N - 1, an option is
            unknown, samples or distances are not finite, or an image has values out of range.

    Example:
        >>> recited = torch.eye(3).expand(10, 3, 3)  # one shape, ten times
        >>> dispersion_score(recited, n_clusters=1)
        tensor(0.)
        >>> generator = torch.Generator().manual_seed(0)
        >>> varied = torch.rand(10, 50, 3, generator=generator)
        >>> bool(dispersion_score(varied, n_clusters=1) > 0)
        True
        >>> images = torch.zeros(4, 3, 64, 64, dtype=torch.uint8)
        >>> dispersion_score(images, n_clusters=1, distance="vgg16")
        tensor(0.)
    """
    check_estimator(estimator)
    measure = Measure(distance, squared, backend, weights, pooling, image_size)
    if isinstance(samples, (Tensor, np.ndarray)) and samples.ndim == 2 and measure.name != "features":
        if lengths is not None:
            raise ValueError("Argument `lengths` goes with padded point clouds, not with a distance matrix")
        if estimator == "sampled":
            raise ValueError("Argument `estimator` is 'sampled', which takes samples, not a distance matrix")
        check_plain("samples", samples)
        return _as_score(clustering.cluster(samples, n_clusters, solver=solver, seed=seed), samples)
    rows = measure.pack(samples, lengths, "samples")
    found = cluster_samples(
        rows, n_clusters, estimator, squared, solver, seed, measure.backend, memory_budget, store, cluster
    )
    return _as_score(found, rows.points)


def _as_score(found: clustering.Clustering, beside: Tensor | np.ndarray) -> Tensor:
    return torch.tensor(found.score, dtype=torch.float32, device=getattr(beside, "device", "cpu"))
