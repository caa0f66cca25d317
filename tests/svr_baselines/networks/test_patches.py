from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from threading import Barrier

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from svr_baselines.networks.patches import PatchDecoder, PatchNorm

G, B, P, CODE, HIDDEN = 4, 3, 9, 8, 7


class Alone(nn.Module):
    """The decoder of one patch as published: convolutions of size 1, batch norm, and a loop outside."""

    def __init__(self, decoder, patch, dimension):
        super().__init__()
        widths = [dimension, CODE, HIDDEN, HIDDEN, HIDDEN]
        self.convolutions = nn.ModuleList(nn.Conv1d(a, b, 1) for a, b in zip(widths, [*widths[1:], 3], strict=True))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in widths[1:])
        self.double()
        with torch.no_grad():
            for own, shared in zip(self.convolutions, [decoder.first, *decoder.layers, decoder.last], strict=True):
                own.weight.copy_(shared.weight[patch].T[:, :, None])
                own.bias.copy_(shared.bias[patch, 0])
            for own, shared in zip(self.norms, [decoder.first_norm, *decoder.norms], strict=True):
                own.weight.copy_(shared.weight[patch, 0])
                own.bias.copy_(shared.bias[patch, 0])

    def forward(self, template, code):
        values = self.convolutions[0](template.T[None]) + code[:, :, None]
        for norm, convolution in zip(self.norms, self.convolutions[1:], strict=True):
            values = convolution(norm(values).relu())
        return values.transpose(1, 2)


@pytest.fixture(params=[(25, 2), (1, 3), (G, 2)], ids=["25-squares", "sphere", "4-squares"])
def decoders(request):
    patches, dimension = request.param
    decoder = PatchDecoder(patches, dimension, CODE, HIDDEN).double()
    for norm in [decoder.first_norm, *decoder.norms]:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias)
    template = torch.rand(patches, P, dimension, dtype=torch.float64)
    return decoder, [Alone(decoder, patch, dimension) for patch in range(patches)], template


def loop(alone, template, code):
    return torch.cat([decoder(points, code) for decoder, points in zip(alone, template, strict=True)], dim=1)


def test_all_patches_at_once_equal_a_loop(decoders):
    decoder, alone, template = decoders
    code = torch.randn(B, CODE, dtype=torch.float64, requires_grad=True)
    other_code = code.detach().clone().requires_grad_()
    weights = torch.randn(B, template.shape[0] * P, 3, dtype=torch.float64)
    together, one_by_one = decoder(template, code), loop(alone, template, other_code)
    assert_close(together, one_by_one)
    (together * weights).sum().backward()
    (one_by_one * weights).sum().backward()
    assert_close(code.grad, other_code.grad)
    for patch, single in enumerate(alone):
        for own, shared in zip(single.convolutions, [decoder.first, *decoder.layers, decoder.last], strict=True):
            assert_close(shared.weight.grad[patch].T, own.weight.grad[:, :, 0])
            assert_close(shared.bias.grad[patch, 0], own.bias.grad)
        for own, shared in zip(single.norms, [decoder.first_norm, *decoder.norms], strict=True):
            assert_close(shared.weight.grad[patch, 0], own.weight.grad)
            assert_close(shared.bias.grad[patch, 0], own.bias.grad)


def test_running_statistics_are_those_of_a_loop(decoders):
    decoder, alone, template = decoders
    for _ in range(3):
        code = torch.randn(B, CODE, dtype=torch.float64)
        decoder(template, code)
        loop(alone, template, code)
    for patch, single in enumerate(alone):
        for own, shared in zip(single.norms, [decoder.first_norm, *decoder.norms], strict=True):
            assert_close(shared.running_mean[patch, 0], own.running_mean)
            assert_close(shared.running_var[patch, 0], own.running_var)
    decoder.eval()
    for single in alone:
        single.eval()
    code = torch.randn(B, CODE, dtype=torch.float64)
    assert_close(decoder(template, code), loop(alone, template, code))


def test_the_gradient_is_that_of_differences():
    decoder = PatchDecoder(2, 2, 3, 4).double()
    template = torch.rand(2, 5, 2, dtype=torch.float64)
    code = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda code: decoder(template, code), (code,))


def test_statistics_keep_their_precision_far_from_zero():
    norm = PatchNorm(1, 1)
    values = (torch.tensor([0.0, 1.0, 2.0, 3.0]) + 1000).view(1, 4, 1)
    expected = torch.tensor([-1.5, -0.5, 0.5, 1.5]).relu() / 1.25**0.5
    assert_close(norm(values).flatten(), expected, rtol=1e-4, atol=1e-4)


def test_one_point_has_no_variance():
    with pytest.raises(ValueError, match="more than one point"):
        PatchNorm(1, 2)(torch.zeros(1, 1, 2))


def test_processes_that_share_a_batch_compute_what_one_does(decoders):
    """Two threads play the processes; each has half of the images, and the sum over them is taken at a barrier."""
    one, _, template = decoders
    code = torch.randn(6, CODE, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(6, template.shape[0] * P, 3, dtype=torch.float64)
    barrier, slots = Barrier(2), [None, None]

    def sum_up(rank, values):
        slots[rank] = values.detach().clone()
        barrier.wait(20)
        total = slots[0] + slots[1]
        barrier.wait(20)
        return total

    class Share(torch.autograd.Function):
        @staticmethod
        def forward(ctx, rank, values):
            ctx.rank = rank
            return sum_up(rank, values)

        @staticmethod
        def backward(ctx, gradient):
            return None, sum_up(ctx.rank, gradient)

    def process(rank):
        decoder = deepcopy(one)
        for module in decoder.modules():
            if isinstance(module, PatchNorm):
                module.share = lambda values: Share.apply(rank, values)
        part = code.detach()[3 * rank : 3 * rank + 3].clone().requires_grad_()
        points = decoder(template, part)
        (points * weights[3 * rank : 3 * rank + 3]).sum().backward()
        return decoder, points, part.grad

    with ThreadPoolExecutor(2) as pool:
        (first, points, gradient), (second, other_points, other_gradient) = pool.map(process, [0, 1])
    expected = one(template, code)
    (expected * weights).sum().backward()
    assert_close(torch.cat([points, other_points]), expected)
    assert_close(torch.cat([gradient, other_gradient]), code.grad)
    for mine, a, b in zip(one.parameters(), first.parameters(), second.parameters(), strict=True):
        assert_close(a.grad + b.grad, mine.grad)
    for mine, a in zip(one.buffers(), first.buffers(), strict=True):
        assert_close(a, mine)
