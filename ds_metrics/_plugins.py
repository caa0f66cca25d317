"""What registries of names have in common: plug-ins of installed packages, and messages."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint
from typing import Any, TypeVar

Info = TypeVar("Info")

BROKEN = "can't be loaded: "  # begins what a registry says of such a plug-in


def describe_plugin(
    entry: EntryPoint, kind: type[Info], what: str, make: Callable[[str, Callable[..., Any], str, str], Info]
) -> Info:
    """What a registry knows of a plug-in.

    One that can't be loaded is listed with the reason, and says it again when asked for.

    Args:
        entry: Names an object of type ``kind``, or what makes such things as are registered, usually their class.
        kind: What the registry holds.
        what: What is registered, for messages.
        make: Makes a ``kind`` from name, factory, description and the distribution that brings it.
    """
    provider = entry.dist.name if entry.dist else "unknown"

    def broken(reason: str) -> Info:
        def refuse(**options: Any) -> Any:
            raise ValueError(f"{what} {entry.name!r} of package {provider!r} can't be loaded: {reason}")

        return make(entry.name, refuse, BROKEN + reason, provider)

    try:
        loaded = entry.load()
    except Exception as error:  # someone else's package: whatever it raises must not take ours down
        return broken(f"{type(error).__name__}: {error}")
    if isinstance(loaded, kind):
        return loaded
    if not callable(loaded):
        return broken(f"{entry.value} is neither a {what} class nor a {kind.__name__}")
    return make(entry.name, loaded, first_line(loaded), provider)


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A question after names that come near, if any do.

    Example:
        >>> did_you_mean("atlasnet", ["atlasnet-25", "psgn"])
        "did you mean 'atlasnet-25'?"
        >>> did_you_mean("x", ["psgn"])
    """
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else None


def first_line(factory: Callable[..., Any]) -> str:
    """First line of a docstring, empty without one."""
    return (inspect.getdoc(factory) or "").partition("\n")[0]
