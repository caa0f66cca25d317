import csv
import json
import math
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svr_baselines.data.cameras import Camera
from svr_baselines.data.manifest import Manifest, Sample, read_manifest, write_manifest
from svr_baselines.data.shapes import BadShape

FULL = Sample(
    id="chair/0007",
    category="chair",
    split="train",
    view=3,
    image="images/chair/0007/03.png",
    points="points/chair/0007.npy",
    mesh="chair/0007.obj",
    camera=Camera(azimuth=-12.5, elevation=25, distance=1.3, roll=0.1, fov=49),
    values={"morph": 0.1, "area": 2},
)

# What file names may hold: any text without NUL, with bytes that are no UTF-8 as lone surrogates.
NAMES = st.text(
    st.one_of(
        st.characters(exclude_categories=("Cs",), exclude_characters="\0"),
        st.sampled_from('",;\r\n\t \u2028\x85\x1c\udc80\udcff'),
    ),
    min_size=1,
    max_size=12,
)
PATHS = NAMES.filter(lambda text: not text.startswith("/") and ".." not in text.split("/"))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
CAMERAS = st.builds(
    Camera,
    azimuth=NUMBERS,
    elevation=st.floats(-90, 90),
    distance=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    roll=NUMBERS,
    fov=st.floats(0, 180, exclude_min=True, exclude_max=True),
)
SAMPLES = st.builds(
    Sample,
    id=NAMES,
    category=st.text("ab,", max_size=3),
    split=st.sampled_from(["", "train", "test"]),
    view=st.integers(0, 10**6),
    image=st.none() | PATHS,
    points=st.none() | PATHS,
    mesh=st.none() | PATHS,
    camera=st.none() | CAMERAS,
    values=st.dictionaries(st.sampled_from(["morph", "a,b", 'qu"ote', "größe"]), NUMBERS),
)


def test_a_sample_comes_back_with_all_it_had(tmp_path):
    skipped = (BadShape("chair/0008", "chair/0008.obj", "the mesh has no faces"),)
    manifest = Manifest((FULL, Sample("a")), {"seed": 3, "ranges": [0, 90]}, skipped)

    write_manifest(tmp_path, manifest)

    assert read_manifest(tmp_path) == Manifest((Sample("a"), FULL), manifest.settings, skipped)


