"""Frames of a turning shape: shaded discs, nearer ones over farther ones, as the page draws them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from svr_baselines.report.surfaces import Surface

Frame = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float64]

BASE = np.array([84.0, 140.0, 219.0])
PITCH = 0.32

_LIGHT = np.array([-0.35, 0.8, 0.5]) / np.linalg.norm([-0.35, 0.8, 0.5])
_DISC = 0.95  # radius of a disc in gaps between points
_MARGIN = 0.47
_FADE = 0.3
_FINER = 2  # drawn at this many times the size: soft edges


def turn_surface(surface: Surface, frames: int, size: int, background: int = 255) -> list[Frame]:
    """One turn of a shape about the vertical axis.

    Args:
        surface: The shape.
        frames: Pictures of the turn; the next would be the first again.
        size: Pixels of their side.
        background: Grey around the shape, 0 to 255.

    Returns:
        `(size, size, 3)` frames.

    Example:
        >>> frames = turn_surface(Surface(np.eye(3), np.eye(3), 0.2), frames=4, size=16)
        >>> len(frames), frames[0].shape, int(frames[0].min()) < 255
        (4, (16, 16, 3), True)
    """
    points = np.asarray(surface.points, dtype=np.float64)
    points = points - (points.min(axis=0) + points.max(axis=0)) / 2
    around = float(np.hypot(points[:, 0], points[:, 2]).max())
    up = float(np.abs(points[:, 1]).max())
    reach = max(around, up * math.cos(PITCH) + around * math.sin(PITCH)) or 1.0
    angles = 2 * np.pi * np.arange(frames) / frames + 0.6
    return [_draw(points / reach, surface.normals, surface.spacing / reach, yaw, size, background) for yaw in angles]


def _draw(points: Float, normals: Float, spacing: float, yaw: float, size: int, background: int) -> Frame:
    view = _view_matrix(yaw, PITCH)
    colours = _shade(points @ view.T, normals @ view.T, background)
    fine = size * _FINER
    canvas = np.full((fine, fine, 3), background, dtype=np.uint8)
    place = points @ view.T
    columns = np.rint(fine / 2 + place[:, 0] * _MARGIN * fine).astype(np.int64)
    rows = np.rint(fine / 2 - place[:, 1] * _MARGIN * fine).astype(np.int64)
    disc = _disc(float(np.clip(_DISC * spacing * _MARGIN * fine, 0.007 * fine, 0.03 * fine)))
    nearest_last = np.argsort(place[:, 2], kind="stable")  # of equal pixels numpy keeps the last
    y = np.clip(rows[nearest_last, None] + disc[:, 0], 0, fine - 1)
    x = np.clip(columns[nearest_last, None] + disc[:, 1], 0, fine - 1)
    canvas[y.ravel(), x.ravel()] = np.repeat(colours[nearest_last], len(disc), axis=0)
    blocks = canvas.reshape(size, _FINER, size, _FINER, 3)
    smooth: Float = blocks.mean(axis=(1, 3))
    return np.rint(smooth).astype(np.uint8)


def _view_matrix(yaw: float, pitch: float) -> Float:
    """Rows: right, up, toward the viewer."""
    right = np.array([math.cos(yaw), 0.0, math.sin(yaw)])
    level = np.array([-math.sin(yaw), 0.0, math.cos(yaw)])
    up, toward = np.array([0.0, 1.0, 0.0]), level
    return np.array(
        [right, math.cos(pitch) * up - math.sin(pitch) * toward, math.sin(pitch) * up + math.cos(pitch) * toward]
    )


def _shade(view: Float, normals: Float, background: int) -> npt.NDArray[Any]:
    """Lambert, of normals taken to face the viewer; white beyond full colour, paler with distance."""
    facing = np.where(normals[:, 2:] < 0, -normals, normals)
    light = 0.6 + 0.52 * np.clip(facing @ _LIGHT, 0, None)
    lit = np.clip(BASE * light[:, None], 0, 255)
    lit += np.clip(light - 0.8, 0, None)[:, None] * (255 - lit)
    far = np.clip((1 - view[:, 2:]) / 2, 0, 1) * _FADE
    faded: Float = lit * (1 - far) + background * far
    return np.rint(faded).astype(np.uint8)


def _disc(radius: float) -> npt.NDArray[np.int64]:
    """`(M, 2)` offsets of the pixels of a disc."""
    whole = int(radius)
    span = np.arange(-whole, whole + 1)
    y, x = (grid.ravel() for grid in np.meshgrid(span, span, indexing="ij"))
    return np.stack([y, x], axis=1)[y**2 + x**2 <= radius**2]
