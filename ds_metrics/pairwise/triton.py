"""The backend of Triton kernels, for GPUs: clouds of any sizes as they lie, no matrix of distances in memory.

All kernels hold a block of distances in registers, computed from coordinate differences of points that were divided by
a power of two near the largest coordinate of the pair. Clouds are not padded: loads past the end of a cloud repeat its
last point, which changes no minimum. Kernels are not specialised to the alignment or value of their arguments: a second
compilation would cost more than it brings.
"""
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

from ds_metrics.clouds import PackedClouds
from ds_metrics.pairwise.batches import rescale

_WARP = 32  # columns of a block for each warp: then a thread owns a column, and finds its minimum alone
_ROWS = {torch.float32: 32, torch.float64: 16}  # as many as fit the registers
_ROWS_NEAREST = 16  # a batch of a training step has few queries: more programs rather than larger ones
_MANY = 1024  # pairs that fill a GPU with one warp each; fewer get four
_SCRATCH = 2**24  # column minima held at once: 64 MB in float32


class Prepared(NamedTuple):
    """Packed clouds on a GPU and, beside them, what the kernels need of each.

    Attributes:
        points: The points of all clouds, of shape ``(T, 3)``.
        starts: Where each cloud starts, of shape ``(N,)``.
        lengths: Points of each cloud, of shape ``(N,)``.
        exponents: The largest absolute coordinate of each cloud is about ``2**exponent``, of shape ``(N,)``.
        longest: Points of the largest cloud.
    """

    points: Tensor
    starts: Tensor
    lengths: Tensor
    exponents: Tensor
    longest: int


def prepare(clouds: PackedClouds) -> Prepared:
    """Find the scale of each cloud, once."""
    points = clouds.points.detach().contiguous()
    starts, lengths = torch.stack([clouds.offsets, clouds.lengths]).to(points.device)
    exponents = torch.empty_like(lengths)
    if len(lengths):
        with torch.cuda.device_of(points):
            _exponent_kernel[(len(lengths),)](points, starts, lengths, exponents, BLOCK=1024)
    return Prepared(points, starts, lengths, exponents, int(clouds.lengths.max()) if len(lengths) else 0)


