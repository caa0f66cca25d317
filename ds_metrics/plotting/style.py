"""What all pictures share: colours, axes, and words for counts."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

BASE_COLOR = np.array([0.33, 0.55, 0.86])
ACCENT = "#d1495b"
INK = "#2b2f36"


def axes_of(ax: Axes | None, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """The figure and the given axes, or those of a new figure."""
    if ax is None:
        figure = Figure(figsize=size, layout="constrained")
        return figure, figure.add_subplot()
    owner: Figure | SubFigure | None = ax.figure
    while isinstance(owner, SubFigure):
        owner = owner.figure
    if not isinstance(owner, Figure):
        raise ValueError("Argument `ax` must belong to a figure, but it was removed from its own.")
    return owner, ax


def plural(count: int, noun: str) -> str:
    """The count and the noun in its number."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def percent(part: float, whole: float) -> str:
    """A share in whole per cent; what rounds to none is said to be less than one."""
    share = 100 * part / whole
    return "< 1 %" if 0 < share < 0.5 else f"{share:.0f} %"
