"""The distance matrix, ordered by cluster."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ds_metrics.plotting.style import INK, axes_of, plural

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]


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
    figure, ax = axes_of(ax, (6.4, 5.4))
    top = float(np.percentile(matrix, 99)) or float(matrix.max()) or 1.0
    image = ax.imshow(matrix[np.ix_(order, order)], cmap="RdYlBu_r", vmin=0, vmax=top)
    _outline_clusters(ax, sizes)
    bar = figure.colorbar(image, ax=ax, extend="max" if matrix.max() > top else "neither", pad=0.03)
    bar.set_label(distance_label, color=INK)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel(f"{plural(len(matrix), 'sample')} in {plural(len(sizes), 'cluster')}, largest first")
    if title:
        ax.set_title(title, fontsize=12, color=INK)
    return figure, ax


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
