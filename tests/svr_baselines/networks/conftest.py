import math

import pytest
import torch
from torch import nn

from svr_baselines.data.items import Item
from svr_baselines.networks import create_network

SMALL = {
    "psgn": {"points": 200, "code": 32, "hidden": 64},
    "foldingnet": {"points": 196, "code": 32, "hidden": 64},
    "atlasnet-sphere": {"points": 400, "code": 32, "hidden": 64, "subdivisions": 3},
    "atlasnet-25": {"points": 225, "code": 32, "hidden": 32},
}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=SMALL)
def name(request):
    return request.param


@pytest.fixture
def network(name):
    return create_network(name, **SMALL[name])


@pytest.fixture
def small():
    return create_small


def create_small(name, **options):
    """A network whose encoder is one linear layer from 8 x 8 pixels: the decoder and the loss are what is tested."""
    network = create_network(name, **(SMALL.get(name, {}) | options))
    network.encoder = nn.Sequential(nn.Flatten(), nn.Linear(192, network.options["code"]))
    return network


@pytest.fixture
def batch():
    """Four ellipses, and noise as images."""
    angle = torch.linspace(0, 2 * math.pi, 201)[:200]
    width = torch.linspace(0.4, 1, 4)[:, None]
    points = torch.stack([width * angle.cos(), (1.2 - width) * angle.sin(), torch.zeros(4, 200)], dim=-1)
    names = ["a", "b", "c", "d"]
    return Item(torch.rand(4, 3, 8, 8), points, torch.zeros(4, 3, 3), torch.zeros(4, 5), names, names, torch.zeros(4))
