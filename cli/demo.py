"""`ds demo`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ds_cli.reading import say
from ds_cli.writing import write_figure, write_json
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from ds_metrics.plotting import draw_cloud
from svr_baselines.demonstration import Demonstration, Row, demonstrate

_SHOWN = 5


def run(out: Path, seed: int) -> None:
    """Make, score, print and draw."""
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    demonstration = demonstrate(seed=seed)
    _print(demonstration, console)
    scores = {row.name: {"chamfer": row.chamfer, "dispersion": row.dispersion} for row in demonstration.rows}
    document = {"n_clusters": demonstration.n_clusters, "seed": seed, "scores": scores}
    write_json(document, str(out / "scores.json"))
    write_figure(draw(demonstration), out / "demo.png")
    for name in ("demo.png", "scores.json"):
        say(console, f"wrote {out / name}")


def _print(demonstration: Demonstration, console: Console) -> None:
    k = demonstration.n_clusters
    table = Table(
        "predictions",
        "Chamfer distance",
        f"Dispersion Score (k = {k})",
        title=f"{len(demonstration.shapes)} pieces of furniture in {k} classes",
    )
    truth = demonstration.rows[0]
    for row in demonstration.rows:
        share = "" if row is truth else f"  {row.dispersion / truth.dispersion:4.0%} of the truth's"
        table.add_row(row.name, "-" if row is truth else f"{row.chamfer:.4f}", f"{row.dispersion:.4f}{share}")
    console.print(table)
    console.print(
        "Equally good by Chamfer distance, but one only names the class and recites a shape it knows; "
        "the other gets every shape right and its pose wrong."
    )


def draw(demonstration: Demonstration) -> Figure:
    """One line a set of predictions: some of its shapes, and its distance matrix."""
    shown = _spread(demonstration)
    top = float(np.percentile(demonstration.rows[0].distances.numpy(), 99))
    figure = Figure(figsize=(2 * _SHOWN + 2.6, 7.2), layout="constrained")
    grid = figure.add_gridspec(3, _SHOWN + 1, width_ratios=[1.0] * _SHOWN + [1.15])
    for line, row in enumerate(demonstration.rows):
        for column, index in enumerate(shown):
            ax = figure.add_subplot(grid[line, column])
            draw_cloud(ax, row.clouds[index].double().numpy())
            if column == 0:
                ax.set_title(_caption(row), loc="left", fontsize=11)
        ax = figure.add_subplot(grid[line, _SHOWN])
        ax.imshow(row.distances.numpy(), cmap="RdYlBu_r", vmin=0, vmax=top)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_title("distances among all shapes", fontsize=9)
    return figure


def _spread(demonstration: Demonstration) -> list[int]:
    """Two unlike shapes of the first class, then more of the others: what is recited shows side by side."""
    categories = demonstration.shapes.categories
    distances = demonstration.rows[0].distances.numpy()
    chosen: list[int] = []
    for category, count in zip(sorted(set(categories)), (2, 2, 1, 0, 0), strict=False):
        members = [i for i, other in enumerate(categories) if other == category]
        within = distances[np.ix_(members, members)]
        first, second = np.unravel_index(within.argmax(), within.shape)
        chosen += [members[first], members[second]][:count]
    return chosen


def _caption(row: Row) -> str:
    chamfer = "" if row.name == "ground truth" else f"Chamfer {row.chamfer:.4f},  "
    return f"{row.name}:  {chamfer}DS {row.dispersion:.4f}"
