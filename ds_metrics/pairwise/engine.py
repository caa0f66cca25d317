"""The matrix of distances between all pairs of samples."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from ds_metrics.clouds import Clouds, PackedClouds, pack_clouds
from ds_metrics.pairwise import native, progress, reference

BACKENDS = ("auto", "native", "torch")
_TILE = 64  # clouds a side: a tile is a fraction of a second, so that progress moves and Ctrl-C works


def pairwise_distance(
    x: Clouds,
    y: Clouds | None = None,
    *,
    distance: str = "chamfer",
    squared: bool = True,
    backend: str = "auto",
    lengths_x: Tensor | None = None,
    lengths_y: Tensor | None = None,
) -> Tensor:
    r"""Distances between all clouds of ``x`` and all of ``y``, or among those of ``x``.

    The Chamfer distance is the sum of the two means of squared distances (section 3.3 of the paper,
    Kaolin's default):

    .. math:: d(X, Y) = \frac{1}{|X|} \sum_{p \in X} \min_{q \in Y} \|p - q\|^2
              + \frac{1}{|Y|} \sum_{q \in Y} \min_{p \in X} \|p - q\|^2

    Without ``y`` the result is symmetric to the bit and its diagonal is zero. Distances are exact: computed
    from coordinate differences and averaged in float64, within 1e-6 (relative) of float64 arithmetic.

    Args:
        x: Point clouds, ``(N, P, 3)`` or a sequence of ``(P_i, 3)``.
        y: Point clouds to compare with; ``None`` compares ``x`` with itself.
        distance: ``"chamfer"``.
        squared: Whether nearest distances are squared before the mean.
        backend: ``"native"`` (C++, CPU), ``"torch"`` (any device), or ``"auto"``: native on the CPU, torch
            elsewhere.
        lengths_x: Valid points of each cloud, if ``x`` is padded.
        lengths_y: Likewise for ``y``.

    Returns:
        A float32 tensor of shape ``(N, M)`` on the device of ``x``.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If an option is unknown, a cloud is empty or not finite, or a distance exceeds float32.

    Example:
        >>> clouds = torch.tensor([[[0.0, 0, 0]], [[1.0, 0, 0]], [[3.0, 0, 0]]])
        >>> pairwise_distance(clouds)
        tensor([[ 0.,  2., 18.],
                [ 2.,  0.,  8.],
                [18.,  8.,  0.]])
    """
    check_distance(distance)
    packed_x = pack_clouds(x, lengths_x, "x")
    packed_y = None if y is None else _match(pack_clouds(y, lengths_y, "y"), packed_x)
    if packed_y is not None and packed_y.points.dtype != packed_x.points.dtype:
        packed_x, packed_y = (PackedClouds(c.points.double(), c.lengths) for c in (packed_x, packed_y))
    engine = _select(backend, packed_x.points.device)
    prepared_x = engine.prepare(packed_x)
    prepared_y = prepared_x if packed_y is None else engine.prepare(packed_y)
    n_rows, n_columns = len(packed_x.lengths), len((packed_y or packed_x).lengths)

    matrix = np.zeros((n_rows, n_columns), dtype=np.float32)
    done, total = 0, n_rows * (n_rows - 1) // 2 if packed_y is None else n_rows * n_columns
    for i, j in _tiles(n_rows, n_columns, symmetric=packed_y is None):
        values = engine.chamfer_pairs(prepared_x, prepared_y, i, j, squared=squared)
        matrix[i, j] = _to_single(values, i, j)
        if packed_y is None:
            matrix[j, i] = matrix[i, j]
        done += len(i)
        progress.tell(done, total)
    return torch.from_numpy(matrix).to(packed_x.points.device)


def nearest_points(x: PackedClouds, y: PackedClouds, backend: str = "auto") -> Tensor:
    """For each point of ``x[b]``, the row of ``y.points`` that holds the nearest point of ``y[b]``.

    Args:
        x: ``N`` clouds.
        y: As many clouds to search in.
        backend: As for `pairwise_distance`.

    Returns:
        Row indices into ``y.points``, of shape ``(T_x,)``, int64.
    """
    dtype = torch.promote_types(x.points.dtype, y.points.dtype)
    x, y = (PackedClouds(clouds.points.detach().to(dtype), clouds.lengths) for clouds in (x, y))
    index: Tensor = _select(backend, x.points.device).nearest(x, y)
    start = torch.repeat_interleave(y.offsets, x.lengths)
    return index + start.to(index.device)


def check_distance(distance: str) -> None:
    """Raise ``ValueError`` for a distance that does not exist."""
    if distance != "chamfer":
        raise ValueError(f"Argument `distance` must be 'chamfer', but got {distance!r}")


def resolve_backend(backend: str, device: torch.device) -> str:
    """Name of the backend that computes for points on ``device``: ``"native"`` or ``"torch"``.

    Raises:
        ValueError: If ``backend`` is unknown or can't reach the device.

    Example:
        >>> resolve_backend("auto", torch.device("cpu"))
        'native'
    """
    if backend not in BACKENDS:
        raise ValueError(f"Argument `backend` must be one of {BACKENDS}, but got {backend!r}")
    if backend == "native" and device.type != "cpu":
        raise ValueError(f"Argument `backend` is 'native', which needs points on the CPU, but got {device}")
    if backend != "auto":
        return backend
    return "native" if device.type == "cpu" else "torch"


def _select(backend: str, device: torch.device) -> ModuleType:
    return {"native": native, "torch": reference}[resolve_backend(backend, device)]


def _match(y: PackedClouds, x: PackedClouds) -> PackedClouds:
    if y.points.device != x.points.device:
        raise ValueError(f"Argument `y` must be on the device of `x`, but got {y.points.device} and {x.points.device}")
    return y


def _tiles(n_rows: int, n_columns: int, symmetric: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Index pairs of each tile; of a symmetric matrix only those above the diagonal."""
    for row in range(0, n_rows, _TILE):
        for column in range(row if symmetric else 0, n_columns, _TILE):
            i, j = np.mgrid[row : min(row + _TILE, n_rows), column : min(column + _TILE, n_columns)]
            i, j = i.ravel(), j.ravel()
            if symmetric and row == column:
                i, j = i[i < j], j[i < j]
            if len(i):
                yield i, j


def _to_single(values: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):
        single = values.astype(np.float32)
    lost = ~np.isfinite(single) | ((single == 0) & (values > 0))
    if lost.any():
        pair = int(np.flatnonzero(lost)[0])
        raise ValueError(
            f"Argument `x` must be of a scale whose distances fit float32, "
            f"but samples {i[pair]} and {j[pair]} are {values[pair]:.3g} apart"
        )
    return single
