"""Distance from points to the surface of a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ds_metrics.arguments import check_flag, check_plain
from ds_metrics.clouds import Clouds, pack_clouds
from ds_metrics.functional._nearest import check_scale_of_squares, fitting, mean_per_cloud, root
from ds_metrics.functional._surface import Points, closest_points

_LARGEST = 1e100  # whose squares, and theirs, don't overflow
Meshes: TypeAlias = "Sequence[tuple[ArrayLike | Tensor, ArrayLike | Tensor]]"


def point_to_surface_distance(
    points: Clouds, meshes: Meshes, squared: bool = False, lengths: Tensor | None = None
) -> Tensor:
    r"""Mean distance from the points of each cloud to the surface of its mesh.

    .. math:: \frac{1}{|P|} \sum_{p \in P} \min_{s \in S} \|p - s\|

    with :math:`S` all points of all triangles: exact, no sampling. Euclidean unless ``squared``. One way only: what the
    points leave out of the surface costs nothing. Differentiable in the points, not in the mesh.

    Triangles that the boxes about them or their planes rule out are left out, the others measured in float64 on the
    CPU by ``trimesh.triangles.closest_point``, slivers by their edges and heights.

    Source of point to triangle: C. Ericson, *Real-Time Collision Detection*, 2005, section 5.1.5.

    Args:
        points: Clouds, ``(B, P, 3)`` or a sequence of ``(P_i, 3)``.
        meshes: As many pairs of vertices ``(V, 3)`` and faces ``(F, 3)``, the indices of three vertices each; any
            triangles, watertight or not.
        squared: Whether distances are squared.
        lengths: Valid points of each cloud, of shape ``(B,)``, if ``points`` is padded.

    Returns:
        One distance a pair, of shape ``(B,)``; float32 for half precision, else the dtype of the points.

    Raises:
        TypeError: If points are not floating point numbers.
        ValueError: If shapes don't fit, a cloud or a mesh is empty or not finite, or faces name no vertex.

    Example:
        >>> triangle = [[0.0, 0, 0], [1.0, 0, 0], [0.0, 1, 0]], [[0, 1, 2]]
        >>> points = torch.tensor([[[0.2, 0.2, 2.0], [-4.0, 0.0, 3.0]]])  # 2 above it, and 5 from its corner
        >>> point_to_surface_distance(points, [triangle])
        tensor([3.5000])
    """
    check_flag("squared", squared)
    packed = pack_clouds(points, lengths, "points")
    check_plain("meshes", meshes)
    try:
        pairs = list(meshes)
    except TypeError:
        raise TypeError(
            f"Argument `meshes` must be a sequence of pairs (vertices, faces), but got {type(meshes).__name__}"
        ) from None
    triangles = [_triangles(mesh, index) for index, mesh in enumerate(pairs)]
    if len(triangles) != len(packed.lengths):
        raise ValueError(
            f"Arguments `points` and `meshes` must be equally many, but got {len(packed.lengths)} clouds "
            f"and {len(triangles)} meshes"
        )
    check_scale_of_squares(packed, "points")
    if not triangles:
        return packed.points.new_empty(0)
    places = [
        closest_points(cloud.detach().cpu().double().numpy(), corners)
        for cloud, corners in zip(packed.split(), triangles, strict=True)
    ]
    precise = torch.float32 if packed.points.device.type == "mps" else torch.float64  # Apple's GPUs have none
    surface = torch.from_numpy(np.concatenate(places)).to(packed.points.device, precise)
    squares = (packed.points.to(precise) - surface).square().sum(dim=1)
    return fitting(mean_per_cloud(squares if squared else root(squares), packed), packed.points.dtype, "points")


def _triangles(mesh: tuple[ArrayLike | Tensor, ArrayLike | Tensor], index: int) -> Points:
    """Corners of a checked mesh, of shape ``(F, 3, 3)``."""
    if not isinstance(mesh, Sequence) or len(mesh) != 2:
        raise ValueError(f"Argument `meshes` must hold pairs (vertices, faces), but mesh {index} is none")
    vertices, faces = (_as_array(part, index) for part in mesh)
    for name, array, kinds in (("vertices", vertices, "fiu"), ("faces", faces, "iu")):
        if array.ndim != 2 or array.shape[1] != 3 or len(array) == 0 or array.dtype.kind not in kinds:
            what = "numbers" if name == "vertices" else "integers"
            raise ValueError(
                f"Argument `meshes` must hold {name} that are {what} of shape (N, 3), "
                f"but those of mesh {index} are {array.dtype} {array.shape}"
            )
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(
            f"Argument `meshes` must hold faces that name vertices, but those of mesh {index} go from "
            f"{faces.min()} to {faces.max()} of {len(vertices)}"
        )
    corners: Points = vertices.astype(np.float64)[faces]
    if not np.isfinite(corners).all():
        raise ValueError(f"Argument `meshes` must hold finite vertices, but mesh {index} has NaN or infinite ones")
    if (largest := np.abs(corners).max()) > _LARGEST:
        raise ValueError(f"Argument `meshes` must have vertices up to {_LARGEST:g}, but mesh {index} has {largest:g}")
    return corners


def _as_array(part: ArrayLike | Tensor, index: int) -> NDArray[Any]:
    for tensor in part if isinstance(part, (list, tuple)) else [part]:
        check_plain("meshes", tensor)
    try:
        if not isinstance(part, Tensor):
            return np.asarray(part)
        plain = part.detach().cpu()
        return (plain if plain.element_size() > 2 or not plain.is_floating_point() else plain.float()).numpy()
    except (TypeError, ValueError):  # of what is no grid of numbers
        raise ValueError(
            f"Argument `meshes` must hold vertices and faces that are tensors or arrays, but those of mesh {index} "
            "are not"
        ) from None
