import pickle

import numpy as np
import pytest
import torch
from torch import nn

from ds_metrics.features import Extractor, Pixels, create_extractor, list_extractors, register_extractor
from ds_metrics.features import extractor as module


def images(n, size=16, seed=0):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("pooling", ["channel-max", "none"])
def test_features_do_not_depend_on_the_batch(pooling):
    """To the bit, or copies of an image would not be at distance zero."""
    batch, extractor = images(7, 32), create_extractor("vgg16", image_size=32, pooling=pooling)
    features = extractor(batch)
    assert torch.equal(torch.cat([extractor(batch[:3]), extractor(batch[3:])]), features)
    together = create_extractor("vgg16", image_size=32, pooling=pooling, batch_size=3)(batch)
    np.testing.assert_allclose(together, features, rtol=2e-3 if pooling == "none" else 1e-5, atol=2e-3)


def test_pixels_are_the_mean_squared_error_of_images():
    batch = images(3)
    features = create_extractor("pixels", image_size=16)(batch)
    assert torch.equal(features, batch.flatten(1))


def test_no_images_have_the_width_of_others():
    extractor = create_extractor("vgg16", image_size=32)
    assert extractor([]).shape == (0, 64)
    assert extractor(torch.zeros(0, 3, 8, 8)).shape == (0, 64)


