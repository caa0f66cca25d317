"""Medoids side by side: shaded point clouds, or pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ds_metrics.plotting.clouds import draw_cloud
from ds_metrics.plotting.style import INK, percent, plural

Array = npt.NDArray[Any]

_COARSE = 48  # a picture of fewer pixels than this shows each of them as a square
_FRAME = "0.75"


def plot_medoids(
    medoids: Sequence[npt.ArrayLike],
    sizes: Sequence[int],
    names: Sequence[str] | None = None,
    max_shapes: int = 24,
    up: Literal["y", "z"] = "y",
    azimuth: float = 35.0,
    elevation: float = 20.0,
    title: str | None = None,
) -> Figure:
    """Draw medoids, the largest cluster first: point clouds as shaded surfaces, pictures as they are.

    Args:
        medoids: Each medoid: `(P_i, 3)` points, or a `(H_i, W_i, 3)` picture, uint8 or float in [0, 1]; all of a kind.
        sizes: Size of each medoid's cluster.
        names: Name of each medoid.
        max_shapes: Clusters to draw at most; the figure says how many are left out.
        up: The axis of point clouds that points up.
        azimuth: Angle of the camera around the up axis, in degrees; like the next, for point clouds only.
        elevation: Angle of the camera above the ground, in degrees.
        title: Title of the figure.

    Returns:
        The figure, one axes per medoid.

    Raises:
        ValueError: If the arguments differ in length, or a medoid is neither `(P, 3)` finite points nor a
            `(H, W, 3)` picture of the said range, or of another kind than the first.

    Example:
        >>> figure = plot_medoids([np.eye(3), np.eye(3)], sizes=[1, 3])
        >>> [ax.get_title() for ax in figure.axes]
        ['3 shapes · 75 %', '1 shape · 25 %']
        >>> figure = plot_medoids([np.zeros((8, 8, 3)), np.ones((8, 6, 3))], sizes=[1, 3])
        >>> [ax.get_title() for ax in figure.axes]
        ['3 images · 75 %', '1 image · 25 %']
    """
    _check_options(len(medoids), sizes, names, max_shapes, up)
    arrays = _check_medoids(medoids)
    noun = "shape" if arrays[0].ndim == 2 else "image"
    counts = np.asarray(sizes)
    order = np.argsort(-counts, kind="stable")
    shown, hidden = order[:max_shapes], order[max_shapes:]
    rows = math.ceil(len(shown) / math.ceil(math.sqrt(1.6 * len(shown))))
    columns = math.ceil(len(shown) / rows)
    figure = Figure(figsize=(max(2.0 * columns, 4.0), 2.4 * rows + 0.4), layout=ConstrainedLayoutEngine(h_pad=0.1))
    for place, i in enumerate(shown):
        ax = figure.add_subplot(rows, columns, place + 1)
        if noun == "shape":
            draw_cloud(ax, arrays[i].astype(np.float64), up, azimuth, elevation)
        else:
            draw_picture(ax, arrays[i])
        ax.set_title(f"{plural(counts[i], noun)} · {percent(counts[i], counts.sum())}", fontsize=10, color=INK)
        if names is not None:
            below = {"ha": "center", "va": "top", "fontsize": 7.5, "color": "0.45"}
            y = 0.0 if noun == "shape" else -0.03  # clear of the frame
            ax.text(0.5, y, _shorten(names[i]), below, transform=ax.transAxes, parse_math=False)
    if title:
        figure.suptitle(title, fontsize=13, color=INK)
    if len(hidden):
        share = percent(counts[hidden].sum(), counts.sum())
        text = f"{plural(len(hidden), 'smaller cluster')} with {share} of the {noun}s not shown"
        figure.supxlabel(text, fontsize=9, color="0.4")
    return figure


def draw_picture(ax: Axes, picture: Array) -> None:
    """Draw a `(H, W, 3)` picture, uint8 or float in [0, 1], into axes; a thin frame shows how far it reaches."""
    # Few pixels are shown as they are, as blur would say nothing; others are smoothed to the size of the panel.
    coarse = max(picture.shape[:2]) < _COARSE
    ax.imshow(picture, interpolation="nearest" if coarse else "hanning", aspect="equal")
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(True)
        side.set_color(_FRAME)
        side.set_linewidth(0.6)


def _check_options(count: int, sizes: Sequence[int], names: Sequence[str] | None, max_shapes: int, up: str) -> None:
    if count == 0 or count != len(sizes):
        raise ValueError(f"Argument `sizes` must have one entry for each medoid, but got {len(sizes)}, {count}.")
    if min(sizes) < 0 or sum(sizes) == 0:
        raise ValueError(f"Argument `sizes` must hold counts that are not all 0, but got {list(sizes)[:5]}.")
    if names is not None and len(names) != count:
        raise ValueError(f"Argument `names` must have {count} entries, but got {len(names)}.")
    if max_shapes < 1:
        raise ValueError(f"Argument `max_shapes` must be at least 1, but got {max_shapes}.")
    if up not in ("y", "z"):
        raise ValueError(f"Argument `up` must be 'y' or 'z', but got {up!r}.")


def _check_medoids(medoids: Sequence[npt.ArrayLike]) -> list[Array]:
    arrays = [np.asarray(medoid) for medoid in medoids]
    for i, array in enumerate(arrays):
        if array.ndim not in (2, 3) or array.shape[-1] != 3 or not array.size:
            raise ValueError(
                f"Argument `medoids` must hold (P, 3) points or (H, W, 3) pictures, but got {array.shape} at {i}."
            )
        if array.ndim != arrays[0].ndim:
            raise ValueError(
                "Argument `medoids` must hold points or pictures, not both, "
                f"but got {arrays[0].shape} at 0 and {array.shape} at {i}."
            )
        if array.ndim == 2 and not np.isfinite(array).all():
            raise ValueError(f"Argument `medoids` must hold finite points, but got some that are not at {i}.")
        if array.ndim == 3 and array.dtype != np.uint8 and not _is_unit_range(array):
            raise ValueError(
                "Argument `medoids` must hold pictures of uint8, or of floats in [0, 1], "
                f"but got {array.dtype} from {array.min()} to {array.max()} at {i}."
            )
    return arrays


def _is_unit_range(array: Array) -> bool:
    return bool(np.issubdtype(array.dtype, np.floating) and array.min() >= 0 and array.max() <= 1)


def _shorten(name: str, width: int = 28) -> str:
    return name if len(name) <= width else f"{name[: width // 2 - 1]}...{name[-(width // 2 - 2) :]}"
