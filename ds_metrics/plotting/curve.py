"""The score over the number of clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator, StrMethodFormatter

from ds_metrics.clustering import Curve
from ds_metrics.plotting.style import ACCENT, BASE_COLOR, INK, axes_of

LOG_SPAN = 64  # from this ratio of the largest k to the smallest on, the axis of k is logarithmic

_LINE_STYLES = ("-", "--", ":", "-.")  # tell apart what repeats a colour
_FEW_POINTS = 40  # up to which each is marked


def plot_curve(
    n_clusters: npt.ArrayLike,
    scores: npt.ArrayLike,
    knee: int | None = None,
    chosen: int | None = None,
    interval: tuple[float, float] | None = None,
    score_label: str = "Dispersion Score",
    ax: Axes | None = None,
) -> tuple[Figure, Axes]:
    """Draw the score over the number of clusters.

    Args:
        n_clusters: `(K,)` numbers of clusters. Where they span much, their axis is logarithmic.
        scores: `(K,)` scores, one for each.
        knee: Where the curve bends, marked by a line.
        chosen: The number of clusters that was used, marked by a dot.
        interval: Ends of the confidence interval of the score there, drawn as an error bar.
        score_label: Name, convention and unit of the score.
        ax: Axes to draw into; by default those of a new figure.

    Returns:
        The figure and its axes.

    Raises:
        ValueError: If the two arguments are empty or differ in length, or there is an interval and no `chosen`.

    Example:
        >>> _, ax = plot_curve([1, 2, 3], [4.0, 1.0, 0.9], knee=2)
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['knee: k = 2']
    """
    ks, values = np.asarray(n_clusters), np.asarray(scores, dtype=np.float64)
    if ks.ndim != 1 or ks.shape != values.shape or not len(ks):
        raise ValueError(f"Argument `scores` must have the shape of `n_clusters`, but got {values.shape}, {ks.shape}.")
    if interval is not None and chosen is None:
        raise ValueError(f"Argument `interval` goes with `chosen`, the k that it is at, but got {interval} alone.")
    order = np.argsort(ks, kind="stable")
    ks, values = ks[order], values[order]
    figure, ax = axes_of(ax, (6.0, 4.0))
    _draw_line(ax, ks, values, color=BASE_COLOR * 0.8)
    if knee is not None:
        ax.axvline(knee, color=INK, lw=1.2, ls="--", label=f"knee: k = {knee}")
    if chosen is not None:
        at = float(np.interp(chosen, ks, values))
        size = 10 if interval is None else 4  # a wide ring would hide the error bar
        ax.plot([chosen], [at], "o", ms=size, mfc="none", mec=ACCENT, mew=2, label=f"chosen: k = {chosen}")
    if interval is not None and chosen is not None:
        _draw_interval(ax, chosen, interval, color=ACCENT, label="its confidence interval")
    if knee is not None or chosen is not None:
        ax.legend(frameon=False)
    _dress(ax, ks, values, score_label)
    return figure, ax


def plot_curves(
    curves: Mapping[str, Curve],
    intervals: Mapping[str, tuple[int, float, float]] | None = None,
    score_label: str = "Dispersion Score",
    ax: Axes | None = None,
) -> tuple[Figure, Axes]:
    """Draw the scores of several sets over the number of clusters, each with its knee.

    Args:
        curves: Curve of each set, by the name that the legend gives it.
        intervals: For some of the names, a number of clusters and the two ends of the confidence interval there.
        score_label: Name, convention and unit of the score.
        ax: Axes to draw into; by default those of a new figure.

    Returns:
        The figure and its axes.

    Raises:
        ValueError: If there is no curve, or an interval is of none of them.

    Example:
        >>> curve = Curve(np.array([1, 2, 3]), np.array([4.0, 1.0, 0.9]), knee=2, knee_method="kneedle")
        >>> _, ax = plot_curves({"truth": curve, "predictions": curve})
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['truth, knee at k = 2', 'predictions, knee at k = 2']
    """
    intervals = intervals or {}
    if not curves:
        raise ValueError("Argument `curves` must hold at least one curve, but is empty.")
    if strangers := sorted(set(intervals) - set(curves)):
        raise ValueError(f"Argument `intervals` must be of the curves {sorted(curves)}, but got {strangers}.")
    figure, ax = axes_of(ax, (7.0, 4.6))
    palette = matplotlib.color_sequences["tab10"]
    handles: list[Line2D] = []
    for i, (name, curve) in enumerate(curves.items()):
        color = palette[i % len(palette)]
        style = _LINE_STYLES[i // len(palette) % len(_LINE_STYLES)]
        at = float(np.interp(curve.knee, curve.n_clusters, curve.scores))
        _draw_line(ax, curve.n_clusters, curve.scores, color=color, ls=style)
        ax.plot([curve.knee], [at], "o", ms=9, mfc="white", mec=color, mew=2, zorder=3)
        # For the legend: a line with the mark of the knee on it.
        handles += ax.plot([], [], color=color, ls=style, marker="o", ms=7, mfc="white", mew=2)
        if name in intervals:
            k, low, high = intervals[name]
            _draw_interval(ax, k, (low, high), color=color)
    _draw_legend(ax, handles, [f"{name}, knee at k = {curve.knee}" for name, curve in curves.items()])
    _dress(
        ax,
        np.concatenate([curve.n_clusters for curve in curves.values()]),
        np.concatenate([curve.scores for curve in curves.values()]),
        score_label,
    )
    return figure, ax


def _draw_line(ax: Axes, ks: npt.NDArray[Any], values: npt.NDArray[np.float64], **style: Any) -> None:
    ax.plot(ks, values, lw=1.8, marker="o", ms=4 if len(ks) <= _FEW_POINTS else 0, **style)


def _draw_interval(ax: Axes, k: int, ends: tuple[float, float], **style: Any) -> None:
    """An error bar that need not be symmetric about the score."""
    middle = sum(ends) / 2
    ax.errorbar([k], [middle], yerr=[(ends[1] - ends[0]) / 2], fmt="none", capsize=4, elinewidth=1.6, zorder=4, **style)


def _draw_legend(ax: Axes, handles: list[Line2D], labels: list[str]) -> None:
    """A legend whose labels may be any file's name: matplotlib drops those that begin with _ and sets $ as formulas."""
    legend = ax.legend(
        handles, [str(i) for i in range(len(labels))], frameon=False, fontsize="small", loc="upper right"
    )
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_parse_math(False)
        text.set_text(label)


def _dress(ax: Axes, ks: npt.NDArray[Any], values: npt.NDArray[np.float64], score_label: str) -> None:
    span = ks.max() / max(ks.min(), 1)
    if span >= LOG_SPAN:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if span < 1e4 else (1,)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.set_xlabel("number of clusters k")
    ax.set_ylabel(score_label)
    ax.set_ylim(bottom=min(0.0, float(values.min())))
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
