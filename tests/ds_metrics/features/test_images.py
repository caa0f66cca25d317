import numpy as np
import pytest
import torch

from ds_metrics.features import as_rgb, check_images


def rgb(images, size):
    return as_rgb(check_images(images), size)


def test_bytes_and_floats_are_the_same_image():
    image = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = image.double() / 255
    for same in (image, image.numpy(), image.float() / 255, (image.double() / 255).numpy(), list(image)):
        np.testing.assert_allclose(rgb(same, 8).double(), expected, atol=1e-7)
    np.testing.assert_allclose(rgb((image.float() / 255).half(), 8).double(), expected, atol=1e-3)


def test_grey_becomes_rgb():
    image = torch.rand(1, 1, 4, 4)
    assert torch.equal(rgb(image, 4), image.expand(1, 3, 4, 4))


def test_shrinking_averages_and_sizes_mix():
    """To half the size, an antialiased triangle of twice the width: weights 1 3 3 1 over 8 inside."""
    line = torch.tensor([0.0, 0.2, 0.8, 1.0, 0.4, 0.6, 0.1, 0.9], dtype=torch.float64)
    weights = torch.tensor([1, 3, 3, 1], dtype=torch.float64) / 8
    image = line.expand(3, 8, 8)
    small, same = rgb([image, torch.zeros(3, 4, 4)], 4)
    expected = [float(line[start : start + 4] @ weights) for start in (1, 3)]
    np.testing.assert_allclose(small[0, 0, 1:3], expected, atol=1e-6)
    assert torch.equal(same, torch.zeros(3, 4, 4))


def test_one_pixel_fills_the_image():
    image = torch.tensor([10, 20, 30], dtype=torch.uint8).view(1, 3, 1, 1)
    np.testing.assert_allclose(rgb(image, 5)[0, :, 2, 4], np.array([10, 20, 30]) / 255, atol=1e-7)


def test_the_callers_images_stay_as_they_are():
    images = torch.full((1, 3, 4, 4), 1.00005)
    assert rgb(images, 4).max() == 1
    assert float(images.max()) == pytest.approx(1.00005)


def test_flipped_and_mapped_arrays(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (2, 3, 6, 6), dtype=np.uint8)
    np.save(tmp_path / "a.npy", array)
    assert torch.equal(rgb(np.load(tmp_path / "a.npy", mmap_mode="r"), 6), rgb(array, 6))
    assert torch.equal(rgb(array[..., ::-1], 6), rgb(array[..., ::-1].copy(), 6))


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (torch.rand(3, 8, 8), ValueError, r"shape \(B, 3, H, W\), but got \(3, 8, 8\)"),
        (torch.rand(2, 8, 8, 3), ValueError, r"image 0 has shape \(8, 8, 3\): channels come first, see `permute`"),
        (torch.rand(2, 4, 8, 8), ValueError, r"image 0 has shape \(4, 8, 8\): lay RGBA over a background first"),
        (torch.rand(2, 3, 0, 8), ValueError, r"image 0 has shape \(3, 0, 8\)"),
        ([torch.rand(3, 8, 8), torch.rand(8, 8)], ValueError, r"image 1 has shape \(8, 8\)"),
        (torch.linspace(255, 2, 384).reshape(2, 3, 8, 8), ValueError, r"image 0 has values from .* to 25\d"),
        (torch.rand(2, 3, 8, 8) * 2 - 1, ValueError, r"image 0 has values from -0.9.*undo the normalisation"),
        ([torch.rand(3, 8, 8), torch.full((3, 8, 8), torch.nan)], ValueError, "image 1 has NaN"),
        ([torch.full((3, 8, 8), torch.inf)], ValueError, "image 0 has values from inf to inf"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int64), TypeError, "image 0 is torch.int64"),
        (np.zeros((1, 3, 8, 8), dtype=np.uint16), TypeError, "image 0 is .*uint16"),
        (np.zeros((1, 3, 8, 8), dtype=np.uint32), TypeError, "image 0 is uint32"),
        (np.zeros((1, 3, 8, 8), dtype=bool), TypeError, "image 0 is bool"),
        (["cat.png"], TypeError, "image 0 is str"),
        ("cat.png", TypeError, "but got str"),
        (None, TypeError, "but got NoneType"),
    ],
)
def test_bad_images_are_named(images, error, message):
    with pytest.raises(error, match=f"Argument `preds` .*{message}"):
        check_images(images, "preds")
