import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
import trimesh

from ds_metrics.functional import chamfer_distance
from svr_baselines.data import BadShape, ShapeSet, pair_shapes, read_shapes, reader

CLOUD = np.random.default_rng(0).random((40, 3)).astype(np.float32)
BOX = trimesh.creation.box(extents=(1, 2, 3))


def one_fault(folder, **options):
    with pytest.raises(ValueError, match="cannot be read") as caught:
        read_shapes(folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["ply", "obj", "off", "stl", "glb"])
def test_meshes(tmp_path, suffix):
    BOX.export(tmp_path / f"box.{suffix}")
    shapes = read_shapes(tmp_path, points=300, normalize="none")
    assert shapes.names == ("box",)
    assert shapes.kinds == ("mesh",)
    assert shapes.clouds[0].shape == (300, 3)
    assert shapes.clouds[0].dtype == np.float32
    np.testing.assert_allclose((np.abs(shapes.clouds[0]) / [0.5, 1, 1.5]).max(axis=1), 1, rtol=1e-5)


def test_scene_applies_transforms(tmp_path):
    scene = trimesh.Scene()
    for x in (0, 10):
        scene.add_geometry(trimesh.creation.box(), transform=trimesh.transformations.translation_matrix([x, 0, 0]))
    scene.export(tmp_path / "two.glb")
    cloud = read_shapes(tmp_path, normalize="none").clouds[0]
    np.testing.assert_allclose([cloud[:, 0].min(), cloud[:, 0].max()], [-0.5, 10.5], atol=0.02)


def test_obj_polygons_and_missing_material(tmp_path):
    corners = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv -1 .5 0\n"
    (tmp_path / "a.obj").write_text(f"mtllib gone.mtl\n{corners}usemtl x\nf 1 2 3 4 5\nf 1 2 3\n")
    assert read_shapes(tmp_path).clouds[0].shape == (2500, 3)


@pytest.mark.parametrize("columns", [3, 6])
def test_clouds_keep_their_points(tmp_path, columns):
    wide = np.hstack([CLOUD, CLOUD])[:, :columns]
    np.save(tmp_path / "a.points.npy", wide)
    np.savez(tmp_path / "b.npz", points=wide, other=np.zeros(3))
    np.savetxt(tmp_path / "c.XYZ", wide)
    trimesh.PointCloud(CLOUD).export(tmp_path / "d.ply")
    shapes = read_shapes(tmp_path)
    assert shapes.names == ("a.points", "b", "c", "d")
    assert shapes.kinds == ("points",) * 4
    for cloud in shapes.clouds:
        np.testing.assert_allclose(cloud, CLOUD, rtol=1e-6)


