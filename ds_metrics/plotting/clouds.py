"""A point cloud, drawn as a shaded surface."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from scipy.spatial import cKDTree

from ds_metrics.plotting.style import BASE_COLOR

Float = npt.NDArray[np.float64]

_NEIGHBORS = 32
_PANEL_POINTS = 125.0  # width of a panel in typographic points
_LIGHT = np.array([-0.35, 0.8, 0.5]) / np.linalg.norm([-0.35, 0.8, 0.5])


def draw_cloud(ax: Axes, points: Float, up: str = "y", azimuth: float = 35.0, elevation: float = 20.0) -> None:
    """Draw `(P, 3)` points into axes, shaded, centred and scaled to fit; see `plot_medoids` for the view."""
    view = points @ _view_matrix(up, azimuth, elevation).T
    low, high = view.min(axis=0), view.max(axis=0)
    extent = float((high - low)[:2].max()) or 1.0
    view = (view - (low + high) / 2) / extent
    colors, spacing = _shade(view)
    order = np.argsort(view[:, 2], kind="stable")
    x, y = view[order, :2].T
    # Dots a little wider than the gaps between points close the surface whatever the number of points.
    diameter = float(np.clip(_PANEL_POINTS * 1.7 * spacing, 2.0, 9.0))
    ax.scatter(x, y, s=diameter**2, c=colors[order], linewidths=0, rasterized=True)
    ax.set_xlim(-0.56, 0.56)
    ax.set_ylim(-0.56, 0.56)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _view_matrix(up: str, azimuth: float, elevation: float) -> Float:
    """Rows: right, up, toward the viewer. Azimuth 0 looks at the +Z side (Y up) or the -Y side (Z up)."""
    az, el = math.radians(azimuth), math.radians(elevation)
    right = (math.cos(az), 0.0, -math.sin(az))
    toward = (math.cos(el) * math.sin(az), math.sin(el), math.cos(el) * math.cos(az))
    rows = np.array([right, np.cross(toward, right), toward])
    return rows if up == "y" else rows @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def _shade(view: Float) -> tuple[Float, float]:
    """Lambert and ambient light, paler with distance: `(P, 3)` RGB, and the typical gap between points."""
    light, spacing = np.full(len(view), 0.8), 1.0
    if len(view) >= 4:
        gaps, nearest = cKDTree(view).query(view, k=min(_NEIGHBORS, len(view)))
        spacing = float(np.median(gaps[:, 3]))
        light = 0.47 + 0.66 * np.clip(_normals(view[nearest]) @ _LIGHT, 0, 1)
        # Where a thin board is sampled on both faces, single normals are noisy; those around a point agree.
        light = np.median(light[nearest[:, :16]], axis=1)
    lit = np.clip(light[:, None] * BASE_COLOR, 0, 1)
    # What the light adds beyond full colour shows as a tint of white.
    lit += np.clip(light - 0.8, 0, 1)[:, None] * (1 - lit)
    far = (view[:, 2].max() - view[:, 2]) / (np.ptp(view[:, 2]) or 1.0)
    return np.clip(lit + 0.25 * far[:, None] * (1 - lit), 0, 1), spacing


def _normals(around: Float) -> Float:
    """Unit normals by PCA of each point's `(P, K, 3)` neighbours: the direction of their least spread."""
    around = around - around.mean(axis=1, keepdims=True)
    _, axes = np.linalg.eigh(np.einsum("pki,pkj->pij", around, around))
    normals: Float = axes[:, :, 0]
    return np.where(normals[:, 2:] < 0, -normals, normals)
