"""VGG16 against a plain loop, and its weights from everywhere."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import ds_metrics.features.weights as weights_module
from ds_metrics.features import VGG16, create_extractor
from ds_metrics.features.weights import load_weights

BUNDLED = weights_module._BUNDLED
NAMES = [f"features.{index}.{part}" for index, _ in weights_module.LAYERS for part in ("weight", "bias")]


def torchvision_features():
    """The first 16 layers of torchvision's own network, with the bundled weights."""
    try:
        from torchvision.models import vgg16
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"needs a torchvision that fits this torch ({error})")
    layers = vgg16().features[:16].eval()
    layers.load_state_dict({name.removeprefix("features."): value for name, value in load_file(BUNDLED).items()})
    return layers


def plain(layers, images):
    """The loop of a user without this package: images one by one, as the weights' authors prescribe."""
    mean = torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1)
    with torch.no_grad():
        return torch.cat([layers(image[None].float() - mean) for image in images])


def by_hand(images):
    """Convolutions as sums over shifted images, in float64."""
    values = {name: value.double() for name, value in load_file(BUNDLED).items()}
    maps = images.double() - torch.tensor([123.68, 116.779, 103.939], dtype=torch.float64).view(1, 3, 1, 1)
    for index, _ in weights_module.LAYERS:
        if index in (5, 10):
            maps = torch.stack([maps[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]).amax(0)
        padded = nn.functional.pad(maps, (1, 1, 1, 1))
        weight, (height, width) = values[f"features.{index}.weight"], maps.shape[-2:]
        maps = values[f"features.{index}.bias"].view(1, -1, 1, 1) + sum(
            torch.einsum("oc,bchw->bohw", weight[:, :, i, j], padded[:, :, i : i + height, j : j + width])
            for i in range(3)
            for j in range(3)
        )
        maps = maps.clamp(min=0)
    return maps


def pictures(n, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, 3, 8, 8, generator=generator)
    return (nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1) * 255).to(torch.uint8)


def test_it_is_torchvisions_network():
    layers, images = torchvision_features(), pictures(3, 224)
    expected = plain(layers, images)
    pooled = create_extractor("vgg16")(images)
    assert pooled.shape == (3, 56 * 56)
    np.testing.assert_allclose(pooled, expected.amax(1).flatten(1), rtol=1e-4, atol=1e-4 * float(expected.max()) / 100)
    whole = create_extractor("vgg16", pooling="none")(images)
    assert whole.shape == (3, 256 * 56 * 56)
    assert whole.dtype == torch.float16
    np.testing.assert_allclose(whole.float(), expected.flatten(1), rtol=5e-4, atol=1e-4 * float(expected.max()))


def test_against_sums_in_float64():
    images = pictures(2, 32)
    expected = by_hand(images)
    pooled = create_extractor("vgg16", image_size=32)(images)
    np.testing.assert_allclose(pooled, expected.amax(1).flatten(1), rtol=1e-5)
    whole = create_extractor("vgg16", image_size=32, pooling="none")(images)
    np.testing.assert_allclose(whole.double(), expected.flatten(1), rtol=1e-3, atol=1e-5 * float(expected.max()))


def test_only_what_is_needed_is_built():
    network = VGG16()
    assert sum(value.numel() for value in network.parameters()) == 1_735_488  # of 138 million
    assert not any(value.requires_grad for value in network.parameters())
    assert not network.training


def test_bundled_weights_are_those_of_the_readme():
    text = (BUNDLED.parent / "README.md").read_text()
    assert weights_module._file_hash(BUNDLED) in text
    assert "CC BY 4.0" in text


def test_files_of_every_kind_give_the_same(tmp_path):
    values = load_file(BUNDLED)
    about = {"input": "RGB in [0,255] minus (123.68, 116.779, 103.939); keys as torchvision"}
    save_file(values | {"classifier.0.bias": torch.zeros(3)}, tmp_path / "more.safetensors", about)
    assert create_extractor(weights=tmp_path / "more.safetensors").key == create_extractor().key
    torch.save({name: value.half() for name, value in values.items()}, tmp_path / "half.pth")
    half = load_weights(str(tmp_path / "half.pth"))
    assert list(half.values) == NAMES
    assert torch.equal(half.values["features.14.bias"], values["features.14.bias"].half().float())