def test_folder_is_sorted_and_hidden_files_ignored(tmp_path):
    for name in ("b/2", "b/10", "a", ".hidden", ".git/x", "b/.y"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.save(tmp_path / f"{name}.npy", CLOUD)
    (tmp_path / "notes.txt").write_text("not a shape")
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    assert read_shapes(tmp_path).names == ("a", "b/10", "b/2")


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_array(tmp_path, suffix):
    array = np.stack([CLOUD, CLOUD + 1])
    path = tmp_path / f"a.{suffix}"
    np.save(path, array) if suffix == "npy" else np.savez(path, array)
    shapes = read_shapes(path)
    assert shapes.names == ("0000", "0001")
    np.testing.assert_array_equal(np.stack(shapes.clouds), array)
    assert shapes.clouds[0].flags.writeable


@pytest.mark.parametrize(("dtype", "kept"), [("<f2", "f4"), (">f4", "f4"), ("f8", "f8"), ("i4", "f4"), ("u1", "f4")])
def test_dtypes(tmp_path, dtype, kept):
    np.save(tmp_path / "a.npy", np.arange(12).reshape(1, 4, 3).astype(dtype))
    cloud = read_shapes(tmp_path / "a.npy").clouds[0]
    assert cloud.dtype == np.dtype(kept)
    np.testing.assert_array_equal(cloud, np.arange(12).reshape(4, 3))


def test_normalize_applies_to_clouds_when_asked(tmp_path):
    np.save(tmp_path / "a.npy", CLOUD[None])
    BOX.export(tmp_path / "b.obj")
    cloud = read_shapes(tmp_path / "a.npy", normalize="unit-ball").clouds[0]
    np.testing.assert_allclose(np.linalg.norm(cloud, axis=1).max(), 1, rtol=1e-6)


def test_points_depend_on_seed_and_name_alone(tmp_path):
    BOX.export(tmp_path / "m.obj")
    alone = read_shapes(tmp_path)
    BOX.export(tmp_path / "a.obj")
    both = read_shapes(tmp_path)
    np.testing.assert_array_equal(both.clouds[1], alone.clouds[0])
    assert not np.array_equal(both.clouds[0], both.clouds[1])
    assert read_shapes(tmp_path).content_hash == both.content_hash
    assert read_shapes(tmp_path, seed=1).content_hash != both.content_hash


def test_each_side_has_random_numbers_of_its_own(tmp_path):
    """Or a prediction with the truth's faces would have its points too."""
    rng = np.random.default_rng(0)
    for kind in ("truth", "shuffled"):
        (tmp_path / kind).mkdir()
    for k in range(8):
        mesh = trimesh.creation.capsule(1, 1 + k / 4)
        mesh.export(tmp_path / "truth" / f"{k}.ply")
        mesh.faces = rng.permutation(mesh.faces)
        mesh.export(tmp_path / "shuffled" / f"{k}.ply")
    truth = np.stack(read_shapes(tmp_path / "truth", 300, side="target").clouds)
    same, shuffled = (np.stack(read_shapes(tmp_path / kind, 300).clouds) for kind in ("truth", "shuffled"))
    distances = [float(chamfer_distance(*map(torch.from_numpy, (preds, truth))).mean()) for preds in (same, shuffled)]
    assert distances[0] == pytest.approx(distances[1], rel=0.2)
    assert (
        len({read_shapes(tmp_path / "truth", 9, side=side).content_hash for side in ("preds", "target", "train")}) == 3
    )


def test_coordinates_far_from_the_origin(tmp_path):
    far = np.random.default_rng(0).random((40, 3)) + np.array([5e5, 4e6, 100])
    np.save(tmp_path / "a.npy", far)
    np.savetxt(tmp_path / "b.xyz", far)
    ply = trimesh.PointCloud(far).export(file_type="ply").replace(b"float", b"double")
    header, _, _ = ply.partition(b"end_header\n")
    (tmp_path / "c.ply").write_bytes(header + b"end_header\n" + far.astype("<f8").tobytes())
    for cloud in read_shapes(tmp_path).clouds:
        assert cloud.dtype == np.float64
        np.testing.assert_allclose(cloud, far, rtol=1e-15)
    expected, *others = read_shapes(tmp_path, normalize="unit-ball").clouds
    for cloud in others:
        assert cloud.dtype == np.float32
        np.testing.assert_allclose(cloud, expected, atol=1e-7)


def test_progress(tmp_path):
    np.save(tmp_path / "a.npy", np.stack([CLOUD] * 3))
    seen = []
    read_shapes(tmp_path / "a.npy", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.fixture
def many(tmp_path, monkeypatch):
    """A folder with good and bad shapes, worth two processes."""
    monkeypatch.setattr(reader, "_FILES_PER_WORKER", 2)
    for k in range(9):
        BOX.export(tmp_path / f"box-{k}.ply")
    (tmp_path / "bad.obj").write_text("v 0 0 0\nf 1 2 3\n")
    np.save(tmp_path / "cloud.npy", CLOUD)
    return tmp_path


@pytest.mark.usefixtures("forked_workers")
def test_processes_read_the_same(many):
    told = []
    one, two = (
        read_shapes(many, points=50, skip_bad=True, workers=workers, progress=lambda *state: told.append(state))
        for workers in (1, 2)
    )
    assert two.content_hash == one.content_hash
    assert (two.names, two.kinds, two.skipped) == (one.names, one.kinds, one.skipped)
    assert len(one.skipped) == 1
    assert told == [(done, 11) for done in range(1, 12)] * 2


def die(*_):
    os._exit(1)


@pytest.mark.usefixtures("forked_workers")
def test_processes_that_die_one_after_another_end_the_reading(many, monkeypatch):
    monkeypatch.setattr(reader, "_attempt", die)
    with pytest.raises(ChildProcessError, match="process after process was ended"):
        read_shapes(many, workers=2)


def die_of_one(path, name, **options):
    if name == "box-3":
        os._exit(1)
    return CLOUD, "points"


@pytest.mark.usefixtures("forked_workers")
def test_a_shape_that_ends_its_process_is_bad(many, monkeypatch):
    monkeypatch.setattr(reader, "_read_file", die_of_one)
    shapes = read_shapes(many, workers=2, skip_bad=True)
    (lost,) = shapes.skipped
    assert len(shapes) == 10
    assert (lost.name, lost.reason) == ("box-3", "the process that read it was ended; has it memory enough?")


def test_text_stl_without_faces(tmp_path):
    (tmp_path / "a.stl").write_text("solid a\nendsolid a\n")
    assert "a.stl: the mesh has no faces" in one_fault(tmp_path)


def test_missing_path_and_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        read_shapes(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"no shapes .*\.npy .*\.glb"):
        read_shapes(tmp_path)
    (tmp_path / "a.obj").write_text("v 0 0 0")
    with pytest.raises(ValueError, match=r"a\.obj: expected a folder"):
        read_shapes(tmp_path / "a.obj")


def test_two_files_of_one_name(tmp_path):
    BOX.export(tmp_path / "a.obj")
    BOX.export(tmp_path / "a.ply")
    with pytest.raises(ValueError, match=r"a\.obj and a\.ply"):
        read_shapes(tmp_path)


@pytest.mark.parametrize("suffix", ["ply", "off", "stl", "glb", "obj"])
@pytest.mark.parametrize("keep", [0, 0.02, 0.3, 0.6])
def test_truncated_mesh(tmp_path, suffix, keep):
    data = trimesh.creation.icosphere(2).export(file_type=suffix)
    data = data.encode() if isinstance(data, str) else data
    # An OBJ file cut between two faces is a smaller valid one: cut this one before its faces.
    (tmp_path / f"a.{suffix}").write_bytes(data[: int(len(data) * keep * (0.5 if suffix == "obj" else 1))])
    assert f"a.{suffix}" in one_fault(tmp_path)


@pytest.mark.parametrize("suffix", ["ply", "off"])
def test_truncated_text_mesh(tmp_path, suffix):
    options = {"encoding": "ascii"} if suffix == "ply" else {}
    text = trimesh.creation.icosphere(2).export(file_type=suffix, **options)
    data = text.encode() if isinstance(text, str) else text
    (tmp_path / f"a.{suffix}").write_bytes(data[: int(len(data) * 0.95)])
    assert "truncated: the header promises" in one_fault(tmp_path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 2)), r"expected shape \(P, 3\).* got \(4, 2\)"),
        (np.zeros((2, 4, 3)), "pass the file itself"),
        (np.zeros((0, 3)), "empty"),
        (np.zeros((4, 3), dtype=complex), "complex128"),
        (np.full((4, 3), "a"), "dtype <U1"),
        (np.array([[1, 2, np.nan], [0, 0, 0], [np.inf, 0, 0]]), "2 of 3 points are NaN or infinite"),
        (np.array([[None] * 3]), "object, which is never unpickled"),
    ],
)
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_bad_cloud_file(tmp_path, array, message, suffix):
    save = np.save if suffix == "npy" else np.savez
    save(tmp_path / f"bad.{suffix}", array)
    fault = one_fault(tmp_path)
    assert f"bad.{suffix}: " in fault
    assert re.search(message, fault)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.xyz", "a.ply", "a.off", "a.stl", "a.glb", "a.obj"])
