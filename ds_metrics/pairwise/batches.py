"""Clouds compared batch by batch, pairs of equal sizes together: what backends without a ragged kernel share.

Such a backend brings a function of two batches and says how many pairs one may hold; the rest is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ds_metrics.clouds import PackedClouds

# Of (B, P, 3) and (B, Q, 3): squared distances to the nearest point of the other, (B, P) and (B, Q).
Minima: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
# Of (B, P, 3) and (B, Q, 3): for each point of the first the index of the nearest of the second, (B, P).
Nearest: TypeAlias = Callable[[Tensor, Tensor], Tensor]
# Of the sizes P and Q: how many pairs a batch may hold; at least one is taken.
Capacity: TypeAlias = Callable[[int, int], int]


class Prepared(NamedTuple):
    """Packed clouds and what is known of each.

    Attributes:
        points: The points of all clouds, of shape ``(T, 3)``.
        lengths: Points of each cloud, of shape ``(N,)``.
        offsets: Where each cloud starts, of shape ``(N,)``.
        exponents: The largest absolute coordinate of each cloud is about ``2**exponent``, of shape ``(N,)``.
    """

    points: Tensor
    lengths: np.ndarray
    offsets: np.ndarray
    exponents: np.ndarray

    def rows(self, clouds: np.ndarray) -> Tensor:
        """Rows of ``points`` that hold these clouds, all of one size, ``(B, P)``."""
        rows = self.offsets[clouds][:, None] + np.arange(self.lengths[clouds[0]])
        return torch.from_numpy(rows).to(self.points.device)

    def batch(self, clouds: np.ndarray, exponents: np.ndarray) -> Tensor:
        """These clouds, all of one size, each divided by its ``2**exponent``, ``(B, P, 3)``."""
        factors = torch.from_numpy(np.ldexp(1.0, -exponents)).to(self.points.dtype).to(self.points.device)
        return self.points[self.rows(clouds)] * factors[:, None, None]


def prepare(clouds: PackedClouds) -> Prepared:
    """Find the scale of each cloud, once."""
    points = clouds.points.detach()
    largest = torch.zeros(len(clouds.lengths), dtype=points.dtype, device=points.device)
    largest = largest.scatter_reduce(0, clouds.segments, points.abs().amax(dim=1), "amax")
    scale = largest.cpu().numpy()
    lowest = int(np.finfo(scale.dtype).minexp)
    exponents = np.where(scale > 0, np.frexp(scale)[1] - 1, lowest)
    exponents = exponents.clip(lowest, -lowest)  # so that 2**-exponent is a normal number too
    return Prepared(points, clouds.lengths.numpy(), clouds.offsets.numpy(), exponents)


def chamfer_pairs(
    x: Prepared, y: Prepared, i: np.ndarray, j: np.ndarray, squared: bool, minima: Minima, capacity: Capacity
) -> np.ndarray:
    """Chamfer distances of the pairs ``(x[i], y[j])``, of shape ``(K,)``, float64."""
    values = np.empty(len(i))
    for chosen in _equal_sizes(x.lengths[i], y.lengths[j], capacity):
        a, b = i[chosen], j[chosen]
        unit = np.maximum(x.exponents[a], y.exponents[b])
        to_y, to_x = minima(x.batch(a, unit), y.batch(b, unit))
        values[chosen] = rescale((_mean(to_y, squared) + _mean(to_x, squared)).cpu().numpy(), unit, squared)
    return values


def nearest(x: Prepared, y: Prepared, index: Nearest, capacity: Capacity) -> Tensor:
    """Index within ``y[b]`` of the point nearest to each point of ``x[b]``, of shape ``(T_x,)``."""
    result = torch.empty(len(x.points), dtype=torch.int64, device=x.points.device)
    for chosen in _equal_sizes(x.lengths, y.lengths, capacity):
        unit = np.maximum(x.exponents[chosen], y.exponents[chosen])
        result[x.rows(chosen)] = index(x.batch(chosen, unit), y.batch(chosen, unit))
    return result


def rescale(values: np.ndarray, exponents: np.ndarray, squared: bool) -> np.ndarray:
    """Distances between clouds that were divided by ``2**exponent``, in the units of the clouds, float64."""
    with np.errstate(over="ignore", under="ignore"):  # the engine refuses what is infinite or lost
        scaled: np.ndarray = np.ldexp(values, (2 if squared else 1) * exponents)
    return scaled


def _equal_sizes(n: np.ndarray, m: np.ndarray, capacity: Capacity) -> Iterator[np.ndarray]:
    """Positions of the pairs that agree in both sizes, a batch at a time."""
    sizes, group = np.unique(np.stack([n, m], axis=1), axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    for (p, q), members in zip(sizes.tolist(), np.split(order, np.bincount(group.ravel()).cumsum()[:-1]), strict=False):
        step = max(1, capacity(p, q))
        yield from (members[start : start + step] for start in range(0, len(members), step))


def _mean(squares: Tensor, squared: bool) -> Tensor:
    # Apple's GPUs have no float64.
    squares = (squares.cpu() if squares.device.type == "mps" else squares).double()
    return (squares if squared else squares.sqrt()).mean(dim=1)
