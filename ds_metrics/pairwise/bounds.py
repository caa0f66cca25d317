r"""Lower bounds of Chamfer distances to a few clouds, for a fraction of the cost of a distance.

The squared distance from a point :math:`p` to the nearest of a cloud :math:`C` is

.. math:: d^2(p, C) = |p|^2 + \min_{q \in C} \left( |q|^2 - 2 p \cdot q \right)

and the minimum, of functions linear in :math:`p`, is concave. So for weights :math:`w_v` of the corners :math:`v` of a
grid that interpolate :math:`p` linearly (:math:`\sum_v w_v v = p`, none negative, of sum 1), by Jensen's inequality

.. math:: d^2(p, C) \ge \sum_v w_v d^2(v, C) - \sum_v w_v |p - v|^2

with equality where all corners of the cell have the same nearest point: the bound loses little but near the cloud.
The mean over the points of a cloud :math:`X` is linear in the means of the weights, a histogram over the corners. With
the distances from all corners to each cloud looked up once, the bounds of many clouds against many are one product of
matrices; both directions of the Chamfer distance, two.

For distances that are not squared a point gets the one corner next to it, and the triangle inequality takes Jensen's
place: :math:`d(p, C) \ge d(v, C) - |p - v|`.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ds_metrics.clouds import PackedClouds
from ds_metrics.pairwise.backends import Backend

_CELLS = 12  # along the longest side: finer grids give tighter bounds that cost more than the distances they save
_FARTHEST = 2**20  # steps from the origin to the grid: beyond, coordinates have no digits left for a place in a cell
_BOTH_FROM = 60_000  # points of a cloud times candidates, from which on the second direction saves more than it costs
_ROUNDING = 1e-5  # of what is summed: far above the rounding of distances and sums, far below what bounds decide


class Histograms(NamedTuple):
    """Clouds as weights on the corners of a grid.

    Attributes:
        weights: ``(B, V)`` float64, each row of sum 1.
        loss: ``(B,)`` float64: a cloud's mean distance to another is at least what the weights make of the corners'
            distances to it, less this.
    """

    weights: Tensor
    loss: Tensor


class LowerBounds:
    """Lower bounds of the distances from any clouds to a few candidates.

    Args:
        candidates: At least one cloud.
        squared: Whether nearest distances are squared before the mean.
        backend: Computes them.

    Attributes:
        are_possible: Whether there are any; not so for candidates far from the origin for their size.
    """

    def __init__(self, candidates: PackedClouds, squared: bool, backend: Backend) -> None:
        self._squared = squared
        self._backend = backend
        self._candidates = len(candidates.lengths)
        self._grid = Grid(candidates.points)
        self._corners_of: tuple[int, Any] = 0, None
        self.are_possible = self._grid.is_exact
        if self.are_possible:
            self._histograms = self._grid.histograms(candidates, squared)
            self._fields = self._distances(candidates, backend.prepare(candidates))

    def __call__(self, clouds: PackedClouds, prepared: Any, both_directions: bool | None = None) -> NDArray[np.float64]:
        """Bounds for every cloud and candidate.

        Args:
            clouds: ``B`` clouds.
            prepared: The same, prepared by the backend.
            both_directions: Whether the way from the candidates to the clouds counts too, which gives bounds twice as
                high; by default where that saves more distances than it costs.

        Returns:
            ``(B, k)``.
        """
        if both_directions is None:
            both_directions = len(clouds.points) * self._candidates >= _BOTH_FROM * len(clouds.lengths)
        bounds = _bound(self._grid.histograms(clouds, self._squared), self._fields)
        if both_directions:
            bounds += _bound(self._histograms, self._distances(clouds, prepared)).T
        return bounds.nan_to_num_(nan=0.0, posinf=0.0).cpu().numpy()  # where squares exceed float64

    def _distances(self, clouds: PackedClouds, prepared: Any) -> Tensor:
        """Distance from every corner to the nearest point of each cloud, ``(B, V)``, float64."""
        count, corners = len(clouds.lengths), self._grid.corners
        if self._corners_of[0] != count:  # prepared once for all blocks of one size
            queries = PackedClouds(
                corners.repeat(count, 1), torch.full((count,), len(corners), dtype=torch.int64, device="cpu")
            )
            self._corners_of = count, self._backend.prepare(queries)
        index = self._backend.nearest(self._corners_of[1], prepared).view(count, -1)
        index += clouds.offsets.to(index.device)[:, None]
        squares = torch.zeros(index.shape, dtype=torch.float64, device=index.device)
        for axis in range(3):
            difference = clouds.points[:, axis].double()[index].sub_(corners[:, axis].double())
            squares.addcmul_(difference, difference)
        return squares if self._squared else squares.sqrt_()


class Grid:
    """A grid of cubes over the bounding box of points, whose corners are exact in the points' precision.

    Attributes:
        corners: ``(V, 3)``.
        is_exact: Whether they are; not so for points that lie far from the origin for the size of their box.
    """

    def __init__(self, points: Tensor) -> None:
        low, high = (edge.double().cpu().numpy() for edge in torch.aminmax(points.detach(), dim=0))
        self._step = _step(float((high - low).max()))
        first, last = np.floor(low / self._step), np.floor(high / self._step) + 1
        self.is_exact = bool(np.abs([first, last]).max() < _FARTHEST)
        if not self.is_exact:
            first, last = np.zeros(3), np.ones(3)
        self._low: list[float] = (first * self._step).tolist()
        self._cells: list[int] = (last - first).astype(int).tolist()
        numbers = [torch.arange(n + 1, dtype=torch.float64, device="cpu") for n in self._cells]
        axes = [low + self._step * number for low, number in zip(self._low, numbers, strict=True)]
        corners = torch.cartesian_prod(*axes)
        self.corners = corners.to(points.dtype).to(points.device)
        self.is_exact &= torch.equal(self.corners.double().cpu(), corners)

    def histograms(self, clouds: PackedClouds, squared: bool) -> Histograms:
        """Weights of the corners for the points of each cloud."""
        points = clouds.points.detach().double().T.contiguous()
        segments, share = clouds.segments, 1 / clouds.lengths.to(points.device).double()
        weight = share[segments]
        weights = torch.zeros(len(share) * len(self.corners), dtype=torch.float64, device=points.device)
        row, along, beyond = segments * len(self.corners), [], torch.zeros_like(weight)
        for axis, stride in enumerate(self._strides):
            cell, part, outside = self._place(points[axis], axis)
            row += stride * cell
            along.append(part)
            beyond += outside.square_()
        # For a point beyond the box its projection stands, which is nearer to all of the box; squared, by `beyond` at
        # least.
        if squared:
            for corner in product((0, 1), repeat=3):
                shares = weight
                for part, up in zip(along, corner, strict=True):
                    shares = shares * (part if up else 1 - part)
                weights.index_add_(0, row + sum(np.multiply(corner, self._strides).tolist()), shares)
            loss = self._step**2 * sum(part * (1 - part) for part in along) - beyond
        else:
            nearest = [part.round() for part in along]
            offset = sum(stride * up.long() for stride, up in zip(self._strides, nearest, strict=True))
            weights.index_add_(0, row + offset, weight)
            inside = torch.stack(along).sub_(torch.stack(nearest)).square_().sum(dim=0)
            loss = self._step * torch.sqrt(inside)
        mean_loss = torch.zeros_like(share).index_add_(0, segments, loss * weight)
        return Histograms(weights.view(len(share), -1), mean_loss)

    def _place(self, coordinates: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor]:
        """Cell of each coordinate, how far along it lies, from 0 to 1, and how far beyond the box it was."""
        low, cells = self._low[axis], self._cells[axis]
        inside = coordinates.clamp(low, low + cells * self._step)
        place = (inside - low).div_(self._step)
        cell = place.long().clamp_(0, cells - 1)
        return cell, place.sub_(cell).clamp_(0, 1), coordinates - inside

    @property
    def _strides(self) -> tuple[int, int, int]:
        """Rows of ``corners`` from a corner to the next along each axis."""
        _, y, z = self._cells
        return (y + 1) * (z + 1), z + 1, 1


def _bound(histograms: Histograms, fields: Tensor) -> Tensor:
    """Lower bound for every histogram and field of distances: one direction of the Chamfer distance."""
    sums, loss = histograms.weights @ fields.T, histograms.loss[:, None]
    return (sums - loss - _ROUNDING * (sums + loss.abs())).clamp_(min=0)


def _step(extent: float) -> float:
    """A little above ``extent / _CELLS``, with few digits, so that its multiples have few too."""
    if extent == 0:
        return 1.0
    exponent = math.frexp(extent / _CELLS)[1] - 4
    return math.ldexp(math.ceil(math.ldexp(extent / _CELLS, -exponent)), exponent)