def distances(x: Prepared, y: Prepared, i: np.ndarray, j: np.ndarray, squared: bool = True) -> np.ndarray:
    """Chamfer distances of the pairs ``(x[i], y[j])``, of shape ``(K,)``, float64."""
    device, dtype = x.points.device, x.points.dtype
    pairs = torch.from_numpy(np.stack([i, j])).to(device)
    values = torch.empty(len(i), dtype=torch.float64, device=device)
    exponents = torch.empty(len(i), dtype=torch.int64, device=device)
    warps = 1 if len(i) >= _MANY else 4
    width = triton.cdiv(y.longest, _WARP * warps) * _WARP * warps
    step = max(1, _SCRATCH // max(1, width))
    scratch = torch.empty(min(step, len(i)), width, dtype=dtype, device=device)
    for start in range(0, len(i), step):
        a, b = pairs[:, start : start + step]
        with torch.cuda.device_of(x.points):
            _chamfer_kernel[(len(a),)](
                *x[:4], *y[:4], a, b, scratch, width, values[start:], exponents[start:],
                ROWS=_ROWS[dtype], COLUMNS=_WARP * warps, SQUARED=squared, num_warps=warps, num_stages=1,
            )  # fmt: skip
    return rescale(values.cpu().numpy(), exponents.cpu().numpy(), squared)


def nearest(x: Prepared, y: Prepared) -> Tensor:
    """Index within ``y[b]`` of the point nearest to each point of ``x[b]``, of shape ``(T_x,)``."""
    index = torch.empty(len(x.points), dtype=torch.int64, device=x.points.device)
    blocks = triton.cdiv(x.longest, _ROWS_NEAREST)
    if blocks:
        with torch.cuda.device_of(x.points):
            _nearest_kernel[(len(x.lengths) * blocks,)](
                *x[:4], *y[:4], blocks, index, ROWS=_ROWS_NEAREST, COLUMNS=_WARP, num_warps=1, num_stages=1
            )
    return index


@triton.jit(do_not_specialize=range(4))
def _exponent_kernel(points, starts, lengths, exponents, BLOCK: tl.constexpr):
    """One program a cloud: the exponent of its largest absolute coordinate."""
    cloud = tl.program_id(0)
    points += 3 * tl.load(starts + cloud)
    size = (3 * tl.load(lengths + cloud)).to(tl.int32)
    largest = tl.zeros((BLOCK,), points.dtype.element_ty)
    start = 0
    while start < size:
        largest = tl.maximum(largest, tl.abs(tl.load(points + tl.minimum(start + tl.arange(0, BLOCK), size - 1))))
        start += BLOCK
    # Short of the ends of the range, so that 2**-exponent is a normal number too.
    if points.dtype.element_ty == tl.float64:
        exponent = (tl.max(largest, axis=0).to(tl.int64, bitcast=True) >> 52) - 1023
        exponent = tl.minimum(tl.maximum(exponent, -1022), 1022)
    else:
        exponent = (tl.max(largest, axis=0).to(tl.int32, bitcast=True) >> 23) - 127
        exponent = tl.minimum(tl.maximum(exponent, -126), 126)
    tl.store(exponents + cloud, exponent.to(tl.int64))


# Both directions come from one pass over the distances. Counted in the machine code for an H100, a distance costs 8.5
# instructions this way (three differences, three products, one minimum a direction, and the rest for loads and the
# loop); two passes would compute every distance twice, for 7 instructions each at least. Row minima stay in registers.
# Column minima wait in a row of scratch memory between blocks of rows: one load and one store for every ROWS distances.
@triton.jit(do_not_specialize=range(14))
def _chamfer_kernel(
    x, x_starts, x_lengths, x_exponents, y, y_starts, y_lengths, y_exponents, i, j, scratch, width, values, exponents,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, SQUARED: tl.constexpr,
):  # fmt: skip
    """One program a pair: the sum of the two means of nearest distances, in units of ``2**exponent``."""
    pair = tl.program_id(0)
    a, b = tl.load(i + pair), tl.load(j + pair)
    n, m = tl.load(x_lengths + a).to(tl.int32), tl.load(y_lengths + b).to(tl.int32)
    x += 3 * tl.load(x_starts + a)
    y += 3 * tl.load(y_starts + b)
    exponent = tl.maximum(tl.load(x_exponents + a), tl.load(y_exponents + b))
    factor = _power_of_two(-exponent, x.dtype.element_ty)
    rows, columns = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    minima = scratch + pair.to(tl.int64) * width + columns

    to_y = tl.zeros((ROWS,), tl.float64)
    row = 0
    while row < n:  # as fast as `for`, which Triton 3.6 can't interpret with numpy 2.4 (triton-lang/triton#9171)
        px, py, pz = _load(x, tl.minimum(row + rows, n - 1), factor)
        best = tl.full((ROWS, COLUMNS), float("inf"), x.dtype.element_ty)
        column = 0
        while column < m:
            qx, qy, qz = _load(y, tl.minimum(column + columns, m - 1), factor)
            squares = _squares(px, py, pz, qx, qy, qz)
            best = tl.minimum(best, squares)
            earlier = tl.load(minima + column, mask=((columns >= 0) & (row > 0)).to(tl.int1), other=float("inf"))
            tl.store(minima + column, tl.minimum(earlier, tl.min(squares, axis=0)))
            column += COLUMNS
        tl.debug_barrier()  # the next block's loads may be other threads' than these stores
        to_y += tl.where(row + rows < n, _distance(tl.min(best, axis=1), SQUARED), 0.0)
        row += ROWS

    to_x = tl.zeros((COLUMNS,), tl.float64)
    column = 0
    while column < m:
        to_x += tl.where(column + columns < m, _distance(tl.load(minima + column), SQUARED), 0.0)
        column += COLUMNS
    tl.store(values + pair, tl.sum(to_y, axis=0) / n + tl.sum(to_x, axis=0) / m)
    tl.store(exponents + pair, exponent)


@triton.jit(do_not_specialize=range(10))
def _nearest_kernel(
    x, x_starts, x_lengths, x_exponents, y, y_starts, y_lengths, y_exponents, blocks, index,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """One program a block of queries: the index of the nearest target, the lowest one on ties."""
    cloud = tl.program_id(0) // blocks
    rows = (tl.program_id(0) % blocks) * ROWS + tl.arange(0, ROWS)
    columns = tl.arange(0, COLUMNS)
    n, m = tl.load(x_lengths + cloud).to(tl.int32), tl.load(y_lengths + cloud).to(tl.int32)
    if (tl.program_id(0) % blocks) * ROWS < n:
        start = tl.load(x_starts + cloud)
        y += 3 * tl.load(y_starts + cloud)
        exponent = tl.maximum(tl.load(x_exponents + cloud), tl.load(y_exponents + cloud))
        factor = _power_of_two(-exponent, x.dtype.element_ty)
        px, py, pz = _load(x + 3 * start, tl.minimum(rows, n - 1), factor)
        best = tl.full((ROWS, COLUMNS), float("inf"), x.dtype.element_ty)
        block = tl.zeros((ROWS, COLUMNS), tl.int32)  # where the block of the best starts
        column = 0
        while column < m:
            qx, qy, qz = _load(y, tl.minimum(column + columns, m - 1), factor)
            squares = _squares(px, py, pz, qx, qy, qz)
            block = tl.where(squares < best, column, block)
            best = tl.minimum(best, squares)
            column += COLUMNS
        is_least = best == tl.min(best, axis=1)[:, None]
        first = tl.min(tl.where(is_least, block + columns[None, :], m - 1), axis=1)
        tl.store(index + start + rows, first.to(tl.int64), mask=rows < n)


@triton.jit
def _power_of_two(exponent, dtype: tl.constexpr):
    # By its bits: exp2 is an approximation.
    if dtype == tl.float64:
        return ((exponent + 1023).to(tl.int64) << 52).to(tl.float64, bitcast=True)
    else:  # noqa: RET505 (only one of the two is compiled)
        return ((exponent + 127).to(tl.int32) << 23).to(tl.float32, bitcast=True)


@triton.jit
def _load(points, rows, factor):
    x = tl.load(points + 3 * rows) * factor
    y = tl.load(points + 3 * rows + 1) * factor
    z = tl.load(points + 3 * rows + 2) * factor
    return x, y, z


@triton.jit
def _squares(px, py, pz, qx, qy, qz):
    x = px[:, None] - qx[None, :]
    y = py[:, None] - qy[None, :]
    z = pz[:, None] - qz[None, :]
    return x * x + y * y + z * z


@triton.jit
def _distance(squares, SQUARED: tl.constexpr):
    squares = squares.to(tl.float64)  # the root of float32 is an approximation
    if not SQUARED:
        squares = tl.sqrt(squares)
    return squares


INTERPRETED = not isinstance(_chamfer_kernel, triton.JITFunction)  # TRITON_INTERPRET=1: runs on CPU tensors, slowly
