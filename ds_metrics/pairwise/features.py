r"""The backend for feature vectors: the mean squared difference, on any device.

.. math:: d(x, y) = \frac{1}{D} \sum_{k=1}^{D} (x_k - y_k)^2

A vector comes as a cloud of one point in ``D`` dimensions. The pairs of a call mostly fill a grid of rows and columns.
Then their sums are those of a matrix product, :math:`|a|^2 + |b|^2 - 2 a \cdot b` in float64, with
:math:`a = x - c, b = y - c` for one of the rows :math:`c`: so the vectors may lie close together and far from zero.
Where the expansion cancels all the same, it is made anew about a vector that is close, once for each group of close
ones; and where that is no help, or pairs are few, differences are taken number by number. Vectors of
half precision or single are converted a piece at a time: memory beside them is some 100 MB, whatever their length.

Distances agree with float64 arithmetic to 1e-6 (relative) and with each other in other tiles to the same; they are
never negative, and zero for equal vectors alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ds_metrics.clouds import PackedClouds

Distances: TypeAlias = Callable[[Tensor, Tensor, NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]

_BLOCK = 1024  # rows and columns of a grid
# Of a side, converted at once: 8 MB. The system hands out much more page by page, at ten times the cost.
_NUMBERS = 2**20
_CACHED = 2**17  # differences at once: 1 MB
_LONGEST = 4096  # numbers that are summed before the sum joins others, as sums of sums lose fewer digits
# A sum of squares below this share of |a|^2 + |b|^2 is taken from differences. The expansion errs by no more than
# 2 (n + D / n) 2^-53 of that for D numbers in sums of n: with n = 4096, for a million numbers, 1e-12.
_CANCELLED = 1e-6
_UNDERFLOW = 1e-300  # below, squares lose digits; those of numbers in float32 never are
_MOST_GROUPS = 64  # of close vectors in a block, about
_DENSE = 1 / 32  # of a grid: a matrix product takes a number in a thirtieth of the time


def prepare(clouds: PackedClouds) -> Tensor:
    """The vectors as they are, ``(N, D)``."""
    return clouds.points.detach()


def distances(
    x: Tensor, y: Tensor, i: NDArray[np.int64], j: NDArray[np.int64], squared: bool = True
) -> NDArray[np.float64]:
    """Mean squared differences of the pairs ``(x[i], y[j])``, of shape ``(K,)``, float64.

    Args:
        x: Vectors, ``(N, D)``, float16, float32 or float64.
        y: Likewise, ``(M, D)``.
        i: Rows of ``x``, ``(K,)``.
        j: Rows of ``y``, ``(K,)``.
        squared: True: other backends have a choice here.

    Example:
        >>> x = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
        >>> distances(x, x, np.array([0, 1]), np.array([1, 1]))
        array([12.5,  0. ])
    """
    values = np.empty(len(i))
    for pairs in _by_block(i, j):
        values[pairs] = _by_grid(x, y, i[pairs], j[pairs], _by_groups)
    return values


def _by_block(i: NDArray[np.int64], j: NDArray[np.int64]) -> Iterator[NDArray[np.int64] | slice]:
    """Positions of the pairs that lie in one block of the grid, block after block."""
    if len(i) == 0:
        return
    row, column = i // _BLOCK, j // _BLOCK
    block = row * (int(column.max()) + 1) + column
    if block.min() == block.max():
        yield slice(None)
        return
    order = np.argsort(block, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(block[order])) + 1)


def _by_grid(
    x: Tensor, y: Tensor, i: NDArray[np.int64], j: NDArray[np.int64], where_cancelled: Distances
) -> NDArray[np.float64]:
    """From products if the pairs fill a grid well enough; those that the expansion cancels, in another way."""
    (rows, row), (columns, column) = _distinct(i), _distinct(j)
    if len(i) < _DENSE * len(rows) * len(columns):
        return _by_differences(x, y, i, j)
    sums, cancelled = _by_products(x, y, rows, columns)
    values: NDArray[np.float64] = sums[row, column] / x.shape[1]
    again = np.flatnonzero(cancelled[row, column])
    values[again] = where_cancelled(x, y, i[again], j[again])
    return values


def _by_groups(x: Tensor, y: Tensor, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float64]:
    """From products about a vector of each group, for pairs that are close as all are not: what networks recite."""
    values = np.empty(len(i))
    left = np.arange(len(i))
    while len(left):
        inside = np.isin(j[left], j[left[i[left] == i[left[0]]]])
        group = left[inside]
        if len(group) * _MOST_GROUPS < len(left):
            values[left] = _by_differences(x, y, i[left], j[left])
            break
        values[group] = _by_grid(x, y, i[group], j[group], _by_differences)
        left = left[~inside]
    return values


def _distinct(index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct of a block's indices in order, and the place of each index among them."""
    first = int(index.min())
    index = index - first
    there = np.zeros(int(index.max()) + 1, dtype=np.int64)
    there[index] = 1
    return np.flatnonzero(there) + first, (there.cumsum() - 1)[index]


