import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svr_baselines.data.cameras import LENS, Camera
from svr_baselines.data.metadata import format_metadata, read_metadata

CAMERAS = st.builds(
    Camera,
    azimuth=st.floats(-360, 360),
    elevation=st.floats(-90, 90),
    distance=st.floats(0.01, 100),
    roll=st.floats(-180, 180),
    fov=st.just(LENS) | st.floats(1, 179).filter(lambda fov: fov != 25),
)


@pytest.fixture
def write(tmp_path):
    path = tmp_path / "rendering_metadata.txt"

    def write(text):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_line_of_r2n2(write):
    text = "283.3456 27.41 0 0.7525 25\n12.5 25.5 -3 0.8 25\n"
    first, second = read_metadata(write(text))

    assert (first.azimuth, first.elevation, first.roll, first.fov) == (283.3456, 27.41, 0, LENS)
    assert first.distance == pytest.approx(0.7525 * 1.75, rel=1e-15)
    # A camera in the published convention: Y up, from azimuth 0 on +X.
    az, el = math.radians(283.3456), math.radians(27.41)
    where = np.array([math.cos(el) * math.cos(az), math.sin(el), math.cos(el) * math.sin(az)]) * 0.7525 * 1.75
    np.testing.assert_allclose(first.position, where, atol=1e-12)
    assert second.roll == -3


def test_the_ten_columns_of_disn(write):
    camera = read_metadata(write("74.771 37.08 0 0.645 35 32 1.75 0.0 0.0 -0.0\n"))[0]

    assert camera.fov == pytest.approx(LENS)
    assert camera.distance == pytest.approx(0.645 * 1.75)
    assert camera.azimuth == 74.771


def test_another_lens_and_unit_among_ten_columns(write):
    camera = read_metadata(write("0 0 0 0.5 16 32 3 0 0 0"))[0]
    assert camera.fov == pytest.approx(90)  # half of the sensor is as long as the lens
    assert camera.distance == 1.5


def test_what_is_written_is_what_r2n2_writes():
    text = format_metadata([Camera(10, 25, 1.75), Camera(0.1, 30, 0.875, roll=-2, fov=60)])
    assert text == "10.0 25.0 0.0 1.0 25\n0.1 30.0 -2.0 0.5 60.0\n"
    # As the code of the paper reads it.
    np.testing.assert_allclose(np.loadtxt(text.splitlines())[:, :4], [[10, 25, 0, 1], [0.1, 30, -2, 0.5]])


@given(st.lists(CAMERAS, min_size=1, max_size=4))
def test_cameras_come_back(tmp_path_factory, cameras):
    path = tmp_path_factory.mktemp("view") / "rendering_metadata.txt"
    path.write_text(format_metadata(cameras))

    for before, after in zip(cameras, read_metadata(path), strict=True):
        kept = ("azimuth", "elevation", "roll", "fov")
        assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
        assert after.distance == pytest.approx(before.distance, rel=1e-15)


def test_a_lens_that_r2n2_would_take_for_its_own_is_refused():
    with pytest.raises(ValueError, match="exactly 25 degrees stands for another lens"):
        format_metadata([Camera(0, 0, fov=25)])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the file is empty"),
        ("1 2 0 0.7 25\n1 2 0 0.7\n", "line 2: expected 5 numbers, or the 10 of DISN, but got 4"),
        ("1 2 0 0.7 25\n\n1 2 0 0.7 25\n", "line 2: expected 5 numbers"),
        ("1 2 0 west 25\n", "line 1: could not convert"),
        ("1 95 0 0.7 25\n", r"line 1: Argument `elevation` must be in \[-90, 90\]"),
        ("1 2 0 nan 25\n", "line 1: Argument `distance` must be finite"),
        ("1 2 0 0.7 0\n", "line 1: Argument `fov` must be between 0 and 180"),
        ("1 2 0 0.7 35 32 1.75 0 0.1 0\n", "line 1: the shape was moved by"),
        ("1 2 0 0.7 0 32 1.75 0 0 0\n", "line 1: focal length and sensor must be positive"),
        (b"\x89PNG\r\n\x1a\n", "line 1: expected 5 numbers"),
    ],
)
def test_a_damaged_file_is_told_in_one_line(write, text, fault):
    path = write(text)
    with pytest.raises(ValueError, match=fault) as caught:
        read_metadata(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
