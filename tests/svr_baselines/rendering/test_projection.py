import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svr_baselines.data.cameras import LENS, Camera
from svr_baselines.rendering.projection import View

EVERYTHING = slice(0, 8)


def cameras():
    angles = st.floats(-180, 180)
    return st.builds(
        Camera,
        azimuth=angles,
        elevation=st.floats(-90, 90),
        distance=st.floats(1, 3),
        roll=angles,
        fov=st.floats(20, 90),
    )


@pytest.mark.parametrize(
    ("camera", "point", "place", "depth"),
    [
        # From +X, -Z is to the right; from +Z, +X is. Half the field of view is 45 degrees.
        (Camera(0, 0, 2, fov=90), (0, 0, -1), (0.5, 0), 2),
        (Camera(90, 0, 2, fov=90), (1, 0, 0), (0.5, 0), 2),
        (Camera(90, 0, 2, fov=90), (0, 1, 1), (0, 1), 1),
        (Camera(0, 90, 2, fov=90), (1, 0, 0), (0, -0.5), 2),  # from above, what was in front is at the bottom
        (Camera(0, -90, 2, fov=90), (1, 0, 0), (0, 0.5), 2),
        # The picture turns counter-clockwise: what was on the right goes to the top, what was on top to the left.
        (Camera(90, 0, 2, roll=90, fov=90), (1, 0, 0), (0, 0.5), 2),
        (Camera(90, 0, 2, roll=90, fov=90), (0, 1, 0), (-0.5, 0), 2),
        # A lens of 35 mm puts onto the edge of a sensor of 32 mm what is 16 mm off its axis at 35 mm.
        (Camera(90, 0, 35, fov=LENS), (16, 0, 0), (1, 0), 35),
        (Camera(90, 0, 2, fov=90), (0, 0, 3), None, -1),
    ],
)
def test_places_by_hand(camera, point, place, depth):
    actual, distance = View.of(camera).project(np.array(point, dtype=float))
    assert distance == pytest.approx(depth)
    if place is not None:
        np.testing.assert_allclose(actual, place, atol=1e-12)


@given(cameras())
def test_samples_lie_where_they_look(camera):
    view = View.of(camera)
    points = view.origin + 1.5 * view.directions(EVERYTHING, EVERYTHING, 8)
    place, depth = view.project(points)
    centres = (2 * np.arange(8) + 1) / 8 - 1
    np.testing.assert_allclose(depth, 1.5, rtol=1e-5)
    np.testing.assert_allclose(place[..., 0], np.broadcast_to(centres, (8, 8)), atol=1e-5)
    np.testing.assert_allclose(place[..., 1], np.broadcast_to(-centres[:, None], (8, 8)), atol=1e-5)


@given(cameras(), st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_the_window_holds_all_that_sees_the_points(camera, seed, side):
    points = np.random.default_rng(seed).uniform(-0.3, 0.3, (5, 3))
    view = View.of(camera)
    rows, columns = view.window(points, side)
    place, _ = view.project(points)
    column, row = (place[:, 0] + 1) / 2 * side - 0.5, (1 - place[:, 1]) / 2 * side - 0.5
    within = (np.abs(place) <= 1).all(axis=1)
    assert 0 <= rows.start <= rows.stop <= side
    assert 0 <= columns.start <= columns.stop <= side
    for value, window in ((row[within], rows), (column[within], columns)):
        assert (value >= window.start - 0.5).all()
        assert (value <= window.stop - 0.5).all()


def test_the_window_is_small_where_the_points_are():
    rows, columns = View.of(Camera(90, 0, 2, fov=90)).window(np.array([[0.4, 0.9, 0], [0.6, 1.1, 0]]), 100)
    assert (rows.start, rows.stop) == (21, 29)  # places 0.45 to 0.55, and one sample on each side
    assert (columns.start, columns.stop) == (59, 66)


def test_the_window_is_everything_when_some_points_are_behind():
    view = View.of(Camera(0, 0, 1))
    assert view.window(np.array([[0.0, 0, 0], [2, 0, 0]]), 10) == (slice(0, 10), slice(0, 10))


def test_views_from_within_a_frame():
    camera, centre, point = Camera(30, 20, 2, roll=5), np.array([1.0, -2, 3]), np.array([0.5, 0.25, -0.5])
    plain, _ = View.of(camera).project(point)
    moved, depth = View.of(camera, centre, 4.0).project((point - centre) / 4)
    np.testing.assert_allclose(moved, plain, atol=1e-12)
    assert depth == pytest.approx(View.of(camera).project(point)[1] / 4)
    assert math.isclose(View.of(camera).extent, 16 / 35)
