"""What all networks have in common: images in, points out, a loss, and options that rebuild them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from ds_metrics.functional import chamfer_distance
from svr_baselines.data.items import Item
from svr_baselines.data.points import check_count
from svr_baselines.networks.building import MOST_WIDTH
from svr_baselines.networks.encoder import Encoder, create_encoder
from svr_baselines.networks.norm import at_least_float32


class Network(nn.Module):
    """Encodes an image and decodes points of the shape that it shows.

    Images go into the encoder as they are, RGB in [0, 1], without ImageNet's mean and deviation: so the paper did.
    Points come out in the frame of the points that it was trained on, as float32 under autocast too. In eval mode the
    same image gives the same points, whatever else is in the batch, but for rounding. Where a network deforms a
    template, points of it are drawn from torch's default generator in train mode.

    Args:
        code: Length of the code between encoder and decoder.
        encoder: `"resnet18"` or `"resnet50"`.
        options: All other arguments of the subclass.

    Attributes:
        options: All arguments of the subclass, ready for JSON: `create_network(name, **network.options)` rebuilds it.

    Raises:
        ValueError: If `code` is no count or too large, or there is no such encoder.
    """

    def __init__(self, *, code: int, encoder: Encoder, **options: Any) -> None:
        super().__init__()
        check_count("code", code, MOST_WIDTH)
        self.options: dict[str, Any] = {"code": code, "encoder": encoder, **options}
        self.encoder = create_encoder(encoder, code)

    def forward(self, images: Tensor) -> Tensor:
        """Points of the shapes that images show.

        Args:
            images: `(B, 3, H, W)` floating point, RGB in [0, 1].

        Returns:
            `(B, P, 3)` float32. `P` is the option `points`, or in eval mode the size of a regular template.

        Raises:
            ValueError: If the images have another shape or are not floating point.
        """
        return self.decode(self.encode(images))

    def encode(self, images: Tensor) -> Tensor:
        """Codes of images, `(B, code)`; float32, or the dtype of autocast.

        Raises:
            ValueError: If the images have another shape or are not floating point.
        """
        if images.ndim != 4 or images.shape[1] != 3 or len(images) == 0 or not images.is_floating_point():
            raise ValueError(
                "Argument `images` must be floating point of shape (B, 3, H, W) with B >= 1, "
                f"but got {images.dtype} {tuple(images.shape)}."
            )
        codes: Tensor = self.encoder(images)
        return codes

    @abstractmethod
    def decode(self, code: Tensor) -> Tensor:
        """Points `(B, P, 3)`, float32, of codes `(B, code)`."""

    def loss(self, batch: Item) -> Tensor:
        """Mean Chamfer distance between the points of the network and those of the batch.

        Computed in float32, or in double where the weights are, outside of autocast.

        Args:
            batch: Items put together: `image` `(B, 3, H, W)`, `points` `(B, Q, 3)`.

        Returns:
            A scalar that can be differentiated.

        Raises:
            ValueError: If shapes don't fit, or a point is NaN or infinite, of the batch or of the network.
        """
        points = self(batch.image)
        with torch.autocast(points.device.type, enabled=False):
            dtype = at_least_float32(points.dtype)
            return chamfer_distance(points.to(dtype), batch.points.to(dtype)).mean()
