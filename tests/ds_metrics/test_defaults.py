"""Every measure gives the same bits whatever torch's default device and default dtype are."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import ds_metrics
from ds_metrics import functional
from ds_metrics.clouds import pack_clouds, pack_features
from ds_metrics.clustering import cluster, confidence_interval, dispersion_curve
from ds_metrics.features import VGG16, create_extractor
from ds_metrics.pairwise import AllPairs, nearest_clouds, nearest_points, pairwise_distance
from ds_metrics.sampling import cluster_samples


@contextmanager
def default(device=None, dtype=None):
    before = torch.get_default_dtype()
    try:
        if device is not None:
            torch.set_default_device(device)
        if dtype is not None:
            torch.set_default_dtype(dtype)
        yield
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(before)


RNG = np.random.default_rng(0)
P, Q = (torch.from_numpy(RNG.uniform(-0.5, 0.5, (12, n, 3)).astype(np.float32)) for n in (40, 40))
UP, DOWN = (torch.from_numpy(RNG.normal(size=(12, 40, 3)).astype(np.float32)) for _ in range(2))
TRAIN = torch.from_numpy(RNG.uniform(-0.5, 0.5, (9, 40, 3)).astype(np.float32))
IMAGES = torch.from_numpy(RNG.integers(0, 256, (6, 3, 40, 40)).astype(np.uint8))
VECTORS = torch.from_numpy(RNG.normal(size=(12, 30)).astype(np.float32))
GRIDS, TRUE = (torch.from_numpy(RNG.uniform(size=(3, 4, 4, 4)).astype(np.float32)) for _ in range(2))
MESHES = [([[0.0, 0, 0], [1.0, 0, 0], [0.0, 1, 0]], [[0, 1, 2]])] * 12
LENGTHS = torch.tensor([40, 30] * 6)
GG, GR, RR = (pairwise_distance(*pair) for pair in ((P,), (P, Q), (Q,)))

FUNCTIONS = {
    "chamfer": lambda: functional.chamfer_distance(P, Q),
    "padded": lambda: functional.chamfer_distance(P, Q, lengths1=LENGTHS, lengths2=LENGTHS.tolist()),
    "arrays": lambda: functional.chamfer_distance(P.numpy(), list(Q.numpy())),
    "l1": lambda: functional.chamfer_distance(P.double(), Q, squared=False),
    "none": lambda: functional.chamfer_distance([], []),
    "f_score": lambda: functional.f_score(P, Q, 0.2, kaolin_recall=True),
    "hausdorff": lambda: functional.hausdorff_distance(P, Q, percentile=90),
    "density": lambda: functional.density_aware_chamfer_distance(P, Q, n_lambda=0.5),
    "normals": lambda: functional.normal_consistency(P, Q, UP, DOWN),
    "surface": lambda: functional.point_to_surface_distance(P, MESHES),
    "earth_movers": lambda: functional.earth_movers_distance(P, Q),
    "sinkhorn": lambda: functional.earth_movers_distance(P[:2], Q[:2], method="sinkhorn", tolerance=0.1),
    "emd_bounds": lambda: functional.earth_movers_bounds(P[:2], Q[:2], tolerance=0.1),
    "voxels": lambda: functional.voxelize_clouds(P, 4),
    "voxel_iou": lambda: functional.voxel_iou(GRIDS, TRUE),
    "occupancy_iou": lambda: functional.occupancy_iou(GRIDS.flatten(1).numpy(), TRUE.flatten(1).numpy()),
    "divergence": lambda: functional.occupancy_divergence(P, Q, resolution=6),
    "mmd": lambda: functional.minimum_matching_distance(GR),
    "mmd of an array": lambda: functional.minimum_matching_distance(GR.numpy()),
    "coverage": lambda: functional.coverage(GR),
    "one_nn": lambda: functional.one_nn_accuracy(GG, GR, RR),
    "prdc": lambda: tuple(functional.prdc(GG, GR, RR, 3)),
    "vendi": lambda: functional.vendi_score(functional.distance_similarity(GG, functional.median_scale(GG))),
    "memorization": lambda: functional.memorization_z_score(GG, RR),
    "oracle": lambda: functional.oracle_nn_distance(GR),
    "recognition": lambda: functional.recognition_share(GR[:, 0], GR).share,
    "dispersion": lambda: functional.dispersion_score(P, 3),
    "knee": lambda: functional.dispersion_score(P),
    "sampled": lambda: functional.dispersion_score(P, 3, estimator="sampled"),
    "of a matrix": lambda: functional.dispersion_score(GG.numpy(), 3),
    "of vectors": lambda: functional.dispersion_score(VECTORS, 3, distance="features"),
    "of images": lambda: functional.dispersion_score(IMAGES, 2, distance="vgg16", image_size=32),
    "pairwise": lambda: pairwise_distance(P, Q, squared=False),
    "pairwise torch": lambda: pairwise_distance(P, Q, backend="torch"),
    "pairwise vectors": lambda: pairwise_distance(VECTORS, distance="features"),
    "engine": lambda: AllPairs(pack_features(VECTORS.numpy()), backend="features").run(),
    "nearest_points": lambda: nearest_points(pack_clouds(P), pack_clouds(Q)),
    "nearest_clouds": lambda: [torch.from_numpy(part) for part in nearest_clouds(pack_clouds(P), pack_clouds(Q))],
    "cluster": lambda: torch.from_numpy(cluster(GG, 3).labels),
    "curve": lambda: torch.tensor(dispersion_curve(GG).scores, device="cpu", dtype=torch.float64),
    "interval": lambda: torch.tensor(confidence_interval(GG, cluster(GG, 2)).high, device="cpu", dtype=torch.float64),
    "cluster_samples": lambda: torch.from_numpy(cluster_samples(pack_clouds(P), 3, "sampled").medoids),
    "vgg16": lambda: create_extractor("vgg16", image_size=32)(IMAGES),
    "no images": lambda: create_extractor("vgg16", image_size=32)([]),
    "pixels": lambda: create_extractor("pixels", image_size=8)(IMAGES.numpy()),
    "weights": lambda: torch.tensor(
        list(bytes.fromhex(create_extractor("vgg16").key["weights"])), device="cpu", dtype=torch.uint8
    ),
}

METRICS = {
    "ChamferDistance": {},
    "DensityAwareChamferDistance": {},
    "FScore": {"radius": 0.2},
    "HausdorffDistance": {},
    "EarthMoversDistance": {},
    "NormalConsistency": {},
    "PointToSurfaceDistance": {},
    "DispersionScore": {"n_clusters": 3},
    "MinimumMatchingDistance": {},
    "Coverage": {},
    "OneNearestNeighborAccuracy": {},
    "OccupancyDivergence": {"resolution": 6},
    "ManifoldPrecision": {},
    "ManifoldRecall": {},
    "ManifoldDensity": {},
    "ManifoldCoverage": {},
    "VendiScore": {},
    "MemorizationZScore": {"train": TRAIN},
    "OracleNearestNeighbor": {"train": TRAIN},
    "RecognitionShare": {"train": TRAIN, "n_clusters": 2},
    "VoxelIoU": {},
    "OccupancyIoU": {},
}


def measured(name):
    """The values of two batches and of all, of a metric that is made and used under the same defaults."""
    metric = getattr(ds_metrics, name)(**METRICS[name])
    values = []
    for rows in (slice(0, 7), slice(7, 12)):
        extra = {}
        pair = P[rows], Q[rows]
        if name == "VoxelIoU":
            pair = GRIDS, TRUE
        if name == "OccupancyIoU":
            pair = GRIDS.flatten(1), TRUE.flatten(1)
        if name == "NormalConsistency":
            extra = {"preds_normals": UP[rows], "target_normals": DOWN[rows]}
        if name == "PointToSurfaceDistance":
            extra = {"target_meshes": MESHES[rows]}
        values.append(metric(*pair, **extra))
    values.append(metric.compute())
    metric.reset()
    return values


def same(found, expected):
    if isinstance(expected, torch.Tensor):
        assert found.dtype == expected.dtype
        assert found.device == expected.device
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
        return
    assert len(found) == len(expected)
    for part, whole in zip(found, expected, strict=True):
        same(part, whole)


DEFAULTS = {
    "meta": {"device": "meta"},
    "bfloat16": {"dtype": torch.bfloat16},
    "float16": {"dtype": torch.float16},
    "float64": {"dtype": torch.float64},
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_do_not_look_at_defaults(name):
    expected = FUNCTIONS[name]()
    for options in DEFAULTS.values():
        with default(**options):
            found = FUNCTIONS[name]()
        same(found, expected)


@pytest.mark.parametrize("name", METRICS)
def test_metrics_do_not_look_at_defaults(name):
    expected = measured(name)
    for options in DEFAULTS.values():
        with default(**options):
            found = measured(name)
        same(found, expected)


def test_all_public_functions_are_tried():
    tried = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in functional.__all__ if name[0].islower() and f"functional.{name}(" not in tried] == []
    metrics = {name for name in ds_metrics.__all__ if hasattr(getattr(ds_metrics, name), "compute")}
    assert metrics - set(METRICS) == {"PairMetric", "SetMetric"}


def test_vgg16_is_whole_within_a_device_context_and_a_converted_module():
    expected = VGG16()(torch.full((1, 3, 16, 16), 0.4))
    with torch.device("meta"):
        built = VGG16()
    assert {value.device.type for value in built.state_dict().values()} == {"cpu"}
    held = nn.ModuleDict({"features": built, "head": nn.Linear(2, 2)})
    for convert in (lambda: held.to(torch.bfloat16), held.half, held.double):
        convert()
        assert held["head"].weight.dtype != torch.float32
        same(built(torch.full((1, 3, 16, 16), 0.4)), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_networks_of_other_types_run(dtype):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    expected = create_extractor(network, image_size=8)(IMAGES)
    found = create_extractor(network.to(dtype), image_size=8)(IMAGES)
    assert found.dtype == (torch.float16 if dtype == torch.float16 else torch.float32)
    torch.testing.assert_close(found.float(), expected, rtol=0.05, atol=0.05)


def test_networks_of_mixed_types_are_refused_in_a_sentence():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3).double(), nn.Flatten())
    with pytest.raises(ValueError, match=r"several types \(torch.float32, torch.float64\): convert it to one$"):
        create_extractor(network, image_size=8)(IMAGES)
