"""The trivial features: an image's own pixels."""

from __future__ import annotations

from torch import Tensor, nn


class Pixels(nn.Module):
    """RGB in [0, 1], every pixel a number; the distance of two images is then their mean squared error.

    Example:
        >>> import torch
        >>> Pixels()(torch.zeros(2, 3, 4, 4)).shape
        torch.Size([2, 48])
    """

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` to ``(B, 3 H W)``."""
        return images.flatten(1)
