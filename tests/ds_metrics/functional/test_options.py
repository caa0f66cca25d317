"""Options that are none, and input that is no dense tensor, are refused by name; by functions and metrics alike."""

import math
import warnings

import numpy as np
import pytest
import torch

import ds_metrics
from ds_metrics import functional
from ds_metrics.clustering import kmedoids
from ds_metrics.features import create_extractor
from ds_metrics.measure import Measure
from ds_metrics.pairwise import pairwise_distance

POINTS = torch.rand(2, 6, 3, generator=torch.Generator().manual_seed(0)) - 0.5
GRIDS = torch.ones(2, 3, 3, 3)
MESHES = [([[0.0, 0, 0], [1.0, 0, 0], [0.0, 1, 0]], [[0, 1, 2]])] * 2
SQUARE = torch.tensor([[0.0, 1, 2], [1, 0, 3], [2, 3, 0]])

FLAG = ("no", 1, None, 0.0, math.nan)
POSITIVE = (0, -1, math.nan, math.inf, "0.1", True, None)
CASES = [
    ("w1", (-1, math.nan, math.inf, "1", True, None), functional.chamfer_distance, "ChamferDistance"),
    ("w2", (-0.1, math.nan, -math.inf, "1", False), functional.chamfer_distance, "ChamferDistance"),
    ("squared", FLAG, functional.chamfer_distance, "ChamferDistance"),
    ("radius", POSITIVE, functional.f_score, "FScore"),
    ("eps", POSITIVE, functional.f_score, "FScore"),
    ("kaolin_recall", FLAG, functional.f_score, "FScore"),
    ("directed", FLAG, functional.hausdorff_distance, "HausdorffDistance"),
    ("percentile", (0, 101, math.nan, "95", True, None), functional.hausdorff_distance, "HausdorffDistance"),
    ("alpha", POSITIVE, functional.density_aware_chamfer_distance, "DensityAwareChamferDistance"),
    ("n_lambda", (-1, math.nan, math.inf, "1", True), functional.density_aware_chamfer_distance, None),
    ("n_lambda", (-1, math.nan, math.inf, "1", True), None, "DensityAwareChamferDistance"),
    ("squared", FLAG, functional.earth_movers_distance, "EarthMoversDistance"),
    ("tolerance", (0, 1, math.nan, "0.1", True), functional.earth_movers_distance, "EarthMoversDistance"),
    ("method", ("emd", None, 1), functional.earth_movers_distance, "EarthMoversDistance"),
    ("squared", FLAG, functional.earth_movers_bounds, None),
    ("radius", POSITIVE, functional.occupancy_divergence, "OccupancyDivergence"),
    ("resolution", (2, 513, 4.0, "4", True), functional.occupancy_divergence, "OccupancyDivergence"),
    ("squared", FLAG, pairwise_distance, None),
    ("squared", FLAG, None, "DispersionScore"),
    ("incremental", FLAG, None, "DispersionScore"),
    ("seed", (-1, 0.5, "0", True), None, "DispersionScore"),
    ("squared", FLAG, None, "Coverage"),
    ("squared", FLAG, None, "PointToSurfaceDistance"),
    ("nearest_k", (0, 1.5, "3", True), None, "ManifoldRecall"),
    ("scale", (0, -1, math.nan, math.inf, "mean", True, None), None, "VendiScore"),
    ("store", (3, True, math.nan, ["here"]), pairwise_distance, "DispersionScore"),
    ("store", (3, True, math.nan, ["here"]), None, "Coverage"),
    ("cluster", (3, True, math.nan, ["local:2"]), pairwise_distance, "DispersionScore"),
    ("cluster", (3, True, math.nan, ["local:2"]), None, "Coverage"),
    ("threshold", (math.nan, math.inf, "0.5", True, None), None, "VoxelIoU"),
    ("threshold", (math.nan, math.inf, "0.5", True, None), None, "OccupancyIoU"),
]


def refused(call, name):
    with pytest.raises((TypeError, ValueError)) as error:
        call()
    assert f"`{name}`" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "values", "function", "metric"), CASES)
