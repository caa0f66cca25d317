"""What is seen, by the rasteriser of NVIDIA Kaolin on a CUDA GPU, many views at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch

from ds_metrics.pairwise.backends import import_quietly
from svr_baselines.rendering.projection import View
from svr_baselines.rendering.shading import Array, Hits

_DEVICE = "cuda"
_NEAR = 1e-3  # depth before which faces are left out, in sizes of the shape: the rasteriser does not clip them
_FACES = 2**22  # faces a batch: 1 GB at the 60 floats that each takes
_SAMPLES = 2**24  # samples a batch: 0.5 GB


def trace(vertices: Array, faces: Array, views: Sequence[View], side: int) -> Iterator[Hits]:
    """What `side` x `side` samples of each view see; see `embree.trace`.

    Faces that reach behind the camera are left out, which matters only to cameras within the shape.
    """
    points = torch.as_tensor(vertices, dtype=torch.float64, device=_DEVICE)
    corners = torch.as_tensor(faces, dtype=torch.int64, device=_DEVICE)
    batch = max(1, min(_FACES // len(faces), _SAMPLES // side**2))
    for _, same in groupby(views, key=lambda view: view.extent):
        alike = list(same)
        for start in range(0, len(alike), batch):
            yield from _rasterize(points, corners, alike[start : start + batch], side)


@torch.no_grad()
def _rasterize(points: torch.Tensor, corners: torch.Tensor, views: Sequence[View], side: int) -> list[Hits]:
    """Hits of views that have one field of view."""
    camera = _camera(views, side)
    local = camera.extrinsics.transform(points)  # (V, P, 3); the camera looks along -Z
    place = camera.intrinsics.transform(local)[..., :2][:, corners]
    nearness = (-1 / local[..., 2]).float()[:, corners]
    valid = (local[..., 2][:, corners] < -_NEAR).all(dim=2) & (_area(place) != 0)
    if not valid.any():
        empty = np.empty(0, dtype=np.int64)
        return [Hits(empty, empty, np.empty((0, 3), dtype=np.float32)) for _ in views]
    weights, face = import_quietly("kaolin.render.mesh").rasterize(
        side,
        side,
        # Unlike depth, its inverse is linear in the picture, as the rasteriser takes it to be; larger is nearer.
        face_vertices_z=nearness,
        face_vertices_image=place.float(),
        face_features=torch.eye(3, device=_DEVICE).expand(*valid.shape, 3, 3),
        valid_faces=valid,
        backend="cuda",
    )
    return [_hits(*each) for each in zip(weights, face, nearness, strict=True)]


def _hits(weights: torch.Tensor, face: torch.Tensor, nearness: torch.Tensor) -> Hits:
    """Hits of a view from the picture of weights `(S, S, 3)`, that of faces, and the nearness `(F, 3)`."""
    face = face.flatten()
    sample = torch.nonzero(face >= 0).squeeze(1)
    face = face[sample]
    # Weights in the picture are not those on the face.
    weights = weights.reshape(-1, 3)[sample] * nearness[face]
    weights = weights / weights.sum(dim=1, keepdim=True)
    return Hits(sample.cpu().numpy(), face.cpu().numpy(), weights.cpu().numpy())


def _camera(views: Sequence[View], side: int) -> Any:
    """Kaolin's camera of views of one field of view."""
    origins, axes = (
        torch.as_tensor(np.stack(values)) for values in zip(*((v.origin, v.axes) for v in views), strict=True)
    )
    camera: Any = import_quietly("kaolin.render.camera").Camera
    return camera.from_args(
        eye=origins,
        at=origins - axes[:, 2],
        up=axes[:, 1],  # our own, which is square to the view at the poles, too
        fov=2 * math.atan(views[0].extent),
        width=side,
        height=side,
        dtype=torch.float64,
        device=_DEVICE,
    )


def _area(place: torch.Tensor) -> torch.Tensor:
    """Signed, doubled area of triangles `(..., 3, 2)` in the picture."""
    first, second = place[..., 1, :] - place[..., 0, :], place[..., 2, :] - place[..., 0, :]
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