def _by_products(
    x: Tensor, y: Tensor, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Sums of squared differences of all rows and columns, and where they are cancelled, ``(R, C)``."""
    sums, of_rows, of_columns = (
        _zeros(x, *shape) for shape in ((len(rows), len(columns)), (len(rows),), (len(columns),))
    )
    step = min(_LONGEST, _NUMBERS // max(sums.shape), x.shape[1])
    a_piece, b_piece = _zeros(x, len(rows), step), _zeros(x, len(columns), step)
    for numbers in _cuts(x.shape[1], step):
        a = a_piece[:, : numbers.stop - numbers.start].copy_(_part(x, rows, numbers))
        b = b_piece[:, : numbers.stop - numbers.start].copy_(_part(y, columns, numbers))
        centre = a[0].clone()
        of_rows += _squares(a.sub_(centre))
        of_columns += _squares(b.sub_(centre))
        sums.addmm_(a, b.T, alpha=-2)
    sums += of_rows[:, None]
    sums += of_columns
    lost = _UNDERFLOW if _is_double(x, y) else 0.0
    least = (of_rows * _CANCELLED + lost)[:, None] + of_columns * _CANCELLED
    cancelled = torch.ge(sums, least).logical_not_()  # so written, it holds for what overflowed too
    return sums.cpu().numpy(), cancelled.cpu().numpy()


def _by_differences(x: Tensor, y: Tensor, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean squared differences of the pairs ``(x[i], y[j])``, ``(K,)``."""
    sums = _zeros(x, len(i))
    for pairs, numbers in _pieces(len(i), x.shape[1]):
        difference = _part(x, i[pairs], numbers).to(torch.float64, copy=True)
        sums[pairs] += _squares(difference.sub_(_part(y, j[pairs], numbers)))
    means: NDArray[np.float64] = (sums / x.shape[1]).cpu().numpy()
    if _is_double(x, y):
        # Unlike vectors are never zero apart, but these squares may underflow: the engine refuses what float32 loses.
        zero = np.flatnonzero(means == 0)
        means[zero[_differ(x, y, i[zero], j[zero])]] = np.nextafter(0, 1)
    return means


def _differ(x: Tensor, y: Tensor, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.bool_]:
    differ = np.zeros(len(i), dtype=bool)
    for pairs, numbers in _pieces(len(i), x.shape[1]):
        differ[pairs] |= (_part(x, i[pairs], numbers) != _part(y, j[pairs], numbers)).any(dim=1).cpu().numpy()
    return differ


def _part(vectors: Tensor, rows: NDArray[np.int64], numbers: slice) -> Tensor:
    """Some numbers of some vectors."""
    part = vectors[:, numbers]
    first, last = int(rows[0]), int(rows[-1])
    run = last - first == len(rows) - 1 and bool((np.diff(rows) == 1).all())
    part = part[first : last + 1] if run else part[torch.from_numpy(rows).to(part.device)]
    return part.to(_device(part))


def _is_double(x: Tensor, y: Tensor) -> bool:
    return torch.float64 in (x.dtype, y.dtype)


def _squares(vectors: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(vectors, dim=1)
    return norms.square_()


def _zeros(beside: Tensor, *shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64, device=_device(beside))


def _pieces(pairs: int, numbers: int) -> Iterator[tuple[slice, slice]]:
    """Pairs and numbers to take differences of at once: as many as stay in a processor's cache."""
    return product(list(_cuts(pairs, max(1, _CACHED // min(_LONGEST, numbers)))), list(_cuts(numbers, _LONGEST)))


def _cuts(length: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, length)) for start in range(0, length, step))


def _device(vectors: Tensor) -> torch.device:
    return torch.device("cpu") if vectors.device.type == "mps" else vectors.device  # Apple's GPUs have no float64
