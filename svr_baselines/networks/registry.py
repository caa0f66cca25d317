"""Networks by name. Other packages join through the entry-point group `svr_baselines.networks`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from ds_metrics._plugins import describe_plugin, did_you_mean, first_line
from svr_baselines.networks.atlasnet import AtlasNetSphere, AtlasNetSquares
from svr_baselines.networks.building import usual_defaults, weigh
from svr_baselines.networks.foldingnet import FoldingNet
from svr_baselines.networks.network import Network
from svr_baselines.networks.occnet import OccNet
from svr_baselines.networks.psgn import PSGN

ENTRY_POINT_GROUP = "svr_baselines.networks"


@dataclass(frozen=True)
class NetworkInfo:
    """What the registry knows of a network.

    Attributes:
        name: Name it is created by.
        factory: Makes the network from its options; usually the class.
        description: One line on what it is.
        provider: Distribution that brings it.
    """

    name: str
    factory: Callable[..., Network]
    description: str
    provider: str = "dispersion-score"


_registered: dict[str, NetworkInfo] = {
    info.name: info
    for info in (
        NetworkInfo("psgn", PSGN, "Points from fully connected layers (Fan et al. 2017)."),
        NetworkInfo("foldingnet", FoldingNet, "A grid, folded twice (Yang et al. 2018)."),
        NetworkInfo("atlasnet-sphere", AtlasNetSphere, "A sphere, deformed (Groueix et al. 2018)."),
        NetworkInfo(
            "atlasnet-25", AtlasNetSquares, "25 squares, deformed each by its own decoder (Groueix et al. 2018)."
        ),
        NetworkInfo("occnet", OccNet, "The surface of an occupancy field (Mescheder et al. 2019)."),
    )
}


def register_network(
    name: str, factory: Callable[..., Network], description: str | None = None, *, provider: str = "local"
) -> NetworkInfo:
    """Make a network known by name in this process.

    Args:
        name: Name to create it by.
        factory: Makes the network from its options; usually the class, a subclass of `Network`.
        description: One line on what it is; by default the first line of the docstring.
        provider: Who brings it.

    Raises:
        TypeError: If `factory` can't be called.
        ValueError: If the name is taken.

    Example:
        >>> register_network("psgn-small", lambda **options: PSGN(points=64, hidden=32, **options), "A small one").name
        'psgn-small'
        >>> create_network("psgn-small", code=16).options["points"]
        64
    """
    if not callable(factory):
        raise TypeError(f"Argument `factory` must be callable, but got {type(factory).__name__}")
    if name in _registered:
        raise ValueError(f"Argument `name` must be new, but {name!r} is registered already")
    info = NetworkInfo(name, factory, first_line(factory) if description is None else description, provider)
    _registered[name] = info
    return info


def create_network(name: str, **options: Any) -> Network:
    """Make a network by its name, with random weights from torch's default generator.

    It is made in float32 on the CPU, whatever torch's default dtype and device are.

    Args:
        name: One of `list_networks`.
        options: Arguments of the network; those of all of ours are `points`, `code`, `hidden` and `encoder`.

    Raises:
        ValueError: If no network has that name, or none of its options is called so; the message lists those that come
            near. Or if the free memory can't hold it.
        TypeError: If what the factory returns is no `Network`.

    Example:
        >>> create_network("psgn", points=100, code=16, hidden=32).options
        {'code': 16, 'encoder': 'resnet18', 'points': 100, 'hidden': 32}
    """
    info = find_network(name)
    factory = info.factory
    known = inspect.signature(factory).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        for option in options:
            if option not in known:
                raise ValueError(f"Network {name!r} has no option {option!r}; {_near(option, list(known))}")
    with usual_defaults():
        if info.provider == "dispersion-score":  # others may need memory to be made at all
            weigh(lambda: factory(**options), name)
        network = factory(**options)
    if not isinstance(network, Network):
        raise TypeError(f"Network {name!r} must be made as a Network, but its factory gave {type(network).__name__}")
    return network


def find_network(name: str) -> NetworkInfo:
    """What is registered under a name.

    Raises:
        ValueError: If nothing is.
    """
    if isinstance(name, str) and name in _registered:
        return _registered[name]
    known = {info.name: info for info in list_networks()}
    if isinstance(name, str) and name in known:
        return known[name]
    raise ValueError(f"Argument `name` must be a registered network, but got {name!r}; {_near(str(name), list(known))}")


def has_network(name: str) -> bool:
    """Whether there is a network of this name; installed packages are only searched if it is not known here."""
    return name in _registered or any(info.name == name for info in _plugins())


def list_networks() -> list[NetworkInfo]:
    """All networks, those of this package first, then by name.

    Example:
        >>> [info.name for info in list_networks()][:5]
        ['psgn', 'foldingnet', 'atlasnet-sphere', 'atlasnet-25', 'occnet']
    """
    own = [info for info in _registered.values() if info.provider == "dispersion-score"]
    others = [info for info in _registered.values() if info.provider != "dispersion-score"]
    others += [info for info in _plugins() if info.name not in _registered]
    return own + sorted(others, key=lambda info: info.name)


@cache
def _plugins() -> tuple[NetworkInfo, ...]:
    """Networks that installed packages offer."""
    entries = sorted(entry_points(group=ENTRY_POINT_GROUP))
    return tuple(describe_plugin(entry, NetworkInfo, "network", NetworkInfo) for entry in entries)


def _near(name: str, known: list[str]) -> str:
    return did_you_mean(name, known) or f"there are {known}"
