"""The figures of the paper, of one's own results."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ds_metrics.plotting.style import ACCENT, BASE_COLOR, INK
from svr_baselines.experiments.plan import Arm, Drawing, Plan, Row, scores_of
from svr_baselines.experiments.tables import SCALE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABELS = {
    "image_ds": "DS of training images x 1000",
    "shape_ds": "DS of training shapes x 0.001",
    "output_ds": "output DS x 0.001",
    "cd": "CD x 0.001",
}
_INTERVAL = "output_ds_low", "output_ds_high"
_MARKERS = "osD^vPX*"


def draw_matrices(plan: Plan, series: Sequence[str], load: Callable[[str], Any]) -> Drawing:
    """Figure 3: distances among training images, training shapes and reconstructions, a row for each step.

    Of several networks and seeds, the first is shown.
    """
    first = plan.arms[0]
    columns = [
        [arm for arm in plan.arms if arm.series == name and (arm.network, arm.seed) == (first.network, first.seed)]
        for name in series
    ]
    rows = max(len(column) for column in columns)
    figure = _figure(5.2 * len(series), 1.72 * rows + 0.7)
    grid = figure.subplots(rows, 3 * len(series), squeeze=False)
    matrices = [[[load(_distances(arm, kind)) for kind in range(3)] for arm in arms] for arms in columns]
    tops = [_top(of_arm[kind] for arms in matrices for of_arm in arms) for kind in range(3)]
    for place, arms in enumerate(columns):
        for line in range(rows):
            for kind, title in enumerate(("images", "shapes", "recons.")):
                ax = grid[line, 3 * place + kind]
                ax.set_axis_off()
                if line >= len(arms):
                    continue
                matrix = matrices[place][line][kind]
                if kind < 2:
                    matrix = _by_morph(matrix)
                ax.imshow(matrix, cmap="RdYlBu_r", vmin=0, vmax=tops[kind], interpolation="nearest")
                if line == 0:
                    ax.set_title(title if kind else f"{series[place]}\n{title}", fontsize=9, color=INK)
                if kind == 0:
                    ax.text(-0.08, 0.5, arms[line].step, rotation=90, transform=ax.transAxes, ha="right", va="center")
    caption = (
        "As figure 3 of the paper: distances among training images, training shapes, and reconstructions of the test "
        "set, ordered from cube to sphere. Blue is near, red is far; each kind has one scale."
    )
    alt = "Distance matrices; " + "; ".join(
        f"{name}: rows {', '.join(a.step for a in arms)}" for name, arms in zip(series, columns, strict=True)
    )
    return Drawing("figure-3", figure, caption, alt)


def draw_synthetic(rows: Sequence[Row], series: Sequence[str]) -> Drawing:
    """Figure 4: input and output DS along both series."""
    panels = ("image_ds", "shape_ds", "output_ds")
    figure = _figure(10.5, 2.9 * len(series))
    grid = figure.subplots(len(series), len(panels), squeeze=False)
    for line, name in enumerate(series):
        members = [row for row in rows if row.series == name]
        steps = list(dict.fromkeys((row.x, row.step) for row in members))
        for column, panel in enumerate(panels):
            ax = grid[line, column]
            _draw_runs(ax, members, panel)
            ax.set_xticks([x for x, _ in steps], [step for _, step in steps], rotation=45, fontsize=8)
            if column == 0:
                ax.set_title(name, loc="left", fontsize=10, color=INK)
    _share_limits(grid)
    _legend(grid[0, -1])
    caption = (
        "As figure 4 of the paper: DS of training images, of training shapes, and of the reconstructions of the test "
        "set. The dashed line is the ground truth of the test set."
    )
    return Drawing("figure-4", figure, caption, _alt(rows, panels))


def draw_panels(rows: Sequence[Row], panels: Sequence[str], axis: str, name: str, caption: str) -> Drawing:
    """Figures 5 and 7: scores over what was varied, a panel each."""
    figure = _figure(3.6 * len(panels), 3.3)
    grid = figure.subplots(1, len(panels), squeeze=False)
    ticks = sorted({row.x for row in rows if row.seed is not None})
    for ax, panel in zip(grid[0], panels, strict=True):
        _draw_runs(ax, rows, panel)
        ax.set_xticks(ticks)
        ax.set_xlabel(axis, color=INK)
        if panel in ("image_ds", "shape_ds"):
            ax.set_ylim(0, 1.05 * ax.get_ylim()[1])
    _legend(grid[0, -1])
    return Drawing(name, figure, caption, _alt(rows, panels))


def draw_coordinates(rows: Sequence[Row]) -> Drawing:
    """Figure 6, and table 1 as a picture: input DS in both axes, and output DS of each network."""
    figure = _figure(11, 3.4)
    grid = figure.subplots(1, 3, width_ratios=(1, 1, 2.4))
    trained = [row for row in rows if row.seed is not None]
    steps = list(dict.fromkeys(row.step for row in trained))
    for ax, panel in zip(grid[:2], ("image_ds", "shape_ds"), strict=True):
        heights = [_values([row for row in trained if row.step == step], panel)[0] for step in steps]
        ax.bar(steps, heights, color=[BASE_COLOR, ACCENT], width=0.6)
        ax.set_ylabel(_LABELS[panel], color=INK)
        _plain(ax)
    networks = list(dict.fromkeys(row.network for row in trained))
    for place, (step, color) in enumerate(zip(steps, (BASE_COLOR, ACCENT), strict=True)):
        means, spreads = [], []
        for network in networks:
            values = _values([row for row in trained if (row.network, row.step) == (network, step)], "output_ds")
            means.append(statistics.fmean(values))
            spreads.append(statistics.stdev(values) if len(values) > 1 else 0.0)
        at = np.arange(len(networks)) + 0.38 * (place - 0.5)
        grid[2].bar(at, means, 0.36, yerr=spreads if any(spreads) else None, color=color, label=step)
    at_end = len(networks)
    for row in rows:
        if row.seed is None:
            grid[2].bar(at_end, row.output_ds * SCALE, 0.36, color="0.7")
            networks.append(row.network)
            at_end += 1
    _draw_truth(grid[2], rows)
    grid[2].set_xticks(range(len(networks)), networks, rotation=20, ha="right", fontsize=9)
    grid[2].set_ylabel(_LABELS["output_ds"], color=INK)
    grid[2].legend(frameon=False)
    _plain(grid[2])
    caption = (
        "As figure 6 and table 1 of the paper: DS of training images and training shapes, object-centred (OC) and "
        "viewer-centred (VC), and output DS of networks and, in grey, of pure recognition. The line is the "
        "ground truth."
    )
    return Drawing("figure-6", figure, caption, _alt(rows, ("image_ds", "shape_ds", "output_ds")))


def _draw_runs(ax: Axes, rows: Sequence[Row], panel: str) -> None:
    """Means over seeds of each network, with all seeds as fainter points; of one seed the confidence interval."""
    trained = [row for row in rows if row.seed is not None]
    xs = sorted({row.x for row in trained})
    scores = scores_of(trained, panel)
    for place, (network, runs) in enumerate(scores.items()):
        values = np.array(runs) * _scale(panel)
        color = BASE_COLOR if len(scores) == 1 else f"C{place}"
        ax.plot(xs, values.mean(axis=0), marker=_MARKERS[place % len(_MARKERS)], color=color, label=network)
        if len(values) > 1:
            ax.plot(xs, values.T, ".", color=color, alpha=0.4)
        elif panel == "output_ds" and trained[0].output_ds_low is not None:
            low, high = (np.array(scores_of(trained, end)[network][0]) * SCALE for end in _INTERVAL)
            ax.fill_between(xs, low, high, color=color, alpha=0.15, linewidth=0)
    if panel == "output_ds":
        _draw_truth(ax, trained)
    ax.set_ylabel(_LABELS[panel], color=INK)
    _plain(ax)


def _draw_truth(ax: Axes, rows: Sequence[Row]) -> None:
    truth = next((row.truth_ds for row in rows if row.truth_ds is not None), None)
    if truth is not None:
        ax.axhline(truth * SCALE, color=INK, linestyle="--", linewidth=1, label="ground truth")


def _scale(panel: str) -> float:
    return 1 / SCALE if panel == "image_ds" else SCALE


def _values(rows: Sequence[Row], panel: str) -> list[float]:
    return [float(getattr(row, panel) or 0.0) * _scale(panel) for row in rows]


def _legend(ax: Axes) -> None:
    if len(ax.get_legend_handles_labels()[1]) > 1:
        ax.legend(frameon=False, fontsize=8)


def _share_limits(grid: Any) -> None:
    """One scale for each column: what stays as it is should look so."""
    for column in grid.T:
        top = 1.05 * max(ax.get_ylim()[1] for ax in column)
        for ax in column:
            ax.set_ylim(0, top)


def _top(matrices: Iterable[Any]) -> float:
    """What is red in matrices of one kind."""
    return max(float(np.percentile(matrix, 99)) for matrix in matrices) or 1.0


def _distances(arm: Arm, kind: int) -> str:
    job = (arm.images, arm.shapes, arm.score)[kind]
    assert job is not None
    return str(job.arguments["distances"])


def _by_morph(matrix: Any) -> Any:
    """A sub-trainset's samples from cube to sphere: its second cluster is listed from its end inwards."""
    half = len(matrix) // 2
    order = [*range(half), *range(len(matrix) - 1, half - 1, -1)]
    return matrix[np.ix_(order, order)]


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _plain(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(colors=INK)


def _alt(rows: Sequence[Row], panels: Sequence[str]) -> str:
    """Means over seeds, of each series and network, for those who do not see the figure."""
    parts = []
    for series in dict.fromkeys(row.series for row in rows if row.seed is not None):
        for panel in panels:
            for network, runs in scores_of(rows, panel, series).items():
                values = ", ".join(f"{value:.4g}" for value in np.mean(runs, axis=0) * _scale(panel))
                parts.append(f"{series}, {network}, {_LABELS[panel]}: {values}")
    return ". ".join(parts) + "."
