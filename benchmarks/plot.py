"""Time over points and over samples, on logarithmic axes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from engines import SCIPY
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from ds_metrics._files import atomic_write

_OURS = ("#1f4e9c", "#4c86d8", "#9cbcec")
_SCIPY = "#d1495b"


def plot_scaling(result: Mapping[str, Any], path: Path) -> None:
    """Write the picture of a result of `pairwise.py`; the suffix of the path chooses the format."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _plot_points(left, result["points"])
    _plot_samples(right, result["samples"], result["sizes"]["points"])
    machine = result["machine"]
    figure.suptitle(f"Pairwise Chamfer distances, one thread: {machine['cpu']}", fontsize=11)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _plot_points(ax: Axes, points: Mapping[str, Any]) -> None:
    colors = iter(_OURS)
    for name in sorted(points["exponents"], key=lambda name: name != SCIPY):
        rows = [row for row in points["rows"] if row["name"] == name]
        label = f"{name}: P$^{{{points['exponents'][name]:.2f}}}$"
        color = _SCIPY if name == SCIPY else next(colors)
        ax.plot([r["points"] for r in rows], [r["ms_per_pair"] for r in rows], "o-", color=color, ms=5, label=label)
    ax.set(xlabel="points a cloud, P", ylabel="ms a pair, both directions")
    _finish(ax, sorted({row["points"] for row in points["rows"]}))


def _plot_samples(ax: Axes, samples: Mapping[str, Any], points: int) -> None:
    x, y = ([row[key] for row in samples["rows"]] for key in ("samples", "seconds"))
    ax.plot(x, y, "o-", color=_OURS[0], ms=5, label=f"pairwise_distance: N$^{{{samples['exponent']:.2f}}}$")
    ax.set(xlabel=f"samples, N, of {points:,} points", ylabel="seconds for the whole matrix")
    _finish(ax, x)
    ax.set_ylim(10 ** np.floor(np.log10(min(y))), 10 ** np.ceil(np.log10(max(y))))


def _finish(ax: Axes, ticks: list[int]) -> None:
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(ticks, labels=[f"{tick:,}" for tick in ticks])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9)
