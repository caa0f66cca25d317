"""Checks and steps that the measures on distance matrices share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from ds_metrics.arguments import check_plain
from ds_metrics.clouds import FLOATS, as_tensor

Matrix: TypeAlias = "Tensor | np.ndarray"

_ROWS = 512  # at a time: a matrix may lie in a file, and no step takes a second one's memory
_ASYMMETRY = 1e-5  # of the largest entry


def blocks(n_rows: int) -> Iterator[slice]:
    """Rows of a matrix in portions."""
    return (slice(start, min(start + _ROWS, n_rows)) for start in range(0, n_rows, _ROWS))


def check_distances(values: Matrix, name: str, ndim: int = 2) -> Tensor:
    """Distances as a tensor, checked; not copied where they are a tensor or an array of floats.

    Raises:
        TypeError: If they are not floating point numbers.
        ValueError: If there are none, the shape is wrong, or one is negative, NaN or infinite.
    """
    checked = as_floats(values, name)
    if checked.ndim != ndim or 0 in checked.shape:
        shape = "(N, M)" if ndim == 2 else "(N,)"
        raise ValueError(
            f"Argument `{name}` must hold distances of shape {shape} of at least one, but got {tuple(checked.shape)}"
        )
    for rows in blocks(len(checked)):
        least, largest = torch.aminmax(checked[rows])  # either is NaN where one number is
        if not (least >= 0 and largest < torch.inf):
            raise ValueError(
                f"Argument `{name}` must hold finite distances of at least 0, "
                f"but got values from {float(least):.4g} to {float(largest):.4g}"
            )
    return checked


def check_own_distances(values: Matrix, name: str) -> Tensor:
    """Distances of a set to itself: square, symmetric, with a zero diagonal; checked as by `check_distances`."""
    checked = check_symmetric(check_distances(values, name), name)
    if (wrong := checked.diagonal() != 0).any():
        first = int(wrong.nonzero()[0])
        found = f"{name}[{first}, {first}] = {float(checked[first, first]):.4g}"
        raise ValueError(f"Argument `{name}` must have a zero diagonal, but got {found}")
    return checked


def check_symmetric(matrix: Tensor, name: str) -> Tensor:
    """A matrix that equals its transpose, to 1e-5 of its largest entry."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"Argument `{name}` must be a square matrix, but got shape {tuple(matrix.shape)}")
    largest = max(float(matrix[rows].abs().max()) for rows in blocks(len(matrix)))
    for rows in blocks(len(matrix)):
        gap = (matrix[rows] - matrix[:, rows].T).abs()
        if gap.max() > _ASYMMETRY * largest:
            i, j = divmod(int(gap.argmax()), matrix.shape[1])
            raise ValueError(
                f"Argument `{name}` must be symmetric, but differs by {float(gap.max()):.4g} from its transpose "
                f"at [{rows.start + i}, {j}]"
            )
    return matrix


def check_sizes(d_gr: Tensor, d_gg: Tensor | None = None, d_rr: Tensor | None = None) -> None:
    """Refuse matrices that are not of the same two sets."""
    for name, matrix, size in (("d_gg", d_gg, d_gr.shape[0]), ("d_rr", d_rr, d_gr.shape[1])):
        if matrix is not None and len(matrix) != size:
            raise ValueError(
                f"Argument `{name}` must have {size} rows to go with `d_gr` of shape {tuple(d_gr.shape)}, "
                f"but got {len(matrix)}"
            )


def as_score(value: Tensor | float) -> Tensor:
    """A scalar tensor, float32."""
    score = value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64, device="cpu")
    return score.to(torch.float32)


def mean(values: Tensor) -> Tensor:
    """Mean, summed in float64 where there is any."""
    return as_score(values.mean(dtype=torch.float32 if values.device.type == "mps" else torch.float64))


def as_floats(values: Matrix, name: str) -> Tensor:
    """Floating point numbers as a tensor without gradient, float32 at least."""
    check_plain(name, values)
    tensor: object = values
    if isinstance(values, np.ndarray) and values.dtype.kind == "f" and values.dtype.itemsize <= 8:
        tensor = as_tensor(values)
    if not isinstance(tensor, Tensor) or tensor.dtype not in FLOATS:
        kind = getattr(values, "dtype", type(values).__name__)
        raise TypeError(f"Argument `{name}` must be a floating point tensor or array, but got {kind}")
    return tensor.detach().float() if tensor.element_size() < 4 else tensor.detach()
