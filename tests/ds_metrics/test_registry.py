from importlib.metadata import EntryPoint

import pytest
from torchmetrics import MeanMetric

from ds_metrics import ChamferDistance, DispersionScore, create_metric, list_metrics, register_metric, registry


@pytest.fixture(autouse=True)
def _forget_what_a_test_registers(monkeypatch):
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    registry._plugins.cache_clear()
    yield
    registry._plugins.cache_clear()


def offer(monkeypatch, *points):
    entries = [EntryPoint(name, value, registry.ENTRY_POINT_GROUP) for name, value in points]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries if group == registry.ENTRY_POINT_GROUP else [])


def test_ours_come_first():
    assert [info.name for info in list_metrics()][:3] == ["dispersion-score", "chamfer-distance", "f-score"]
    assert isinstance(create_metric("cd", squared=False), ChamferDistance)
    assert create_metric("dispersion-score", n_clusters=4).n_clusters == 4
    assert not registry.find_metric("ds").needs_target
    assert registry.find_metric("cd").needs_target


def test_register_reads_the_class():
    info = register_metric("mine", DispersionScore)
    assert info.description.startswith("How dispersed")
    assert not info.needs_target
    assert registry.find_metric("mine") is info
    with pytest.raises(ValueError, match="'mine' is registered already"):
        register_metric("mine", MeanMetric)
    with pytest.raises(ValueError, match="'cd' is registered already"):
        register_metric("new", MeanMetric, aliases=("cd",))
    with pytest.raises(TypeError, match="`factory` must be callable"):
        register_metric("other", 3)


def test_unknown_name_lists_the_near_ones():
    with pytest.raises(ValueError, match="but got 'chamfer'; did you mean 'chamfer-distance'"):
        create_metric("chamfer")
    with pytest.raises(ValueError, match=r"there are .*'cd'.*'ds'"):
        create_metric("zzzzzz")


def test_plugins_join_through_their_entry_point(monkeypatch):
    offer(monkeypatch, ("mean", "torchmetrics:MeanMetric"), ("cd", "torchmetrics:MeanMetric"))
    assert isinstance(create_metric("mean"), MeanMetric)
    assert isinstance(create_metric("cd"), ChamferDistance)


def test_a_broken_plugin_is_named_and_breaks_nothing(monkeypatch):
    offer(monkeypatch, ("broken", "no_such_module:Thing"), ("odd", "math:pi"))
    descriptions = {info.name: info.description for info in list_metrics()}
    assert "No module named 'no_such_module'" in descriptions["broken"]
    assert "neither a metric class" in descriptions["odd"]
    with pytest.raises(ValueError, match="'broken' of package 'unknown' can't be loaded"):
        create_metric("broken")
