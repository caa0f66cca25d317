"""Which backend computes: names, what each needs, and the choice. A backend is imported when it is first used."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from contextlib import redirect_stdout
from functools import cache
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ds_metrics.clouds import PackedClouds

BACKENDS = ("auto", "native", "triton", "kaolin", "torch")
FEATURES = "features"  # of vectors instead of clouds: a distance of theirs brings it, users do not name it

ON_CUDA = ("triton", "kaolin")  # fastest first
_OLDEST_TRITON = (3, 2)
_TRITON = "needs Triton 3.2 or newer: `pip install triton` (Linux; torch's CUDA wheels bring it, from torch 2.6 on)"
_COMPILER = "needs a C compiler at run time: install gcc or clang, or set CC"
NEEDS_KAOLIN = (
    "needs NVIDIA Kaolin: install the wheel for your torch and CUDA version from NVIDIA's index, see the Kaolin "
    "documentation; the `kaolin` on PyPI is a placeholder"
)


class Backend(Protocol):
    """A module that computes, exact for coordinates of any scale: it keeps their squares within its float range."""

    __name__: str

    def prepare(self, clouds: PackedClouds) -> Any:
        """Make clouds ready for the other functions, once."""

    def distances(
        self, x: Any, y: Any, i: NDArray[np.int64], j: NDArray[np.int64], squared: bool = True
    ) -> NDArray[np.float64]:
        """Distances of the pairs ``(x[i], y[j])`` of prepared clouds, of shape ``(K,)``."""

    def nearest(self, x: Any, y: Any) -> Tensor:
        """Index within ``y[b]`` of the point nearest to each point of ``x[b]``, of shape ``(T_x,)``, int64.

        The backend of vectors has none.
        """


def resolve_backend(backend: str, device: torch.device, dtype: torch.dtype = torch.float32) -> str:
    """Name of the backend that computes for points of ``dtype`` on ``device``.

    ``"auto"`` takes ``"native"`` (C++) on the CPU; on CUDA the first that is installed of ``"triton"`` and
    ``"kaolin"``; and ``"torch"``, which runs everywhere, if there is none.

    Args:
        backend: One of ``BACKENDS``, or ``"features"``, which takes any device.
        device: Where the points are.
        dtype: Their dtype, float32 or float64; of feature vectors float16 too.

    Raises:
        ValueError: If ``backend`` is unknown, can't reach the device, or is not installed.
        TypeError: If ``dtype`` is another one.

    Example:
        >>> resolve_backend("auto", torch.device("cpu"))
        'native'
    """
    if backend == FEATURES:
        return _for_features(dtype)
    check_backend(backend)
    if dtype not in (torch.float32, torch.float64):
        raise TypeError(f"Argument `dtype` must be torch.float32 or torch.float64, but got {dtype}")
    if backend == "auto":
        if device.type == "cpu":
            return "native"
        return next((name for name in ON_CUDA if lack(name, device) is None), "torch")
    reason = lack(backend, device)
    if reason is not None:
        raise ValueError(f"Argument `backend` is {backend!r}, which {reason}")
    return backend


def _for_features(dtype: torch.dtype) -> str:
    if dtype not in (torch.float16, torch.float32, torch.float64):
        raise TypeError(f"Argument `dtype` must be torch.float16, torch.float32 or torch.float64, but got {dtype}")
    return FEATURES


def check_backend(backend: str) -> None:
    """Raise ``ValueError`` for a name that no backend has."""
    if backend not in BACKENDS:
        raise ValueError(f"Argument `backend` must be one of {BACKENDS}, but got {backend!r}")


def load_backend(name: str) -> Backend:
    """The backend of a name that `resolve_backend` gave.

    Example:
        >>> load_backend("torch").__name__
        'ds_metrics.pairwise.reference'
    """
    module: Any = importlib.import_module("ds_metrics.pairwise." + ("reference" if name == "torch" else name))
    backend: Backend = module
    return backend


def lack(backend: str, device: torch.device) -> str | None:
    """What keeps a backend from computing on ``device``, as the end of a sentence; ``None`` if nothing does.

    Example:
        >>> lack("kaolin", torch.device("cpu"))
        'needs points on a CUDA GPU, but got cpu'
    """
    if backend == "native" and device.type != "cpu":
        return f"needs points on the CPU, but got {device}"
    if backend == "kaolin":
        if device.type != "cuda":
            return f"needs points on a CUDA GPU, but got {device}"
        return None if can_import("kaolin.metrics.pointcloud") else NEEDS_KAOLIN
    if backend == "triton":
        if device.type not in ("cpu", "cuda"):
            return f"needs points on a CUDA or ROCm GPU, but got {device}"
        if not can_import("triton") or _triton_version() < _OLDEST_TRITON:
            return _TRITON
        interpreted = importlib.import_module("ds_metrics.pairwise.triton").INTERPRETED
        if device.type == "cpu" and not interpreted:
            return f"needs points on a GPU (or TRITON_INTERPRET=1 set before Triton is imported), but got {device}"
        if not interpreted and not any(map(shutil.which, (os.environ.get("CC") or "gcc", "clang"))):
            return _COMPILER
    return None


def import_quietly(name: str) -> ModuleType:
    """Import a module that greets on stdout, which is for results."""
    with redirect_stdout(sys.stderr):
        return importlib.import_module(name)


def _triton_version() -> tuple[int, ...]:
    version: str = importlib.import_module("triton").__version__
    return tuple(int(part) for part in version.split(".")[:2])


@cache
def can_import(name: str) -> bool:
    """Whether a module can be imported: placeholders are found and have a version, but fail here."""
    try:
        import_quietly(name)
    except (ImportError, OSError):  # OSError: a shared library that does not load
        return False
    return True
