"""The measured dispersion of the sub-trainsets: it grows along one series and stays in the other."""

import functools

import numpy as np
import pytest
import torch

from ds_metrics.features import create_extractor
from ds_metrics.functional import dispersion_score
from svr_baselines.building.morph import ISOMETRIC, morph_mesh, morph_normals, morph_value
from svr_baselines.building.subsets import image_series, shape_series, split_indices, sub_trainsets
from svr_baselines.data import sample_mesh
from svr_baselines.data.points import stable_seed
from svr_baselines.rendering import Surface, render


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_shapes(seed):
    sets, cloud = _sets(seed), functools.cache(functools.partial(_cloud, seed=seed))
    growing = [_shape_score(sets[name], cloud) for name in shape_series()]
    assert growing[0] == 0
    assert (np.diff(growing) > 0).all()
    assert [_shape_score(sets[name], cloud) for name in image_series()] == [0] * 8


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pixels(seed):
    sets = _sets(seed)
    growing = [_pixel_score(sets[name]) for name in image_series()]
    assert growing[0] > 0
    assert (np.diff(growing) > 0.05 * np.array(growing[:-1])).all()
    assert [_pixel_score(sets[name]) for name in shape_series()] == [growing[-1]] * 8


@pytest.fixture
def one_thread():
    """Beside other work, threads of torch wait for each other most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_vgg16_features():
    sets = _sets(0)
    extract = create_extractor("vgg16", image_size=112)  # of the paper's 224: a quarter of the time
    feature = functools.cache(lambda i: extract(_image(i, 112)[None])[0])
    growing = [_feature_score(sets[name], feature) for name in image_series()]
    assert growing[0] > 0
    assert (np.diff(growing) > 0.05 * np.array(growing[:-1])).all()


def _sets(seed):
    return {subset.name: subset for subset in sub_trainsets(split_indices(seed=seed).train)}


def _shape_score(subset, cloud):
    return dispersion_score(torch.stack([cloud(shape) for _, shape in subset.pairs]), 2).item()


def _pixel_score(subset):
    images = torch.stack([_image(image, 48) for image, _ in subset.pairs])
    return dispersion_score(images, 2, distance="pixels", image_size=48).item()


def _feature_score(subset, feature):
    vectors = torch.stack([feature(image) for image, _ in subset.pairs])
    return dispersion_score(vectors, 2, distance="features").item()


def _cloud(index, seed):
    points = sample_mesh(*morph_mesh(morph_value(index), 16), points=1500, seed=stable_seed(seed, f"{index:03d}"))
    return torch.from_numpy(points).float()


@functools.cache
def _image(index, size):
    """RGB over white, `(3, size, size)` uint8."""
    value = morph_value(index)
    surface = Surface(*morph_mesh(value, 16), normals=morph_normals(value, 16))
    picture = render(surface, [ISOMETRIC], size=size)[0].astype(float)
    alpha = picture[..., 3:] / 255
    rgb = (picture[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
    return torch.from_numpy(rgb).permute(2, 0, 1).contiguous()
