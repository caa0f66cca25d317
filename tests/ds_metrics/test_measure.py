import pytest
import torch
from torch import nn

from ds_metrics.features import Extractor, Pixels
from ds_metrics.measure import Measure


@pytest.mark.parametrize(
    ("distance", "name"),
    [
        ("chamfer", "chamfer"),
        ("features", "features"),
        ("vgg16", "vgg16"),
        ("pixels", "pixels"),
        (nn.Flatten(), "Flatten"),
        (Extractor(Pixels(), "mine"), "mine"),
    ],
)
def test_names(distance, name):
    assert Measure(distance).name == name


def test_conventions():
    assert Measure().convention == "sum of the two means of squared nearest distances"
    assert Measure(squared=False).convention == "sum of the two means of nearest distances"
    assert Measure("vgg16").convention == Measure("features").convention == "mean squared difference of features"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"distance": "emd"},
            r"`distance` must be a network or one of \['chamfer', 'features', 'vgg16', .*but got 'emd'",
        ),
        ({"distance": 3}, "`distance` must be a name or a network, but got int"),
        ({"backend": "cuda"}, "`backend` must be one of"),
        ({"distance": "vgg16", "backend": "native"}, "`backend` is for the Chamfer distance.*got 'native'"),
        ({"distance": "vgg16", "squared": False}, "`squared` is for the Chamfer distance, but `distance` is 'vgg16'"),
        ({"weights": "bundled"}, "`weights` is for images, but `distance` is 'chamfer'"),
        ({"distance": "features", "pooling": "none"}, "`pooling` is for images, but `distance` is 'features'"),
        ({"distance": "pixels", "pooling": "none"}, "`pooling` is not an option of extractor 'pixels'"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=f"Argument {message}"):
        Measure(**options)


def test_lengths_are_for_clouds():
    with pytest.raises(ValueError, match="`lengths` goes with padded point clouds, not with images or features"):
        Measure("features").pack(torch.rand(3, 4), torch.ones(3))
