import numpy as np
import pytest

from svr_baselines.data import ShapeSet
from svr_baselines.normalized import differ_in_size, sizes_of, unlike_frames, unlike_points


def shapes(sizes, kind="points"):
    names = tuple(str(i) for i in range(len(sizes)))
    return ShapeSet(names, [np.zeros((size, 3), np.float32) for size in sizes], (kind,) * len(sizes))


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        ([5, 5], [5, 5], None),
        ([5, 8], [8, 5], None),
        ([5, 5], [5, 8], "predictions have 5 points a cloud and the ground truth 5 to 8 (6.5 on average)"),
        ([2, 5, 8], [2, 2, 8], "have 2 to 8 (5.0 on average) points a cloud and the ground truth 2 to 8 (4.0 on"),
    ],
)
def test_unlike_points(ours, theirs, reason):
    found = unlike_points(shapes(ours), shapes(theirs))
    assert (found is None) if reason is None else (reason in found)


def test_meshes_can_be_sampled_alike():
    assert unlike_points(shapes([5, 5]), shapes([8, 8], "mesh")).endswith("ground truth 8; --points 5 draws as many")
    assert "--points" not in unlike_points(shapes([5, 6]), shapes([8, 8], "mesh"))


def test_frames_differ_where_sizes_do(monkeypatch):
    cloud = np.array([[0, 0, 0], [2, 0, 0], [4, 0, 0]], np.float32)
    sets = [ShapeSet(("a", "b", "c"), [k * cloud, k * cloud, 9 * cloud], ("points",) * 3) for k in (1, 3)]
    sizes = sizes_of(*sets)
    assert sizes == {"predictions": 2, "targets": 6}
    assert unlike_frames("none", "none", sizes) is None
    assert unlike_frames("none", "unit-ball", sizes).endswith("of another size; --normalize unit-ball does both")
    assert unlike_frames("none", "unit-ball", sizes_of(sets[0], sets[0])) is None
    monkeypatch.setattr("svr_baselines.normalized._SIZED", 2)
    assert sizes_of(*sets) == {"predictions": 10, "targets": 12}  # of the first and the third
    assert [differ_in_size({"predictions": size, "targets": 4.0}) for size in (3, 4, 5, 5.1)] == [
        True,
        False,
        False,
        True,
    ]
    assert not differ_in_size({"predictions": 0.0, "targets": 0.0})
