"""The measures of pairs as torchmetrics metrics; of Chamfer distance and F-score, see `test_metrics`."""

import pickle

import numpy as np
import pytest
import torch
import trimesh
from torchmetrics import MetricCollection

import ds_metrics
from ds_metrics import (
    ChamferDistance,
    DensityAwareChamferDistance,
    DispersionScore,
    EarthMoversDistance,
    FScore,
    HausdorffDistance,
    NormalConsistency,
    OccupancyIoU,
    PairMetric,
    PointToSurfaceDistance,
    VoxelIoU,
    create_metric,
    functional,
    pack_clouds,
)
from ds_metrics.registry import find_metric

BOX = trimesh.creation.box()
MESH = np.array(BOX.vertices), np.array(BOX.faces)


def uniform(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def clouds(n, seed):
    return (uniform(n, 10, 3, seed=seed), uniform(n, 10, 3, seed=seed + 1)), {}


def with_normals(n, seed):
    pair, _ = clouds(n, seed)
    normals = {
        name: uniform(n, 10, 3, seed=seed + 2 + at) for at, name in enumerate(("preds_normals", "target_normals"))
    }
    return pair, normals


def with_meshes(n, seed):
    vertices, faces = MESH
    meshes = [(vertices * (1 + at / n), faces) for at in range(n)]
    return clouds(n, seed)[0], {"target_meshes": meshes}


def grids(n, seed):
    return (uniform(n, 4, 4, 4, seed=seed), uniform(n, 4, 4, 4, seed=seed + 1) > 0.5), {}


def places(n, seed):
    return (uniform(n, 50, seed=seed), uniform(n, 50, seed=seed + 1) > 0.5), {}


METRICS = [
    (EarthMoversDistance, {}, clouds, functional.earth_movers_distance),
    (EarthMoversDistance, {"method": "sinkhorn", "tolerance": 0.1}, clouds, functional.earth_movers_distance),
    (HausdorffDistance, {"directed": True, "percentile": 90.0}, clouds, functional.hausdorff_distance),
    (DensityAwareChamferDistance, {"alpha": 10.0, "n_lambda": 0.5}, clouds, functional.density_aware_chamfer_distance),
    (VoxelIoU, {"threshold": 0.3}, grids, functional.voxel_iou),
    (OccupancyIoU, {"threshold": 0.6}, places, functional.occupancy_iou),
    (NormalConsistency, {}, with_normals, lambda x, y, preds_normals, target_normals: functional.normal_consistency(
        x, y, preds_normals, target_normals)),
    (PointToSurfaceDistance, {"squared": True}, with_meshes, lambda x, y, target_meshes, squared:
        functional.point_to_surface_distance(x, target_meshes, squared)),
]  # fmt: skip
each = pytest.mark.parametrize(("factory", "options", "make", "function"), METRICS)


def split(pairs, extras, size):
    batches = zip(*(values.split(size) for values in pairs), strict=True)
    for start, batch in enumerate(batches):
        yield batch, {name: values[start * size : (start + 1) * size] for name, values in extras.items()}


@each
def test_value_is_the_functions_whatever_the_batch_size(factory, options, make, function):
    pairs, extras = make(12, seed=3)
    expected = function(*pairs, **extras, **options).double().mean().float()
    for size in (1, 5, 12):
        metric = factory(**options)
        for batch, keywords in split(pairs, extras, size):
            metric.update(*batch, **keywords)
        assert metric.compute().shape == ()
        assert metric.compute().dtype == torch.float32
        torch.testing.assert_close(metric.compute(), expected, rtol=1e-6, atol=0)


@each
def test_forward_gives_the_batch_and_keeps_the_rest(factory, options, make, function):
    (pairs, extras), metric = make(12, seed=3), factory(**options)
    for batch, keywords in split(pairs, extras, 6):
        expected = function(*batch, **keywords, **options).mean()
        torch.testing.assert_close(metric(*batch, **keywords), expected)
    torch.testing.assert_close(metric.compute(), function(*pairs, **extras, **options).mean(), rtol=1e-6, atol=0)


@each
def test_pickle_clone_and_reset(factory, options, make, function):
    (pairs, extras), (more, more_extras) = make(6, seed=3), make(2, seed=9)
    metric = factory(**options)
    metric.update(*pairs, **extras)
    value = metric.compute()
    for copy in (pickle.loads(pickle.dumps(metric)), metric.clone()):
        assert torch.equal(copy.compute(), value)
        copy.update(*more, **more_extras)
        assert not torch.equal(copy.compute(), value)
    metric.reset()
    with pytest.raises(ValueError, match="needs at least one pair"), pytest.warns(UserWarning, match="before the"):
        metric.compute()
    metric.update(*pairs, **extras)
    assert torch.equal(metric.compute(), value)


@each
def test_a_bad_batch_costs_nothing_but_itself(factory, options, make, function):
    (pairs, extras), metric = make(4, seed=3), factory(**options)
    metric(*pairs, **extras)
    value = metric.compute()
    for call in (metric, metric.update):
        with pytest.raises(ValueError, match="finite"):
            call(torch.full_like(pairs[0], torch.nan), pairs[1], **extras)
    assert torch.equal(metric.compute(), value)


@each
def test_half_precision_and_gradients_as_declared(factory, options, make, function):
    (preds, target), extras = make(4, seed=3)
    half, single = factory(**options), factory(**options)
    half.update(preds.half(), target, **extras)
    single.update(preds.half().float(), target, **extras)
    assert torch.equal(half.compute(), single.compute())
    leaf = next((values for values in extras.values() if isinstance(values, torch.Tensor)), preds).requires_grad_()
    value = factory(**options)(preds, target, **extras)
    assert value.requires_grad == factory.is_differentiable
    if value.requires_grad:
        value.backward()
        assert leaf.grad.abs().sum() > 0


def test_collection_beside_the_dispersion_score():
    metrics = [factory(**options) for factory, options, make, _ in METRICS[2:] if make not in (grids, places)]
    collection = MetricCollection([DispersionScore(n_clusters=2), ChamferDistance(), EarthMoversDistance(), *metrics])
    pairs = clouds(9, seed=3)[0]
    extras = with_normals(9, seed=3)[1] | with_meshes(9, seed=3)[1]
    for batch, keywords in split(pairs, extras, 4):
        collection.update(*batch, **keywords)
    values = collection.compute()
    assert len(values) == 7
    torch.testing.assert_close(values["EarthMoversDistance"], functional.earth_movers_distance(*pairs).mean())
    torch.testing.assert_close(values["HausdorffDistance"], functional.hausdorff_distance(*pairs, True, 90.0).mean())
    assert torch.equal(values["DispersionScore"], functional.dispersion_score(pairs[0], 2))
    for factory, options, make, function in METRICS[6:]:
        expected = function(*pairs, **make(9, seed=3)[1], **options).mean()
        torch.testing.assert_close(values[factory.__name__], expected)
    collection.reset()
    torch.testing.assert_close(collection(*pairs, **extras)["ChamferDistance"], values["ChamferDistance"])


@pytest.mark.parametrize(
    ("factory", "settings", "make"),
    [
        (ChamferDistance, [{}, {"squared": False}, {"w1": 0.0}, {"w2": 0.0}], clouds),
        (FScore, [{}, {"radius": 0.3}, {"radius": 0.3, "eps": 0.5}, {"radius": 0.3, "kaolin_recall": True}], clouds),
        (EarthMoversDistance, [{}, {"squared": True}, {"method": "sinkhorn", "tolerance": 0.5}], clouds),
        (HausdorffDistance, [{}, {"directed": True}, {"percentile": 70.0}], clouds),
        (DensityAwareChamferDistance, [{}, {"alpha": 1.0}, {"n_lambda": 0.0}], clouds),
        (PointToSurfaceDistance, [{}, {"squared": True}], with_meshes),
        (VoxelIoU, [{}, {"threshold": 0.8}], grids),
        (OccupancyIoU, [{}, {"threshold": 0.8}], places),
    ],
)
def test_collection_does_not_take_one_setting_for_another(factory, settings, make):
    """After a first batch where all values are equal, compute groups would share one state."""
    collection = MetricCollection({str(at): factory(**options) for at, options in enumerate(settings)})
    (preds, target), extras = make(8, seed=5)
    if make in (grids, places):
        first = (target, target), {}
    elif make is with_meshes:
        corners = torch.from_numpy(np.stack([vertices for vertices, _ in extras["target_meshes"]]))
        first = (corners, target), extras
    else:
        first = (preds, preds) if factory is not FScore else (preds, preds + 9), {}
    pairs = [first, ((preds, target), extras)]
    for batch, keywords in pairs:
        collection.update(*batch, **keywords)
    values = collection.compute()
    for at, options in enumerate(settings):
        alone = factory(**options)
        for batch, keywords in pairs:
            alone.update(*batch, **keywords)
        assert torch.equal(values[str(at)], alone.compute())
    assert len({value.item() for value in values.values()}) == len(settings)


class LargestOffset(PairMetric):
    """Largest offset of a coordinate of the centres, in units of a given length."""

    def __init__(self, unit=1.0):
        super().__init__("largest_offset", unit)
        self.unit = unit

    def measure(self, preds, target, preds_lengths=None, target_lengths=None):
        """Of each pair."""
        centers = [
            torch.stack([cloud.mean(dim=0) for cloud in pack_clouds(side, lengths).split()])
            for side, lengths in ((preds, preds_lengths), (target, target_lengths))
        ]
        return (centers[0] - centers[1]).abs().amax(dim=1) / self.unit


def test_a_measure_of_ones_own():
    collection = MetricCollection({"1": LargestOffset(), "2": LargestOffset(2.0), "CD": ChamferDistance()})
    preds, target = clouds(5, seed=3)[0]
    expected = (preds.mean(dim=1) - target.mean(dim=1)).abs().amax(dim=1)
    collection.update(preds[:2], preds[:2])
    for p, t in zip(preds.split(2), target.split(2), strict=True):
        collection.update(list(p), t)
    values = collection.compute()
    torch.testing.assert_close(values["1"], expected.sum() / 7)
    torch.testing.assert_close(values["2"], expected.sum() / 14)
    padded = torch.cat([preds, torch.full((5, 3, 3), torch.nan)], dim=1)
    metric = LargestOffset()
    torch.testing.assert_close(metric(padded, target, torch.full((5,), 10)), expected.mean())
    with pytest.raises(ValueError, match="finite"):
        metric(padded, target)
    torch.testing.assert_close(metric.compute(), expected.mean())


def test_a_measure_that_is_not_one_value_a_pair_is_refused():
    class Scalar(PairMetric):
        def measure(self, preds, target, preds_lengths=None, target_lengths=None):
            return preds.sum()

    with pytest.raises(ValueError, match=r"Scalar\.measure must give one value a pair, of shape \(B,\), but gave \(\)"):
        Scalar().update(*clouds(2, seed=0)[0])


def test_registered_names():
    for name, factory in (
        ("earth-movers-distance", EarthMoversDistance),
        ("emd", EarthMoversDistance),
        ("hausdorff-distance", HausdorffDistance),
        ("density-aware-chamfer-distance", DensityAwareChamferDistance),
        ("normal-consistency", NormalConsistency),
        ("point-to-surface-distance", PointToSurfaceDistance),
        ("voxel-iou", VoxelIoU),
        ("occupancy-iou", OccupancyIoU),
    ):
        assert isinstance(create_metric(name), factory)
        assert find_metric(name).needs_target
        assert factory.__name__ in ds_metrics.__all__


@pytest.mark.parametrize(
    ("name", "message"),
    [("voxel-iou", "must have shape"), ("normal-consistency", "`preds_normals`"), ("p2s", "`target_meshes`")],
)
def test_what_clouds_alone_do_not_tell_is_asked_for(name, message):
    metric = create_metric(name)
    with pytest.raises(ValueError, match=message):
        metric.update(*clouds(2, seed=0)[0])


@pytest.mark.parametrize(
    ("factory", "options", "argument"),
    [
        (EarthMoversDistance, {"method": "auction"}, "method"),
        (EarthMoversDistance, {"tolerance": 1.0}, "tolerance"),
        (HausdorffDistance, {"percentile": 0.0}, "percentile"),
        (DensityAwareChamferDistance, {"alpha": -1.0}, "alpha"),
        (DensityAwareChamferDistance, {"n_lambda": -1.0}, "n_lambda"),
        (VoxelIoU, {"threshold": float("nan")}, "threshold"),
        (OccupancyIoU, {"threshold": float("inf")}, "threshold"),
    ],
)
def test_refuses_options(factory, options, argument):
    with pytest.raises(ValueError, match=f"`{argument}` must be"):
        factory(**options)
