"""Distance matrices from anyone, made fit for the solvers or refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ds_metrics._native import _core
from ds_metrics.arguments import check_plain

SYMMETRY_TOLERANCE = 1e-5
_BLOCK = 256


class DistanceMatrix:
    """A checked distance matrix and the canonical order in which it is solved.

    An aligned C-contiguous float32 array or CPU tensor that is exactly symmetric is used in place; anything else is
    copied.

    Args:
        distances: ``(N, N)`` array or tensor with ``N >= 2``: finite, non-negative, zero on the diagonal,
            symmetric up to ``1e-5`` of the largest distance. What asymmetry there is gets averaged out.

    Raises:
        TypeError: if it is not an array of real numbers.
        ValueError: if it is not such a matrix, with the first offending entry.
    """

    def __init__(self, distances: Any) -> None:
        self.values = _symmetric(_as_float32(distances))
        self.order = _core.kmedoids_order(self.values)

    def __len__(self) -> int:
        return len(self.values)


def as_matrix(distances: Any) -> DistanceMatrix:
    """A checked matrix; one that was checked before comes back as it is."""
    return distances if isinstance(distances, DistanceMatrix) else DistanceMatrix(distances)


def _as_float32(distances: Any) -> NDArray[np.float32]:
    for part in distances if isinstance(distances, (list, tuple)) else [distances]:
        check_plain("distances", part)
    if hasattr(distances, "detach"):
        distances = distances.detach().cpu()
        if distances.is_floating_point():  # numpy has no bfloat16
            distances = distances if distances.element_size() >= 4 else distances.float()
    try:
        array = np.asarray(distances)
    except (TypeError, ValueError):  # of what is no grid of numbers
        raise TypeError(
            f"Argument `distances` must be a matrix of numbers, but got {type(distances).__name__}"
        ) from None
    if array.dtype.kind not in "fiu":
        raise TypeError(f"Argument `distances` must hold real numbers, but got dtype {array.dtype}")
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(f"Argument `distances` must be a square matrix, but got shape {array.shape}")
    if len(array) < 2:
        raise ValueError(f"Argument `distances` must hold at least 2 samples, but got {len(array)}")
    with np.errstate(over="ignore"):  # what overflows is reported as not finite below
        return np.require(array, np.float32, ["C_CONTIGUOUS", "ALIGNED"])


def _symmetric(values: NDArray[np.float32]) -> NDArray[np.float32]:
    largest = 0.0
    for rows, block in _blocks(values):
        _refuse(~np.isfinite(block), rows, values, "be finite")
        _refuse(block < 0, rows, values, "be non-negative")
        largest = max(largest, float(block.max()))
    _refuse(np.diag(values)[:, None] != 0, slice(0, None), values, "have a zero diagonal", diagonal=True)

    exact = True
    for rows, block in _blocks(values):
        gap = np.abs(block - values[:, rows].T)
        _refuse(gap > SYMMETRY_TOLERANCE * largest, rows, values, "be symmetric")
        exact = exact and not gap.any()
    return values if exact else np.asarray(values / 2 + values.T / 2, dtype=np.float32)


def _blocks(values: NDArray[np.float32]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Rows in portions, so that the checks need little memory beside the matrix."""
    for start in range(0, len(values), _BLOCK):
        rows = slice(start, start + _BLOCK)
        yield rows, values[rows]


def _refuse(
    wrong: NDArray[np.bool_], rows: slice, values: NDArray[np.float32], what: str, diagonal: bool = False
) -> None:
    if not wrong.any():
        return
    row, column = divmod(int(np.argmax(wrong)), wrong.shape[1])
    i = rows.start + row
    j = i if diagonal else column
    found = f"distances[{i}, {j}] = {values[i, j]!s}"
    if what == "be symmetric":
        found += f" and distances[{j}, {i}] = {values[j, i]!s}"
    raise ValueError(f"Argument `distances` must {what}, but got {found}")
