import os
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
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


LOUD = """
import ctypes, os, sys, time, warnings
print('said by Python')
os.write(1, b'written to the file')
ctypes.CDLL(None).puts(b'said by C')
warnings.warn('old', FutureWarning)
warnings.warn('older', DeprecationWarning)
time.sleep(0.2)
"""


def test_nothing_that_kaolin_says_or_warns_of_reaches_stdout(package, capfd):
    package(LOUD)
    assert backends.can_import("kaolin.metrics.pointcloud")
    print("result")
    output = capfd.readouterr()
    assert output.out == "result\n"
    for said in ("said by Python", "written to the file", "said by C"):
        assert said in output.err
    assert "old" not in output.err


def test_threads_leave_stdout_as_it_was(package, capfd):
    package(LOUD)
    before, filters = sys.stdout, list(warnings.filters)
    names = ["kaolin", "kaolin.metrics", "kaolin.metrics.pointcloud", "kaolin"]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(backends.import_quietly, names))
    assert [module.__name__ for module in found] == names
    assert sys.stdout is before
    assert warnings.filters == filters
    os.write(1, b"result")
    output = capfd.readouterr()
    assert output.out == "result"
    assert output.err.count("said by C") == 1  # it is imported once


def test_what_is_there_is_not_imported_again(package):
    package("")
    backends.import_quietly("kaolin.metrics.pointcloud")
    before = sys.stdout
    seen = backends.import_quietly("kaolin.metrics.pointcloud")
    assert (seen, sys.stdout) == (sys.modules["kaolin.metrics.pointcloud"], before)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise OSError('libcudart.so: no such file')", "OSError: libcudart.so: no such file"),
        ("raise ImportError('this is a placeholder')", "this is a placeholder"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("raise RuntimeError('one\\ntwo')", "RuntimeError: one two"),
        ("import os; os.no_such_name", "AttributeError: module 'os' has no attribute 'no_such_name'"),
        ("class Odd(BaseException): ...\nraise Odd", "Odd"),
        ("1 +", "SyntaxError: invalid syntax"),
    ],
)
def test_an_import_that_raises_anything_counts_as_absent(package, code, reason):
    package(code)
    assert not backends.can_import("kaolin.metrics.pointcloud")
    lack = backends.lack("kaolin", CUDA)
    assert lack.startswith(f"{backends.NEEDS_KAOLIN}; what is here can't be imported: {reason}")
    assert "\n" not in lack
    assert resolve_backend("auto", CUDA) != "kaolin"


def test_ctrl_c_is_no_fault(package):
    package("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        backends.can_import("kaolin.metrics.pointcloud")


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
