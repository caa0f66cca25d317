import numpy as np
import pytest
import trimesh

from svr_baselines.mesh_measures import mesh_iou


def as_pair(mesh):
    return np.array(mesh.vertices), np.array(mesh.faces)


def box(shift=0.0, scale=1.0):
    mesh = trimesh.creation.box(extents=(1, 2, 1))
    mesh.apply_translation((shift, 0, 0))
    mesh.apply_scale(scale)
    return as_pair(mesh)


@pytest.mark.parametrize(("shift", "expected"), [(0.0, 1.0), (0.25, 0.75 / 1.25), (0.5, 1 / 3), (3.0, 0.0)])
@pytest.mark.parametrize("scale", [1e-3, 1.0])
def test_boxes_by_hand(shift, expected, scale):
    assert mesh_iou(box(), box(), n_samples=500) == 1
    assert mesh_iou(box(0, scale), box(shift, scale), n_samples=20_000) == pytest.approx(expected, abs=0.02)


def test_spheres_by_their_volumes():
    inner, outer = (trimesh.creation.icosphere(2, radius=radius) for radius in (0.8, 1.0))
    value = mesh_iou(as_pair(inner), as_pair(outer), n_samples=20_000)
    assert value == pytest.approx(inner.volume / outer.volume, abs=0.02)
    assert mesh_iou(as_pair(outer), as_pair(inner), n_samples=20_000) == value


def test_the_seed_decides():
    first, again, other = (mesh_iou(box(), box(0.3), n_samples=300, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_refuses():
    with pytest.raises(ValueError, match="`n_samples` must be at least 1, but got 0"):
        mesh_iou(box(), box(), n_samples=0)
    vertices, faces = box()
    for bad in ((vertices * np.nan, faces), (vertices, faces + 99), (vertices[:, :2], faces), (vertices, faces[:0])):
        with pytest.raises(ValueError, match=r"Argument `(vertices|faces|queries)`"):
            mesh_iou(bad, box(), n_samples=10)
    flat = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]])
    with pytest.raises(ValueError, match="must not both be empty"):
        mesh_iou(flat, flat, n_samples=10)
    with pytest.raises(ValueError, match=r"must be pairs \(vertices, faces\), but got Trimesh"):
        mesh_iou(box(), trimesh.creation.box(), n_samples=10)


@pytest.mark.parametrize("scale", [1e-9, 3e-7, 1e6])
def test_meshes_of_any_size(scale):
    ball = trimesh.creation.icosphere(2)
    large, small = (((ball.vertices * factor), ball.faces) for factor in (1, 0.8))
    expected = mesh_iou(large, small, n_samples=2000)
    scaled = mesh_iou(*((vertices * scale, faces) for vertices, faces in (large, small)), n_samples=2000)
    assert scaled == pytest.approx(expected, abs=0.002)
