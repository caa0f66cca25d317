"""Which backend computes: names, what each needs, and the choice. A backend is imported when it is first used."""

from __future__ import annotations

import ctypes
import importlib
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from functools import cache
from threading import RLock
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
_LONGEST = 200  # characters of the reason why something can't be imported
_IMPORTING = RLock()
_FAULTS: dict[str, str] = {}  # why what was tried can't be imported
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
        return lack_of_kaolin("kaolin.metrics.pointcloud")
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
    """Import a module that greets on stdout, which is for results, or that warns.

    What it prints goes to stderr, and warnings nowhere. Standard output is redirected for the whole process, so one
    thread does it at a time, and only where the module is not there yet.
    """
    with _IMPORTING:
        if name in sys.modules:
            return importlib.import_module(name)
        with _stdout_to_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Send to stderr what is printed meanwhile, by compiled code too."""
    _flush()
    try:
        kept = os.dup(1)
        os.dup2(2, 1)
    except OSError:  # one of them is closed
        kept = None
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _flush()
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def _flush() -> None:
    with suppress(AttributeError, OSError, ValueError):  # there is none, or it is closed
        sys.stdout.flush()
    with suppress(AttributeError, OSError, TypeError):  # where the C library has another name
        ctypes.CDLL(None).fflush(None)


def _triton_version() -> tuple[int, ...]:
    version: str = importlib.import_module("triton").__version__
    return tuple(int(part) for part in version.split(".")[:2])


@cache
def can_import(name: str) -> bool:
    """Whether a module can be imported: placeholders are found and have a version, but fail here, with anything."""
    _FAULTS.pop(name, None)
    try:
        import_quietly(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        _FAULTS[name] = describe_fault(error)
        return False
    return True


def describe_fault(error: BaseException) -> str:
    """Why an import failed, on one line.

    Example:
        >>> describe_fault(SystemExit(3)), describe_fault(ImportError("No module named 'kaolin'"))
        ('SystemExit: 3', "No module named 'kaolin'")
    """
    said = " ".join(str(error).split())
    if not isinstance(error, ImportError) or not said:
        said = f"{type(error).__name__}: {said}".rstrip(": ")
    return said if len(said) <= _LONGEST else said[: _LONGEST - 3] + "..."


def lack_of_kaolin(name: str) -> str | None:
    """What keeps a module of Kaolin from being used, as the end of a sentence; ``None`` if nothing does."""
    if can_import(name):
        return None
    fault = _FAULTS.get(name)
    there = fault is not None and fault != "No module named 'kaolin'"
    return f"{NEEDS_KAOLIN}; what is here can't be imported: {fault}" if there else NEEDS_KAOLIN
