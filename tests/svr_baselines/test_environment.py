"""What `describe_environment` says, against what Python itself finds."""

import importlib.metadata
import re
import sys
from importlib.metadata import EntryPoint

import numpy
import pytest
import torch
from packaging.requirements import Requirement

from ds_metrics import registry
from ds_metrics.pairwise import backends
from svr_baselines import environment
from svr_baselines.environment import EXTRAS, describe_environment
from svr_baselines.rendering import choose_renderer

FOR_DEVELOPERS = {"bench", "dev", "docs"}


def find(parts, name):
    (part,) = [part for part in parts if part.name == name]
    return part


def without(monkeypatch, *packages):
    """As if these were not installed."""
    installed = importlib.metadata.version

    def version(name):
        if name in packages:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr("svr_baselines.versions.version", version)


def test_packages_are_those_that_are_required_with_their_versions():
    packages = describe_environment().packages
    names = [
        re.match(r"[\w-]+", text)[0] for text in importlib.metadata.requires("dispersion-score") if ";" not in text
    ]
    assert {"dispersion-score", *names} <= {part.name for part in packages}
    assert find(packages, "torch").note == importlib.metadata.version("torch")
    assert find(packages, "numpy").note == numpy.__version__
    assert all(part.lack is None for part in packages)


def test_every_extra_is_told_of_or_is_for_developers():
    declared = set(importlib.metadata.metadata("dispersion-score").get_all("Provides-Extra"))
    assert set(EXTRAS) == declared - FOR_DEVELOPERS


def test_a_missing_package_comes_with_the_way_to_get_it(monkeypatch):
    without(monkeypatch, "plotly", "kneed")
    found = describe_environment()
    report = find(found.extras, "report").lack
    assert "plotly>=" in report
    assert "imageio" not in report
    assert report.endswith("pip install 'dispersion-score[report]'")
    assert find(found.packages, "kneed").lack.startswith("needs kneed>=")


def test_a_package_that_is_too_old_is_no_use():
    part = environment._package(Requirement("numpy<1"))
    assert (part.note, part.lack) == (numpy.__version__, "needs numpy<1: pip install 'numpy<1'")


def test_lightning_brings_its_fabric(monkeypatch):
    without(monkeypatch, "lightning-fabric")
    monkeypatch.setattr(environment, "_INSTEAD", {"lightning-fabric": "numpy"})
    assert environment._package(Requirement("lightning-fabric")).lack is None


def test_backends_agree_with_what_computes():
    found = describe_environment()
    for part in found.pairwise:
        device = torch.device("cuda" if part.name in ("triton", "kaolin") else "cpu")
        usable = part.lack is None
        assert usable == (
            backends.lack(part.name, device) is None and (device.type == "cpu" or torch.cuda.is_available())
        )
    assert find(found.renderers, choose_renderer()).lack is None


@pytest.fixture
def kaolin(tmp_path, monkeypatch):
    """Write a package that stands where Kaolin would, with the modules that are asked for."""

    def forget():
        backends.can_import.cache_clear()
        for name in [name for name in sys.modules if name.partition(".")[0] == "kaolin"]:
            del sys.modules[name]

    def write(code):
        for folder in ("metrics", "render"):
            (tmp_path / "kaolin" / folder).mkdir(parents=True)
            (tmp_path / "kaolin" / folder / "__init__.py").touch()
        (tmp_path / "kaolin" / "__init__.py").write_text(code)
        for name in ("metrics/pointcloud.py", "render/mesh.py"):
            (tmp_path / "kaolin" / name).touch()

    kept = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "kaolin"}
    forget()
    monkeypatch.syspath_prepend(tmp_path)
    yield write
    forget()
    sys.modules.update(kept)


def test_kaolin_has_a_version(kaolin):
    kaolin("__version__ = '0.18.0'")
    found = describe_environment()
    for part in (find(found.pairwise, "kaolin"), find(found.renderers, "kaolin")):
        assert part.note == "0.18.0, on a CUDA GPU"
        assert part.lack is None or "GPU" in part.lack


@pytest.mark.parametrize(
    "error", ["SystemExit(3)", "OSError('half')", "AttributeError('half')", "RuntimeError('half')"]
)
def test_kaolin_that_can_not_be_imported_comes_with_the_reason(kaolin, error):
    kaolin(f"raise {error}")
    found = describe_environment()
    for part in (find(found.pairwise, "kaolin"), find(found.renderers, "kaolin")):
        kind, said = error.rstrip(")").split("(")
        assert part.lack.endswith(f"; what is here can't be imported: {kind}: {said.strip(chr(39))}")


def test_the_machine():
    machine = describe_environment().machine
    assert machine["Python"].endswith(sys.executable)
    assert machine["threads"].startswith(str(torch.get_num_threads()))
    assert machine["vector instructions"].endswith("portable")
    assert ("none" in machine["GPU"]) == (not torch.cuda.is_available())


@pytest.fixture
def plugins(monkeypatch):
    entries = [
        EntryPoint("works", "torchmetrics:MeanMetric", registry.ENTRY_POINT_GROUP),
        EntryPoint("broken", "no_such_module:Metric", registry.ENTRY_POINT_GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries)
    registry._plugins.cache_clear()
    yield
    registry._plugins.cache_clear()


@pytest.mark.usefixtures("plugins")
def test_plugins_and_why_one_can_not_be_loaded():
    found = describe_environment().plugins
    assert find(found, "works").lack is None
    assert "no_such_module" in find(found, "broken").lack
