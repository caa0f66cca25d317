"""Medoids as shaded point clouds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.spatial import cKDTree

from ds_metrics.plotting.style import BASE_COLOR, INK, percent, plural

Float = npt.NDArray[np.float64]

_NEIGHBORS = 32
_PANEL_POINTS = 125.0  # width of a panel in typographic points
_LIGHT = np.array([-0.35, 0.8, 0.5]) / np.linalg.norm([-0.35, 0.8, 0.5])


def plot_medoids(
    clouds: Sequence[npt.ArrayLike],
    sizes: Sequence[int],
    names: Sequence[str] | None = None,
    max_shapes: int = 24,
    up: Literal["y", "z"] = "y",
    azimuth: float = 35.0,
    elevation: float = 20.0,
    title: str | None = None,
) -> Figure:
    """Draw medoids as shaded point clouds, the largest cluster first.

    Args:
        clouds: `(P_i, 3)` points of each medoid.
        sizes: Size of each medoid's cluster.
        names: Name of each medoid.
        max_shapes: Clusters to draw at most; the figure says how many are left out.
        up: The axis that points up.
        azimuth: Angle of the camera around the up axis, in degrees.
        elevation: Angle of the camera above the ground, in degrees.
        title: Title of the figure.

    Returns:
        The figure, one axes per medoid.

    Raises:
        ValueError: If the arguments differ in length, or a cloud is not `(P, 3)` or not finite.

    Example:
        >>> figure = plot_medoids([np.eye(3), np.eye(3)], sizes=[1, 3])
        >>> [ax.get_title() for ax in figure.axes]
        ['3 shapes · 75 %', '1 shape · 25 %']
    """
    _check_medoids(clouds, sizes, names, max_shapes, up)
    counts = np.asarray(sizes)
    order = np.argsort(-counts, kind="stable")
    shown, hidden = order[:max_shapes], order[max_shapes:]
    rows = math.ceil(len(shown) / math.ceil(math.sqrt(1.6 * len(shown))))
    columns = math.ceil(len(shown) / rows)
    figure = Figure(figsize=(max(2.0 * columns, 4.0), 2.35 * rows + 0.4), layout="constrained")
    for place, i in enumerate(shown):
        ax = figure.add_subplot(rows, columns, place + 1)
        draw_cloud(ax, np.asarray(clouds[i], dtype=np.float64), up, azimuth, elevation)
        ax.set_title(f"{plural(counts[i], 'shape')} · {percent(counts[i], counts.sum())}", fontsize=10, color=INK)
        if names is not None:
            below = {"ha": "center", "va": "top", "fontsize": 7.5, "color": "0.45"}
            ax.text(0.5, 0.0, _shorten(names[i]), below, transform=ax.transAxes)
    if title:
        figure.suptitle(title, fontsize=13, color=INK)
    if len(hidden):
        share = percent(counts[hidden].sum(), counts.sum())
        text = f"{plural(len(hidden), 'smaller cluster')} with {share} of the shapes not shown"
        figure.supxlabel(text, fontsize=9, color="0.4")
    return figure


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


def _check_medoids(
    clouds: Sequence[npt.ArrayLike],
    sizes: Sequence[int],
    names: Sequence[str] | None,
    max_shapes: int,
    up: str,
) -> None:
    if len(clouds) == 0 or len(clouds) != len(sizes):
        raise ValueError(f"Argument `sizes` must have one entry for each cloud, but got {len(sizes)}, {len(clouds)}.")
    if min(sizes) < 0 or sum(sizes) == 0:
        raise ValueError(f"Argument `sizes` must hold counts that are not all 0, but got {list(sizes)[:5]}.")
    if names is not None and len(names) != len(clouds):
        raise ValueError(f"Argument `names` must have {len(clouds)} entries, but got {len(names)}.")
    if max_shapes < 1:
        raise ValueError(f"Argument `max_shapes` must be at least 1, but got {max_shapes}.")
    if up not in ("y", "z"):
        raise ValueError(f"Argument `up` must be 'y' or 'z', but got {up!r}.")
    for i, cloud in enumerate(clouds):
        points = np.asarray(cloud)
        if points.ndim != 2 or points.shape[1] != 3 or not len(points) or not np.isfinite(points).all():
            raise ValueError(f"Argument `clouds` must hold finite (P, 3) points, but got {points.shape} at {i}.")


def _shorten(name: str, width: int = 28) -> str:
    return name if len(name) <= width else f"{name[: width // 2 - 1]}...{name[-(width // 2 - 2) :]}"
