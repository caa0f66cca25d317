"""Meshes behind clouds: the same points, on the faces whose normals they are given."""

import numpy as np
import pytest
import trimesh

from svr_baselines.data import ShapeSet, pair_shapes, read_shapes
from svr_baselines.data.surfaces import Surfaces, has_surfaces


@pytest.fixture
def folder(tmp_path):
    for k, suffix in enumerate(("ply", "OBJ", "stl")):
        mesh = trimesh.creation.box(extents=(1, 2, 3 + k))
        mesh.apply_translation((5, 0, -k))
        mesh.export(tmp_path / f"{k}.{suffix}", file_type=suffix.lower())
    return tmp_path


@pytest.mark.parametrize("normalize", ["auto", "unit-ball", "bounding-box", "none"])
@pytest.mark.parametrize(("stored", "side"), [(False, "preds"), (True, "target"), (False, "train")])
def test_points_are_on_the_faces_of_their_normals(folder, tmp_path_factory, normalize, stored, side):
    store = tmp_path_factory.mktemp("store") if stored else None
    shapes = read_shapes(folder, points=200, normalize=normalize, seed=3, store=store, side=side)
    surfaces = Surfaces(shapes)
    assert len(surfaces) == 3
    for index, cloud in enumerate(shapes.clouds):
        surface = surfaces[index]
        mesh = trimesh.Trimesh(surface.vertices, surface.faces)
        _, distances, face = trimesh.proximity.closest_point_naive(mesh, cloud)
        np.testing.assert_allclose(distances, 0, atol=1e-6)
        agreement = np.abs((mesh.face_normals[face] * surface.normals).sum(axis=1))
        assert np.isclose(agreement, 1).mean() > 0.97  # the rest is next to an edge
        np.testing.assert_allclose(np.linalg.norm(surface.normals, axis=1), 1, rtol=1e-6)


def test_a_box_by_hand(tmp_path):
    trimesh.creation.box(extents=(2, 2, 2)).export(tmp_path / "box.ply")
    shapes = read_shapes(tmp_path, points=500, normalize="bounding-box")
    surface = Surfaces(shapes)[0]
    axis = np.abs(surface.normals).argmax(axis=1)
    np.testing.assert_allclose(np.abs(shapes.clouds[0][np.arange(500), axis]), 0.5, atol=1e-6)
    assert sorted({tuple(normal) for normal in np.abs(surface.normals).round(6)}) == [(0, 0, 1), (0, 1, 0), (1, 0, 0)]
    np.testing.assert_allclose(np.abs(surface.vertices), 0.5)  # as points are drawn on every side of it


def test_small_and_slender_triangles(tmp_path):
    vertices = np.array([[0, 0, 0], [1e-5, 0, 0], [0, 3e-5, 0], [1e-5, 3e-5, 1e-9]])
    trimesh.Trimesh(vertices, [[0, 1, 2], [1, 3, 2]], process=False).export(tmp_path / "tiny.obj", digits=12)
    normals = Surfaces(read_shapes(tmp_path, points=50))[0].normals
    np.testing.assert_allclose(np.abs(normals[:, 2]), 1, atol=1e-3)


def test_order_of_a_pairing_is_followed(folder):
    shapes = read_shapes(folder, points=100)
    reversed_ = ShapeSet(shapes.names[::-1], shapes.clouds[::-1], shapes.kinds)
    surfaces = Surfaces(pair_shapes(reversed_, shapes)[1])
    assert [len(surface.normals) for surface in (surfaces[0], surfaces[2])] == [100, 100]
    assert np.ptp(surfaces[0].vertices[:, 2]) > np.ptp(surfaces[2].vertices[:, 2])


def test_a_file_that_has_changed_is_refused(folder):
    surfaces = Surfaces(read_shapes(folder, points=100))
    trimesh.creation.icosphere().export(folder / "0.ply")
    (folder / "2.stl").unlink()
    with pytest.raises(ValueError, match=r"0\.ply has changed since its points were drawn"):
        surfaces[0]
    surfaces[1]
    with pytest.raises(ValueError, match="No such file"):
        surfaces[2]


def test_only_meshes_have_surfaces(folder, tmp_path):
    assert has_surfaces(read_shapes(folder, points=100))
    np.save(tmp_path / "cloud.npy", np.random.default_rng(0).normal(size=(20, 3)))
    mixed = read_shapes(folder, points=100)
    assert mixed.kinds.count("points") == 1
    assert not has_surfaces(mixed)
    np.save(tmp_path / "array.npy", np.zeros((4, 5, 3)))
    array = read_shapes(tmp_path / "array.npy")
    assert not has_surfaces(array)
    with pytest.raises(ValueError, match=r"must be of a folder of meshes, but got .*array\.npy"):
        Surfaces(array)