def test_the_table_is_csv_that_others_read(tmp_path):
    write_manifest(tmp_path, Manifest((FULL, Sample('comma, and "quote"\nand line', values={"morph": 1}))))

    with (tmp_path / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    assert list(rows[0]) == [
        *("id", "category", "split", "view", "image", "points", "mesh"),
        *("azimuth", "elevation", "distance", "roll", "fov", "area", "morph"),
    ]
    assert rows[1]["id"] == 'comma, and "quote"\nand line'
    assert rows[1]["azimuth"] == rows[1]["area"] == rows[1]["image"] == ""
    assert rows[1]["morph"] == "1.0"
    assert float(rows[0]["azimuth"]) == -12.5
    assert rows[0]["view"] == "3"


def test_the_document_counts_and_tells_no_times(tmp_path):
    write_manifest(tmp_path, Manifest((FULL, Sample("a")), {"seed": 3}, (BadShape("b", "b.obj", "empty"),)))

    document = json.loads((tmp_path / "dataset.json").read_text())

    assert document == {
        "schema": 1,
        "settings": {"seed": 3},
        "counts": {"samples": 2, "skipped": 1, "splits": {"": 1, "train": 1}, "categories": {"": 1, "chair": 1}},
        "skipped": [{"name": "b", "path": "b.obj", "reason": "empty"}],
    }


def test_equal_manifests_give_equal_bytes_in_any_order(tmp_path):
    samples = [Sample(name, view=view) for name in ("b", "a", "a0") for view in (10, 9)]
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, order, settings in zip(
        folders, (samples, samples[::-1]), ({"x": 1, "y": 2}, {"y": 2, "x": 1}), strict=True
    ):
        folder.mkdir()
        write_manifest(folder, Manifest(tuple(order), settings))

    for name in ("manifest.csv", "dataset.json"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    keys = [(sample.id, sample.view) for sample in read_manifest(folders[0]).samples]
    assert keys == [("a", 9), ("a", 10), ("a0", 9), ("a0", 10), ("b", 9), ("b", 10)]
    assert sorted(os.listdir(folders[0])) == ["dataset.json", "manifest.csv"]


@given(samples=st.lists(SAMPLES, max_size=5, unique_by=lambda sample: (sample.id, sample.view)))
def test_any_samples_come_back_bit_for_bit(samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")

    write_manifest(folder, Manifest(tuple(samples)))

    read = read_manifest(folder).samples
    assert list(read) == sorted(samples, key=lambda sample: (sample.id, sample.view))
    for before, after in zip(sorted(samples, key=lambda sample: (sample.id, sample.view)), read, strict=True):
        assert {name: math.copysign(1, value) for name, value in after.values.items()} == {
            name: math.copysign(1, value) for name, value in before.values.items()
        }


def test_bytes_of_file_names_that_are_no_text_survive(tmp_path):
    name = os.fsdecode(b"stuhl-\xe4\xff")

    write_manifest(tmp_path, Manifest((Sample(name, image=f"{name}.png"),), skipped=(BadShape(name, name, "bad"),)))

    assert b"stuhl-\xe4\xff,,," in (tmp_path / "manifest.csv").read_bytes()
    read = read_manifest(tmp_path)
    assert os.fsencode(read.samples[0].image) == b"stuhl-\xe4\xff.png"
    assert read.skipped[0].name == name


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda text: text.replace("azimuth", "angle"), "the first line must name the columns"),
        (lambda text: text.replace("morph", "area"), "the first line must name the columns"),
        (lambda text: "", "the first line must name the columns"),
        (lambda text: "\x89PNG\r\n\x1a\n\0", "the first line must name the columns|NUL"),
        (lambda text: text[: text.rindex(",")] + "\n", "line 3: 13 cells instead of 14"),
        (lambda text: text.replace("chair/0007,", '"chair/0007,'), "line 3|unexpected end of data"),
        (lambda text: text[: text.rindex("chair/0007,")], "1 samples, but dataset.json counts 2"),
        (lambda text: text.replace(",-12.5,", ",west,"), "line 3: could not convert"),
        (lambda text: text.replace(",-12.5,", ",nan,"), "line 3: Argument `azimuth` must be finite"),
        (lambda text: text.replace(",-12.5,", ",1_0,"), "line 3: could not convert '1_0'"),
        (lambda text: text.replace(",-12.5,", ",,"), "line 3: could not convert"),
        (lambda text: text.replace(",25.0,", ",95.0,"), r"line 3: Argument `elevation` must be in \[-90, 90\]"),
        (lambda text: text.replace(",3,", ",-3,"), "line 3: Argument `view` must be an integer from 0"),
        (lambda text: text.replace(",3,", ",3.0,"), "line 3: invalid literal"),
        (lambda text: text.replace("images/", "../"), "line 3: Argument `image` must be a path below the folder"),
        (lambda text: text.replace("a,,,0", "chair/0007,,,3"), "2 samples are view 3 of 'chair/0007'"),
        (lambda text: text.replace("a,,,0", ",,,0"), "line 2: Argument `id` must not be empty"),
        (lambda text: text.replace(",0.1\n", ",inf\n"), "line 3: Argument `values` must hold finite numbers"),
    ],
)
def test_a_damaged_table_is_told_in_one_line(tmp_path, change, fault):
    write_manifest(tmp_path, Manifest((FULL, Sample("a"))))
    table = tmp_path / "manifest.csv"
    text = table.read_text()
    assert change(text) != text
    table.write_text(change(text))

    with pytest.raises(ValueError, match=fault) as caught:
        read_manifest(tmp_path)
    assert str(caught.value).startswith(f"{table}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "Expecting value"),
        ("[]", "expected `object`, got `array`"),
        ("[" * 100_000, "nested too deeply"),
        ('{"schema": 2}', "schema 2, but this version reads schema 1"),
        ('{"schema": 1, "settings": {}, "counts": []}', "'counts': expected `object`, got `array`"),
        ('{"schema": 1, "settings": {}, "counts": {}, "skipped": []}', "missing required field `samples`"),
        ('{"schema": 1, "settings": {}, "counts": {"samples": 2}, "skipped": [{"name": "a"}]}', r"'skipped\[0\]'"),
        ('{"schema": 1, "settings": {}, "counts": {"samples": 2}, "skipped": ["a"]}', r"'skipped\[0\]'"),
        ("\ud800", "can't decode"),
    ],
)
def test_a_foreign_document_is_told_in_one_line(tmp_path, text, fault):
    write_manifest(tmp_path, Manifest((FULL, Sample("a"))))
    document = tmp_path / "dataset.json"
    document.write_bytes(text.encode("utf-8", "surrogatepass"))

    with pytest.raises(ValueError, match=fault) as caught:
        read_manifest(tmp_path)
    assert str(caught.value).startswith(str(document))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["manifest.csv", "dataset.json"])
