import pytest

from svr_baselines.building.sources import as_sources, find_meshes, split_of


def lay(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [(file.id, file.mesh) for file in find_meshes(folder)]


def test_shapenet_v1(tmp_path):
    found = lay(tmp_path, "02691156/1a0/model.obj", "02691156/1a0/model.mtl", "02691156/1a0/images/t.png")
    assert found == [("02691156/1a0", "02691156/1a0/model.obj")]


def test_shapenet_v2(tmp_path):
    found = lay(
        tmp_path,
        "02691156/1a0/models/model_normalized.obj",
        "02691156/1a0/models/model_normalized.solid.binvox",
        "02691156/1a0/screenshots/1a0-0.png",
    )
    assert found == [("02691156/1a0", "02691156/1a0/models/model_normalized.obj")]


def test_categories_flat_and_hidden(tmp_path):
    found = lay(tmp_path, "chair/b.obj", "chair/a.glb", "c.STL", ".trash/d.obj", "model.ply", "chair/deep/e.off")
    assert [name for name, _ in found] == ["c", "chair/a", "chair/b", "chair/deep/e", "model"]


def test_two_meshes_of_one_id_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"two files of the same name, .* at 'chair/a'"):
        lay(tmp_path, "chair/a.obj", "chair/a/model.obj")


def test_no_folder_and_no_mesh(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        find_meshes(tmp_path / "nothing")
    (tmp_path / "picture.png").touch()
    with pytest.raises(ValueError, match=r"no meshes in this folder \(looked for \.ply"):
        find_meshes(tmp_path)


def test_split_by_category():
    names = [f"b/{n}" for n in range(9, -1, -1)] + ["a/0", "a/1", "c"]
    split = split_of(names)
    assert [name for name in sorted(names) if split[name] == "test"] == ["a/1", "b/8", "b/9", "c"]
    assert set(split) == set(names)


def test_sources_of_one_id_are_refused(tmp_path):
    lay(tmp_path, "a.obj")
    with pytest.raises(ValueError, match="sources of different ids"):
        as_sources(find_meshes(tmp_path) * 2)