class Watching(nn.Module):
    """Has what tells training from eval mode, and keeps what it was given."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.linear = nn.Linear(3, 2)
        self.seen = []

    def forward(self, batch):
        self.seen.append((batch.shape, batch.dtype, self.training, torch.is_grad_enabled()))
        return self.linear(self.norm(batch).mean((2, 3)))


def test_a_network_is_used_in_eval_mode_and_left_as_it_was():
    network = Watching().train()
    network.linear.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    features = create_extractor(network, image_size=8, batch_size=2)(images(3))
    assert network.seen == [((2, 3, 8, 8), torch.float32, False, False), ((1, 3, 8, 8), torch.float32, False, False)]
    assert (network.training, network.norm.training, network.linear.training) == (True, True, False)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not features.requires_grad


def test_a_network_that_fails_is_left_as_it_was():
    network = Watching().train()
    network.linear = nn.Linear(7, 2)
    with pytest.raises(RuntimeError, match="shapes"):
        create_extractor(network, image_size=8)(images(1))
    assert network.training


def test_autocast_around_changes_nothing():
    batch, extractor = images(2, 32), create_extractor("vgg16", image_size=32)
    expected = extractor(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(extractor(batch), expected)


def test_convolutions_are_without_tf32_meanwhile():
    """A setting of the whole process: it is put back, also after an error."""
    cudnn = torch.backends.cudnn
    before, seen = cudnn.allow_tf32, []

    class Network(nn.Module):
        def forward(self, batch):
            seen.append(cudnn.conv.fp32_precision if hasattr(cudnn, "conv") else cudnn.allow_tf32)

    with pytest.raises(ValueError, match="returned NoneType"):
        create_extractor(Network())(images(1))
    assert seen in (["ieee"], [False])
    assert cudnn.allow_tf32 == before


def test_a_batch_too_large_is_halved():
    class Small(nn.Module):
        def forward(self, batch):
            if len(batch) > 2:
                raise torch.cuda.OutOfMemoryError("too large")
            return batch.mean((2, 3))

    batch = images(7)
    found = create_extractor(Small(), image_size=16, batch_size=6)(batch)
    np.testing.assert_allclose(found, batch.mean((2, 3)), rtol=1e-6)


def test_memory_bounds_the_batch(monkeypatch):
    monkeypatch.setattr(module, "free_memory", lambda: 10**9)
    sizes = [Extractor(Pixels(), "pixels", size, device="meta").batch_size for size in (32, 224, 600, 4000)]
    assert sizes == [64, 6, 1, 1]  # 768 bytes a pixel in a quarter of the memory
    assert Extractor(Pixels(), "pixels", 32).batch_size == 1


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda batch: batch, r"must return \(2, d\) features, but returned \(2, 3, 4, 4\)"),
        (lambda batch: batch[:1].flatten(1), r"must return \(2, d\) features, but returned \(1, 48\)"),
        (lambda batch: None, r"must return \(2, d\) features, but returned NoneType"),
        (lambda batch: batch.flatten(1) / 0, "must return finite features"),
    ],
)
def test_what_is_no_features_is_refused(network, message):
    class Network(nn.Module):
        def forward(self, batch):
            return network(batch)

    with pytest.raises(ValueError, match=f"Extractor 'Network' {message}"):
        create_extractor(Network(), image_size=4, batch_size=2)(images(2))


def test_keys_tell_features_apart():
    keys = [
        create_extractor("vgg16").key,
        create_extractor("vgg16", pooling="none").key,
        create_extractor("vgg16", image_size=112).key,
        create_extractor("pixels").key,
        create_extractor(nn.Sequential(nn.Flatten(), nn.Linear(3, 1))).key,
    ]
    assert len({tuple(sorted(key.items(), key=str)) for key in keys}) == len(keys)
    assert create_extractor("pixels").key["weights"] is None
    torch.manual_seed(0)
    network = nn.Linear(2, 2)
    first = create_extractor(network).key
    with torch.no_grad():
        network.weight[0, 0] += 1
    assert create_extractor(network).key != first


def test_half_precision_networks_have_keys_and_float_features():
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1, dtype=torch.bfloat16))

        def forward(self, batch):
            return (batch.to(torch.bfloat16) * self.scale).flatten(1)

    extractor = create_extractor(Half(), image_size=4)
    assert len(extractor.key["weights"]) == 64
    assert extractor(images(1)).dtype == torch.float32


def test_extractors_are_pickled_whole():
    extractor = create_extractor("vgg16", image_size=32)
    copy = pickle.loads(pickle.dumps(extractor))
    assert copy.key == extractor.key
    assert torch.equal(copy(images(2)), extractor(images(2)))


def test_registered_names(monkeypatch):
    monkeypatch.setattr(module, "_FACTORIES", dict(module._FACTORIES))

    class Scaled(nn.Module):
        def __init__(self, weights="1"):
            super().__init__()
            self.factor = float(weights)

        def forward(self, batch):
            return batch.flatten(1) * self.factor

    register_extractor("scaled", Scaled)
    assert "scaled" in list_extractors()
    assert create_extractor("scaled", weights="3", image_size=1)(torch.ones(1, 3, 2, 2)).tolist() == [[3, 3, 3]]
    with pytest.raises(ValueError, match="`pooling` is not an option of extractor 'scaled'"):
        create_extractor("scaled", pooling="none")
    for taken in ("scaled", "vgg16", "chamfer", "features"):
        with pytest.raises(ValueError, match=f"must be new, but '{taken}' is taken"):
            register_extractor(taken, Scaled)
    with pytest.raises(TypeError, match="`factory` must be callable, but got str"):
        register_extractor("other", "Scaled")


def test_installed_packages_join_by_an_entry_point(monkeypatch):
    class Entry:
        name = "theirs"

        def load(self):
            return Pixels

    class Broken(Entry):
        name = "broken"

        def load(self):
            raise ImportError("no such library")

    def entries(group, name=None):
        assert group == "ds_metrics.extractors"
        return [entry for entry in (Entry(), Broken()) if name in (None, entry.name)]

    monkeypatch.setattr(module, "entry_points", entries)
    assert list_extractors()[-2:] == ["broken", "theirs"]
    assert create_extractor("theirs", image_size=2)(torch.ones(1, 3, 2, 2)).shape == (1, 12)
    with pytest.raises(ValueError, match="extractor 'broken' can't be loaded: ImportError: no such library"):
        create_extractor("broken")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extractor": "vgg19"}, r"`extractor` must be a network or one of \['vgg16', 'pixels'.*\], but got 'vgg19'"),
        ({"extractor": "vgg16", "image_size": 0}, "`image_size` must be a positive integer, but got 0"),
        ({"extractor": "vgg16", "batch_size": 1.5}, "`batch_size` must be a positive integer, but got 1.5"),
        ({"extractor": "pixels", "weights": "bundled"}, "`weights` is not an option of extractor 'pixels'"),
        ({"extractor": nn.Flatten(), "pooling": "none"}, "`pooling` is for named extractors, but got a network"),
        ({"extractor": Extractor(Pixels(), "mine"), "image_size": 3}, "`extractor` is one already"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=f"Argument {message}"):
        create_extractor(**options)
