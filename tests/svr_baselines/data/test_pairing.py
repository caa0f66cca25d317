"""What shapes are called, how they pair, and what is said where they don't."""

import unicodedata

import numpy as np
import pytest
import trimesh

from svr_baselines.data import BadShape, ShapeSet, pair_shapes, read_shapes
from svr_baselines.data.folders import count_others, shape_name
from svr_baselines.data.formats import SUFFIXES
from svr_baselines.data.name_hints import hint_at_names
from svr_baselines.data.shapes import index_names
from svr_baselines.data.surfaces import Surfaces

IDS = [f"{number}abc{number}" for number in range(12)]


def make_set(names, skipped=()):
    clouds = [np.full((2, 3), i, dtype=np.float32) for i, _ in enumerate(names)]
    return ShapeSet(tuple(names), clouds, ("points",) * len(names), tuple(skipped))


@pytest.mark.parametrize("layout", ["{}/model.obj", "{}/models/model_normalized.obj", "{}.obj"])
def test_shapenet_is_named_by_its_ids(tmp_path, layout):
    for name in ("02691156/a1", "03001627/a1"):
        path = tmp_path / layout.format(name)
        path.parent.mkdir(parents=True)
        trimesh.creation.box().export(path)
    shapes = read_shapes(tmp_path, points=20)
    assert shapes.names == ("02691156/a1", "03001627/a1")
    assert len(Surfaces(shapes)[1].normals) == 20


def test_clouds_of_atlasnet_are_named_by_their_ids(tmp_path):
    np.save(tmp_path / "1a0.points.ply.npy", np.eye(3))
    assert read_shapes(tmp_path).names == ("1a0",)
    assert shape_name("model") == "model"  # no layout: a file at the root
    assert shape_name("remodel") == "remodel"


def test_split_accents_are_joined(tmp_path):
    composed = "St\u00fchl"
    trimesh.creation.box().export(tmp_path / f"{unicodedata.normalize('NFD', composed)}.ply")
    shapes = read_shapes(tmp_path, points=20)
    assert shapes.names == (composed,)
    assert len(Surfaces(shapes)[0].normals) == 20


def test_others_are_counted_but_not_what_goes_with_shapes(tmp_path):
    (tmp_path / "__MACOSX").mkdir()
    for name in (
        "a.obj",
        "a.mtl",
        "a.png",
        "LICENSE",
        "Thumbs.db",
        ".c.pt",
        "__MACOSX/._b.pt",
        "a.PT",
        "b.pt",
        "c.pcd",
    ):
        (tmp_path / name).touch()
    assert count_others(tmp_path, SUFFIXES) == {".pt": 2, ".pcd": 1}


@pytest.mark.parametrize(
    ("predictions", "targets", "hint"),
    [
        ([f"{name}_pred" for name in IDS], IDS, "without '_pred' after each prediction's name."),
        ([f"run1/out/{name}" for name in IDS[:5]], IDS, "without 'run1/out/' before each prediction's name."),
        (IDS, [f"{name}/mesh" for name in IDS], "without '/mesh' after each target's name."),
        (
            [f"p_{name}" for name in IDS],
            [f"gt_{name}" for name in IDS],
            "without 'p' before each prediction's name and 'gt' before each target's name.",
        ),
        ([name.upper() for name in IDS[:3]], IDS, "but for capital letters."),
        (IDS, [f"{i % 3}/{name}" for i, name in enumerate(IDS)], "by the last part of each path: give both"),
        (index_names(12), IDS, "If the predictions are an array in the order of the other side's names"),
        (IDS, index_names(12), "If the targets are an array"),
    ],
)
def test_hints(predictions, targets, hint):
    assert hint in hint_at_names(predictions, targets)
    with pytest.raises(ValueError, match=r"A name is the path below the folder without suffix, or the index") as caught:
        pair_shapes(make_set(predictions), make_set(targets))
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("predictions", "targets"),
    [
        (["a/out", "b/out"], ["x/out", "y/out"]),  # the last parts don't tell them apart
        (["0a", "1b"], ["2c", "3d"]),
        ([], ["a"]),
        (["a"], []),
    ],
)
def test_no_hint_that_would_not_help(predictions, targets):
    assert hint_at_names(predictions, targets) == ""


def test_the_common_part():
    ours, theirs = make_set("abx"), make_set("bcd", [BadShape("x", "x.npy", "empty")])
    with pytest.raises(ValueError, match=r"`--common`\) to score what both have"):
        pair_shapes(ours, theirs)
    ours, theirs = pair_shapes(ours, theirs, common=True)
    assert ours.names == theirs.names == ("b",)
    assert theirs.clouds[0][0, 0] == 0
    assert {bad.name: bad.reason for bad in ours.skipped} == {
        "x": "its counterpart is bad: empty",
        "a": "it has no target",
    }
    assert {bad.name: bad.reason for bad in theirs.skipped} == {
        "x": "empty",
        "c": "it has no prediction",
        "d": "it has no prediction",
    }
    with pytest.raises(ValueError, match="must have the same names"):
        pair_shapes(make_set("a"), make_set("b"), common=True)


def test_a_torch_file_and_many_arrays_are_said(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch.zeros(4, 5, 3), tmp_path / "t.npz")
    np.savez(tmp_path / "many.npz", **{f"a{i:02}": np.zeros(1) for i in range(30)})
    np.save(tmp_path / "turned.npy", np.zeros((4, 3, 5)))
    np.save(tmp_path / "one.npy", np.zeros((5, 3)))
    for name, message in (
        ("t.npz", "a torch file, which is never unpickled"),
        ("many.npz", r"a00, a01, a02, a03, a04, \.\. \(30 in all\)\.$"),
        ("turned.npy", r"got \(4, 3, 5\); array\.transpose\(0, 2, 1\) may be it"),
        ("one.npy", r"got \(5, 3\); a single cloud is a set of one, \(1, P, 3\)"),
    ):
        with pytest.raises(ValueError, match=message):
            read_shapes(tmp_path / name)
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "folder" / "turned.npy", np.zeros((3, 5)))
    with pytest.raises(ValueError, match="it may have to be transposed"):
        read_shapes(tmp_path / "folder")


def test_both_sides_drawn_by_the_same_random_numbers_are_refused(tmp_path):
    trimesh.creation.box().export(tmp_path / "a.obj")
    ours = read_shapes(tmp_path, points=20)
    with pytest.raises(ValueError, match=r"same random numbers.*read_shapes\(\.\.\., side='target'\)"):
        pair_shapes(ours, read_shapes(tmp_path, points=20))
    for other in (read_shapes(tmp_path, points=20, side="target"), read_shapes(tmp_path, points=20, seed=1)):
        assert pair_shapes(ours, other)[1].names == ("a",)