@pytest.mark.parametrize("data", [b"", b"rubbish \xff\n\n here", b"\x80\x04K\x01."])
def test_rubbish(tmp_path, name, data, capfd):
    (tmp_path / name).write_bytes(data)
    assert f"{name}: " in one_fault(tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v 0 0 0\nv 1 0 0\n", "no faces"),
        ("v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n", "no area"),
        ("v 0 0 0\nv 1 0 0\nv nan 0 0\nf 1 2 3\n", "NaN or infinite"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "not a readable obj file"),
    ],
)
def test_bad_mesh(tmp_path, text, message):
    (tmp_path / "a.obj").write_text(text)
    assert message in one_fault(tmp_path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 3)), r"\(N, P, 3\), but got \(4, 3\)"),
        (np.zeros((0, 4, 3)), "got"),
        (np.zeros((1, 4, 3), dtype=complex), "complex"),
        (np.array([None]), "never unpickled"),
    ],
)
def test_bad_array(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match=message):
        read_shapes(tmp_path / "a.npy")


def test_truncated_array(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 40, 3)))
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data[:500])
    with pytest.raises(ValueError, match=r"a\.npy: not a readable NumPy file, perhaps truncated"):
        read_shapes(tmp_path / "a.npy")


def test_ambiguous_npz(tmp_path):
    np.savez(tmp_path / "a.npz", x=CLOUD[None], y=CLOUD[None])
    with pytest.raises(ValueError, match="got x, y"):
        read_shapes(tmp_path / "a.npz")


