"""Pictures of a clustering: the ordered distance matrix, the score over k, and the medoids as shaded clouds.

Figures are made without pyplot: nothing global is touched and no display is needed. `ds_metrics` does not
import this module by itself, so matplotlib is loaded only where something is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from scipy.spatial import cKDTree

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

_BASE_COLOR = np.array([0.33, 0.55, 0.86])
_NEIGHBORS = 32
_PANEL_POINTS = 125.0  # width of a panel in typographic points
_ACCENT = "#d1495b"
_INK = "#2b2f36"
_LIGHT = np.array([-0.35, 0.8, 0.5]) / np.linalg.norm([-0.35, 0.8, 0.5])


def plot_distance_matrix(
    distances: npt.ArrayLike,
    labels: npt.ArrayLike,
    medoids: npt.ArrayLike | None = None,
    title: str | None = None,
    distance_label: str = "distance",
    ax: Axes | None = None,
) -> tuple[Figure, Axes]:
    """Draw a distance matrix ordered by cluster, as in figure 3 of the paper.

    The largest cluster comes first; within a cluster, samples are ordered by their distance to its medoid.
    Distances above the 99th percentile share the last colour, so that one outlier does not flatten the rest.

    Args:
        distances: `(N, N)` distances.
        labels: `(N,)` cluster of each sample.
        medoids: Index of the medoid of each cluster; by default the sample with the least sum of distances.
        title: Title of the axes.
        distance_label: Name, convention and unit of the distance, for the colour bar.
        ax: Axes to draw into; by default those of a new figure.

    Returns:
        The figure and its axes.

    Raises:
        ValueError: If shapes do not match or distances are not finite.

    Example:
        >>> _, ax = plot_distance_matrix([[0, 1, 5], [1, 0, 5], [5, 5, 0]], labels=[1, 1, 0])
        >>> ax.get_xlabel()
        '3 samples in 2 clusters, largest first'
    """
    matrix, labels = np.asarray(distances, dtype=np.float64), np.asarray(labels)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"Argument `distances` must have shape (N, N) with N >= 1, but got {matrix.shape}.")
    if labels.shape != matrix.shape[:1]:
        raise ValueError(f"Argument `labels` must have shape ({len(matrix)},), but got {labels.shape}.")
    if not np.isfinite(matrix).all():
        raise ValueError("Argument `distances` must be finite, but got NaN or infinite distances.")
    order, sizes = _cluster_order(matrix, labels, medoids)
    figure, ax = _axes(ax, (6.4, 5.4))
    top = float(np.percentile(matrix, 99)) or float(matrix.max()) or 1.0
    image = ax.imshow(matrix[np.ix_(order, order)], cmap="RdYlBu_r", vmin=0, vmax=top)
    _outline_clusters(ax, sizes)
    bar = figure.colorbar(image, ax=ax, extend="max" if matrix.max() > top else "neither", pad=0.03)
    bar.set_label(distance_label, color=_INK)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel(f"{_plural(len(matrix), 'sample')} in {_plural(len(sizes), 'cluster')}, largest first")
    if title:
        ax.set_title(title, fontsize=12, color=_INK)
    return figure, ax


def plot_curve(
    n_clusters: npt.ArrayLike,
    scores: npt.ArrayLike,
    knee: int | None = None,
    chosen: int | None = None,
    score_label: str = "Dispersion Score",
    ax: Axes | None = None,
) -> tuple[Figure, Axes]:
    """Draw the score over the number of clusters.

    Args:
        n_clusters: `(K,)` numbers of clusters.
        scores: `(K,)` scores, one for each.
        knee: Where the curve bends, marked by a line.
        chosen: The number of clusters that was used, marked by a dot.
        score_label: Name, convention and unit of the score.
        ax: Axes to draw into; by default those of a new figure.

    Returns:
        The figure and its axes.

    Raises:
        ValueError: If the two arguments are empty or differ in length.

    Example:
        >>> _, ax = plot_curve([1, 2, 3], [4.0, 1.0, 0.9], knee=2)
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['knee: k = 2']
    """
    ks, values = np.asarray(n_clusters), np.asarray(scores, dtype=np.float64)
    if ks.ndim != 1 or ks.shape != values.shape or not len(ks):
        raise ValueError(f"Argument `scores` must have the shape of `n_clusters`, but got {values.shape}, {ks.shape}.")
    order = np.argsort(ks, kind="stable")
    ks, values = ks[order], values[order]
    figure, ax = _axes(ax, (6.0, 4.0))
    ax.plot(ks, values, color=_BASE_COLOR * 0.8, lw=1.8, marker="o", ms=4 if len(ks) <= 40 else 0)
    if knee is not None:
        ax.axvline(knee, color=_INK, lw=1.2, ls="--", label=f"knee: k = {knee}")
    if chosen is not None:
        at = float(np.interp(chosen, ks, values))
        ax.plot([chosen], [at], "o", ms=10, mfc="none", mec=_ACCENT, mew=2, label=f"chosen: k = {chosen}")
    if knee is not None or chosen is not None:
        ax.legend(frameon=False)
    ax.set_xlabel("number of clusters k")
    ax.set_ylabel(score_label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(bottom=min(0.0, float(values.min())))
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    return figure, ax


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
        ax.set_title(f"{_plural(counts[i], 'shape')} · {_percent(counts[i], counts.sum())}", fontsize=10, color=_INK)
        if names is not None:
            below = {"ha": "center", "va": "top", "fontsize": 7.5, "color": "0.45"}
            ax.text(0.5, 0.0, _shorten(names[i]), below, transform=ax.transAxes)
    if title:
        figure.suptitle(title, fontsize=13, color=_INK)
    if len(hidden):
        share = _percent(counts[hidden].sum(), counts.sum())
        text = f"{_plural(len(hidden), 'smaller cluster')} with {share} of the shapes not shown"
        figure.supxlabel(text, fontsize=9, color="0.4")
    return figure


def _cluster_order(matrix: Float, labels: npt.NDArray[Any], medoids: npt.ArrayLike | None) -> tuple[Index, Index]:
    """Samples in drawing order, and the cluster sizes in that order."""
    given = {labels[i]: i for i in np.asarray(medoids)} if medoids is not None else {}
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    members.sort(key=len, reverse=True)
    order = []
    for inside in members:
        center = given.get(labels[inside[0]])
        if center is None:
            center = inside[matrix[np.ix_(inside, inside)].sum(axis=0).argmin()]
        order.append(inside[np.argsort(matrix[inside, center], kind="stable")])
    return np.concatenate(order), np.array([len(inside) for inside in members])


def _outline_clusters(ax: Axes, sizes: Index) -> None:
    """A square around each cluster on the diagonal, thinner where there are many."""
    if len(sizes) == 1:
        return
    ends = np.cumsum(sizes) - 0.5
    starts = ends - sizes
    squares = [[(a, a), (b, a), (b, b), (a, b), (a, a)] for a, b in zip(starts, ends, strict=True)]
    ax.add_collection(LineCollection(squares, colors="black", linewidths=float(np.clip(12 / len(sizes), 0.3, 1.4))))


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
    lit = np.clip(light[:, None] * _BASE_COLOR, 0, 1)
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


def _axes(ax: Axes | None, size: tuple[float, float]) -> tuple[Figure, Axes]:
    if ax is None:
        figure = Figure(figsize=size, layout="constrained")
        return figure, figure.add_subplot()
    owner: Figure | SubFigure | None = ax.figure
    while isinstance(owner, SubFigure):
        owner = owner.figure
    if not isinstance(owner, Figure):
        raise ValueError("Argument `ax` must belong to a figure, but it was removed from its own.")
    return owner, ax


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _percent(part: float, whole: float) -> str:
    share = 100 * part / whole
    return "< 1 %" if 0 < share < 0.5 else f"{share:.0f} %"


def _shorten(name: str, width: int = 28) -> str:
    return name if len(name) <= width else f"{name[: width // 2 - 1]}...{name[-(width // 2 - 2) :]}"
