"""Films of medoids."""

import sys

import imageio.v3 as iio
import numpy as np
import pytest

from svr_baselines.report import turntables
from svr_baselines.report.rendering import turn_surface
from svr_baselines.report.surfaces import find_surface
from svr_baselines.report.turntables import arrange, check_format, write_turntables


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(turntables, "FRAMES", 6)
    monkeypatch.setattr(turntables, "SIZE", 41)
    monkeypatch.setattr(turntables, "TILE", 32)


@pytest.fixture
def clouds(furniture):
    return [furniture.clouds[0], furniture.clouds[8], furniture.clouds[16]]


def test_gifs_repeat_and_turn(short, clouds, tmp_path):
    files = write_turntables(tmp_path / "films", "a/<b>", clouds, [6, 3, 1], 10)
    assert [file.name for file in files] == ["a-b-medoids.gif", *(f"a-b-medoid-00{i}.gif" for i in (1, 2, 3))]
    assert sorted(files) == sorted((tmp_path / "films").iterdir())
    film = iio.imread(files[1], plugin="pillow")
    assert film.shape == (6, 42, 42, 3)
    assert len({frame.tobytes() for frame in film}) == 6
    details = iio.immeta(files[1], plugin="pillow")
    assert details["loop"] == 0
    assert details["duration"] * 6 == pytest.approx(4000, abs=100)
    before = files[0].read_bytes()
    write_turntables(tmp_path / "films", "a/<b>", clouds, [6, 3, 1], 10)
    assert files[0].read_bytes() == before


def test_mp4(short, clouds, tmp_path):
    pytest.importorskip("av")
    files = write_turntables(tmp_path, "x", clouds[:1], [1], 1, "mp4")
    film = iio.imread(files[1], plugin="pyav")
    assert film.shape[1:] == (42, 42, 3)
    assert len(film) == 6


def test_mp4_without_what_it_needs(monkeypatch):
    monkeypatch.setattr(turntables, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"^--format mp4 needs PyAV, which is not installed: pip install av$"):
        check_format("mp4")


def test_without_imageio(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio.v3", None)
    with pytest.raises(ValueError, match=r"--turntables needs imageio, .*dispersion-score\[report\]"):
        check_format("gif")


def test_unknown_format():
    with pytest.raises(ValueError, match=r"one of gif, mp4, but got 'avi'"):
        check_format("avi")


def test_nearer_points_hide_farther_ones_and_up_is_up():
    # A board below a smaller one, seen from the side and a little from above.
    x, z = (grid.ravel() for grid in np.meshgrid(*[np.linspace(-1, 1, 30)] * 2))
    low = np.stack([x, np.full_like(x, -1.0), z], axis=1)
    points = np.concatenate([low, low * [0.2, -1, 0.2]])
    frame = turn_surface(find_surface(points, 5000), frames=4, size=64)[0]
    drawn = (frame < 250).any(axis=2)
    rows = np.flatnonzero(drawn.any(axis=1))
    widths = drawn.sum(axis=1)
    assert widths[rows[0] : rows[0] + 4].max() < widths[rows[-1] - 8 : rows[-1]].max() / 2
    assert abs(drawn.any(axis=0).argmax() - drawn.any(axis=0)[::-1].argmax()) <= 2


def test_a_turn_ends_where_it_began(clouds):
    surface = find_surface(clouds[0], 300)
    once, twice = turn_surface(surface, 4, 24), turn_surface(surface, 8, 24)
    assert all(np.array_equal(a, b) for a, b in zip(once, twice[::2], strict=True))


def test_sheet_has_a_place_for_each():
    tiles = [[np.full((20, 20, 3), shade, dtype=np.uint8)] * 2 for shade in (10, 60, 110, 160, 210)]
    sheet = arrange(tiles, ["a"] * 5)[0]
    assert sheet.shape == (2 * (20 + 44), 3 * 20, 3)
    assert [int(sheet[row, column, 0]) for row in (10, 74) for column in (10, 30, 50)] == [10, 60, 110, 160, 210, 255]
