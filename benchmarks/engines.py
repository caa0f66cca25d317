"""The ways to the Chamfer distance that `pairwise.py` compares: this package, and the libraries one would else take.

Every engine gets the same float32 clouds and returns the same number, the sum of both means of squared distances.
Peers have the settings that were fastest when tried, one thread, and whatever they can prepare is prepared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ds_metrics._native import _core

Clouds = Sequence[np.ndarray]  # of (P, 3), float32
Minima = tuple[np.ndarray, np.ndarray]  # squared distances from x to y, and from y to x
SCIPY = "scipy cKDTree"
REFERENCE = "numpy float64 brute force"


@dataclass(frozen=True)
class Engine:
    """How one library does it.

    `prepare(clouds)` is the work per cloud; `chamfer(prepared, i, j)` are the distances of the pairs, `(K,)`.
    """

    name: str
    prepare: Callable[[Clouds], Any]
    chamfer: Callable[[Any, np.ndarray, np.ndarray], np.ndarray]
    ours: bool = False


@dataclass(frozen=True)
class Missing:
    name: str
    reason: str


def native_engines() -> list[Engine]:
    """This package's core, forced to each instruction set that the machine has."""

    def engine(isa: str) -> Engine:
        return Engine(f"this package, {isa}", prepare, lambda x, i, j: _core.chamfer_pairs(x, x, i, j, isa=isa), True)

    def prepare(clouds: Clouds) -> _core.Clouds:
        return _core.Clouds(np.concatenate(clouds), np.array([len(cloud) for cloud in clouds], dtype=np.int64))

    return [engine(isa) for isa in _core.supported_isas()]


def brute_force() -> Engine:
    """The reference: all differences, in float64."""

    def minima(x: np.ndarray, y: np.ndarray) -> Minima:
        to_y, to_x = [], np.full(len(y), np.inf)
        for rows in np.split(x, range(256, len(x), 256)):
            squared = sum((rows[:, None, axis] - y[None, :, axis]) ** 2 for axis in range(3))
            to_y.append(squared.min(axis=1))
            np.minimum(to_x, squared.min(axis=0), out=to_x)
        return np.concatenate(to_y), to_x

    return _pair_by_pair(REFERENCE, lambda cloud: cloud.astype(np.float64), minima)


def peers() -> tuple[list[Engine], list[Missing]]:
    """The libraries that import here, and why the others don't."""
    found, missing = [], []
    for name, (package, module, load) in _PEERS.items():
        try:
            found.append(load(name))
        except (ImportError, OSError) as error:
            absent = isinstance(error, ModuleNotFoundError) and error.name == module
            reason = f"not installed (pip install {package})" if absent else f"does not import ({error})"
            missing.append(Missing(name, reason))
    return found, missing


def _scipy(name: str) -> Engine:
    from scipy.spatial import cKDTree

    def prepare(cloud: np.ndarray) -> tuple[np.ndarray, Any]:
        return cloud.astype(np.float64), cKDTree(cloud, leafsize=32)

    return _pair_by_pair(name, prepare, _each_way(lambda x, y: y[1].query(x[0], workers=1)[0] ** 2))


def _sklearn(name: str) -> Engine:
    from sklearn.neighbors import KDTree

    def prepare(cloud: np.ndarray) -> tuple[np.ndarray, Any]:
        return cloud.astype(np.float64), KDTree(cloud, leaf_size=20)

    return _pair_by_pair(name, prepare, _each_way(lambda x, y: y[1].query(x[0])[0] ** 2))


def _point_cloud_utils(name: str) -> Engine:
    import point_cloud_utils as pcu

    def sided(x: np.ndarray, y: np.ndarray) -> np.ndarray:  # builds its tree in the call
        options = {"squared_distances": True, "max_points_per_leaf": 20, "num_threads": 0}
        return pcu.k_nearest_neighbors(x, y, 1, **options)[0]

    return _pair_by_pair(name, lambda cloud: cloud, _each_way(sided))


def _open3d(name: str) -> Engine:
    import open3d.core as o3c

    def prepare(cloud: np.ndarray) -> tuple[Any, Any]:
        points = o3c.Tensor(cloud)
        search = o3c.nns.NearestNeighborSearch(points)
        search.knn_index()
        return points, search

    return _pair_by_pair(name, prepare, _each_way(lambda x, y: y[1].knn_search(x[0], 1)[1].numpy()))


def _faiss(name: str) -> Engine:
    import faiss

    faiss.omp_set_num_threads(1)

    def prepare(cloud: np.ndarray) -> tuple[np.ndarray, Any]:
        index = faiss.IndexFlatL2(3)
        index.add(cloud)
        return cloud, index

    return _pair_by_pair(name, prepare, _each_way(lambda x, y: y[1].search(x[0], 1)[0]))


def _cdist(name: str, mode: str = "use_mm_for_euclid_dist_if_necessary") -> Engine:
    def minima(x: torch.Tensor, y: torch.Tensor) -> Minima:
        distances = torch.cdist(x, y, compute_mode=mode)
        return distances.amin(dim=1).square().numpy(), distances.amin(dim=0).square().numpy()

    return _pair_by_pair(name, torch.from_numpy, minima)


def _expansion(name: str) -> Engine:
    def prepare(cloud: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        points = torch.from_numpy(cloud)
        return points, points.square().sum(dim=1)

    def minima(x: tuple[torch.Tensor, torch.Tensor], y: tuple[torch.Tensor, torch.Tensor]) -> Minima:
        squared = (x[0] @ y[0].T).mul_(-2).add_(x[1][:, None]).add_(y[1])
        return squared.amin(dim=1).numpy(), squared.amin(dim=0).numpy()

    return _pair_by_pair(name, prepare, minima)


def _pair_by_pair(name: str, prepare: Callable[[np.ndarray], Any], minima: Callable[[Any, Any], Minima]) -> Engine:
    def chamfer(prepared: list[Any], i: np.ndarray, j: np.ndarray) -> np.ndarray:
        both = (minima(prepared[a], prepared[b]) for a, b in zip(i.tolist(), j.tolist(), strict=True))
        return np.array([to_y.mean(dtype=np.float64) + to_x.mean(dtype=np.float64) for to_y, to_x in both])

    return Engine(name, lambda clouds: [prepare(cloud) for cloud in clouds], chamfer)


def _each_way(sided: Callable[[Any, Any], np.ndarray]) -> Callable[[Any, Any], Minima]:
    return lambda x, y: (sided(x, y), sided(y, x))


# What to install, what to import.
_PEERS: dict[str, tuple[str, str, Callable[[str], Engine]]] = {
    SCIPY: ("scipy", "scipy", _scipy),
    "scikit-learn KDTree": ("scikit-learn", "sklearn", _sklearn),
    "point-cloud-utils": ("point-cloud-utils", "point_cloud_utils", _point_cloud_utils),
    "Open3D": ("open3d", "open3d", _open3d),
    "faiss IndexFlatL2": ("faiss-cpu", "faiss", _faiss),
    "torch.cdist, min": ("torch", "torch", _cdist),
    "torch.cdist exact mode, min": ("torch", "torch", lambda name: _cdist(name, "donot_use_mm_for_euclid_dist")),
    "torch |x|²+|y|²-2xy, min": ("torch", "torch", _expansion),
}