def test_options_are_checked_by_functions_and_metrics(name, values, function, metric):
    for value in values:
        if function is not None:
            refused(lambda value=value: function(POINTS, POINTS, **{name: value}), name)
        if metric is not None:
            refused(lambda value=value: getattr(ds_metrics, metric)(**{name: value}), name)


def test_other_options_are_checked():
    for value in FLAG:
        refused(lambda value=value: Measure("chamfer", squared=value), "squared")
        refused(lambda value=value: functional.point_to_surface_distance(POINTS, MESHES, value), "squared")
        for estimator in ("exact", "sampled"):
            refused(
                lambda value=value, estimator=estimator: functional.dispersion_score(
                    POINTS, 1, squared=value, estimator=estimator
                ),
                "squared",
            )
    for value in (math.nan, math.inf, "0", True):
        refused(lambda value=value: functional.voxelize_clouds(POINTS, 3, low=value), "low")
        refused(lambda value=value: functional.voxelize_clouds(POINTS, 3, high=value), "high")
        refused(lambda value=value: functional.voxel_iou(GRIDS, GRIDS, value), "threshold")
        refused(lambda value=value: functional.occupancy_iou(GRIDS[0, 0], GRIDS[0, 0], value), "threshold")
    for value in (*POSITIVE, "median"):
        refused(lambda value=value: functional.distance_similarity(SQUARE, value), "scale")
    assert functional.chamfer_distance(POINTS, POINTS, w1=np.float32(0), w2=np.int64(2)).tolist() == [0, 0]


def masked(tensor):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.masked.masked_tensor(tensor, torch.ones_like(tensor, dtype=torch.bool))


def nested(layout):
    def make(tensor):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.nested.nested_tensor(list(tensor), layout=layout)

    return make


def quantized(tensor):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(tensor.float(), 0.1, 0, torch.quint8)


UNLIKE = {
    "masked": masked,
    "numpy's masked": lambda tensor: np.ma.masked_array(tensor.numpy()),
    "sparse": lambda tensor: tensor.to_sparse(),
    "nested": nested(torch.strided),
    "jagged": nested(torch.jagged),
    "meta": lambda tensor: tensor.to("meta"),
    "quantized": quantized,
}


@pytest.mark.parametrize("kind", UNLIKE)
def test_input_that_is_no_dense_tensor_is_refused(kind):
    make = UNLIKE[kind]
    vectors, lengths = torch.rand(3, 4), torch.tensor([6, 5])
    calls = {
        "p1": lambda: functional.chamfer_distance(make(POINTS), POINTS),
        "p2": lambda: functional.hausdorff_distance(POINTS, make(POINTS)),
        "pred_points": lambda: functional.f_score(POINTS, make(POINTS)),
        "points": lambda: functional.point_to_surface_distance(make(POINTS), MESHES),
        "normals1": lambda: functional.normal_consistency(POINTS, POINTS, make(POINTS), POINTS),
        "x": lambda: pairwise_distance(make(POINTS)),
        "generated": lambda: functional.occupancy_divergence(make(POINTS), POINTS),
        "clouds": lambda: functional.voxelize_clouds(make(POINTS), 3),
        "samples": lambda: functional.dispersion_score(make(vectors), 1, distance="features"),
        "images": lambda: create_extractor("pixels", image_size=4)(make(torch.rand(2, 3, 4, 4))),
        "preds": lambda: functional.voxel_iou(make(GRIDS), GRIDS),
        "target": lambda: functional.occupancy_iou(GRIDS[0, 0], make(GRIDS[0, 0])),
        "d_gr": lambda: functional.coverage(make(SQUARE)),
        "similarity": lambda: functional.vendi_score(make(torch.eye(3))),
        "distances": lambda: kmedoids(make(SQUARE), 1),
        "meshes": lambda: functional.point_to_surface_distance(POINTS, [(make(torch.eye(3)), [[0, 1, 2]])] * 2),
    }
    if kind not in ("nested", "jagged"):  # which have no single dimension
        calls["lengths"] = lambda: functional.chamfer_distance(POINTS, POINTS, lengths1=make(lengths))
        calls["meshes "] = lambda: functional.point_to_surface_distance(
            POINTS, [([make(row) for row in torch.eye(3)], [[0, 1, 2]])] * 2
        )
        calls["distances "] = lambda: kmedoids([make(row) for row in SQUARE], 1)
        calls["p1 "] = lambda: functional.chamfer_distance([make(POINTS[0]), POINTS[1]], POINTS)
    for name, call in calls.items():
        with pytest.raises(TypeError) as error:
            call()
        assert f"Argument `{name.strip()}" in str(error.value), name
        assert "dense tensors or arrays, but got" in str(error.value), name
    metrics = {"preds": ds_metrics.ChamferDistance(), "target": ds_metrics.Coverage()}
    for name, metric in metrics.items():
        with pytest.raises(TypeError, match="dense tensors or arrays"):
            metric.update(*(make(POINTS) if name == side else POINTS for side in ("preds", "target")))


