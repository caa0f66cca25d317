"""Batch norm and ReLU of each patch in one step, in less than half of autograd's time; layers outside of autocast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

EPS = 1e-5  # torch's default


# Sum of a tensor over the processes that share a batch, differentiable; None where there is one process.
Share: TypeAlias = Callable[[Tensor], Tensor] | None


class Statistics(NamedTuple):
    """Of the channels of each patch, over the points of all processes.

    Attributes:
        mean: `(G, 1, C)`, float32 or wider, like the next.
        var: `(G, 1, C)` biased variance.
        number: How many points, a scalar.
    """

    mean: Tensor
    var: Tensor
    number: Tensor


def statistics(values: Tensor, share: Share = None) -> Statistics:
    """Statistics over the second axis of `(G, N, C)`, without gradient."""
    with torch.no_grad():
        wide = at_least_float32(values.dtype)
        mean = values.mean(1, keepdim=True, dtype=wide)
        centred = values - mean.to(values.dtype)
        norm = torch.linalg.vector_norm(centred, dim=1, keepdim=True, dtype=wide)
        return together(mean, norm.square() / values.shape[1], values.shape[1], share)


def together(mean: Tensor, var: Tensor, count: int, share: Share) -> Statistics:
    """Statistics of all processes from mean, biased variance and number of points of each; differentiable."""
    total = mean.new_tensor(float(count))
    if share is None:
        return Statistics(mean, var, total)
    total = share(total)
    joint = share(mean * count) / total
    return Statistics(joint, share((var + (mean - joint).square()) * count) / total, total)


def at_least_float32(dtype: torch.dtype) -> torch.dtype:
    """The dtype to sum in."""
    return torch.promote_types(dtype, torch.float32)


def normalize_relu(values: Tensor, weight: Tensor, bias: Tensor, found: Statistics, share: Share = None) -> Tensor:
    """`relu((values - mean) / sqrt(var + eps) * weight + bias)` with batch statistics, differentiable once.

    Args:
        values: `(G, N, C)`.
        weight: `(G, 1, C)` float32.
        bias: `(G, 1, C)` float32.
        found: What `statistics` gives for `values`: the gradient goes through it, though it is an argument.
        share: As for `statistics`.

    Returns:
        Tensor like `values`.

    Example:
        >>> values, weight, bias = torch.tensor([[[1.0], [3.0]]]), torch.ones(1, 1, 1), torch.zeros(1, 1, 1)
        >>> normalize_relu(values, weight, bias, statistics(values)).flatten()
        tensor([0.0000, 1.0000])
    """
    apply: Any = _NormalizeRelu.apply  # some stubs leave it without types
    result: Tensor = apply(values, weight, bias, found, share)
    return result


def in_float32(layer: torch.nn.Module, values: Tensor) -> Tensor:
    """Apply a layer outside of autocast: half precision would put points on a grid of 1/256."""
    with torch.autocast(values.device.type, enabled=False):
        result: Tensor = layer(values.to(at_least_float32(values.dtype)))
        return result


class _NormalizeRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor, found: Statistics, share: Share) -> Tensor:
        inverse = torch.rsqrt(found.var + EPS)
        scale = weight * inverse
        out = torch.addcmul((bias - found.mean * scale).to(values.dtype), values, scale.to(values.dtype)).relu_()
        ctx.save_for_backward(values, out, scale, inverse, found.mean, found.number)
        ctx.share = share
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        values, out, scale, inverse, mean, count = ctx.saved_tensors
        gradient = torch.ops.aten.threshold_backward(gradients[0], out, 0)
        of_bias = gradient.sum(1, keepdim=True, dtype=mean.dtype)
        of_weight = ((gradient * values).sum(1, keepdim=True, dtype=mean.dtype) - mean * of_bias) * inverse
        sums = torch.stack([of_bias, of_weight])
        shared = (sums if ctx.share is None else ctx.share(sums)) / count
        # scale * (gradient - mean of it - normalised values * mean of their product), put in order of `values`
        slope = -scale * inverse * shared[1]
        offset = -scale * shared[0] - mean * slope
        dtype = values.dtype
        of_values = gradient.mul_(scale.to(dtype)).addcmul_(values, slope.to(dtype)).add_(offset.to(dtype))
        return of_values, of_weight, of_bias, None, None
