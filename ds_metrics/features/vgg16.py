"""VGG16 up to relu3_3: the features of the paper's distance between images."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ds_metrics.features.weights import LAYERS, load_weights

Pooling = Literal["channel-max", "none"]


class VGG16(nn.Module):
    r"""relu3_3 of VGG16, whose mean squared difference is the feature reconstruction loss (section 3.3 of the paper).

    .. math:: d(x, y) = \frac{1}{D} \sum_{k=1}^{D} (f_k(x) - f_k(y))^2

    Only the seven convolutions up to there are built.

    Args:
        weights: ``"bundled"`` come with this package; ``"torchvision"`` is its ``IMAGENET1K_V1``, downloaded when
            first used, on which the paper's numbers are; or the path of a file, see `ds_metrics.features.weights`.
            Scores on different weights don't compare.
        pooling: ``"channel-max"`` keeps of the 256 channels the largest value at each place, as the paper's official
            evaluation does: 56 x 56 numbers for images of 224 pixels. ``"none"`` keeps all: 256 x 56 x 56, in half
            precision lest they fill the memory, 1.6 MB an image.

    Raises:
        ValueError: If ``pooling`` is unknown, or ``weights`` are nothing that can be loaded.
        OSError: If a file can't be read, or the download fails.

    References:
        - K. Simonyan, A. Zisserman. Very deep convolutional networks for large-scale image recognition. ICLR 2015.
        - J. Johnson, A. Alahi, L. Fei-Fei. Perceptual losses for real-time style transfer and super-resolution.
          ECCV 2016.

    Example:
        >>> VGG16()(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 64])
        >>> VGG16(pooling="none")(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 16384])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: str | Path = "bundled", pooling: Pooling = "channel-max") -> None:
        super().__init__()
        if pooling not in get_args(Pooling):
            raise ValueError(f"Argument `pooling` must be one of {get_args(Pooling)}, but got {pooling!r}")
        with torch.device("cpu"):  # whatever the default is
            loaded = load_weights(weights)
        self.pooling = pooling
        self.features = _layers()
        self.register_buffer("mean", torch.tensor(loaded.mean, dtype=torch.float32, device="cpu").view(3, 1, 1))
        self.register_buffer("std", torch.tensor(loaded.std, dtype=torch.float32, device="cpu").view(3, 1, 1))
        self.features.load_state_dict({name.removeprefix("features."): value for name, value in loaded.values.items()})
        convolutions: Any = self.features  # older stubs of torch lack this overload
        convolutions.to(memory_format=torch.channels_last)  # half as fast again on a CPU
        self.requires_grad_(False).eval()

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> VGG16:
        """Move to another device; its type stays float32, on which its features are defined, whatever holds it."""

        def move(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        super()._apply(move, *args, **kwargs)  # type: ignore[no-untyped-call]
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Features ``(B, D)`` of RGB images ``(B, 3, H, W)`` in [0, 1]: float32 if pooled, else float16.

        Raises:
            ValueError: If a feature exceeds half precision where they are kept in it.
        """
        scaled = (images - self.mean) / self.std
        maps: Tensor = self.features(scaled.contiguous(memory_format=torch.channels_last))
        if self.pooling == "channel-max":
            return maps.amax(dim=1).flatten(1)
        half = maps.half().flatten(1)
        if not torch.isfinite(half).all():
            raise ValueError(
                f'Features reach {float(maps.max()):.4g}, more than half precision holds: use pooling="channel-max"'
            )
        return half


def _layers() -> nn.Sequential:
    """The network, numbered as torchvision's ``features``: convolutions, each with a ReLU, and two poolings."""
    sizes = [3, *(channels for _, channels in LAYERS)]
    layers: list[nn.Module] = []
    for (index, _), (before, after) in zip(LAYERS, pairwise(sizes), strict=True):
        if index > len(layers):
            layers.append(nn.MaxPool2d(2))
        layers += [nn.Conv2d(before, after, 3, padding=1, device="cpu", dtype=torch.float32), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