def test_a_folder_without_one_of_the_files_is_no_dataset(tmp_path, name):
    write_manifest(tmp_path, Manifest((FULL,)))
    (tmp_path / name).unlink()

    with pytest.raises(ValueError, match=f"{name}: no such file: the folder holds no dataset"):
        read_manifest(tmp_path)


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="No folder at"):
        read_manifest(tmp_path / "none")


def test_a_failed_write_leaves_the_manifest_that_was_there(tmp_path):
    write_manifest(tmp_path, Manifest((FULL,)))

    with pytest.raises(ValueError, match="must be ready for JSON"):
        write_manifest(tmp_path, Manifest((Sample("a"),), {"path": Path("a")}))
    with pytest.raises(ValueError, match="must be ready for JSON"):
        write_manifest(tmp_path, Manifest((Sample("a"),), {"loss": math.nan}))

    assert read_manifest(tmp_path).samples == (FULL,)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"id": ""}, "`id` must not be empty"),
        ({"view": -1}, "`view` must be an integer from 0"),
        ({"view": 1.0}, "`view` must be an integer from 0"),
        ({"view": True}, "`view` must be an integer from 0"),
        ({"image": ""}, "`image` must be a path below the folder"),
        ({"image": "/a.png"}, "`image` must be a path below the folder"),
        ({"points": "a/../../b.npy"}, "`points` must be a path below the folder"),
        ({"values": {"fov": 1.0}}, "`values` must have names of its own, but got 'fov'"),
        ({"values": {"": 1.0}}, "`values` must have names of its own"),
        ({"values": {"morph": math.nan}}, "`values` must hold finite numbers, but 'morph' is nan"),
    ],
)
def test_samples_that_no_table_could_hold_are_refused(arguments, fault):
    with pytest.raises(ValueError, match=fault):
        Sample(**{"id": "a", **arguments})


def test_ids_and_views_must_differ():
    with pytest.raises(ValueError, match="2 samples are view 1 of 'a'"):
        Manifest((Sample("a", view=1), Sample("b", view=1), Sample("a", view=1)))


def test_tens_of_thousands_of_rows_are_read_fast(tmp_path):
    samples = (Sample(f"chair/{i}", "chair", "train", 0, "a.png", "a.npy", camera=Camera(i, 25)) for i in range(40_000))
    write_manifest(tmp_path, Manifest(tuple(samples)))

    start = time.perf_counter()
    manifest = read_manifest(tmp_path)

    assert len(manifest.samples) == 40_000
    assert time.perf_counter() - start < 10  # half a second on an idle machine
