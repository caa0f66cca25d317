"""OccNet: whether a place is inside of the shape, for every place; its surface is where that changes."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ds_metrics._modes import evaluating
from svr_baselines.data.items import Item
from svr_baselines.data.occupancy import BOX, OccupancyItem
from svr_baselines.data.points import check_count, sample_mesh
from svr_baselines.networks.building import MOST_POINTS, MOST_RESOLUTION, MOST_WIDTH
from svr_baselines.networks.encoder import Encoder
from svr_baselines.networks.network import Network
from svr_baselines.networks.norm import at_least_float32, in_float32
from svr_baselines.networks.surface import Surface, extract_surface

_AT_ONCE = 2**16  # queries, when surfaces are sought
_BLOCKS = 5


class OccNet(Network):
    """The surface of an occupancy field.

    The decoder is the published one: five residual blocks whose batch norm the code scales and shifts. As published it
    has 256 numbers in the code and in the hidden layers; the encoder is trained from scratch like those of the other
    networks, though the published one is not.

    Its loss takes batches of `OccupancyItem`, which `OccupancyDataset` makes. Points are sought without gradient and as
    in eval mode, always: on the surface where the probability of being inside crosses `threshold`, found by marching
    cubes, drawn evenly by area. A field that stays below the threshold has its surface just below its largest value,
    so that there are points for every image; one that is the same everywhere has the box that is searched.

    Args:
        points: Points to draw from the surface.
        code: Length of the code.
        hidden: Width of the blocks.
        encoder: `"resnet18"` or `"resnet50"`.
        resolution: Cells along each side of the box in which the surface is sought, `[-1.1, 1.1]` in each coordinate.
        threshold: Probability on the surface. 0.2 is the published one, which helps thin parts.
        seed: Seed of the draw from the surface, the same for each image.

    Raises:
        ValueError: If a size is no count, `threshold` is not between 0 and 1, or there is no such encoder.

    Example:
        >>> network = OccNet(points=100, code=16, hidden=16, resolution=16)
        >>> network(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 100, 3])
    """

    def __init__(
        self,
        points: int = 2500,
        code: int = 256,
        hidden: int = 256,
        encoder: Encoder = "resnet18",
        resolution: int = 64,
        threshold: float = 0.2,
        seed: int = 0,
    ) -> None:
        check_count("points", points, MOST_POINTS)
        check_count("hidden", hidden, MOST_WIDTH)
        check_count("resolution", resolution, MOST_RESOLUTION)
        if not isinstance(threshold, float) or not 0 < threshold < 1:
            raise ValueError(f"Argument `threshold` must be between 0 and 1, but got {threshold!r}.")
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ValueError(f"Argument `seed` must be an integer from 0, but got {seed!r}")
        super().__init__(
            points=points,
            code=code,
            hidden=hidden,
            encoder=encoder,
            resolution=resolution,
            threshold=threshold,
            seed=seed,
        )
        self.decoder = OccupancyDecoder(code, hidden)

    def logits(self, queries: Tensor, code: Tensor) -> Tensor:
        """Log-odds of being inside, `(B, Q)` float32.

        Args:
            queries: `(B, Q, 3)` places, in the frame of the points that the network was trained on.
            code: `(B, code)`.

        Raises:
            ValueError: If the shapes don't fit.
        """
        if queries.ndim != 3 or queries.shape[-1] != 3 or len(queries) != len(code):
            raise ValueError(f"Argument `queries` must have shape ({len(code)}, Q, 3), but got {tuple(queries.shape)}.")
        result: Tensor = self.decoder(queries, code)
        return result

    def loss(self, batch: Item | OccupancyItem) -> Tensor:
        """Mean binary cross-entropy of the occupancy of the batch's queries, in float32.

        Args:
            batch: Items with `queries` and `occupied`, put together.

        Raises:
            ValueError: If the items have no queries, or the loss is not finite because they are not.
        """
        if not isinstance(batch, OccupancyItem):
            raise ValueError("OccNet learns from `OccupancyItem`s: put the dataset into an `OccupancyDataset`.")
        logits = self.logits(batch.queries, self.encode(batch.image))
        with torch.autocast(logits.device.type, enabled=False):
            dtype = at_least_float32(logits.dtype)
            return binary_cross_entropy_with_logits(logits.to(dtype), batch.occupied.to(dtype))

    @torch.no_grad()
    def decode(self, code: Tensor) -> Tensor:
        """Points `(B, P, 3)` of codes, from their surfaces."""
        points, seed = self.options["points"], self.options["seed"]
        clouds = [sample_mesh(surface.vertices, surface.faces, points, seed) for surface in self.surfaces(code)]
        return torch.stack([torch.from_numpy(cloud).float() for cloud in clouds]).to(code.device)

    def forward(self, images: Tensor) -> Tensor:
        """Points `(B, P, 3)` float32 of the shapes that images show, without gradient; see `Network.forward`."""
        with torch.no_grad(), evaluating(self):
            return super().forward(images)

    @torch.no_grad()
    def meshes(self, images: Tensor) -> list[Surface]:
        """Surface of each image, as in eval mode; see `extract_surface`."""
        with evaluating(self):
            return self.surfaces(self.encode(images))

    @torch.no_grad()
    def surfaces(self, code: Tensor) -> list[Surface]:
        """Surface of each code."""
        threshold = self.options["threshold"]
        level = math.log(threshold / (1 - threshold))
        with evaluating(self):
            return [
                extract_surface(self._field(one), self.options["resolution"], BOX, level)
                for one in torch.split(code, 1)
            ]

    def _field(self, code: Tensor) -> Any:
        def field(queries: Tensor) -> Tensor:
            parts = torch.split(queries.to(code.device), _AT_ONCE)
            return torch.cat([self.logits(part[None], code)[0].cpu() for part in parts])

        return field


class OccupancyDecoder(nn.Module):
    """Five residual blocks with conditional batch norm, from places and a code to log-odds.

    Args:
        code: Length of the code.
        hidden: Width of the blocks.
    """

    def __init__(self, code: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(3, hidden)
        self.blocks = nn.ModuleList(_Block(code, hidden) for _ in range(_BLOCKS))
        self.norm = ConditionalNorm(code, hidden)
        self.last = nn.Linear(hidden, 1)

    def forward(self, queries: Tensor, code: Tensor) -> Tensor:
        """`(B, Q)` float32 of queries `(B, Q, 3)` and codes `(B, code)`."""
        values = self.first(queries)
        for block in self.blocks:
            values = block(values, code)
        return in_float32(self.last, self.norm(values, code).relu_()).squeeze(-1)


class ConditionalNorm(nn.Module):
    """Batch norm over all queries of a batch, scaled and shifted by the code of their image.

    It begins as plain batch norm: the code has no influence before the first step.
    """

    def __init__(self, code: int, channels: int) -> None:
        super().__init__()
        self.scale, self.shift = nn.Linear(code, channels), nn.Linear(code, channels)
        self.norm = nn.BatchNorm1d(channels, affine=False)
        for layer, start in ((self.scale, 1.0), (self.shift, 0.0)):
            nn.init.zeros_(layer.weight)
            nn.init.constant_(layer.bias, start)

    def forward(self, values: Tensor, code: Tensor) -> Tensor:
        """Normalised values `(B, Q, C)`."""
        normalized = self.norm(values.flatten(0, 1)).view(values.shape)
        return torch.addcmul(self.shift(code)[:, None], normalized, self.scale(code)[:, None])


class _Block(nn.Module):
    """A residual block before whose layers values are normalised; its second layer begins at zero."""

    def __init__(self, code: int, hidden: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(ConditionalNorm(code, hidden) for _ in range(2))
        self.layers = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(2))
        nn.init.zeros_(cast(nn.Linear, self.layers[1]).weight)

    def forward(self, values: Tensor, code: Tensor) -> Tensor:
        inner = values
        for norm, layer in zip(self.norms, self.layers, strict=True):
            inner = layer(norm(inner, code).relu_())
        return values + inner
