import pickle

import pytest
import torch

from ds_metrics.functional import chamfer_distance
from svr_baselines.networks import create_network

# torchvision's ResNets without their last layer, as published: 11.7 and 25.6 million less 1000 classes.
RESNET18 = 11_689_512 - (512 * 1000 + 1000)
RESNET50 = 25_557_032 - (2048 * 1000 + 1000)
ENCODER = RESNET18 + 512 * 1024 + 1024


def linear(inputs, outputs):
    return inputs * outputs + outputs


def normalized(inputs, outputs):
    return linear(inputs, outputs) + 2 * outputs  # scale and shift of batch norm


def atlasnet_decoder(dimension):
    return normalized(dimension, 1024) + normalized(1024, 512) + 2 * normalized(512, 512) + linear(512, 3)


def fold(dimension):
    return normalized(1024 + dimension, 512) + normalized(512, 512) + linear(512, 3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("psgn", ENCODER + normalized(1024, 512) + 2 * normalized(512, 512) + linear(512, 2500 * 3)),
        ("foldingnet", ENCODER + fold(2) + fold(3)),
        ("atlasnet-sphere", ENCODER + atlasnet_decoder(3)),
        ("atlasnet-25", ENCODER + 25 * atlasnet_decoder(2)),
    ],
)
def test_sizes_are_the_published_ones(name, expected):
    network = create_network(name)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_a_larger_encoder():
    larger, smaller = (create_network("psgn", encoder=encoder) for encoder in ("resnet50", "resnet18"))
    counts = [sum(parameter.numel() for parameter in network.parameters()) for network in (larger, smaller)]
    assert counts[0] - counts[1] == RESNET50 - RESNET18 + (2048 - 512) * 1024


def test_shapes(name, network):
    images = torch.rand(2, 3, 40, 64)
    points = network.options["points"]
    assert network(images).shape == (2, points, 3)
    assert network.eval()(images).shape == (2, 642 if name == "atlasnet-sphere" else points, 3)
    assert network(images).dtype == torch.float32


def test_eval_mode_is_deterministic_and_images_do_not_see_their_neighbours(network):
    images = torch.rand(4, 3, 32, 32)
    network(images)  # running statistics other than the first
    network.eval()
    with torch.no_grad():
        together = network(images)
        torch.manual_seed(7)
        assert torch.equal(network(images), together)
        assert not torch.allclose(together[0], together[1])
        torch.testing.assert_close(network(images[:1]), together[:1], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(network(images.flip(0)).flip(0), together, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["atlasnet-sphere", "atlasnet-25"])
def test_templates_are_random_in_train_mode(network):
    images = torch.rand(2, 3, 32, 32)
    torch.manual_seed(1)
    first, second = network(images), network(images)
    assert not torch.allclose(first, second)
    torch.manual_seed(1)
    # Batch norm in train mode does not depend on what was before.
    torch.testing.assert_close(network(images), first)


def test_the_gradient_reaches_all_parameters(network):
    images = torch.rand(4, 3, 32, 32)
    points = network(images)
    (points * torch.randn_like(points)).sum().backward()
    still = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    # A bias before batch norm has no effect: its gradient is that of rounding, or zero to the bit.
    assert all(name.endswith("bias") for name in still)
    assert all(torch.isfinite(value.grad).all() for value in network.parameters())


def test_the_loss_is_the_mean_chamfer_distance(name, small, batch):
    network = small(name)
    torch.manual_seed(3)
    loss = network.loss(batch)
    torch.manual_seed(3)
    points = network(batch.image)
    squared = torch.cdist(points.double(), batch.points.double()).square()
    expected = (squared.amin(2).mean(1) + squared.amin(1).mean(1)).mean()
    torch.testing.assert_close(loss.double(), expected, rtol=1e-4, atol=1e-6)


def test_half_precision_gives_close_points_that_are_not_rounded(name, small, batch):
    network = small(name).eval()
    exact = network(batch.image)
    with torch.autocast("cpu", torch.bfloat16):
        points, loss = network(batch.image), network.loss(batch)
    assert points.dtype == loss.dtype == torch.float32
    assert not torch.equal(points, points.bfloat16().float())
    # A bfloat16 has 8 bits.
    torch.testing.assert_close(points, exact, rtol=0.1, atol=0.02 * exact.abs().max().item())


def test_a_batch_is_overfitted(name, small, batch):
    mean_shape = min(chamfer_distance(batch.points[[i] * 4], batch.points).mean() for i in range(4))
    assert mean_shape > 0.05
    network = small(name)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for step in range(900):
        optimizer.param_groups[0]["lr"] = 3e-3 * 0.1 ** (step // 600)
        optimizer.zero_grad()
        loss = network.loss(batch)
        loss.backward()
        optimizer.step()
    assert loss < 1e-3


def test_options_and_weights_rebuild_it(name, network):
    images = torch.rand(2, 3, 32, 32)
    network(images)
    again = create_network(name, **network.options)
    again.load_state_dict(network.state_dict())
    unpickled = pickle.loads(pickle.dumps(network))
    with torch.no_grad():
        expected = network.eval()(images)
        assert torch.equal(again.eval()(images), expected)
        assert torch.equal(unpickled.eval()(images), expected)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (torch.zeros(3, 32, 32), r"\(3, 32, 32\)"),
        (torch.zeros(1, 4, 32, 32), r"\(1, 4, 32, 32\)"),
        (torch.zeros(0, 3, 32, 32), r"\(0, 3, 32, 32\)"),
        (torch.zeros(1, 3, 32, 32, dtype=torch.uint8), "uint8"),
    ],
)
def test_other_images_are_refused(images, words):
    network = create_network("psgn", points=10, code=8, hidden=8)
    with pytest.raises(ValueError, match=f"`images` must be .* but got .*{words}"):
        network(images)


def test_nan_never_becomes_a_loss(name, small, batch):
    with pytest.raises(ValueError, match="NaN or infinite"):
        small(name).loss(batch._replace(image=torch.full((4, 3, 8, 8), torch.nan)))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("psgn", {"points": 0}, "`points`"),
        ("psgn", {"code": 1.5}, "`code`"),
        ("psgn", {"hidden": True}, "`hidden`"),
        ("psgn", {"encoder": "vgg"}, "`encoder` must be one of .*'vgg'"),
        ("foldingnet", {"points": 50}, "square of an integer"),
        ("atlasnet-sphere", {"subdivisions": 9}, "`subdivisions`"),
        ("atlasnet-25", {"points": 2501}, "25 patches times the square"),
        ("atlasnet-25", {"points": 25}, "25 patches times the square"),
        ("occnet", {"threshold": 1}, "`threshold`"),
    ],
)
def test_bad_options_are_refused(name, options, words):
    with pytest.raises(ValueError, match=words):
        create_network(name, **options)


def test_meshes_share_their_faces_and_leave_the_mode(small, batch):
    network = small("atlasnet-25", points=100)
    network.decoder.eval()
    vertices, faces = network.mesh(batch.image)
    assert network.training
    assert not network.decoder.training
    assert torch.equal(vertices, network.eval()(batch.image))
    assert faces.shape == (25 * 2, 3)
    assert torch.equal(faces.view(25, -1).amin(1), torch.arange(25) * 4)
    assert torch.equal(faces.view(25, -1).amax(1), torch.arange(25) * 4 + 3)


def test_the_mesh_of_a_sphere_is_closed(small, batch):
    import trimesh

    vertices, faces = small("atlasnet-sphere").mesh(batch.image)
    assert trimesh.Trimesh(vertices[0].numpy(), faces.numpy(), process=False).is_watertight
