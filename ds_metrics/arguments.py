"""Checks of options, so that each kind is refused in one way wherever it is asked for."""

from __future__ import annotations

import operator
import os
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

Real: TypeAlias = "int | float | np.integer[Any] | np.floating[Any]"

_INFINITY = float("inf")


def check_flag(name: str, value: Any) -> None:
    """Raise ``TypeError`` for what is neither true nor false.

    Example:
        >>> check_flag("squared", "no")
        Traceback (most recent call last):
        TypeError: Argument `squared` must be True or False, but got 'no'
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"Argument `{name}` must be True or False, but got {value!r}")


def check_number(
    name: str,
    value: Any,
    what: str = "a finite number",
    *,
    above: float = -_INFINITY,
    least: float = -_INFINITY,
    below: float = _INFINITY,
    most: float = _INFINITY,
) -> None:
    """Raise ``TypeError`` for what is no number, and ``ValueError`` for one out of range; infinity and NaN always are.

    Example:
        >>> check_number("tolerance", 1.5, "between 0 and 1", above=0, below=1)
        Traceback (most recent call last):
        ValueError: Argument `tolerance` must be between 0 and 1, but got 1.5
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"Argument `{name}` must be {what}, but got {value!r}")
    if not (above < value < below and least <= value <= most):
        raise ValueError(f"Argument `{name}` must be {what}, but got {value}")


def check_positive(name: str, value: Any) -> None:
    """Raise for what is no finite number above 0.

    Example:
        >>> check_positive("radius", float("nan"))
        Traceback (most recent call last):
        ValueError: Argument `radius` must be positive, but got nan
    """
    check_number(name, value, "positive", above=0)


def check_integer(name: str, value: Any, least: int, most: int) -> int:
    """Return ``value`` as an ``int`` from ``least`` to ``most``, or raise."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"Argument `{name}` must be an integer, but got {value!r}") from None
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"Argument `{name}` must be an integer, but got {value!r}")
    if not least <= number <= most:
        raise ValueError(f"Argument `{name}` must be from {least} to {most}, but got {number}")
    return number


def check_path(name: str, value: Any) -> None:
    """Raise ``TypeError`` for what is neither a path nor ``None``.

    Example:
        >>> check_path("store", 3)
        Traceback (most recent call last):
        TypeError: Argument `store` must be a path, but got 3
    """
    if value is not None and not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"Argument `{name}` must be a path, but got {value!r}")


def check_plain(name: str, value: Any) -> None:
    """Raise ``TypeError`` for tensors and arrays without a grid of numbers: masked, sparse, nested, quantized, meta.

    Example:
        >>> check_plain("clouds", torch.eye(3).to_sparse())
        Traceback (most recent call last):
        TypeError: Argument `clouds` must hold dense tensors or arrays, but got a sparse tensor
    """
    if found := _unlike_grid(value):
        raise TypeError(f"Argument `{name}` must hold dense tensors or arrays, but got {found}")


def _unlike_grid(value: Any) -> str | None:
    if isinstance(value, np.ma.MaskedArray):
        return "a masked array"
    if not isinstance(value, Tensor):
        return None
    if type(value).__name__ == "MaskedTensor":  # whose module warns when it is imported
        return "a masked tensor"
    if value.is_nested:
        return "a nested tensor"
    if value.layout != torch.strided:
        return "a sparse tensor"
    if value.is_quantized:
        return "a quantized tensor"
    return "a meta tensor, which has no numbers" if value.device.type == "meta" else None