def test_numbers_of_other_types_are_refused():
    small, long = (lambda tensor: tensor.to(torch.float8_e4m3fn)), (lambda tensor: tensor.numpy().astype(np.longdouble))
    for make in (small, long):
        refused(lambda make=make: functional.voxel_iou(GRIDS, make(GRIDS)), "target")
        refused(lambda make=make: functional.occupancy_iou(make(GRIDS[0, 0]), GRIDS[0, 0]), "preds")
        refused(lambda make=make: functional.coverage(make(SQUARE)), "d_gr")
        refused(lambda make=make: create_extractor("pixels", image_size=4)(make(torch.rand(2, 3, 4, 4))), "images")
    for kind in (object, str, "M8[s]"):
        refused(lambda kind=kind: functional.dispersion_score(np.zeros((3, 3), kind), 1), "distances")


def test_matrices_that_are_none():
    for matrix in ([SQUARE[0], None, "x"], [[0.0, 1.0], [1.0]], [[0.0, "x"], ["x", 0.0]], None, "ab"):
        refused(lambda matrix=matrix: kmedoids(matrix, 1), "distances")


def test_meshes_that_are_none():
    corners, faces = MESHES[0]
    for meshes in (None, 3.5, torch.tensor(1.0), [(corners, None)] * 2, [([corners[0], "x"], faces)] * 2, ["ab"] * 2):
        refused(lambda meshes=meshes: functional.point_to_surface_distance(POINTS, meshes), "meshes")
    for make in (lambda part: torch.tensor(part, dtype=torch.float16), lambda part: torch.tensor(part).bfloat16()):
        assert functional.point_to_surface_distance(POINTS, [(make(corners), faces)] * 2).shape == (2,)
    refused(
        lambda: functional.point_to_surface_distance(POINTS, [(torch.tensor(corners).cfloat(), faces)] * 2), "meshes"
    )
    assert functional.point_to_surface_distance(POINTS, zip(*zip(*MESHES, strict=True), strict=True)).shape == (2,)


def test_lengths_that_are_none():
    for kind in (torch.complex64, torch.bool, torch.float16, torch.float8_e4m3fn):
        with pytest.raises(ValueError, match="`lengths` of `p1` must be 2 integers"):
            functional.chamfer_distance(POINTS, POINTS, lengths1=torch.ones(2).to(kind))
    unsigned = functional.chamfer_distance(POINTS, POINTS, lengths1=np.array([6, 5], np.uint16))
    assert torch.equal(unsigned, functional.chamfer_distance(POINTS, POINTS, lengths1=[6, 5]))
    for lengths in ("ab", object(), [[1], [2, 3]]):
        with pytest.raises(TypeError, match="`lengths` of `p1` must be a tensor of integers"):
            functional.chamfer_distance(POINTS, POINTS, lengths1=lengths)
    every_other = torch.tensor([6, 0, 5, 0])[::2]
    assert functional.chamfer_distance(POINTS, POINTS, lengths1=every_other).shape == (2,)
