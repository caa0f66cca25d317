"""AtlasNet: a sphere, or squares, that networks deform to the shape in the image."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from ds_metrics._modes import evaluating
from svr_baselines.data.points import check_count
from svr_baselines.networks.building import MOST_POINTS
from svr_baselines.networks.encoder import Encoder
from svr_baselines.networks.network import Network
from svr_baselines.networks.patches import PatchDecoder
from svr_baselines.networks.templates import Template, icosphere, random_sphere, square_grid


class _AtlasNet(Network):
    """What both have in common. Points of the template are random in train mode, and regular in eval mode."""

    regular: Tensor  # (V, d), of one patch
    patch_faces: Tensor  # (F, 3)

    def __init__(
        self, template: Template, patch_count: int, *, code: int, hidden: int, encoder: Encoder, **options: int
    ) -> None:
        super().__init__(code=code, hidden=hidden, encoder=encoder, **options)
        self._patches = patch_count
        self.decoder = PatchDecoder(patch_count, template.vertices.shape[1], code, hidden)
        self.register_buffer("regular", template.vertices, persistent=False)
        self.register_buffer("patch_faces", template.faces, persistent=False)

    def decode(self, code: Tensor) -> Tensor:
        """Points `(B, P, 3)` of codes."""
        points: Tensor = self.decoder(self._draw() if self.training else self._regular(), code)
        return points

    @property
    def faces(self) -> Tensor:
        """`(F, 3)` int64, triangles between the points that the network gives in eval mode."""
        starts = torch.arange(self._patches, device=self.patch_faces.device) * len(self.regular)
        return (starts[:, None, None] + self.patch_faces).view(-1, 3)

    @torch.no_grad()
    def mesh(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Surfaces of the shapes that images show, as in eval mode and without gradient.

        Args:
            images: `(B, 3, H, W)` floating point, RGB in [0, 1].

        Returns:
            Vertices `(B, V, 3)` float32, and faces `(F, 3)` int64 that hold for all of them.

        Raises:
            ValueError: If the images have another shape or are not floating point.
        """
        with evaluating(self):
            return self(images), self.faces

    def _regular(self) -> Tensor:
        return self.regular.expand(self._patches, -1, -1)

    @abstractmethod
    def _draw(self) -> Tensor:
        """Random points `(G, P, d)` of the template."""


class AtlasNetSphere(_AtlasNet):
    """A sphere, deformed.

    In train mode `points` points are drawn evenly from the sphere, once for the batch; in eval mode they are the
    vertices of an icosphere, 2562 by default.

    Args:
        points: Points of a shape in train mode.
        code: Length of the code.
        hidden: Width of the hidden layers.
        encoder: `"resnet18"` or `"resnet50"`.
        subdivisions: Of the icosphere, whose `10 * 4**subdivisions + 2` vertices are the points in eval mode.

    Raises:
        ValueError: If a size is no count, or there is no such encoder.

    Example:
        >>> network = AtlasNetSphere(points=100, code=16, hidden=16, subdivisions=1)
        >>> images = torch.zeros(2, 3, 32, 32)
        >>> network(images).shape, network.eval()(images).shape
        (torch.Size([2, 100, 3]), torch.Size([2, 42, 3]))
    """

    def __init__(
        self,
        points: int = 2500,
        code: int = 1024,
        hidden: int = 512,
        encoder: Encoder = "resnet18",
        subdivisions: int = 4,
    ) -> None:
        check_count("points", points, MOST_POINTS)
        template = icosphere(subdivisions)
        options = {"points": points, "subdivisions": subdivisions}
        super().__init__(template, 1, code=code, hidden=hidden, encoder=encoder, **options)
        self._points = points

    def _draw(self) -> Tensor:
        return random_sphere(1, self._points, device=self.regular.device, dtype=self.regular.dtype)


class AtlasNetSquares(_AtlasNet):
    """Unit squares, deformed each by a decoder of its own.

    In train mode points are drawn evenly from each square, once for the batch; in eval mode they are those of a regular
    grid. All squares have the same number of points.

    Args:
        points: Points of a shape: the number of squares times the square of an integer from 2.
        code: Length of the code.
        hidden: Width of the hidden layers.
        encoder: `"resnet18"` or `"resnet50"`.
        patches: Number of squares.

    Raises:
        ValueError: If a size is no count, `points` is not as described, or there is no such encoder.

    Example:
        >>> network = AtlasNetSquares(points=36, code=16, hidden=16, patches=4)
        >>> vertices, faces = network.mesh(torch.zeros(2, 3, 32, 32))
        >>> vertices.shape, faces.shape
        (torch.Size([2, 36, 3]), torch.Size([32, 3]))
    """

    def __init__(
        self,
        points: int = 2500,
        code: int = 1024,
        hidden: int = 512,
        encoder: Encoder = "resnet18",
        patches: int = 25,
    ) -> None:
        check_count("points", points, MOST_POINTS)
        check_count("patches", patches, MOST_POINTS)
        try:
            template = square_grid(points // patches if points % patches == 0 else 0)
        except ValueError:
            raise ValueError(
                f"Argument `points` must be {patches} patches times the square of an integer from 2, but got {points}."
            ) from None
        options = {"points": points, "patches": patches}
        super().__init__(template, patches, code=code, hidden=hidden, encoder=encoder, **options)

    def _draw(self) -> Tensor:
        return torch.rand(self._patches, len(self.regular), 2, device=self.regular.device, dtype=self.regular.dtype)
