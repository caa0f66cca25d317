"""Libraries that only the report needs, found or asked for in one line."""

from __future__ import annotations

from importlib import import_module
from typing import Any

EXTRA = "pip install 'dispersion-score[report]'"


def require(module: str, package: str, purpose: str, install: str = EXTRA) -> Any:
    """Import a module that may not be installed.

    Raises:
        ValueError: If it is not there; the text says what to install.

    Example:
        >>> require("no_such_module", "no-such-package", "the map")
        Traceback (most recent call last):
        ValueError: the map needs no-such-package, which is not installed: pip install 'dispersion-score[report]'
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ValueError(f"{purpose} needs {package}, which is not installed: {install}") from error
