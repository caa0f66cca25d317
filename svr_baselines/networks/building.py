"""How networks are built: in float32 on the CPU, whatever torch's defaults are, and only where memory will do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ds_metrics.pairwise.memory import free_memory

MOST_POINTS = 1_000_000
MOST_WIDTH = 65_536  # of the code and of hidden layers
MOST_RESOLUTION = 1024


@contextmanager
def usual_defaults() -> Iterator[None]:
    """A block, or a function that it decorates, in which new tensors are float32 on the CPU by default.

    Example:
        >>> torch.set_default_dtype(torch.float64)
        >>> with usual_defaults():
        ...     torch.zeros(1).dtype
        torch.float32
        >>> torch.set_default_dtype(torch.float32)
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(before)


def weigh(make: Callable[[], nn.Module], name: str) -> None:
    """Refuse a network that the free memory can't hold: made without memory first."""
    with torch.device("meta"):
        network = make()
    check_room(network, f"the weights of {name!r}", 1)


def check_room(network: nn.Module, what: str, times: int) -> None:
    """Refuse a network so many times of whose size the free memory can't hold."""
    needed = times * sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    if needed > (free := free_memory()):
        raise ValueError(
            f"Argument `network_options` must make a network that fits into the {free / 1e9:.1f} GB of memory that are "
            f"free, but {what} take {needed / 1e9:.1f} GB"
        )
