import math
import pickle

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from ds_metrics.functional import chamfer_distance
from svr_baselines.data.occupancy import OccupancyItem
from svr_baselines.networks import create_network
from svr_baselines.networks.occnet import ConditionalNorm

SMALL = {"points": 400, "code": 16, "hidden": 32, "resolution": 32, "threshold": 0.5}
RADII = torch.tensor([0.4, 0.8])


@pytest.fixture
def balls():
    """Two balls, and noise as images."""
    queries = torch.rand(2, 4096, 3) * 2.2 - 1.1
    points = normalize(torch.randn(2, 500, 3), dim=-1) * RADII[:, None, None]
    image, names = torch.rand(2, 3, 8, 8), ["a", "b"]
    occupied = queries.norm(dim=-1) < RADII[:, None]
    return OccupancyItem(
        image, points, torch.zeros(2, 3, 3), torch.zeros(2, 5), names, names, torch.zeros(2), queries, occupied
    )


@pytest.fixture
def noisy(small):
    """A network whose code has an influence, as after training."""
    network = small("occnet", **SMALL)
    for parameter in network.decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network


def test_sizes_are_the_published_ones():
    code, hidden = 256, 256
    norm = 2 * (code * hidden + hidden)  # scale and shift, from the code
    block = 2 * norm + 2 * (hidden * hidden + hidden)
    decoder = (3 * hidden + hidden) + 5 * block + norm + (hidden + 1)
    encoder = 11_689_512 - (512 * 1000 + 1000) + (512 * code + code)
    network = create_network("occnet")
    assert sum(parameter.numel() for parameter in network.parameters()) == encoder + decoder


def test_it_learns_balls_and_gives_their_surfaces(small, balls):
    network = small("occnet", **SMALL | {"points": 20_000})
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for step in range(700):
        optimizer.param_groups[0]["lr"] = 5e-3 * 0.1 ** ((step >= 400) + (step >= 600))
        queries = torch.rand(2, 1536, 3) * 2.2 - 1.1
        optimizer.zero_grad()
        network.loss(balls._replace(queries=queries, occupied=queries.norm(dim=-1) < RADII[:, None])).backward()
        optimizer.step()
    points = network.eval()(balls.image)
    expected = normalize(torch.randn(2, 20_000, 3), dim=-1) * RADII[:, None, None]
    assert chamfer_distance(points, expected).mean() < 1e-3
    for surface, radius in zip(network.meshes(balls.image), RADII.tolist(), strict=True):
        assert np.abs(np.linalg.norm(surface.vertices, axis=1) - radius).max() < 0.06


def test_the_loss_is_cross_entropy(noisy, balls):
    noisy.eval()
    odds = noisy.logits(balls.queries, noisy.encode(balls.image)).double().exp()
    chance = odds / (1 + odds)
    expected = -torch.where(balls.occupied, chance, 1 - chance).log().mean()
    torch.testing.assert_close(noisy.loss(balls).double(), expected, rtol=1e-4, atol=1e-6)


def test_the_gradient_reaches_all_parameters(noisy, balls):
    noisy.loss(balls).backward()
    still = [name for name, value in noisy.named_parameters() if value.grad is None or not value.grad.any()]
    assert all(name.endswith("bias") for name in still)


def test_points_do_not_depend_on_mode_or_neighbours(noisy, balls):
    noisy.train()
    together = noisy(balls.image)
    assert noisy.training
    assert not together.requires_grad
    assert torch.equal(noisy.eval()(balls.image), together)
    torch.testing.assert_close(noisy(balls.image[1:]), together[1:], atol=1e-3, rtol=0)


def test_a_field_below_the_threshold_still_has_points(small, balls):
    network = small("occnet", **SMALL)
    torch.nn.init.constant_(network.decoder.last.bias, -50)
    points = network(balls.image)
    assert torch.isfinite(points).all()
    assert points.abs().max() < 1.11
    torch.nn.init.zeros_(network.decoder.last.weight)  # the same everywhere: the box
    points = network(balls.image)
    torch.testing.assert_close(points.abs().amax(2), torch.full((2, 400), 1.1), atol=1e-3, rtol=0)


def test_conditional_norm_scales_and_shifts_by_the_code():
    norm = ConditionalNorm(3, 4)
    values, code = torch.randn(2, 5, 4), torch.randn(2, 3)
    flat = values.view(10, 4)
    plain = ((flat - flat.mean(0)) / (flat.var(0, correction=0) + 1e-5).sqrt()).view(2, 5, 4)
    torch.testing.assert_close(norm(values, code), plain)
    torch.nn.init.normal_(norm.scale.weight)
    torch.nn.init.normal_(norm.shift.weight)
    expected = torch.empty(2, 5, 4)
    for image in range(2):
        scale = norm.scale.weight @ code[image] + 1
        expected[image] = plain[image] * scale + norm.shift.weight @ code[image]
    torch.testing.assert_close(norm(values, code), expected)


def test_options_and_weights_rebuild_it(balls):
    network = create_network("occnet", **SMALL)
    again = create_network("occnet", **network.options)
    again.load_state_dict(network.state_dict())
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(again(images), network(images))
    assert torch.equal(pickle.loads(pickle.dumps(network))(images), network(images))


def test_the_threshold_is_a_probability(small, balls, monkeypatch):
    network = small("occnet", **SMALL | {"threshold": 0.2})
    monkeypatch.setattr(network, "logits", lambda queries, code: 4 * (0.5 - queries.norm(dim=2)))
    radius = 0.5 - math.log(0.2 / 0.8) / 4
    torch.testing.assert_close(network(balls.image).norm(dim=2), torch.full((2, 400), radius), atol=0.01, rtol=0)


def test_what_it_does_not_take_is_refused(small, balls, batch):
    network = small("occnet", **SMALL)
    with pytest.raises(ValueError, match="put the dataset into an `OccupancyDataset`"):
        network.loss(batch)
    with pytest.raises(ValueError, match=r"`queries` must have shape \(2, Q, 3\)"):
        network.logits(balls.queries[:1], torch.zeros(2, 16))
    with pytest.raises(ValueError, match="NaN or infinite"):
        network(torch.full((1, 3, 8, 8), torch.nan))