def test_input_scale_follows_the_file(tmp_path, monkeypatch):
    """The same convolutions: torchvision's scale unless the file is known to take 0 to 255."""
    torch.save(load_file(BUNDLED), tmp_path / "vgg16.pth")
    standard = load_weights(tmp_path / "vgg16.pth")
    assert standard.mean == (0.485, 0.456, 0.406)
    assert standard.std == (0.229, 0.224, 0.225)
    monkeypatch.setattr(weights_module, "_MEAN_FILE", weights_module._file_hash(tmp_path / "vgg16.pth")[:8])
    assert load_weights(tmp_path / "vgg16.pth").std == (1 / 255,) * 3
    keys = [create_extractor(weights=path).key["weights"] for path in ("bundled", tmp_path / "vgg16.pth")]
    assert keys[0] == keys[1]  # now both of one scale
    monkeypatch.undo()
    assert create_extractor(weights=tmp_path / "vgg16.pth").key["weights"] != keys[0]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), "is no state dict"),
        (lambda path: path.write_bytes(b"not a pickle"), "is no state dict"),
        (lambda path: torch.save([1, 2], path), "must hold a state dict, but holds list"),
        (lambda path: torch.save({}, path), r"'features.0.weight' of shape \(64, 3, 3, 3\), but has none"),
        (lambda path: torch.save(changed("features.5.bias", torch.zeros(3)), path), r"but has one of shape \(3,\)"),
        (
            lambda path: torch.save(changed("features.5.bias", torch.full((128,), torch.nan)), path),
            "has NaN or infinite",
        ),
        (lambda path: torch.save(nn.Linear(2, 2), path), "is no state dict that torch loads safely"),
    ],
)
def test_bad_files_are_refused(tmp_path, write, message):
    write(tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=rf"Argument `weights`: .*weights.pth .*{message}"):
        VGG16(weights=tmp_path / "weights.pth")


def changed(name, value):
    return load_file(BUNDLED) | {name: value}


def test_truncated_safetensors_are_refused(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(BUNDLED.read_bytes()[:10_000])
    with pytest.raises(ValueError, match=r"weights.safetensors is no whole safetensors file"):
        VGG16(weights=tmp_path / "weights.safetensors")


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"'bundled', 'torchvision' or the path of a file, but got 'imagenet'"):
        VGG16(weights="imagenet")
    with pytest.raises(ValueError, match=r"`pooling` must be one of \('channel-max', 'none'\), but got 'mean'"):
        VGG16(pooling="mean")


def test_torchvision_offline_says_what_to_do(tmp_path, monkeypatch):
    torchvision_features()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr("torch.hub.urlopen", offline)
    with pytest.raises(
        OSError, match=r"could not be downloaded \(no network\); fetch https://.*vgg16-.*\.pth .*bundled"
    ):
        VGG16(weights="torchvision")


def test_torchvision_weights_are_taken_from_its_cache(tmp_path, monkeypatch):
    """Stands in for the download: the scale and the values are what is tested."""
    torchvision_features()
    from torchvision.models import VGG16_Weights

    values = load_file(BUNDLED)
    monkeypatch.setattr(VGG16_Weights, "get_state_dict", lambda self, **options: values)
    loaded = load_weights("torchvision")
    assert loaded.mean == (0.485, 0.456, 0.406)
    assert torch.equal(loaded.values["features.0.weight"], values["features.0.weight"])


def test_features_beyond_half_precision_are_refused(tmp_path):
    values = {name: value * 2 for name, value in load_file(BUNDLED).items()}
    save_file(values, tmp_path / "large.safetensors", {"input": weights_module._MEAN_INPUT})
    with pytest.raises(ValueError, match='more than half precision holds: use pooling="channel-max"'):
        create_extractor(weights=tmp_path / "large.safetensors", pooling="none", image_size=32)(pictures(1, 32))
