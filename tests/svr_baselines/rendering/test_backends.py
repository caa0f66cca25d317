import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
import torch

from ds_metrics.pairwise.backends import can_import
from svr_baselines.rendering import backends, choose_renderer, embree, kaolin


@pytest.fixture(autouse=True)
def fresh():
    can_import.cache_clear()
    yield
    can_import.cache_clear()


@pytest.fixture
def no_embree(monkeypatch):
    monkeypatch.setitem(sys.modules, "embreex.rtcore_scene", None)


@pytest.fixture
def no_kaolin(monkeypatch):
    """The placeholder on PyPI: found, but fails to import."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "kaolin"]:
        monkeypatch.delitem(sys.modules, name)
    module = ModuleType("kaolin")
    module.__spec__ = ModuleSpec("kaolin", None)
    monkeypatch.setitem(sys.modules, "kaolin", module)
    monkeypatch.setitem(sys.modules, "kaolin.render", None)


def test_kaolin_comes_first_where_it_is(fake_kaolin):
    assert choose_renderer() == "kaolin"
    assert choose_renderer("embree") == "embree"
    assert backends.load_renderer("kaolin") is kaolin.trace


def test_embree_elsewhere(no_kaolin):
    assert choose_renderer("auto") == "embree"
    assert backends.load_renderer("embree") is embree.trace


def test_without_a_gpu_kaolin_is_not_chosen(fake_kaolin, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_renderer() == "embree"
    with pytest.raises(ValueError, match="`renderer` is 'kaolin', which needs a CUDA GPU"):
        choose_renderer("kaolin")


def test_placeholders_are_not_chosen(no_kaolin):
    with pytest.raises(ValueError, match="'kaolin', which needs NVIDIA Kaolin: install"):
        choose_renderer("kaolin")


@pytest.mark.parametrize("name", ["auto", "embree"])
def test_without_any_the_error_says_what_to_install(no_kaolin, no_embree, name):
    with pytest.raises(ValueError, match="'embree', which needs Embree's binding: `pip install embreex`"):
        choose_renderer(name)


def test_unknown_names():
    with pytest.raises(ValueError, match=r"must be one of \('auto', 'kaolin', 'embree'\), but got 'blender'"):
        choose_renderer("blender")


def test_greetings_do_not_reach_stdout(monkeypatch, tmp_path, capsys):
    (tmp_path / "kaolin" / "render" / "mesh").mkdir(parents=True)
    (tmp_path / "kaolin" / "__init__.py").write_text("print('Hello')")
    (tmp_path / "kaolin" / "render" / "mesh" / "__init__.py").write_text("")
    for name in [name for name in sys.modules if name.split(".")[0] == "kaolin"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        backends.lack("kaolin")
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "kaolin"]:
            del sys.modules[name]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Hello" in printed.err
