import numpy as np
import pytest

from svr_baselines.data.cameras import Camera
from svr_baselines.rendering import Surface, kaolin, render
from svr_baselines.rendering.embree import trace
from svr_baselines.rendering.projection import View

FACES = np.array([[0, 1, 2]])
LEANING = np.array([[0.45, -0.3, 0.3], [-0.45, -0.3, -0.3], [0.0, 0.4, 0.0]])  # one corner is much nearer than another
CAMERA = Camera(azimuth=0, elevation=0, distance=1.2)


def test_weights_are_those_on_the_face(fake_kaolin):
    (actual,) = kaolin.trace(LEANING, FACES, [View.of(CAMERA)], 40)
    (expected,) = trace(LEANING, FACES, [View.of(CAMERA)], 40)
    shared, mine, theirs = np.intersect1d(actual.sample, expected.sample, return_indices=True)
    assert len(shared) > 0.98 * len(expected.sample)
    np.testing.assert_allclose(actual.weights[mine], expected.weights[theirs], atol=1e-4)
    np.testing.assert_allclose(actual.weights.sum(axis=1), 1, rtol=1e-5)


def test_the_nearer_face_is_seen_where_depth_is_not_linear_in_the_picture(fake_kaolin):
    # Halfway across the picture the leaning face is at depth 2 * 0.7 * 1.7 / 2.4 = 0.99; the middle of its ends' depths
    # is 1.2. A wall between the two would be taken to be in front of it.
    leaning = np.array([[0.5, -0.25, 0.25], [0.5, 0.25, 0.25], [-0.5, 0.0, -0.6]])
    wall = np.array([[0.12, -0.2, 0.2], [0.12, 0.2, 0.2], [0.12, 0.0, -0.3]])
    vertices, faces = np.concatenate([leaning, wall]), np.array([[0, 1, 2], [3, 4, 5]])
    views = [View.of(CAMERA)]
    (actual,), (expected,) = kaolin.trace(vertices, faces, views, 60), trace(vertices, faces, views, 60)
    assert set(expected.face.tolist()) == {0, 1}
    _, mine, theirs = np.intersect1d(actual.sample, expected.sample, return_indices=True)
    assert (actual.face[mine] == expected.face[theirs]).mean() > 0.99


def test_faces_that_reach_behind_the_camera_are_left_out(fake_kaolin):
    behind = np.array([[3.0, 0, 0], [0.0, 0.1, 0.1], [0.0, 0.1, -0.1]])
    vertices, faces = np.concatenate([LEANING, behind]), np.array([[0, 1, 2], [3, 4, 5]])
    (hits,) = kaolin.trace(vertices, faces, [View.of(CAMERA)], 30)
    assert set(hits.face.tolist()) == {0}
    (nothing,) = kaolin.trace(vertices, faces[1:], [View.of(CAMERA)], 30)
    assert nothing.weights.shape == (0, 3)


def test_faces_without_area_are_left_out(fake_kaolin):
    (hits,) = kaolin.trace(LEANING, np.array([[0, 0, 1], [0, 1, 2], [2, 2, 2]]), [View.of(CAMERA)], 30)
    assert set(hits.face.tolist()) == {1}


@pytest.mark.parametrize(("faces", "samples"), [(2, 10**9), (10**9, 2 * 30**2), (1, 1), (10**9, 10**9)])
def test_memory_is_bounded_and_batches_do_not_matter(fake_kaolin, monkeypatch, faces, samples):
    # Of two fields of view, mixed: a batch has one.
    cameras = [Camera(30 * i, 10, 1.5, fov=(50, 40)[i in (2, 3)]) for i in range(7)]
    surface = Surface(LEANING, FACES)
    whole = np.concatenate([render(surface, [camera], 15, "kaolin") for camera in cameras])
    fake_kaolin.clear()
    monkeypatch.setattr(kaolin, "_FACES", faces)
    monkeypatch.setattr(kaolin, "_SAMPLES", samples)
    np.testing.assert_array_equal(render(surface, cameras, 15, "kaolin"), whole)
    most = max(1, min(faces, samples // 30**2))
    assert [views for views, _, _ in fake_kaolin] == {1: [1] * 7, 2: [2, 2, 2, 1]}.get(most, [2, 2, 3])
