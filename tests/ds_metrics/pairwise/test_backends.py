import sys
from importlib.util import find_spec

import pytest
import torch

from ds_metrics.pairwise import backends, pairwise_distance
from ds_metrics.pairwise.backends import BACKENDS, load_backend, resolve_backend

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture(autouse=True)
def _forget_what_imports():
    backends.can_import.cache_clear()
    yield
    backends.can_import.cache_clear()


@pytest.fixture
def installed(monkeypatch):
    """Pretend that only these modules can be imported."""

    def pretend(*names):
        monkeypatch.setattr(backends, "can_import", lambda name: name.partition(".")[0] in names)

    # Kernels that would run on a GPU, and a compiler for their launchers.
    kernels = type(sys)("ds_metrics.pairwise.triton")
    kernels.INTERPRETED = False
    monkeypatch.setitem(sys.modules, "ds_metrics.pairwise.triton", kernels)
    monkeypatch.setitem(sys.modules, "triton", type(sys)("triton"))
    sys.modules["triton"].__version__ = "3.10.1+git"
    monkeypatch.setattr(backends.shutil, "which", lambda name: f"/usr/bin/{name}")
    return pretend


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a package that stands where Kaolin would."""

    def write(code):
        path = tmp_path / "kaolin" / "metrics" / "pointcloud.py"
        path.parent.mkdir(parents=True)
        (tmp_path / "kaolin" / "__init__.py").write_text(code)
        (path.parent / "__init__.py").touch()
        path.touch()

    for name in [name for name in sys.modules if name.partition(".")[0] == "kaolin"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == "kaolin"]:
        sys.modules.pop(name)


@pytest.mark.parametrize(
    ("device", "names", "expected"),
    [
        ("cpu", ["triton", "kaolin"], "native"),
        ("cuda:1", ["triton", "kaolin"], "triton"),
        ("cuda", ["triton"], "triton"),
        ("cuda", ["kaolin"], "kaolin"),
        ("cuda", [], "torch"),
        ("mps", ["triton", "kaolin"], "torch"),
        ("xpu", ["triton", "kaolin"], "torch"),
    ],
)
def test_auto(installed, device, names, expected):
    installed(*names)
    assert resolve_backend("auto", torch.device(device)) == expected


def test_by_name(installed):
    installed("triton", "kaolin")
    assert resolve_backend("native", CPU) == "native"
    for name in ("triton", "kaolin", "torch"):
        assert resolve_backend(name, CUDA) == name
    assert resolve_backend("torch", CPU) == "torch"


@pytest.mark.parametrize(
    ("backend", "device", "message"),
    [
        ("cuda", "cpu", r"must be one of \('auto', 'native', 'triton', 'kaolin', 'torch'\), but got 'cuda'"),
        ("native", "cuda", "is 'native', which needs points on the CPU, but got cuda"),
        ("triton", "cpu", "is 'triton', which needs points on a GPU .or TRITON_INTERPRET=1 .*, but got cpu"),
        ("triton", "mps", "is 'triton', which needs points on a CUDA or ROCm GPU, but got mps"),
        ("kaolin", "cpu", "is 'kaolin', which needs points on a CUDA GPU, but got cpu"),
    ],
)
def test_refuses_what_can_not_reach_the_device(installed, backend, device, message):
    installed("triton", "kaolin")
    with pytest.raises(ValueError, match=message):
        resolve_backend(backend, torch.device(device))


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("triton", "is 'triton', which needs Triton 3.2 or newer: `pip install triton`"),
        ("kaolin", "is 'kaolin', which needs NVIDIA Kaolin: install the wheel for your torch and CUDA version"),
    ],
)
def test_says_what_to_install(installed, backend, message):
    installed()
    with pytest.raises(ValueError, match=message):
        resolve_backend(backend, CUDA)


def test_an_old_triton_is_passed_over(installed):
    installed("triton", "kaolin")
    sys.modules["triton"].__version__ = "3.1.0"
    assert resolve_backend("auto", CUDA) == "kaolin"
    with pytest.raises(ValueError, match=r"needs Triton 3\.2 or newer"):
        resolve_backend("triton", CUDA)


def test_triton_without_a_compiler_is_passed_over(installed, monkeypatch):
    installed("triton", "kaolin")
    monkeypatch.setattr(backends.shutil, "which", lambda name: None)
    assert resolve_backend("auto", CUDA) == "kaolin"
    with pytest.raises(ValueError, match="'triton', which needs a C compiler"):
        resolve_backend("triton", CUDA)


def test_the_placeholder_is_not_kaolin(package, capsys):
    package("raise ImportError('this is a placeholder')")
    with pytest.raises(ValueError, match="the `kaolin` on PyPI is a placeholder"):
        resolve_backend("kaolin", CUDA)


def test_the_banner_stays_off_stdout(package, capsys):
    package("print('Welcome to Kaolin')")
    assert resolve_backend("kaolin", CUDA) == "kaolin"
    output = capsys.readouterr()
    assert output.out == ""
    assert "Welcome" in output.err


def test_refuses_other_dtypes():
    assert resolve_backend("auto", CPU, torch.float64) == "native"
    with pytest.raises(TypeError, match=r"`dtype` must be torch.float32 or torch.float64, but got torch.float16"):
        resolve_backend("auto", CPU, torch.float16)


def test_every_name_has_a_module():
    for name in BACKENDS[1:]:
        assert find_spec("ds_metrics.pairwise." + ("reference" if name == "torch" else name)) is not None
    for name in ("native", "torch"):
        module = load_backend(resolve_backend(name, CPU))
        assert all(callable(getattr(module, function)) for function in ("prepare", "distances", "nearest"))


def test_the_engine_asks():
    with pytest.raises(ValueError, match="'kaolin', which needs points on a CUDA GPU, but got cpu"):
        pairwise_distance(torch.rand(2, 4, 3), backend="kaolin")
