"""Object-centred and viewer-centred points: the same shape in its own axes and in those of a camera.

Object-centred (OC) points `p` have the shape's axes, Y up. Viewer-centred (VC) points are `R p`, with the rotation
`R` of `Camera.rotation`: X to the right of the picture, Y up in it, Z towards the camera. Only the axes turn: the
origin stays at the centre of the shape and its size stays, so that turning and normalising to the unit ball can be
swapped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from svr_baselines.data.cameras import Camera

if TYPE_CHECKING:
    from torch import Tensor

    Rotation = Camera | npt.NDArray[Any] | Tensor

Points = TypeVar("Points", bound="npt.NDArray[Any] | Tensor")

_TOLERANCE = 1e-3  # of a rotation's rows from orthonormal ones: half precision passes, a projection matrix does not


def to_viewer(points: Points, camera: Rotation) -> Points:
    """Turn object-centred points into a camera's axes, `R p`.

    Computed in double precision whatever the type, so that `to_object` gives the points back to the rounding of their
    type (1e-6 for float32 within the unit ball). Differentiable in the points.

    Args:
        points: `(..., P, 3)` floating point array or tensor.
        camera: A camera, a rotation `(3, 3)`, or one for each cloud, `(..., 3, 3)`.

    Returns:
        Points of the same shape, type and device.

    Raises:
        ValueError: If the points are not floating point or have another shape, if there is not one rotation for each
            cloud, or if a matrix is no rotation.

    Example:
        >>> to_viewer(np.eye(3), Camera(azimuth=0, elevation=0)).round(6).tolist()
        [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]
    """
    return _turn(points, camera, inverse=False)


def to_object(points: Points, camera: Rotation) -> Points:
    """Turn viewer-centred points back into the shape's axes, `R^T p`: the inverse of `to_viewer`.

    Args and errors are those of `to_viewer`.

    Example:
        >>> camera = Camera(azimuth=30, elevation=20)
        >>> points = np.array([[0.1, 0.2, 0.3]], dtype=np.float32)
        >>> to_object(to_viewer(points, camera), camera).round(6)
        array([[0.1, 0.2, 0.3]], dtype=float32)
    """
    return _turn(points, camera, inverse=True)


def _turn(points: Points, camera: Rotation, inverse: bool) -> Points:
    matrix = camera.rotation if isinstance(camera, Camera) else camera
    turn: Any = _turn_array if isinstance(points, np.ndarray) else _turn_tensor
    turned: Points = turn(points, matrix, inverse)
    return turned


def _turn_array(points: npt.NDArray[Any], matrix: Any, inverse: bool) -> npt.NDArray[Any]:
    if points.dtype.kind != "f":
        raise ValueError(f"Argument `points` must be floating point, but got {points.dtype}.")
    rotation = np.asarray(matrix.detach().cpu() if hasattr(matrix, "detach") else matrix, dtype=np.float64)
    _check_shapes(points.shape, rotation.shape)
    _check_rotation(rotation)
    turned: npt.NDArray[Any] = points.astype(np.float64) @ (rotation if inverse else rotation.swapaxes(-1, -2))
    return turned.astype(points.dtype)


def _turn_tensor(points: Tensor, matrix: Any, inverse: bool) -> Tensor:
    import torch

    if not isinstance(points, torch.Tensor) or not points.is_floating_point():
        came = points.dtype if isinstance(points, torch.Tensor) else type(points).__name__
        raise ValueError(f"Argument `points` must be a floating point array or tensor, but got {came}.")
    # Apple's GPUs have no double precision.
    dtype = torch.float32 if points.device.type == "mps" else torch.float64
    rotation = torch.as_tensor(matrix).detach().to(points.device, dtype)
    _check_shapes(tuple(points.shape), tuple(rotation.shape))
    _check_rotation(rotation.cpu().double().numpy())
    return (points.to(dtype) @ (rotation if inverse else rotation.mT)).to(points.dtype)


def _check_shapes(points: tuple[int, ...], rotation: tuple[int, ...]) -> None:
    if len(points) < 2 or points[-1] != 3:
        raise ValueError(f"Argument `points` must have shape (..., P, 3), but got {points}.")
    if rotation != (3, 3) and rotation != (*points[:-2], 3, 3):
        wanted = " or ".join(str(shape) for shape in dict.fromkeys(((3, 3), (*points[:-2], 3, 3))))
        raise ValueError(f"Argument `camera` must have shape {wanted} for points {points}, but got {rotation}.")


def _check_rotation(rotation: npt.NDArray[np.float64]) -> None:
    error = np.abs(rotation @ rotation.swapaxes(-1, -2) - np.eye(3)).max(initial=0)
    if not (error <= _TOLERANCE and (np.linalg.det(rotation) > 0).all()):  # false for NaN
        raise ValueError("Argument `camera` must hold rotations: orthonormal rows, no mirroring, no NaN.")
