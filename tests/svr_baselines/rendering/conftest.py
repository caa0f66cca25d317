"""A stand-in for Kaolin, by what its documentation says of its camera and rasteriser, for machines without a GPU."""

import runpy
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from ds_metrics.pairwise.backends import can_import
from svr_baselines.rendering import kaolin

KAOLIN = Path(__file__).parents[2] / "support" / "with_kaolin" / "kaolin"
Camera = runpy.run_path(str(KAOLIN / "render" / "camera.py"))["Camera"]


def rasterize(height, width, face_vertices_z, face_vertices_image, face_features, valid_faces=None, backend="cuda"):
    """Every pixel against every face: weights and depth linear in the picture, larger depth nearer, row 0 on top."""
    assert backend == "cuda"
    assert face_vertices_z.dtype == face_vertices_image.dtype == face_features.dtype == torch.float32
    batch, count, _ = face_vertices_z.shape
    assert face_vertices_image.shape == (batch, count, 3, 2)
    assert face_features.shape[:3] == (batch, count, 3)
    assert valid_faces.any()  # Kaolin fails where there is no face at all
    x = (2 * np.arange(width) + 1 - width) / width
    y = (height - 2 * np.arange(height) - 1) / height
    features = np.zeros((batch, height, width, face_features.shape[-1]), dtype=np.float32)
    index = np.full((batch, height, width), -1)
    nearest = np.full((batch, height, width), -np.inf)
    for b, f in torch.nonzero(valid_faces).tolist():
        corners = face_vertices_image[b, f].double().numpy()
        inside_x = np.flatnonzero((x >= corners[:, 0].min()) & (x < corners[:, 0].max()))
        inside_y = np.flatnonzero((y >= corners[:, 1].min()) & (y < corners[:, 1].max()))
        if not len(inside_x) or not len(inside_y):
            continue
        box = b, slice(inside_y[0], inside_y[-1] + 1), slice(inside_x[0], inside_x[-1] + 1)
        edges = corners - np.stack(np.meshgrid(x[inside_x], y[inside_y]), axis=-1)[:, :, None]
        across = [
            edges[:, :, i, 0] * edges[:, :, j, 1] - edges[:, :, i, 1] * edges[:, :, j, 0]
            for i, j in ((1, 2), (2, 0), (0, 1))
        ]
        with np.errstate(invalid="ignore", divide="ignore"):
            weights = np.stack(across, axis=-1) / sum(across)[..., None]
        depth = weights @ face_vertices_z[b, f].double().numpy()
        seen = (weights >= 0).all(axis=-1) & (depth > nearest[box])
        nearest[box][seen] = depth[seen]
        index[box][seen] = f
        features[box][seen] = (weights @ face_features[b, f].double().numpy())[seen]
    return torch.from_numpy(features), torch.from_numpy(index)


@pytest.fixture
def fake_kaolin(monkeypatch):
    """Kaolin's modules replaced, and the CPU in place of a GPU; the batches that were rasterised."""
    calls = []

    def recorded(height, width, face_vertices_z, *rest, **named):
        calls.append(tuple(face_vertices_z.shape))
        return rasterize(height, width, face_vertices_z, *rest, **named)

    parts = {
        "kaolin": {},
        "kaolin.render": {},
        "kaolin.render.mesh": {"rasterize": recorded},
        "kaolin.render.camera": {"Camera": Camera},
    }
    for name, content in parts.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(kaolin, "_DEVICE", "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    can_import.cache_clear()
    yield calls
    can_import.cache_clear()


@pytest.fixture(params=["embree", "kaolin"])
def renderer(request):
    """The name of each renderer."""
    if request.param == "kaolin":
        request.getfixturevalue("fake_kaolin")
    return request.param
