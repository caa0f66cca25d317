"""What is seen, by Intel's Embree on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from svr_baselines.rendering.projection import View
from svr_baselines.rendering.shading import Array, Hits
from svr_baselines.rendering.surface import used_vertices


def trace(vertices: Array, faces: Array, views: Sequence[View], side: int) -> Iterator[Hits]:
    """What `side` x `side` rays of each view hit first.

    One tree of the mesh serves all views. Rays are Embree's robust ones, which find no gaps between faces that share an
    edge.

    Args:
        vertices: `(V, 3)` vertices, about the origin and of size about 1: Embree computes in float32.
        faces: `(F, 3)` indices of vertices.
        views: Views from the frame of the vertices.
        side: Samples along each side of the picture.
    """
    from embreex.mesh_construction import TriangleMesh
    from embreex.rtcore_scene import EmbreeScene

    scene = EmbreeScene(robust=True)
    TriangleMesh(scene, vertices.astype(np.float32), faces.astype(np.int32))
    used = vertices[used_vertices(faces, len(vertices))]
    for view in views:
        rows, columns = view.window(used, side)
        directions = view.directions(rows, columns, side)
        height, width, _ = directions.shape
        origins = np.broadcast_to(view.origin.astype(np.float32), (height * width, 3))
        found = scene.run(origins, directions.reshape(-1, 3), output=True)
        hit = np.flatnonzero(found["primID"] >= 0)
        u, v = found["u"][hit], found["v"][hit]
        yield Hits(
            sample=(rows.start + hit // width) * side + columns.start + hit % width,
            face=found["primID"][hit],
            weights=np.stack([1 - u - v, u, v], axis=1),
        )
