"""Batch normalisation by the statistics of the whole batch where several processes share it.

torch's `SyncBatchNorm` does the same on GPUs and refuses CPUs; so does this one there, for any number of samples a
process.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from svr_baselines.networks.norm import at_least_float32


def synchronize_batch_norm(network: nn.Module, device: torch.device) -> nn.Module:
    """Replace the batch norms of a network by such as share their statistics among all processes.

    Names and values of parameters and buffers stay. On a GPU they are torch's, elsewhere `SharedBatchNorm`. A module
    that normalises by itself joins by an attribute `share`, `None` in a single process, which becomes
    `sum_over_processes`.

    Args:
        network: Its batch norms are replaced in place.
        device: Where it runs.

    Returns:
        The network, or what it is replaced by if it is a batch norm itself.
    """
    for module in network.modules():
        if hasattr(module, "share"):
            module.share = sum_over_processes  # type: ignore[assignment]
    if device.type == "cuda":
        convert: Any = nn.SyncBatchNorm.convert_sync_batchnorm  # without types in some versions
        converted: nn.Module = convert(network)
        return converted
    return _replace(network)


def _replace(module: nn.Module) -> nn.Module:
    if isinstance(module, _BatchNorm):
        return SharedBatchNorm.of(module)
    for name, child in module.named_children():
        setattr(module, name, _replace(child))
    return module


class SharedBatchNorm(_BatchNorm):
    r"""Batch norm over the samples of all processes.

    .. math:: y = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} \gamma + \beta

    with mean and variance of each channel over samples and places of all processes, each weighted by how many it has.
    Gradients flow through both. In eval mode it is torch's.
    """

    @classmethod
    def of(cls, other: _BatchNorm) -> SharedBatchNorm:
        """Make one with the parameters and buffers of a batch norm."""
        shared = cls(other.num_features, other.eps, other.momentum, other.affine, other.track_running_stats)
        shared.__dict__.update({name: value for name, value in other.__dict__.items() if name != "_modules"})
        return shared

    def forward(self, input: Tensor) -> Tensor:  # torch's name
        """Normalise `(B, C, ...)`."""
        by_batch = self.training or self.running_mean is None
        if not by_batch or not dist.is_initialized() or dist.get_world_size() == 1:
            return super().forward(input)
        values = input.to(at_least_float32(input.dtype))
        axes = [axis for axis in range(input.ndim) if axis != 1]
        count = sum_over_processes(values.new_tensor(float(values[:, 0].numel())))
        mean = sum_over_processes(values.sum(axes)) / count
        shape = [1, -1] + [1] * (input.ndim - 2)
        centred = values - mean.view(shape)
        variance = sum_over_processes((centred * centred).sum(axes)) / count
        if self.training and self.running_mean is not None:
            self._track(mean.detach(), variance.detach(), count)
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        normalized = centred * scale.view(shape)
        if self.bias is not None:
            normalized = normalized + self.bias.view(shape)
        return normalized.to(input.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"Batch norm takes (B, C, ...), but got {tuple(input.shape)}.")

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        momentum = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean), momentum)
        unbiased = variance * count / (count - 1).clamp(min=1)
        self.running_var.lerp_(unbiased.to(self.running_var), momentum)


class _Share(torch.autograd.Function):
    """Sum over all processes; so is its gradient, as the losses of all depend on the sum."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Share.forward(ctx, gradient)


def sum_over_processes(values: Tensor) -> Tensor:
    """Sum of a tensor over all processes, of equal shape on each; differentiable."""
    apply: Any = _Share.apply  # without types in some versions
    total: Tensor = apply(values)
    return total
