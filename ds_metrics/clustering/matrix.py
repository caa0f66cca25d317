"""Distance matrices as the solvers take them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch

Matrix: TypeAlias = "torch.Tensor | np.ndarray"

_BAND = 1024  # rows checked at once: no temporary copies of a large matrix
_ASYMMETRY = 1e-5  # of the largest distance: rounding that a matrix from elsewhere may carry


def check_matrix(distances: Matrix) -> np.ndarray:
    """A float32 matrix, without a copy where it is one already.

    Raises:
        TypeError: If it does not hold real numbers.
        ValueError: If it is not square, symmetric, finite, non-negative, zero on the diagonal, or has fewer than two
            rows; the message names the first place where.
    """
    if isinstance(distances, torch.Tensor):
        distances = distances.detach().cpu()
        distances = (distances.float() if distances.dtype == torch.bfloat16 else distances).numpy()
    matrix = np.asarray(distances)
    if matrix.dtype.kind not in "fiu":
        raise TypeError(f"Argument `distances` must hold real numbers, but got {matrix.dtype}")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"Argument `distances` must be a square matrix, but got shape {matrix.shape}")
    if len(matrix) < 2:
        raise ValueError(f"Argument `distances` must hold at least 2 samples, but got {len(matrix)}")
    with np.errstate(over="ignore"):
        matrix = np.ascontiguousarray(matrix, dtype=np.float32)
    _check_values(matrix)
    return matrix


def _check_values(matrix: np.ndarray) -> None:
    tolerance = _ASYMMETRY * float(matrix.max())
    for start in range(0, len(matrix), _BAND):
        rows = matrix[start : start + _BAND]
        _refuse(~np.isfinite(rows), matrix, start, "be finite in float32")
        _refuse(rows < 0, matrix, start, "not be negative")
        columns = matrix[:, start : start + _BAND].T
        _refuse(np.abs(rows - columns) > tolerance, matrix, start, "be symmetric")
    diagonal = np.diagonal(matrix)
    if diagonal.any():
        i = int(np.flatnonzero(diagonal)[0])
        raise ValueError(f"Argument `distances` must have a zero diagonal, but got {diagonal[i]} at ({i}, {i})")


def _refuse(bad: np.ndarray, matrix: np.ndarray, start: int, demand: str) -> None:
    if bad.any():
        i, j = (int(index[0]) for index in np.nonzero(bad))
        i += start
        raise ValueError(
            f"Argument `distances` must {demand}, but got {matrix[i, j]} at ({i}, {j})"
            + (f" and {matrix[j, i]} at ({j}, {i})" if demand == "be symmetric" else "")
        )


def check_n_clusters(n_clusters: int, n_samples: int) -> int:
    """``n_clusters`` if it lies between 1 and ``n_samples - 1``.

    Raises:
        ValueError: If it does not.
    """
    whole = not isinstance(n_clusters, (bool, str)) and n_clusters == int(n_clusters)
    if not whole or not 1 <= n_clusters < n_samples:
        raise ValueError(
            f"Argument `n_clusters` must be an integer from 1 to {n_samples - 1} for {n_samples} samples, "
            f"but got {n_clusters!r}"
        )
    return int(n_clusters)
