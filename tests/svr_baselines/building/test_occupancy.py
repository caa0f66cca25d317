import numpy as np
import pytest
import trimesh

from svr_baselines.building import Workers, build_occupancy, build_points
from svr_baselines.data.occupancy import read_occupancy


@pytest.fixture
def points(meshes, tmp_path):
    build_points(meshes, tmp_path / "points", points=4000)
    return tmp_path / "points"


def test_places_inside_of_boxes_are_told_in_the_frame_of_items(meshes, points, tmp_path):
    summary = build_occupancy(meshes, points, tmp_path / "out", queries=3000)
    assert (summary.built, [bad.name for bad in summary.skipped]) == (11, ["odd/torn"])
    for number in range(5):
        found, mode = read_occupancy(tmp_path / "out" / "box" / f"{number}.npz")
        cloud = np.load(points / "box" / f"{number}.npy").astype(np.float64)
        centre = cloud.mean(axis=0)
        scale = np.linalg.norm(cloud - centre, axis=1).max()
        size = np.array([1, 2 + number, 3])
        places = np.abs(found.queries * scale + centre) / (size / np.linalg.norm(size) / 2)
        clear = np.abs(places.max(axis=1) - 1) > 1e-3
        np.testing.assert_array_equal(found.occupied[clear], places.max(axis=1)[clear] < 1)
        assert mode == "unit-ball"


@pytest.mark.usefixtures("forked_workers")
def test_workers(meshes, points, tmp_path, tree):
    for count in (1, 2):
        build_occupancy(meshes, points, tmp_path / f"{count}", queries=50, workers=Workers(count))
    assert tree(tmp_path / "1") == tree(tmp_path / "2")


def test_points_of_another_mesh_or_none_are_named(meshes, points, tmp_path):
    trimesh.creation.box((9, 1, 1)).export(meshes / "box" / "1.ply")
    (points / "box" / "2.npy").unlink()
    summary = build_occupancy(meshes, points, tmp_path / "out", queries=50)
    reasons = {bad.name: bad.reason for bad in summary.skipped}
    assert set(reasons) == {"box/1", "box/2", "odd/torn"}
    assert "the points box/1.npy are not of this mesh" in reasons["box/1"]
    assert "No such file" in reasons["box/2"]
    with pytest.raises(FileNotFoundError, match="No folder at"):
        build_occupancy(meshes, tmp_path / "nothing", tmp_path / "other")
