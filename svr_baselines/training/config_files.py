"""Configurations in JSON and TOML files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from svr_baselines.documents import check_regular
from svr_baselines.training.config import TrainingConfig


def read_config(path: str | os.PathLike[str]) -> TrainingConfig:
    """Read a configuration from a file that ends in ``.json`` or ``.toml``.

    Raises:
        OSError: If the file can't be read.
        ValueError: If the file is neither, is damaged, or holds another value than a configuration has; the text names
            the file.
    """
    try:
        return TrainingConfig.from_dict(read_values(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error


def read_values(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the values of a ``.json`` or ``.toml`` file without making a configuration of them.

    Raises:
        OSError: If the file can't be read.
        ValueError: If the file is no regular one, neither, or damaged; the text names the file.
    """
    path = Path(path)
    check_regular(path)
    text = path.read_bytes()
    try:
        values = _parser(path.suffix)(text.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split()).rstrip('.')}.") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected names and values, but got a {type(values).__name__}.")
    return values


def write_config(path: str | os.PathLike[str], config: TrainingConfig) -> None:
    """Write a configuration into a file that ends in ``.json`` or ``.toml``; `read_config` gives an equal one.

    Raises:
        OSError: If the file can't be written.
        ValueError: If the file is neither, or TOML can't hold an option of the network, which is `None`.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "run.toml")
        >>> write_config(path, TrainingConfig("psgn", {"points": 1024}, seed=7))
        >>> read_config(path) == TrainingConfig("psgn", {"points": 1024}, seed=7)
        True
    """
    from ds_metrics._files import write_text  # brings torch

    path = Path(path)
    if path.suffix == ".toml":
        text = _format_toml(config.to_dict())
    elif path.suffix == ".json":
        text = json.dumps(config.to_dict(), indent=2, allow_nan=False) + "\n"
    else:
        raise _unknown(path.suffix)
    write_text(path, text)


def _parser(suffix: str) -> Any:
    if suffix == ".json":
        return json.loads
    if suffix != ".toml":
        raise _unknown(suffix)
    try:
        return import_module("tomllib" if sys.version_info >= (3, 11) else "tomli").loads
    except ImportError as error:
        raise ValueError("TOML needs Python 3.11, or: pip install tomli. JSON does not") from error


def _unknown(suffix: str) -> ValueError:
    return ValueError(f"A configuration is a file that ends in .json or .toml, but got {suffix!r}.")


def _format_toml(values: Mapping[str, Any], table: str = "") -> str:
    """Values that are `None` are left out: so they are by default. Tables come last, as TOML wants it."""
    lines = [f"[{table}]"] if table else []
    plain = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    for name, value in plain.items():
        if value is not None:
            lines.append(f"{_toml_key(name)} = {_toml_value(name, value)}")
        elif table:
            raise ValueError(f"TOML can't hold the option {name!r}, which is None; write JSON.")
    text = "".join(line + "\n" for line in lines)
    for name in values.keys() - plain.keys():
        key = _toml_key(name)
        text += "\n" + _format_toml(values[name], f"{table}.{key}" if table else key)
    return text


def _toml_key(name: str) -> str:
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_value(name: str, value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml_value(name, item) for item in value)}]"
    if isinstance(value, str):
        return _toml_key(value)
    if not isinstance(value, (bool, int, float)):
        raise ValueError(f"TOML can't hold the value {name!r}, {value!r}; write JSON.")
    return json.dumps(value)
