import sys
from importlib.metadata import EntryPoint

import pytest
from torch import nn

from svr_baselines.networks import create_network, has_network, list_networks, register_network, registry
from svr_baselines.networks.psgn import PSGN

SMALL = {"points": 10, "code": 8, "hidden": 8}


@pytest.fixture(autouse=True)
def _forget_what_a_test_registers(monkeypatch):
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    registry._plugins.cache_clear()
    yield
    registry._plugins.cache_clear()


def offer(monkeypatch, *points):
    entries = [EntryPoint(name, value, registry.ENTRY_POINT_GROUP) for name, value in points]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries if group == registry.ENTRY_POINT_GROUP else [])


def test_ours_come_first_and_all_have_the_common_options():
    names = ["psgn", "foldingnet", "atlasnet-sphere", "atlasnet-25", "occnet"]
    register_network("aaa", PSGN)
    assert [info.name for info in list_networks()][:6] == [*names, "aaa"]
    for name in names:
        options = {"points": 100, "code": 8, "hidden": 8, "encoder": "resnet18"}
        assert create_network(name, **options).options.items() >= options.items()


def test_unknown_names_and_options_list_the_near_ones():
    with pytest.raises(ValueError, match="but got 'atlasnet'; did you mean 'atlasnet-25'"):
        create_network("atlasnet")
    with pytest.raises(ValueError, match=r"there are .*'psgn'"):
        create_network("zzzzzz")
    with pytest.raises(ValueError, match="'psgn' has no option 'point'; did you mean 'points'"):
        create_network("psgn", point=10)
    assert has_network("psgn")
    assert not has_network("atlasnet")


def test_registering():
    info = register_network("mine", PSGN)
    assert info.description.startswith("Coordinates from three hidden layers")
    assert isinstance(create_network("mine", **SMALL), PSGN)
    with pytest.raises(ValueError, match="'psgn' is registered already"):
        register_network("psgn", PSGN)
    with pytest.raises(TypeError, match="`factory` must be callable"):
        register_network("other", 3)
    register_network("no-network", nn.Identity)
    with pytest.raises(TypeError, match="gave Identity"):
        create_network("no-network")


def test_plugins_join_through_their_entry_point(monkeypatch):
    offer(monkeypatch, ("theirs", "svr_baselines.networks.psgn:PSGN"), ("psgn", "builtins:dict"))
    assert has_network("theirs")
    assert isinstance(create_network("theirs", **SMALL), PSGN)
    assert isinstance(create_network("psgn", **SMALL), PSGN)


def test_a_broken_plugin_is_named_and_breaks_nothing(monkeypatch):
    offer(monkeypatch, ("broken", "no_such_module:Thing"), ("odd", "math:pi"))
    descriptions = {info.name: info.description for info in list_networks()}
    assert "No module named 'no_such_module'" in descriptions["broken"]
    assert "neither a network class" in descriptions["odd"]
    with pytest.raises(ValueError, match="'broken' of package 'unknown' can't be loaded"):
        create_network("broken", points=3)


def test_without_torchvision_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ValueError, match=r"torchvision.*pip install 'dispersion-score\[train\]'"):
        create_network("psgn")
