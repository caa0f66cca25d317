"""All-pairs distance matrices between point clouds, or between feature vectors.

What happens, in order of the files:

- `engine`: `pairwise_distance` and its checks; `fill`: a matrix filled tile by tile.
- `tiles`: the matrix cut into tiles; `blocks`: the distances of one tile, from blocks of prepared clouds.
- `store`: where tiles are put together, in memory or on disk; `memory`: which of the two.
- `ranks`, `cluster`: tiles computed by the ranks of torch.distributed, or by the workers of a Dask cluster.
- `assignment`: the nearest of a few clouds to each of many, most distances ruled out by `bounds`.
- `neighbours`: distances of each sample to those near it alone.
- `incremental`: a matrix that grows with every batch; `nearest`: neighbours for training losses.
- `costs`: how much work and memory a sample takes, so that tiles and blocks are of a size.
- `progress`: who wants to hear how far the engine is.

What computes:

- `backends`: their protocol and names, what each needs, and which one computes.
- `native`: on the C++ core, for the CPU.
- `triton`: Triton kernels, for GPUs.
- `kaolin`: on Kaolin's kernel, for CUDA GPUs.
- `reference`: in plain torch, for every other device; the readable definition.
- `features`: the mean squared difference of vectors, for any device.
- `batches`: what `kaolin` and `reference` share: pairs of equal sizes, a bounded batch at a time.
"""

from ds_metrics.pairwise.assignment import Nearest, NearestOf, nearest_clouds
from ds_metrics.pairwise.backends import check_backend, resolve_backend
from ds_metrics.pairwise.cluster import check_cluster, open_cluster
from ds_metrics.pairwise.engine import AllPairs, pairwise_distance
from ds_metrics.pairwise.incremental import GrowingMatrix
from ds_metrics.pairwise.memory import memory_bytes
from ds_metrics.pairwise.nearest import nearest_points
from ds_metrics.pairwise.neighbours import Pairs, neighbour_distances
from ds_metrics.pairwise.progress import report_progress
from ds_metrics.pairwise.ranks import Ranks

__all__ = [
    "AllPairs",
    "GrowingMatrix",
    "Nearest",
    "NearestOf",
    "Pairs",
    "Ranks",
    "check_backend",
    "check_cluster",
    "memory_bytes",
    "nearest_clouds",
    "nearest_points",
    "neighbour_distances",
    "open_cluster",
    "pairwise_distance",
    "report_progress",
    "resolve_backend",
]
