"""The surface of a field, by marching cubes on a grid that is fine only where the surface is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool3d, pad

_COARSEST = 24  # cells along each side: every part of this size is found
_BELOW = 1e-3  # of the field's range, from its largest value to the level that it is cut at

Field = Callable[[Tensor], Tensor]


class Surface(NamedTuple):
    """A triangle mesh.

    Attributes:
        vertices: `(V, 3)` float64.
        faces: `(F, 3)` int64, counter-clockwise from outside.
    """

    vertices: npt.NDArray[np.float64]
    faces: npt.NDArray[np.int64]


def extract_surface(field: Field, resolution: int, box: float, level: float = 0.0) -> Surface:
    """Seek where a field crosses a level, from above inside to below outside.

    The field is computed on a coarse grid; then each cell around the surface is divided into eight, until there are at
    least `resolution` cells along a side. A part that misses every corner of the coarse grid, whose cells are 1/24 to
    1/47 of the box, is not found. Surfaces are closed where they leave the box.

    A field that nowhere reaches the level is cut a thousandth of its range below its largest value instead, and one
    that is the same everywhere at the faces of the box, so that there always is a surface.

    Args:
        field: Takes places `(Q, 3)` float32, on the CPU, and returns `(Q,)` values there.
        resolution: Cells along each side, at least; the coarse grid has it divided by two as often as leaves 24.
        box: Half of the side of the cube that is searched, about the origin.
        level: The value on the surface.

    Raises:
        ValueError: If a value is NaN or infinite, or scikit-image can't be imported.

    Example:
        >>> ball = extract_surface(lambda places: 0.5 - places.norm(dim=1), resolution=32, box=1.0)
        >>> bool(np.allclose(np.linalg.norm(ball.vertices, axis=1), 0.5, atol=0.01))
        True
    """
    steps = 0
    while -(-resolution // 2 ** (steps + 1)) >= _COARSEST:
        steps += 1
    values = _evaluate(field, _places(-(-resolution // 2**steps), box))
    level = min(level, float(values.max() - _BELOW * (values.max() - values.min())))
    if values.max() == values.min():
        level = min(level, float(values.max()) - 1.0)
    for _ in range(steps):
        values = _refine(field, values, box, level)
    return _march(values.double().numpy(), box, level)


def _refine(field: Field, values: Tensor, box: float, level: float) -> Tensor:
    """Values on the grid of half the spacing: computed in and beside cells that the surface crosses, else interpolated.

    Marching cubes look at neither the others nor the interpolated values, but for their side.
    """
    inside = (values > level).float()[None, None]
    mixed = max_pool3d(inside, 2, 1) != -max_pool3d(-inside, 2, 1)
    near = max_pool3d(mixed.float(), 3, 1, padding=1)
    cells = interpolate(near, scale_factor=2, mode="nearest")
    wanted = max_pool3d(pad(cells, [1] * 6), 2, 1)[0, 0] > 0
    wanted[::2, ::2, ::2] = False  # known
    size = 2 * len(values) - 1
    finer = interpolate(values[None, None], (size,) * 3, mode="trilinear", align_corners=True)[0, 0]
    finer[::2, ::2, ::2] = values
    if wanted.any():
        finer[wanted] = _evaluate(field, _places(size - 1, box)[wanted])
    return finer


def _places(cells: int, box: float) -> Tensor:
    """`(n, n, n, 3)` corners of `n - 1` cells along each side."""
    ticks = torch.linspace(-box, box, cells + 1, dtype=torch.float32, device="cpu")
    return torch.stack(torch.meshgrid(ticks, ticks, ticks, indexing="ij"), dim=-1)


def _evaluate(field: Field, places: Tensor) -> Tensor:
    values = field(places.view(-1, 3)).float().cpu()
    if not torch.isfinite(values).all():
        raise ValueError("The field must be finite, but it is NaN or infinite at some places.")
    return values.view(places.shape[:-1])


def _march(values: npt.NDArray[np.float64], box: float, level: float) -> Surface:
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise ValueError(
            f"Surfaces need scikit-image, which can't be imported ({error}): pip install 'dispersion-score[train]'"
        ) from error
    spacing = 2 * box / (len(values) - 1)
    # So far below that what closes the surface beyond the box is a thousandth of a cell away from it.
    beyond = level - 1e3 * max(float(np.ptp(values)), float(values.max()) - level)
    march: Any = marching_cubes
    vertices, faces, _, _ = march(np.pad(values, 1, constant_values=beyond), level, spacing=(spacing,) * 3)
    return Surface(vertices.astype(np.float64) - spacing - box, faces[:, ::-1].astype(np.int64))
