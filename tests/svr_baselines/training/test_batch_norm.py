import threading

import pytest
import torch
import torch.distributed as dist
from torch import nn

from svr_baselines.training import batch_norm
from svr_baselines.training.batch_norm import SharedBatchNorm, synchronize_batch_norm

CPU = torch.device("cpu")


class Processes:
    """Sums over threads that stand for processes, in place of torch's over gloo."""

    def __init__(self, count):
        self.barrier = threading.Barrier(count, timeout=20)
        self.parts = []

    def all_reduce(self, values):
        self.barrier.wait()
        self.parts.append(values.detach().clone())
        self.barrier.wait()
        total = torch.stack(self.parts).sum(0)
        self.barrier.wait()
        self.parts.clear()
        with torch.no_grad():
            values.copy_(total)


def run_apart(functions):
    results = [None] * len(functions)

    def call(place):
        results[place] = functions[place]()

    threads = [threading.Thread(target=call, args=(place,)) for place in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("sizes", [(3, 3), (1, 5), (4, 0), (2, 1, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("make", [lambda: nn.BatchNorm1d(4), lambda: nn.BatchNorm2d(4, momentum=None, affine=False)])
def test_parts_of_a_batch_are_normalised_as_the_whole(monkeypatch, sizes, make, dtype):
    torch.manual_seed(0)
    whole = make().to(dtype)
    near = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-12, "atol": 1e-12}
    shape = (4, 5, 6) if isinstance(whole, nn.BatchNorm2d) else (4,)
    if whole.affine:
        nn.init.uniform_(whole.weight)
        nn.init.uniform_(whole.bias)
    images = (torch.randn(sum(sizes), *shape, dtype=dtype) * 3 + 7).requires_grad_()
    slopes = torch.randn(sum(sizes), *shape, dtype=dtype)
    norms = [SharedBatchNorm.of(make().to(dtype)) for _ in sizes]
    for norm in norms:
        norm.load_state_dict(whole.state_dict())

    expected = whole(images)
    (expected * slopes).sum().backward()

    processes = Processes(len(sizes))
    monkeypatch.setattr(dist, "all_reduce", processes.all_reduce)
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda: len(sizes))
    parts = [part.detach().requires_grad_() for part in images.split(sizes)]

    def pass_through(norm, part, slope):
        def both():
            out = norm(part)
            (out * slope).sum().backward()
            return out

        return both

    outs = run_apart([pass_through(*each) for each in zip(norms, parts, slopes.split(sizes), strict=True)])
    assert torch.allclose(torch.cat(outs), expected, **near)
    assert torch.allclose(torch.cat([part.grad for part in parts]), images.grad, **near)
    for norm in norms:
        assert torch.allclose(norm.running_mean, whole.running_mean, **near)
        assert torch.allclose(norm.running_var, whole.running_var, **near)
        assert norm.num_batches_tracked == whole.num_batches_tracked == 1
    if whole.affine:
        near["atol"] *= 10  # sums over all places
        assert torch.allclose(sum(norm.weight.grad for norm in norms), whole.weight.grad, **near)
        assert torch.allclose(sum(norm.bias.grad for norm in norms), whole.bias.grad, **near)


def test_replaces_all_and_keeps_names_and_values():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sequential(nn.Unflatten(1, (4, 1, 1)), nn.BatchNorm2d(4))
    )
    network(torch.randn(5, 3))
    state = {name: value.clone() for name, value in network.state_dict().items()}
    parameters = list(network.parameters())
    network.eval()
    shared = synchronize_batch_norm(network, CPU)
    assert shared is network
    assert sum(isinstance(module, SharedBatchNorm) for module in network.modules()) == 2
    assert list(network.state_dict()) == list(state)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert all(now is before for now, before in zip(network.parameters(), parameters, strict=True))
    assert not any(module.training for module in network.modules())
    assert isinstance(synchronize_batch_norm(nn.BatchNorm1d(3), CPU), SharedBatchNorm)


def test_is_torchs_in_one_process():
    torch.manual_seed(0)
    images = torch.randn(6, 4)
    plain = nn.BatchNorm1d(4)
    shared = SharedBatchNorm.of(nn.BatchNorm1d(4))
    assert torch.equal(shared(images), plain(images))
    assert torch.equal(shared.eval()(images), plain.eval()(images))


def test_modules_with_a_norm_of_their_own_are_given_the_sum():
    class Own(nn.Module):
        share = None

    network = nn.Sequential(Own(), nn.Linear(2, 2))
    synchronize_batch_norm(network, CPU)
    assert network[0].share is batch_norm.sum_over_processes
    assert not hasattr(network[1], "share")
