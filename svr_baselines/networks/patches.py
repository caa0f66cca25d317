r"""AtlasNet's decoders, all patches at once.

Patch `g` has a decoder of its own, of linear layers with batch norm and ReLU between: template dimension - code -
hidden - (hidden) x layers - 3, where the code of the image is added to the outcome of the first layer. Activations are
`(G, B * P, C)`: patches, then points of all images, then channels, so that a layer is one batched matrix product and
the statistics of a patch are those over its second axis.

The first layer costs as much as one image whatever the batch, because all images share the template. Its outcome is
:math:`x_{bp} = t_p + z_b`, template and code, over all pairs of a point and an image. So its mean is
:math:`\bar t + \bar z`, its variance :math:`\mathrm{var}\, t + \mathrm{var}\, z`, and batch norm scales and shifts `t`
and `z` before they meet.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn

from svr_baselines.data.points import check_count
from svr_baselines.networks.building import MOST_WIDTH
from svr_baselines.networks.norm import EPS, Share, Statistics, in_float32, normalize_relu, statistics, together

_MOMENTUM = 0.1  # torch's default


class PatchLinear(nn.Module):
    """A linear layer for each patch, `(G, N, inputs)` to `(G, N, outputs)`; drawn as `nn.Linear` draws.

    Weights are `(G, inputs, outputs)`: batched products of transposed ones take longer.
    """

    def __init__(self, patches: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(patches, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(patches, 1, outputs).uniform_(-bound, bound))

    def forward(self, values: Tensor) -> Tensor:
        """Apply them."""
        return torch.baddbmm(self.bias, values, self.weight)


class PatchNorm(nn.Module):
    """Batch norm for each patch, as `nn.BatchNorm1d` computes it, and ReLU; of running statistics in eval mode.

    Attributes:
        share: Where several processes share a batch, the sum of a tensor over them; else `None`.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, patches: int, channels: int) -> None:
        super().__init__()
        self.share: Share = None
        self.weight = nn.Parameter(torch.ones(patches, 1, channels))
        self.bias = nn.Parameter(torch.zeros(patches, 1, channels))
        self.register_buffer("running_mean", torch.zeros(patches, 1, channels))
        self.register_buffer("running_var", torch.ones(patches, 1, channels))

    def forward(self, values: Tensor) -> Tensor:
        """Normalise `(G, N, C)` and cut off what is negative."""
        if not self.training:
            scale, shift = self._affine(self.running_mean, self.running_var)
            return torch.addcmul(shift.to(values.dtype), values, scale.to(values.dtype)).relu_()
        _check_count(values.shape[1])
        found = statistics(values, self.share)
        self._track(found)
        return normalize_relu(values, self.weight, self.bias, found, self.share)

    def of_sums(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift, `(G, 1, C)` each, of all sums of a row of `first`, `(G, N, C)`, and one of `second`."""
        if not self.training:
            return self._affine(self.running_mean, self.running_var)
        count = first.shape[1] * second.shape[1]
        _check_count(count)
        (var, mean), (other_var, other_mean) = (
            torch.var_mean(part, dim=1, correction=0, keepdim=True) for part in (first, second)
        )
        found = together(mean + other_mean, var + other_var, count, self.share)
        self._track(found)
        return self._affine(found.mean, found.var)

    @torch.no_grad()
    def _track(self, found: Statistics) -> None:
        self.running_mean.lerp_(found.mean, _MOMENTUM)
        self.running_var.lerp_(found.var * (found.number / (found.number - 1)), _MOMENTUM)

    def _affine(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        scale = self.weight * torch.rsqrt(var + EPS)
        return scale, self.bias - mean * scale


def _check_count(count: int) -> None:
    if count < 2:
        raise ValueError("Batch norm needs more than one point in train mode, but there is one.")


class PatchDecoder(nn.Module):
    """Deforms the points of each patch by the code of an image.

    Args:
        patches: Number of patches.
        dimension: Coordinates of a template point.
        code: Length of the code.
        hidden: Width of the hidden layers.
        layers: Hidden layers after the first of that width.
    """

    def __init__(self, patches: int, dimension: int, code: int, hidden: int, layers: int = 2) -> None:
        super().__init__()
        check_count("hidden", hidden, MOST_WIDTH)
        self.first = PatchLinear(patches, dimension, code)
        self.first_norm = PatchNorm(patches, code)
        inputs = [code, *[hidden] * layers]
        self.layers = nn.ModuleList(PatchLinear(patches, before, hidden) for before in inputs)
        self.norms = nn.ModuleList(PatchNorm(patches, hidden) for _ in inputs)
        self.last = PatchLinear(patches, hidden, 3)

    def forward(self, template: Tensor, code: Tensor) -> Tensor:
        """Deform a template.

        Args:
            template: `(G, P, dimension)` float32 points of each patch, the same for all images.
            code: `(B, code)`.

        Returns:
            `(B, G * P, 3)` float32: the points of the first patch, then those of the second.
        """
        patches, points, _ = template.shape
        values = self._enter(template, code)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            values = norm(layer(values))
        out: Tensor = in_float32(self.last, values).view(patches, len(code), points, 3)
        return torch.reshape(out.transpose(0, 1), (len(code), patches * points, 3))

    def _enter(self, template: Tensor, code: Tensor) -> Tensor:
        """First layer, the code, batch norm and ReLU: `(G, B * P, code)`, in the dtype of autocast."""
        patches, points, _ = template.shape
        device = template.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else template.dtype
        with torch.autocast(device, enabled=False):
            of_points, of_codes = self.first(template), code.to(template.dtype).expand(patches, -1, -1)
            scale, shift = self.first_norm.of_sums(of_points, of_codes)
            of_points, of_codes = (of_points * scale).to(dtype), (of_codes * scale + shift).to(dtype)
            values: Tensor = (of_points[:, None] + of_codes[:, :, None]).relu_()
        return values.view(patches, len(code) * points, -1)
