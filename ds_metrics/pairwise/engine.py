"""The matrix of distances between all pairs of samples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ds_metrics.arguments import check_path
from ds_metrics.clouds import PackedClouds
from ds_metrics.pairwise.backends import FEATURES, load_backend, resolve_backend
from ds_metrics.pairwise.blocks import Blocks, tile_distances
from ds_metrics.pairwise.cluster import TileTasks, connect
from ds_metrics.pairwise.costs import bytes_per_sample, bytes_prepared, pairs_per_call, points_per_pair
from ds_metrics.pairwise.fill import fill
from ds_metrics.pairwise.memory import memory_bytes
from ds_metrics.pairwise.progress import Counter
from ds_metrics.pairwise.ranks import Ranks
from ds_metrics.pairwise.store import DiskMatrix, Matrix, MemoryMatrix, default_root
from ds_metrics.pairwise.tiles import Tile, TilePlan, choose_edge

if TYPE_CHECKING:
    from ds_metrics.features import Extractor
    from ds_metrics.measure import Samples

_HASHED_BYTES = 2**20  # at a time: a row may hold megabytes
_PREPARED_SHARE = 0.5  # of the budget; the matrix, if it is kept in memory, takes no more than the other half


def pairwise_distance(
    x: Samples,
    y: Samples | None = None,
    *,
    distance: str | nn.Module | Extractor = "chamfer",
    squared: bool = True,
    backend: str = "auto",
    memory_budget: int | str | None = None,
    store: str | Path | None = None,
    cluster: str | None = None,
    lengths_x: Tensor | None = None,
    lengths_y: Tensor | None = None,
) -> Tensor:
    r"""Distances between all samples of ``x`` and all of ``y``, or among those of ``x``.

    The Chamfer distance is the sum of the two means of squared distances (section 3.3 of the paper,
    Kaolin's default):

    .. math:: d(X, Y) = \frac{1}{|X|} \sum_{p \in X} \min_{q \in Y} \|p - q\|^2
              + \frac{1}{|Y|} \sum_{q \in Y} \min_{p \in X} \|p - q\|^2

    Without ``y`` the result is symmetric to the bit and its diagonal is zero. Distances are exact: computed
    from coordinate differences and averaged in float64, within 1e-6 (relative) of float64 arithmetic. They depend,
    to the bit, on the two clouds and the backend alone: not on tiles, threads, memory or where they are computed.

    Args:
        x: Point clouds, ``(N, P, 3)`` or a sequence of ``(P_i, 3)``; or what another distance takes. A memory-mapped
            array is read as needed.
        y: Samples to compare with; ``None`` compares ``x`` with itself.
        distance: ``"chamfer"``, or the mean squared difference: ``"features"`` of vectors ``(N, D)``, ``"vgg16"``,
            ``"pixels"``, another extractor's name or a network of what it makes of images, see
            `ds_metrics.measure.Measure`.
        squared: Whether nearest distances are squared before the mean.
        backend: ``"native"`` (C++, CPU), ``"triton"`` or ``"kaolin"`` (CUDA), ``"torch"`` (any device), or
            ``"auto"``, the first of them that is there for the device of ``x``.
        memory_budget: Memory that the engine may take beside ``x`` and ``y``: bytes, or a text like ``"2GB"``; by
            default half of what is free. A matrix over half of it goes to disk, and so does the result: a tensor
            on the CPU that is read from its file as it is used.
        store: Folder to keep the matrix in, under a key of data, distance, backend and version. A run that was
            killed or interrupted goes on there at its last tile, and a finished matrix comes back at once; kept tiles
            are verified, and computed again where they are damaged. ``"auto"`` is a folder of the user's cache
            (``DS_CACHE_DIR``) that is removed once the matrix is complete. ``None`` is the same for a matrix over the
            budget, and for any other none.
        cluster: Address of a Dask scheduler whose workers compute the tiles, or ``"local:N"`` for N processes on
            this machine; needs the extra ``cluster``. Local processes are spawned, so a script that asks for them
            keeps its own work under ``if __name__ == "__main__"``.
        lengths_x: Valid points of each cloud, if ``x`` is padded.
        lengths_y: Likewise for ``y``.

    Returns:
        A float32 tensor of shape ``(N, M)`` on the device of ``x``.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If an option is unknown, a cloud is empty or not finite, or a distance exceeds float32.
        OSError: If the store can't be written, is too small or is in use.
        KeyboardInterrupt: On Ctrl-C; its text says where the finished part is.

    Example:
        >>> clouds = torch.tensor([[[0.0, 0, 0]], [[1.0, 0, 0]], [[3.0, 0, 0]]])
        >>> pairwise_distance(clouds)
        tensor([[ 0.,  2., 18.],
                [ 2.,  0.,  8.],
                [18.,  8.,  0.]])
    """
    from ds_metrics.measure import Measure  # which needs this package

    measure = Measure(distance, squared, backend)
    packed_x = measure.pack(x, lengths_x, "x")
    packed_y = None
    if y is not None:
        packed_y, packed_x = match(measure.pack(y, lengths_y, "y"), packed_x)
    task = AllPairs(packed_x, packed_y, squared, measure.backend, memory_bytes(memory_budget), store, cluster)
    matrix = task.run()
    assert matrix is not None
    return matrix


@dataclass(frozen=True)
class AllPairs:
    """The distances between all clouds of ``x`` and of ``y`` (``None``: among those of ``x``), yet to be computed.

    The other attributes are the arguments of `pairwise_distance`, with the budget in bytes. The backend
    ``"features"`` takes feature vectors of any length, see `ds_metrics.clouds.pack_features`, and computes their mean
    squared differences: to 1e-6 for any tiles, where the Chamfer distances of clouds are the same to the bit.

    Raises:
        ValueError: If vectors of different lengths are to be compared, or ``squared`` is told to be false for them.

    Example:
        >>> from ds_metrics.clouds import pack_features
        >>> AllPairs(pack_features(torch.tensor([[0.0, 0.0], [3.0, 4.0]])), backend="features").run()
        tensor([[ 0.0000, 12.5000],
                [12.5000,  0.0000]])
    """

    x: PackedClouds
    y: PackedClouds | None = None
    squared: bool = True
    backend: str = "auto"
    memory_budget: int = 2**30
    store: str | Path | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        check_path("store", self.store)
        check_vectors(self.backend, self.squared, self.x, *filter(None, [self.y]))

    def run(self, ranks: Ranks | None = None) -> Tensor | None:
        """Compute the matrix, in this process, on a cluster, or shared among ranks.

        Args:
            ranks: Processes that call this with the same clouds and share the work.

        Returns:
            The matrix; on all ranks but the first ``None``.
        """
        self._backend_name()  # refused before anything is opened
        return fill(self._open, self._compute, self._finish, ranks)

    def _open(self, workers: int) -> Matrix:
        n_rows, n_columns = len(self.x.lengths), len((self.y or self.x).lengths)
        edge = choose_edge(
            max(n_rows, n_columns), self._points_per_pair, self._bytes_per_cloud, self._prepared_budget, workers
        )
        plan = TilePlan(n_rows, n_columns, edge, symmetric=self.y is None)
        if plan.pairs and (
            self.store is not None or 4 * n_rows * n_columns > self.memory_budget - self._prepared_budget
        ):
            root = default_root() if self._is_temporary else Path(str(self.store))
            return DiskMatrix.open(root, self._key(), plan)
        return MemoryMatrix(plan)

    def _compute(
        self, plan: TilePlan, tiles: Iterator[Tile], counter: Counter, ranks: Ranks | None, stack: ExitStack
    ) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
        backend = load_backend(self._backend_name())
        at_once = pairs_per_call(self._points_per_pair, self.backend)
        capacity = max(2, self._prepared_budget // (plan.edge * self._bytes_per_cloud))
        rows = Blocks(self.x, backend, capacity if self.y is None else capacity // 2)
        columns = rows if self.y is None else Blocks(self.y, backend, capacity // 2)

        def compute(tile: Tile) -> NDArray[np.float32]:
            x, y = rows.prepared(tile.rows), columns.prepared(tile.columns)
            tell = counter.add if ranks is None else None
            return tile_distances(tile, x, y, at_once, backend, self.squared, tell)

        if ranks is None and self.cluster is None:
            yield from ((tile, compute(tile)) for tile in tiles)
            return
        if ranks is not None:
            computed = ranks.compute(tiles, compute, plan.edge)
        else:
            client = stack.enter_context(connect(str(self.cluster)))
            computed = TileTasks(client, rows, columns, self._backend_name(), self.squared).compute(tiles)
        for tile, values in computed:
            yield tile, values
            counter.add(tile.pairs)

    def _finish(self, matrix: Matrix) -> Tensor:
        result = matrix.result()
        if not isinstance(matrix, DiskMatrix):
            return result.to(self.x.points.device)
        if self._is_temporary:
            matrix.remove()
        return result

    def _backend_name(self) -> str:
        device = self.x.points.device if self.cluster is None else torch.device("cpu")
        return resolve_backend(self.backend, device, self.x.points.dtype)

    def _key(self) -> dict[str, Any]:
        """What the bits of the matrix depend on."""
        return store_key(self.squared, self._backend_name(), x=self.x, y=self.y)

    @property
    def _is_temporary(self) -> bool:
        return self.store is None or self.store == "auto"

    @property
    def _prepared_budget(self) -> int:
        return int(_PREPARED_SHARE * self.memory_budget)

    @property
    def _points_per_pair(self) -> int:
        return points_per_pair(self.x, self.y or self.x, self.backend)

    @property
    def _bytes_per_cloud(self) -> int:
        """Of the largest sample once prepared; a worker of a cluster is sent the sample too."""
        sides = self.x, self.y or self.x
        sent = self.backend == FEATURES and self.cluster is not None
        return max(bytes_prepared(side, self.backend) + (bytes_per_sample(side) if sent else 0) for side in sides)


def match(y: PackedClouds, x: PackedClouds, name: str = "y") -> tuple[PackedClouds, PackedClouds]:
    """Both on one device and in one precision.

    Raises:
        ValueError: If they lie on different devices.
    """
    if y.points.device != x.points.device:
        raise ValueError(
            f"Argument `{name}` must be on the device of `x`, but got {y.points.device} and {x.points.device}"
        )
    if y.points.dtype == x.points.dtype:
        return y, x
    wide = [PackedClouds(clouds.points.double(), clouds.lengths) for clouds in (y, x)]
    return wide[0], wide[1]


def check_vectors(backend: str, squared: bool, *samples: PackedClouds) -> None:
    """Raise ``ValueError`` for samples and options that the backend of feature vectors can't take; pass all others."""
    if backend != FEATURES:
        return
    if not squared:
        raise ValueError("Argument `squared` belongs to the Chamfer distance: features are compared by squares alone")
    for vectors in samples:
        if (vectors.lengths != 1).any():
            raise ValueError("Features must be one vector a sample, but got point clouds")
    widths = sorted({int(vectors.points.shape[1]) for vectors in samples})
    if len(widths) > 1:
        raise ValueError(f"Feature vectors must have the same length to be compared, but got {widths}")


def store_key(squared: bool, backend: str, **clouds: PackedClouds | None) -> dict[str, Any]:
    """What the bits of distances between samples depend on."""
    from ds_metrics import __version__

    hashes = {name: None if of is None else _content_hash(of) for name, of in clouds.items()}
    distance = "mean squared difference" if backend == FEATURES else "chamfer"
    return {"distance": distance, "squared": squared, "backend": backend, "version": __version__, **hashes}


def _content_hash(clouds: PackedClouds) -> str:
    """What distances depend on: points in their order, sizes and precision."""
    digest = hashlib.sha256(f"{clouds.points.dtype}".encode())
    digest.update(clouds.lengths.numpy().tobytes())
    step = max(1, _HASHED_BYTES // max(1, clouds.points.shape[1] * clouds.points.element_size()))
    for rows in torch.split(clouds.points.detach(), step):
        digest.update(rows.cpu().numpy().tobytes())
    return digest.hexdigest()
