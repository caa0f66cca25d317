"""Which renderer draws: names, what each needs, and the choice. A renderer is imported when it is first used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from svr_baselines.rendering.projection import View
from svr_baselines.rendering.shading import Array, Hits

RENDERERS = ("auto", "kaolin", "embree")

Tracer = Callable[[Array, Array, Sequence[View], int], Iterator[Hits]]

_MODULES = {"kaolin": "svr_baselines.rendering.kaolin", "embree": "svr_baselines.rendering.embree"}
_EMBREE = "needs Embree's binding: `pip install embreex`"
_CUDA = "needs a CUDA GPU that torch can use; without one, take 'embree'"


def choose_renderer(name: str = "auto") -> str:
    """Name of the renderer that draws.

    `"auto"` takes `"kaolin"` where NVIDIA Kaolin and a CUDA GPU are there, and `"embree"` (on the CPU) elsewhere.

    Args:
        name: One of `RENDERERS`.

    Raises:
        ValueError: If the name is unknown, or what the renderer needs is not there.

    Example:
        >>> choose_renderer("embree")
        'embree'
    """
    if name not in RENDERERS:
        raise ValueError(f"Argument `renderer` must be one of {RENDERERS}, but got {name!r}.")
    if name == "auto":
        name = "kaolin" if _has_gpu() and lack("kaolin") is None else "embree"  # Kaolin takes seconds to import
    if (reason := lack(name)) is not None:
        raise ValueError(f"Argument `renderer` is {name!r}, which {reason}.")
    return name


def load_renderer(name: str) -> Tracer:
    """The renderer of a name that `choose_renderer` gave."""
    tracer: Tracer = importlib.import_module(_MODULES[name]).trace
    return tracer


def lack(name: str) -> str | None:
    """What keeps a renderer from drawing, as the end of a sentence; ``None`` if nothing does."""
    from ds_metrics.pairwise.backends import can_import, lack_of_kaolin  # bring torch

    if name == "embree":
        return None if can_import("embreex.rtcore_scene") else _EMBREE
    return lack_of_kaolin("kaolin.render.mesh") or (None if _has_gpu() else _CUDA)


def _has_gpu() -> bool:
    torch: Any = importlib.import_module("torch")
    there: bool = torch.cuda.is_available()
    return there
