"""What holds for all networks where they are made: sizes that can be, and torch's defaults, which don't count."""

from contextlib import contextmanager

import pytest
import torch

from svr_baselines.networks import building, create_network

SMALL = {
    "psgn": {"points": 36},
    "foldingnet": {"points": 36},
    "atlasnet-sphere": {"points": 36, "subdivisions": 1},
    "atlasnet-25": {"points": 36, "patches": 4},
    "occnet": {"points": 36, "resolution": 16},
}


@contextmanager
def defaults(dtype, device):
    torch.set_default_dtype(dtype)
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)


def give(name):
    """Points of a network in train mode, and in eval mode."""
    generator = torch.Generator("cpu").manual_seed(1)
    images = torch.rand(2, 3, 32, 32, generator=generator, dtype=torch.float32, device="cpu")
    torch.manual_seed(0)
    network = create_network(name, code=16, hidden=16, **SMALL[name])
    return network(images).detach(), network.eval()(images).detach()


@pytest.mark.parametrize("name", SMALL)
def test_other_defaults_of_torch_change_nothing(name):
    expected = give(name)
    for dtype, device in ((torch.bfloat16, "cpu"), (torch.float64, "cpu"), (torch.float32, "meta")):
        with defaults(dtype, device):
            given = give(name)
        assert all(torch.equal(found, wanted) for found, wanted in zip(given, expected, strict=True))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("psgn", {"hidden": 10**9}, "`hidden` must be at most 65,536, but got 1000000000"),
        ("foldingnet", {"code": 10**6}, "`code` must be at most 65,536"),
        ("foldingnet", {"points": 10**12}, "`points` must be at most 1,000,000"),
        ("atlasnet-25", {"points": 10**12}, "`points` must be at most 1,000,000"),
        ("atlasnet-25", {"patches": 10**7}, "`patches` must be at most 1,000,000"),
        ("atlasnet-sphere", {"hidden": 10**9}, "`hidden` must be at most 65,536"),
        ("occnet", {"resolution": 10**6}, "`resolution` must be at most 1,024"),
        ("occnet", {"threshold": "0.2"}, "`threshold` must be between 0 and 1, but got '0.2'"),
        ("occnet", {"seed": "one"}, "`seed` must be an integer from 0, but got 'one'"),
    ],
)
def test_absurd_sizes_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        create_network(name, **options)


def test_networks_that_memory_can_not_hold_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr(building, "free_memory", lambda: 10**7)
    with pytest.raises(ValueError, match=r"fits into the 0.0 GB of memory .* the weights of 'psgn' take 0.1 GB"):
        create_network("psgn")
