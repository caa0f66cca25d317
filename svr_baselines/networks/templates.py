"""What AtlasNet and FoldingNet deform: a sphere, or squares. Random points of it, or a mesh of regular ones."""

from __future__ import annotations

from math import isqrt
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from svr_baselines.data.points import check_count
from svr_baselines.networks.building import MOST_POINTS


class Template(NamedTuple):
    """A regular mesh.

    Attributes:
        vertices: `(V, 2)` or `(V, 3)` float32.
        faces: `(F, 3)` int64, indices of vertices.
    """

    vertices: Tensor
    faces: Tensor


def icosphere(subdivisions: int = 4) -> Template:
    """An icosahedron whose faces are divided into four again and again: `10 * 4**s + 2` vertices on the unit sphere.

    Faces are counter-clockwise from outside.

    Raises:
        ValueError: If `subdivisions` is no integer from 0 to 7.

    Example:
        >>> icosphere(4).vertices.shape, icosphere(4).faces.shape
        (torch.Size([2562, 3]), torch.Size([5120, 3]))
    """
    if isinstance(subdivisions, bool) or not isinstance(subdivisions, int) or not 0 <= subdivisions <= 7:
        raise ValueError(f"Argument `subdivisions` must be an integer from 0 to 7, but got {subdivisions!r}.")
    from trimesh import creation

    mesh: Any = creation.icosphere(subdivisions=subdivisions)
    return _template(mesh.vertices, mesh.faces)


def square_grid(points: int) -> Template:
    """A regular grid over the unit square, two triangles in each cell.

    Vertex `i * side + j` is at `(i, j) / (side - 1)`. Faces are counter-clockwise in these coordinates.

    Args:
        points: Number of vertices, the square of an integer from 2.

    Raises:
        ValueError: If it is not.

    Example:
        >>> square_grid(4)
        Template(vertices=tensor([[0., 0.],
                [0., 1.],
                [1., 0.],
                [1., 1.]]), faces=tensor([[0, 2, 3],
                [0, 3, 1]]))
    """
    check_count("points", points, MOST_POINTS)
    side = isqrt(points)
    if side**2 != points or side < 2:
        raise ValueError(f"Argument `points` must be the square of an integer from 2, but got {points}.")
    ticks = np.linspace(0, 1, side)
    vertices = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    lower = np.stack([corner, corner + side, corner + side + 1], axis=1)
    upper = np.stack([corner, corner + side + 1, corner + 1], axis=1)
    return _template(vertices, np.stack([lower, upper], axis=1).reshape(-1, 3))


def random_sphere(*shape: int, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Tensor:
    """Points drawn evenly from the unit sphere, `(*shape, 3)`, from torch's default generator."""
    return torch.nn.functional.normalize(torch.randn(*shape, 3, device=device, dtype=dtype), dim=-1)


def _template(vertices: Any, faces: Any) -> Template:
    return Template(
        torch.as_tensor(np.array(vertices, dtype=np.float32)), torch.as_tensor(np.array(faces, dtype=np.int64))
    )
