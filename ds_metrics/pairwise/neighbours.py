"""Distances between neighbours alone: samples and those of the nearest few clusters."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ds_metrics.clouds import PackedClouds
from ds_metrics.pairwise.assignment import NearestOf
from ds_metrics.pairwise.backends import load_backend, resolve_backend
from ds_metrics.pairwise.blocks import pair_distances
from ds_metrics.pairwise.costs import bytes_per_sample, pairs_per_call, points_per_pair
from ds_metrics.pairwise.progress import Counter
from ds_metrics.pairwise.tiles import Tile

_TAKEN_BYTES = 100_000_000  # of samples that are compared with those of a cluster at once
_MOST_PAIRS = 30_000_000  # before those that are found twice are left out


class Pairs(NamedTuple):
    """Some of the pairs of samples, each once.

    Attributes:
        i: ``(M,)`` int32, one sample of each pair.
        j: ``(M,)`` int32, the other.
        distances: ``(M,)`` float32.
    """

    i: NDArray[np.int32]
    j: NDArray[np.int32]
    distances: NDArray[np.float32]


def neighbour_distances(
    x: PackedClouds,
    part: NDArray[np.int64],
    medoids: NDArray[np.int64],
    clusters: int,
    squared: bool = True,
    backend: str = "auto",
) -> Pairs:
    """Distances of each sample to the samples of the clusters that seem nearest to it.

    Where a network recites, nearly all samples may lie in one cluster, and their pairs would be all there are. Then of
    the largest clusters only so many samples count as keep the pairs to 30 million.

    Args:
        x: All samples.
        part: ``(n,)`` indices of those to compare, in random order; the result counts within them.
        medoids: ``(k,)`` indices within ``part``.
        clusters: How many of the nearest clusters count.
        squared: Whether nearest distances are squared before the mean.
        backend: As for `ds_metrics.pairwise.pairwise_distance`; ``"features"`` for feature vectors.

    Returns:
        The pairs of which one sample counts in one of the nearest clusters of the other.
    """
    near = _nearest_clusters(x, part, medoids, clusters, squared, backend)
    near[medoids, 0] = np.arange(len(medoids))  # its own, though another medoid may repeat it
    counts = _counting(near, medoids)
    counter = Counter(sum(int(wanted.sum()) for _, _, wanted in _blocks(near, counts, len(part))))
    name = resolve_backend(backend, x.points.device, x.points.dtype)
    engine = load_backend(name)
    found = []
    for own, others, wanted in _blocks(near, counts, _taken_at_once(x)):
        rows, columns = x.take(part[own]), x.take(part[others])
        i, j = (index.copy() for index in np.nonzero(wanted))
        distances = pair_distances(
            Tile(0, range(len(own)), range(len(others)), on_diagonal=False), i, j, engine.prepare(rows),
            engine.prepare(columns), pairs_per_call(points_per_pair(rows, columns, name), name), engine, squared,
            counter.add,
        )  # fmt: skip
        found.append(Pairs(own[i].astype(np.int32), others[j].astype(np.int32), distances))
    return Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _nearest_clusters(
    x: PackedClouds, part: NDArray[np.int64], medoids: NDArray[np.int64], clusters: int, squared: bool, backend: str
) -> NDArray[np.int64]:
    """Clusters that seem nearest to each sample, nearest first, ``(n, clusters)``."""
    candidates, step = x.take(part[medoids]), _taken_at_once(x)
    blocks = (x.take(part[start : start + step]) for start in range(0, len(part), step))
    return np.concatenate([NearestOf(block, candidates, squared, backend).likely(clusters) for block in blocks])


def _counting(near: NDArray[np.int64], medoids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which samples count in their clusters: all, or of the largest clusters the medoid and the first few others."""
    labels, k = near[:, 0], len(medoids)
    sizes, members = np.bincount(labels, minlength=k), np.bincount(near.ravel(), minlength=k)
    limits = range(1, int(sizes.max()) + 1)
    most = bisect_right(limits, _MOST_PAIRS, key=lambda limit: int(np.minimum(sizes, limit) @ members))
    order = np.concatenate([medoids, np.delete(np.arange(len(labels)), medoids)])
    by_cluster = order[np.argsort(labels[order], kind="stable")]
    place = np.arange(len(labels)) - np.repeat(sizes.cumsum() - sizes, sizes)
    counts = np.zeros(len(labels), dtype=bool)
    counts[by_cluster[place < max(1, most)]] = True
    return counts


def _blocks(
    near: NDArray[np.int64], counts: NDArray[np.bool_], size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]]:
    """For each cluster samples that count in it, samples that are near to it, ``size`` of each, and their pairs.

    A pair that is found from both sides is wanted from one.
    """
    labels = near[:, 0]
    for cluster in range(labels.max() + 1):
        counting = np.flatnonzero((labels == cluster) & counts)
        members = np.flatnonzero((near == cluster).any(axis=1))
        for first, start in product(range(0, len(counting), size), range(0, len(members), size)):
            own, others = counting[first : first + size], members[start : start + size]
            found_twice = counts[others] & (near[own][:, None, :] == labels[others][:, None]).any(axis=2)
            i, j = own[:, None], others
            wanted = (i < j) | ((i != j) & ~found_twice)
            if wanted.any():
                yield own, others, wanted


def _taken_at_once(x: PackedClouds) -> int:
    return max(1, _TAKEN_BYTES // bytes_per_sample(x))
