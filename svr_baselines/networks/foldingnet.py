"""FoldingNet: a grid, folded twice."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import linear

from svr_baselines.data.points import check_count
from svr_baselines.networks.building import MOST_WIDTH
from svr_baselines.networks.encoder import Encoder
from svr_baselines.networks.network import Network
from svr_baselines.networks.norm import in_float32
from svr_baselines.networks.templates import square_grid


class FoldingNet(Network):
    """Folds a regular grid over the unit square into a first shape, and that into the final one.

    A fold is (code, point) - hidden - hidden - 3, with batch norm and ReLU between; the grid is the same in train and
    eval mode.

    Args:
        points: Points of the grid, the square of an integer from 2.
        code: Length of the code.
        hidden: Width of the hidden layers.
        encoder: `"resnet18"` or `"resnet50"`.

    Raises:
        ValueError: If a size is no count, `points` is no square, or there is no such encoder.

    Example:
        >>> import torch
        >>> FoldingNet(points=49, code=16, hidden=16).eval()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 49, 3])
    """

    grid: Tensor

    def __init__(self, points: int = 2500, code: int = 1024, hidden: int = 512, encoder: Encoder = "resnet18") -> None:
        grid = square_grid(points).vertices
        check_count("hidden", hidden, MOST_WIDTH)
        super().__init__(points=points, code=code, hidden=hidden, encoder=encoder)
        self.register_buffer("grid", grid, persistent=False)
        self.folds = nn.ModuleList([Fold(code, 2, hidden), Fold(code, 3, hidden)])

    def decode(self, code: Tensor) -> Tensor:
        """Points `(B, P, 3)` of codes."""
        points = self.grid.expand(len(code), -1, -1)
        for fold in self.folds:
            points = fold(points, code)
        return points


class Fold(nn.Module):
    """Moves points `(B, P, d)` by a code `(B, code)` to `(B, P, 3)`.

    The code's part of the first layer is computed once for an image, not for each of its points.
    """

    def __init__(self, code: int, dimension: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(code + dimension, hidden)
        self.middle = nn.Sequential(
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
        )
        self.last = nn.Linear(hidden, 3)

    def forward(self, points: Tensor, code: Tensor) -> Tensor:
        """Moved points, float32."""
        of_codes = linear(code, self.first.weight[:, : code.shape[1]], self.first.bias)
        of_points = linear(points, self.first.weight[:, code.shape[1] :])
        values = self.middle((of_codes[:, None] + of_points).flatten(0, 1))
        return in_float32(self.last, values).view(*points.shape[:2], 3)
