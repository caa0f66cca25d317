"""Tests run beside a Kaolin that greets and warns when it is imported, as the real one does."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BESIDE = (  # what asks for Kaolin when it is collected, or uses it, and is quick
    "tests/ds_metrics/functional/test_iou.py",
    "tests/ds_metrics/pairwise/test_backends.py",
    "tests/svr_baselines/building/test_kaolin_meshes.py::test_kaolin_itself",
    "tests/svr_baselines/building/test_points.py::test_threads_draw_the_same_points",
    "tests/svr_baselines/building/test_points.py::test_samplers_depend_on_the_seed_and_leave_torch_alone",
    "tests/svr_baselines/rendering/test_agreement.py::test_kaolin_itself",
    "tests/svr_baselines/rendering/test_backends.py",
    "tests/svr_baselines/test_environment.py",
)


def beside_kaolin(*arguments):
    """Run Python where the stand-in can be imported."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests" / "support" / "with_kaolin")}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_tests_pass():
    done = beside_kaolin("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *BESIDE)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "can't be imported" not in done.stdout  # nothing is skipped for lack of it


def test_its_own_objects_are_converted():
    code = """
import pickle, torch
from ds_metrics.pairwise.backends import import_quietly
from svr_baselines.building import kaolin_sources
from svr_baselines.building.kaolin_meshes import surface_of_kaolin

SurfaceMesh = import_quietly("kaolin.rep").SurfaceMesh
scale = torch.diag(torch.tensor([1.0, 2, 3, 1]))
mesh = SurfaceMesh(torch.eye(3), torch.tensor([[0, 1, 2]]), vertex_colors=torch.eye(3), transform=scale)
surface = surface_of_kaolin(mesh)
print(surface.vertices.max(axis=0).tolist(), surface.colors.sum(), surface.normals)
(source,) = kaolin_sources({"a": mesh})
print(pickle.loads(pickle.dumps(source)).load("y", True).vertices.max())
batch = SurfaceMesh(torch.eye(3).repeat(2, 1, 1), torch.tensor([[0, 1, 2]]))
print([source.load("y", True).vertices.shape for source in kaolin_sources(batch)])
"""
    done = beside_kaolin("-W", "error", "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "[1.0, 2.0, 3.0] 3.0 None",
        "3.0",
        "[(3, 3), (3, 3)]",
    ]
