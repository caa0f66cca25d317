"""All-pairs distance matrices between point clouds.

- `engine`: tiles, symmetry and checks; what `pairwise_distance` does.
- `native`: the backend on the C++ core, for the CPU.
- `reference`: the backend in plain torch, for every other device; the readable definition.
- `progress`: who wants to hear how far the engine is.

A backend offers ``prepare(clouds)``, ``chamfer_pairs(x, y, i, j, ...)`` and ``nearest(x, y)``, exact for coordinates of
any scale: it is the backend that keeps their squares within its float range.
"""

from ds_metrics.pairwise.engine import check_distance, nearest_points, pairwise_distance, resolve_backend
from ds_metrics.pairwise.progress import report_progress

__all__ = ["check_distance", "nearest_points", "pairwise_distance", "report_progress", "resolve_backend"]
