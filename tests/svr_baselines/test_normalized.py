import numpy as np
import pytest

from svr_baselines.data import ShapeSet
from svr_baselines.normalized import unlike_points


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
