"""IoU of voxel grids and of occupancy at places."""

import importlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ds_metrics.functional import occupancy_iou, voxel_iou, voxelize_clouds
from ds_metrics.pairwise import backends


def occupancy_of_grids(preds, target, *threshold):
    flat = (
        values.flatten(1) if hasattr(values, "flatten") and values.ndim > 2 else values for values in (preds, target)
    )
    return occupancy_iou(*flat, *threshold)


MEASURES = [(voxel_iou, 0.4), (occupancy_of_grids, 0.5)]


def grids(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def by_loops(preds, target, threshold):
    pairs = [(p >= threshold, t >= threshold) for p, t in zip(preds.flatten(), target.flatten(), strict=True)]
    return sum(p and t for p, t in pairs) / sum(p or t for p, t in pairs)


@pytest.mark.parametrize(("measure", "threshold"), MEASURES)
def test_loops_at_the_default_threshold(measure, threshold):
    preds, target = grids(3, 4, 5, 6), grids(3, 4, 5, 6, seed=1)
    preds[0, 0, 0, 0] = target[0, 0, 0, 1] = threshold  # counts as occupied
    expected = [by_loops(p, t, torch.tensor(threshold)) for p, t in zip(preds, target, strict=True)]
    torch.testing.assert_close(measure(preds, target), torch.tensor(expected))
    torch.testing.assert_close(measure(preds, target >= threshold), torch.tensor(expected))


def test_kaolins_documented_example():
    pred = torch.tensor([[[[0.0, 0.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]]])
    torch.testing.assert_close(voxel_iou(pred, torch.ones(1, 2, 2, 2)), torch.tensor([0.75]))


@pytest.mark.skipif(not backends.can_import("kaolin.metrics.voxelgrid"), reason=f"Kaolin's IoU {backends.NEEDS_KAOLIN}")
def test_kaolin():
    preds, target = grids(5, 8, 8, 8) > 0.5, grids(5, 8, 8, 8, seed=1) > 0.7
    expected = importlib.import_module("kaolin.metrics.voxelgrid").iou(preds, target)
    torch.testing.assert_close(voxel_iou(preds, target), expected)


@given(st.integers(0, 99), st.floats(0.1, 0.9))
def test_laws(seed, threshold):
    preds, target = grids(2, 3, 4, 5, seed=seed), grids(2, 3, 4, 5, seed=seed + 1)
    for measure, _ in MEASURES:
        value = measure(preds, target, threshold)
        assert torch.equal(measure(target, preds, threshold), value)
        assert torch.equal(measure(preds / 8, target / 8, threshold / 8), value)
        assert torch.equal(measure(preds, preds, threshold), torch.ones(2))
        assert ((value >= 0) & (value <= 1)).all()


def test_nothing_in_common_is_zero_and_an_empty_prediction_too():
    target = torch.zeros(1, 2, 2, 2, dtype=torch.bool)
    target[0, 0] = True
    assert voxel_iou(~target, target).item() == 0
    assert voxel_iou(torch.zeros(1, 2, 2, 2), target).item() == 0


def test_arrays_of_places():
    assert occupancy_iou(np.array([[0.9, 0.2]]), np.array([[True, True]])).tolist() == [0.5]


def test_voxels_of_clouds_by_loops():
    clouds = [torch.rand(n, 3, generator=torch.Generator().manual_seed(n)) * 4 - 1 for n in (9, 30)]
    clouds[0][0] = torch.tensor([3.0, -1.0, 3.0])  # on the boundary
    expected = torch.zeros(2, 5, 5, 5, dtype=torch.bool)
    for index, cloud in enumerate(clouds):
        for point in cloud.tolist():
            expected[(index, *(min(int((value + 1) / 4 * 5), 4) for value in point))] = True
    assert torch.equal(voxelize_clouds(clouds, 5, -1.0, 3.0), expected)
    assert voxel_iou(voxelize_clouds(clouds, 5, -1.0, 3.0), expected).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resolution": 0}, "`resolution` must be an integer of at least 1"),
        ({"resolution": 4, "low": 1.0}, "`low` and `high` must be finite and in order"),
        ({"resolution": 4, "high": 0.4}, "must lie between -1.0 and 0.4, but a point of cloud 1"),
    ],
)
def test_voxels_refuse(options, message):
    with pytest.raises(ValueError, match=message):
        voxelize_clouds([torch.zeros(2, 3), torch.full((2, 3), 0.5)], **options)


def test_points_are_no_occupancy():
    """Coordinates would give a number, which would mean nothing."""
    points = torch.rand(2, 50, 3)
    with pytest.raises(ValueError, match=r"`preds` must have shape \(B, Q\), but got \(2, 50, 3\)"):
        occupancy_iou(points, points)
    with pytest.raises(ValueError, match="`target` must hold finite occupancy between 0 and 1, but got others"):
        occupancy_iou(torch.ones(2, 50), points[..., 0] - 1)


@pytest.mark.parametrize("measure", [voxel_iou, occupancy_of_grids])
def test_refuses(measure):
    full = torch.ones(2, 2, 2, 2)
    for bad, error, message in (
        (torch.ones(2, 2, 2, 3), ValueError, "must have one shape"),
        (torch.full_like(full, torch.nan), ValueError, "`preds` must hold finite occupancy"),
        (full.int(), TypeError, "`preds` must be a bool or floating point tensor, but got torch.int32"),
        ([1.0], TypeError, "`preds` must be a bool or floating point tensor, but got list"),
    ):
        with pytest.raises(error, match=message):
            measure(bad, full)
    with pytest.raises(ValueError, match="must not both be empty, but sample 1 is"):
        measure(torch.stack([full[0], 0 * full[0]]), torch.stack([full[0], 0 * full[0]]))
    with pytest.raises(ValueError, match="`threshold` must be a finite number"):
        measure(full, full, float("nan"))
    with pytest.raises(ValueError, match="`preds` must have shape"):
        measure(torch.ones(3), torch.ones(3))
