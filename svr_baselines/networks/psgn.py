"""PSGN: all coordinates of all points from fully connected layers."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from svr_baselines.data.points import check_count
from svr_baselines.networks.building import MOST_POINTS, MOST_WIDTH
from svr_baselines.networks.encoder import Encoder
from svr_baselines.networks.network import Network
from svr_baselines.networks.norm import in_float32


class PSGN(Network):
    """Coordinates from three hidden layers, without a template; the fully connected branch of Fan et al. 2017.

    Sizes as in the paper: code - hidden - hidden - hidden - 3 points, batch norm and ReLU between.

    Args:
        points: Points of a shape.
        code: Length of the code.
        hidden: Width of the hidden layers.
        encoder: `"resnet18"` or `"resnet50"`.

    Raises:
        ValueError: If a size is no count, or there is no such encoder.

    Example:
        >>> import torch
        >>> PSGN(points=100, code=16, hidden=32).eval()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 100, 3])
    """

    def __init__(self, points: int = 2500, code: int = 1024, hidden: int = 512, encoder: Encoder = "resnet18") -> None:
        check_count("points", points, MOST_POINTS)
        check_count("hidden", hidden, MOST_WIDTH)
        super().__init__(points=points, code=code, hidden=hidden, encoder=encoder)
        widths = [code, hidden, hidden, hidden]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.last = nn.Linear(hidden, points * 3)

    def decode(self, code: Tensor) -> Tensor:
        """Points `(B, P, 3)` of codes."""
        return in_float32(self.last, self.layers(code)).view(len(code), -1, 3)
