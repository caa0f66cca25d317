"""Sets of pictures are what they are said to be, and the benchmark of image features runs, at a tiny size."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from forked import run_script
from PIL import Image

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
COLUMNS = [f"{name}, k = {k}" for name in ("channel-max", "none", "pixels") for k in (1, 5)]


@pytest.fixture
def pictures(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("pictures")


@pytest.fixture
def folder(tmp_path):
    """Three classes, of 8, 6 and 1 transparent pictures: a blob on a place, of a shape and in a colour of its class."""
    rng = np.random.default_rng(0)
    for kind, (name, count) in enumerate((("a", 8), ("b", 6), ("c", 1))):
        (tmp_path / "icons" / name).mkdir(parents=True)
        for index in range(count):
            picture = np.zeros((40, 40, 4), dtype=np.uint8)
            top, left = rng.integers(4, 16, 2)
            picture[top : top + 8 + 6 * kind, left : left + 20 - 6 * kind, kind] = rng.integers(120, 250)
            picture[..., 3] = 255 * picture.any(axis=2)
            Image.fromarray(picture).save(tmp_path / "icons" / name / f"{index}.png")
    return tmp_path / "icons"


@pytest.fixture
def classes(pictures, folder):
    return pictures.read_classes(folder, size=40)


def squared(first, second):
    return float(((first / 255.0 - second / 255.0) ** 2).mean())


def spread(drawn):
    return np.mean([squared(drawn[i], drawn[j]) for i in range(len(drawn)) for j in range(i)])


def test_pictures_lie_over_white_by_class(classes, folder):
    assert {name: len(found) for name, found in classes.items()} == {"a": 8, "b": 6, "c": 1}
    with Image.open(folder / "b" / "2.png") as file:
        original = np.array(file)
    expected = np.where(original[..., 3:] > 0, original[..., :3], 255)
    np.testing.assert_array_equal(classes["b"][2], expected)
    assert classes["b"][2].dtype == np.uint8


def test_pictures_become_squares_without_being_stretched(pictures, tmp_path):
    (tmp_path / "wide").mkdir()
    Image.new("RGB", (40, 20)).save(tmp_path / "wide" / "black.jpg")
    (tmp_path / "wide" / "notes.txt").write_text("no picture")
    (found,) = pictures.read_classes(tmp_path, size=40)["wide"]
    assert found.shape == (40, 40, 3)
    np.testing.assert_array_equal(found[:, 0, 0], [255] * 10 + [0] * 20 + [255] * 10)


def test_a_folder_without_classes_is_refused(pictures, tmp_path):
    with pytest.raises(ValueError, match="a subfolder of pictures for each class"):
        pictures.read_classes(tmp_path)


def test_near_duplicates_are_all_different_and_alike(pictures, classes):
    picture = classes["a"][0]
    copies = pictures.near_duplicates(picture, 20, np.random.default_rng(0))
    assert len({copy.tobytes() for copy in [picture, *copies]}) == 21
    assert {(copy.shape, copy.dtype) for copy in copies} == {((40, 40, 3), np.dtype(np.uint8))}
    shifts = [shift_of(picture, copy) for copy in copies]
    assert all(1 <= max(map(abs, shift)) <= 2 for shift in shifts)
    assert len(set(shifts)) > 5
    # White grows darker by at most 2 %.
    assert all(copy[-1, -1].min() >= 249 for copy in copies)
    assert len({int(copy[-1, -1, 0]) for copy in copies}) > 2


def shift_of(picture, copy, reach=4):
    """The shift of a picture on white that a copy is nearest to."""
    shifts = [(down, right) for down in range(-reach, reach + 1) for right in range(-reach, reach + 1)]
    return min(shifts, key=lambda shift: squared(np.roll(picture, shift, (0, 1)), copy))


def test_one_class_takes_no_picture_twice(pictures, classes):
    drawn = pictures.one_class(classes["a"], 5, np.random.default_rng(0))
    known = [picture.tobytes() for picture in classes["a"]]
    assert len({known.index(picture.tobytes()) for picture in drawn}) == 5


def test_many_classes_are_balanced(pictures, classes):
    of = {picture.tobytes(): name for name, found in classes.items() for picture in found}
    for count, expected in ((3, [1, 1, 1]), (7, [1, 3, 3]), (15, [1, 6, 8])):
        drawn = pictures.many_classes(classes, count, np.random.default_rng(0))
        names = [of[picture.tobytes()] for picture in drawn]
        assert sorted(names.count(name) for name in "abc") == expected
        assert len({picture.tobytes() for picture in drawn}) == count
    with pytest.raises(ValueError, match="must be 16 pictures, but there are 15"):
        pictures.many_classes(classes, 16, np.random.default_rng(0))


def test_sets_grow_more_diverse(pictures, classes):
    rng = np.random.default_rng(0)
    copies = pictures.near_duplicates(classes["a"][0], 6, rng)
    alike, mixed = pictures.one_class(classes["a"], 6, rng), pictures.many_classes(classes, 6, rng)
    assert spread(copies) < spread(alike) < spread(mixed)


def test_half_of_many_are_near_duplicates(pictures, classes):
    known = {picture.tobytes() for found in classes.values() for picture in found}
    for count, originals in ((9, 5), (40, 15)):
        drawn = pictures.all_and_near_duplicates(classes, count, np.random.default_rng(0))
        assert len(drawn) == count
        assert sum(picture.tobytes() in known for picture in drawn) == originals


def test_darkened_pictures_are_at_70_percent_with_their_background(pictures, classes):
    picture, dark = classes["a"][0], pictures.darken(classes)["a"][0]
    assert dark[0, 0].tolist() == [178, 178, 178]  # 178.5, to even
    assert dark.dtype == np.uint8
    np.testing.assert_allclose(dark, 0.7 * picture, atol=0.501)


def test_less_light_falls_on_the_object_alone(pictures, classes, folder):
    picture, dark = classes["a"][0], pictures.read_classes(folder, size=40, light=0.7)["a"][0]
    background = (picture == 255).all(axis=2)
    assert background.any()
    np.testing.assert_array_equal(dark[background], 255)
    np.testing.assert_allclose(dark[~background], 0.7 * picture[~background], atol=0.501)


@pytest.mark.parametrize("draw", ["near_duplicates", "one_class", "many_classes", "all_and_near_duplicates"])
def test_a_seed_gives_the_same_pictures(pictures, classes, draw):
    source = {"near_duplicates": classes["a"][0], "one_class": classes["a"]}.get(draw, classes)
    first, again, other = (getattr(pictures, draw)(source, 4, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_images_are_channels_first(pictures, classes):
    (image,) = pictures.as_images(classes["c"])
    np.testing.assert_array_equal(image.permute(1, 2, 0), classes["c"][0])
    assert image.is_contiguous()


@pytest.fixture
def tables(folder, tmp_path):
    """Title and rows, by their columns, of all tables of a tiny run."""
    out = tmp_path / "tables.md"
    done = run_script(BENCHMARKS / "features.py", "--folder", folder, "--smoke", "--out", out, "--markdown")
    assert done.returncode == 0, done.stderr
    printed = done.stdout
    assert printed == out.read_text(encoding="utf-8")
    found = {}
    for section in printed.split("### ")[1:]:
        title, *lines = section.splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
        found[title] = [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc: Linux only")
def test_features(tables):
    plain, sets, objects, dark, apart, memory, distances = tables.values()
    assert [row[""] for row in plain] == [
        f"{who}, {pooling}" for pooling in ("channel-max", "none") for who in ("plain loop", "extractor")
    ]
    for row, tolerance in zip(plain[1::2], (1e-5, 2e-3), strict=True):  # half precision without pooling
        assert float(row["feature error"]) < tolerance
        assert float(row["distance error"]) < tolerance
    kinds = ["near-duplicates: a", "one class: a", "one class: b", "many classes: draw 1"]
    assert [[row[""] for row in rows] for rows in (sets, objects, dark)] == [kinds] * 3
    assert all(float(row[column]) > 0 for row in [*sets, *objects, *dark] for column in COLUMNS)
    near, one, other, many = (float(row["pixels, k = 1"]) for row in sets)
    assert near < one < many
    found = {row[""]: row["pixels, k = 1"] for row in apart}
    assert float(found["many classes / one class"]) == pytest.approx(2 * many / (one + other), rel=0.02)
    assert found["classes below many classes"] == f"{(one < many) + (other < many)} of 2"
    # Squared differences of pixels go with the square of the brightness.
    assert float(dark[1]["pixels, k = 1"]) == pytest.approx(0.49 * one, rel=0.02)
    assert percent(found["moves, all pixels at 70%"]) == pytest.approx(51, abs=1)
    assert percent(found["moves: another class"]) == pytest.approx(200 * abs(one - other) / (one + other), abs=2)
    peaks = [float(row["peak RSS, MB"]) for row in memory]
    assert 0 < peaks[0] <= peaks[1] <= peaks[2]
    assert distances[0][""] == "pairwise_distance"
    assert all(float(row["worst relative error"]) < 1e-6 for row in distances if "cdist" not in row[""])


def percent(text):
    return float(text.rstrip("%"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--samples", "5"], "--samples must be more than 5"), (["--samples", "99"], "must hold as many pictures")],
)
def test_too_few_pictures_are_refused(folder, arguments, message):
    done = run_script(BENCHMARKS / "features.py", "--folder", folder, "--smoke", *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_the_plain_loop_is_torchvisions(monkeypatch):
    try:
        models = importlib.import_module("torchvision.models")
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
        pytest.skip(f"compares with torchvision, which can't be imported: {error}")
    monkeypatch.syspath_prepend(BENCHMARKS)
    features = importlib.import_module("features")
    network, origin = features.plain_network()
    assert origin.startswith("torchvision")
    monkeypatch.setattr(features, "import_module", missing)
    by_hand, origin = features.plain_network()
    assert "by hand" in origin
    assert str(by_hand) == str(network) == str(models.vgg16().features[:16])


def missing(name):
    raise ImportError(name)
