import inspect
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import backend_clouds as clouds
import numpy as np
import pytest
import torch

from ds_metrics.pairwise import backends, nearest_points, pairwise_distance

ROOT = Path(__file__).parents[3]
H100 = 90

LACK = backends.lack("triton", torch.device("cuda"))

needs_triton = pytest.mark.skipif(LACK is not None, reason=str(LACK))


@needs_triton
def test_kernels_under_the_interpreter():
    # In a process of its own: the interpreter must be asked for before Triton is imported, and changes it for all.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(Path(__file__).with_name("interpreted_triton.py"))],
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    summary = re.search(r"^(\d+) passed in .*$", done.stdout, re.MULTILINE)
    assert summary, done.stdout  # all of them: no skips
    assert int(summary[1]) >= 15


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """Compile what is launched for an H100 instead of running it; the kernels' names and reports of the assembler."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from ds_metrics.pairwise import triton as backend

    if backend.INTERPRETED:
        pytest.skip("TRITON_INTERPRET is set: nothing is compiled")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    pointers = {torch.float32: "*fp32", torch.float64: "*fp64", torch.int64: "*i64"}
    reports = []

    def compile_launch(kernel, *args, grid, warmup, num_warps=4, num_stages=3, **constants):
        assert not warmup
        assert all(size > 0 for size in grid)
        names = list(inspect.signature(kernel.fn).parameters)
        signature = {
            name: pointers[arg.dtype] if isinstance(arg, torch.Tensor) else "i32"
            for name, arg in zip(names, args, strict=False)
        }
        signature |= dict.fromkeys(constants, "constexpr")
        assert list(signature) == names
        # Triton 3.2 calls them by the other name.
        keyword = "constexprs" if "constexprs" in inspect.signature(ASTSource).parameters else "constants"
        source = ASTSource(kernel, signature, **{keyword: dict(constants)})
        options = {"num_warps": num_warps, "num_stages": num_stages}
        code = triton.compile(source, target=GPUTarget("cuda", H100, 32), options=options)
        assert f".target sm_{H100}" in code.asm["ptx"]
        assert code.asm["cubin"]
        reports.append((kernel.fn.__name__, assemble(code.asm["ptx"], tmp_path)))

    monkeypatch.setattr(triton.JITFunction, "run", compile_launch)
    return backend, reports


def assemble(ptx, folder):
    """What NVIDIA's assembler, which comes with Triton, says of registers and of those that spill to memory."""
    assembler = Path(find_spec("triton").origin).parent / "backends" / "nvidia" / "bin" / "ptxas"
    source = folder / "kernel.ptx"
    source.write_text(ptx)
    target = re.search(r"\.target (sm_\w+)", ptx)[1]
    command = [assembler, "-v", f"--gpu-name={target}", source, "-o", folder / "kernel.cubin"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


@needs_triton
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("many", "squared"), [(1, True), (1, False), (10**6, True), (10**6, False)])
def test_chamfer_compiles_without_spilling(compiled, monkeypatch, dtype, many, squared):
    triton, reports = compiled
    monkeypatch.setattr(triton, "_MANY", many)
    # Nothing runs, so what comes back is what happened to be in memory.
    monkeypatch.setattr(triton, "rescale", lambda values, exponents, squared: values)
    x = clouds.mixed(dtype=dtype)
    prepared = triton.prepare(x)
    triton.distances(prepared, prepared, *clouds.all_pairs(x, x), squared=squared)
    assert [name for name, _ in reports] == ["_exponent_kernel", "_chamfer_kernel"]
    for _, report in reports:
        assert "0 bytes spill stores, 0 bytes spill loads" in report


@needs_triton
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nearest_compiles_without_spilling(compiled, dtype):
    triton, reports = compiled
    triton.nearest(*map(triton.prepare, (clouds.mixed(dtype=dtype), clouds.mixed(dtype=dtype, seed=1))))
    assert [name for name, _ in reports] == ["_exponent_kernel", "_exponent_kernel", "_nearest_kernel"]
    for _, report in reports:
        assert "0 bytes spill stores, 0 bytes spill loads" in report


@pytest.mark.skipif(
    not torch.cuda.is_available() or LACK is not None,
    reason="needs Triton and a CUDA or ROCm GPU",
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [2.0**-60, 1.0, 2.0**60])
def test_on_a_gpu(dtype, scale):
    x = clouds.mixed((1, 33, 2500, 4000), dtype=dtype, scale=scale)
    y = clouds.mixed((50, 7, 2500, 1), dtype=dtype, seed=1, scale=scale)
    on_gpu = [c._replace(points=c.points.cuda()) for c in (x, y)]
    actual = pairwise_distance(on_gpu[0], backend="triton").cpu()
    torch.testing.assert_close(actual, pairwise_distance(x), rtol=1e-6, atol=0)
    for found, expected in zip(nearest_points(*on_gpu, backend="triton"), nearest_points(x, y), strict=True):
        p, q = (x.points, y.points) if len(found) == len(x.points) else (y.points, x.points)
        distance, least = ((p - q[index]).double().norm(dim=1) for index in (found.cpu(), expected))
        torch.testing.assert_close(distance, least, rtol=1e-6, atol=0)