def test_all_bad_shapes_are_told_at_once(tmp_path):
    array = np.stack([CLOUD] * 6)
    array[1:6, 0] = np.nan
    np.save(tmp_path / "a.npy", array)
    message = one_fault(tmp_path / "a.npy")
    assert "5 of 6 shapes" in message
    assert "sample 0001: 1 of 40 points" in message
    assert "and 2 more" in message
    assert "`skip_bad=True` (`--skip-bad`)" in message
    shapes = read_shapes(tmp_path / "a.npy", skip_bad=True)
    assert shapes.names == ("0000",)
    assert [item.name for item in shapes.skipped] == ["0001", "0002", "0003", "0004", "0005"]


def test_nothing_good_is_an_error_even_when_skipping(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"")
    assert "1 of 1 shapes" in one_fault(tmp_path, skip_bad=True)


@pytest.mark.parametrize(("option", "value"), [("points", 0), ("normalize", "cube"), ("side", "left")])
def test_bad_options(tmp_path, option, value):
    with pytest.raises(ValueError, match=f"`{option}`"):
        read_shapes(tmp_path, **{option: value})


def make_set(names, skipped=()):
    clouds = [np.full((2, 3), i, dtype=np.float32) for i, _ in enumerate(names)]
    return ShapeSet(tuple(names), clouds, ("points",) * len(names), tuple(skipped))


def test_pairs_align_by_name():
    ours, theirs = pair_shapes(make_set("abc"), make_set("cab"))
    assert ours.names == theirs.names == ("a", "b", "c")
    assert [cloud[0, 0] for cloud in theirs.clouds] == [1, 2, 0]


def test_pairs_drop_what_is_bad_on_either_side():
    ours, theirs = pair_shapes(
        make_set("ab", [BadShape("c", "c.npy", "empty")]), make_set("bc", [BadShape("a", "a.npy", "flat")])
    )
    assert ours.names == theirs.names == ("b",)
    assert [item.name for item in ours.skipped] == ["c", "a"]
    assert "flat" in ours.skipped[1].reason
    assert [item.name for item in theirs.skipped] == ["a", "c"]


def test_pairs_refuse_other_names():
    with pytest.raises(ValueError, match=r"4 \(b, c, d, \.\.\.\) without a target .*1 \(x\) without a prediction"):
        pair_shapes(make_set("abcde"), make_set("ax"))
    with pytest.raises(ValueError, match="No pair"):
        pair_shapes(make_set("a", [BadShape("b", "", "")]), make_set("b", [BadShape("a", "", "")]))


def test_shape_set_checks_itself():
    with pytest.raises(ValueError, match="different name"):
        make_set("aa")
    with pytest.raises(ValueError, match="2 names, 1 clouds"):
        ShapeSet(("a", "b"), [CLOUD], ("points",))


def test_content_hash_tells_names_and_points():
    hashes = {make_set("ab").content_hash, make_set("ac").content_hash, make_set("a").content_hash}
    assert len(hashes) == 3
    assert make_set("ab").content_hash in hashes


def test_import_is_light():
    code = "import sys, svr_baselines.data; print({'torch', 'trimesh', 'matplotlib'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"
