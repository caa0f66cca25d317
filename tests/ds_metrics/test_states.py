"""What metrics keep: its precision, its memory and its device, and what torchmetrics' own tools do with it."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.utilities.exceptions import TorchMetricsUserError
from torchmetrics.wrappers import Running

from ds_metrics import (
    ChamferDistance,
    Coverage,
    DispersionScore,
    EarthMoversDistance,
    FScore,
    HausdorffDistance,
    MemorizationZScore,
    MinimumMatchingDistance,
    OccupancyDivergence,
    OneNearestNeighborAccuracy,
    RecognitionShare,
    VendiScore,
)
from ds_metrics.reconstruction.mean import _add, _sum


def clouds(n, seed=0, points=10):
    return torch.rand(
        n, points, 3, dtype=torch.float32, device="cpu", generator=torch.Generator("cpu").manual_seed(seed)
    )


PAIRS = [
    ChamferDistance,
    lambda: FScore(radius=0.2),
    HausdorffDistance,
    EarthMoversDistance,
]
SETS = [
    lambda: DispersionScore(n_clusters=2),
    lambda: DispersionScore(n_clusters=2, of="target"),
    lambda: DispersionScore(n_clusters=2, incremental=True),
    MinimumMatchingDistance,
    Coverage,
    OneNearestNeighborAccuracy,
    lambda: OccupancyDivergence(radius=20.0),
    VendiScore,
    lambda: MemorizationZScore(train=clouds(4, seed=9)),
    lambda: RecognitionShare(train=clouds(4, seed=9), n_clusters=2),
]
METRICS = PAIRS + SETS

CONVERSIONS = {
    "to bfloat16": lambda module: module.to(torch.bfloat16),
    "to half": lambda module: module.to(torch.float16),
    "to double": lambda module: module.to(torch.float64),
    "half": lambda module: module.half(),
    "bfloat16": lambda module: module.bfloat16(),
    "double": lambda module: module.double(),
    "type": lambda module: module.type(torch.bfloat16),
    "to device and type": lambda module: module.to("cpu", torch.bfloat16),
}


class Network(nn.Module):
    """A module that holds a metric, alone and in a collection."""

    def __init__(self, make):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.metric = make()
        self.collection = MetricCollection({"a": make(), "b": make()})

    def update(self, preds, target):
        self.metric.update(preds, target)
        self.collection.update(preds, target)

    def values(self):
        return [self.metric.compute(), *self.collection.compute().values()]


@pytest.mark.parametrize("convert", CONVERSIONS.values(), ids=CONVERSIONS)
@pytest.mark.parametrize("make", METRICS)
def test_a_conversion_of_the_module_changes_no_value(make, convert):
    batches = [(clouds(3, seed=step) * 7 + 1, clouds(3, seed=step + 50) * 7 + 1) for step in range(4)]
    plain, converted = Network(make), Network(make)
    convert(converted)  # before the epoch
    for step, batch in enumerate(batches):
        plain.update(*batch)
        converted.update(*batch)
        if step in (0, 2):  # in its midst
            convert(converted)
    convert(converted)  # after it
    for value, expected in zip(converted.values(), plain.values(), strict=True):
        assert value.dtype == torch.float32
        assert torch.equal(value, expected)
    convert(converted)  # between two computes
    assert all(map(torch.equal, converted.values(), plain.values()))
    assert converted.layer.weight.dtype == convert(nn.Linear(2, 2)).weight.dtype
    converted.metric.reset()
    converted.metric.update(*batches[0])
    plain.metric.reset()
    plain.metric.update(*batches[0])
    assert torch.equal(converted.metric.compute(), plain.metric.compute())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, "torch.HalfTensor"])
@pytest.mark.parametrize("make", METRICS)
def test_set_dtype_never_goes_below_float32(make, dtype):
    preds, target = clouds(8) * 7 + 1, clouds(8, seed=1) * 7 + 1
    plain, changed = make(), make()
    changed.set_dtype(dtype)
    for metric in (plain, changed):
        metric.update(preds[:4], target[:4])
    changed.set_dtype(dtype)
    for metric in (plain, changed):
        metric.update(preds[4:], target[4:])
    assert torch.equal(changed.compute(), plain.compute())
    changed.reset()
    changed.update(preds, target)
    plain.reset()
    plain.update(preds, target)
    assert torch.equal(changed.compute(), plain.compute())


@pytest.mark.parametrize("make", [lambda: DispersionScore(n_clusters=2), MinimumMatchingDistance])
def test_what_was_kept_in_double_stays_in_it_until_the_next_reset(make):
    far = clouds(8).double() + 1e6
    exact, changed = make().set_dtype(torch.float64), make().set_dtype(torch.float64)
    for part in far.split(4):
        exact.update(part, part.flip(0))
        changed.update(part, part.flip(0))
        changed.set_dtype(torch.float32)
    assert torch.equal(changed.compute(), exact.compute())
    changed.reset()
    with pytest.warns(RuntimeWarning, match="loses digits"):
        changed.update(far, far)


def test_set_dtype_takes_floating_point_types_alone():
    with pytest.raises(TypeError, match=r"`dst_type` must be a floating point type, but got torch\.int32"):
        ChamferDistance().set_dtype(torch.int32)


def test_a_thousand_updates_after_a_conversion():
    pred, truth = torch.zeros(1, 4, 3), torch.ones(1, 4, 3)
    module = nn.ModuleDict({"cd": ChamferDistance()})
    module.to(torch.bfloat16)
    for _ in range(1000):
        module["cd"].update(pred, truth)
    assert module["cd"].compute() == 6
    metric = ChamferDistance().set_dtype(torch.half)
    metric.reset()
    for _ in range(50):
        metric.update(pred.expand(100, 4, 3) * 1, truth.expand(100, 4, 3) * 200)
    assert metric.n_pairs == 5000
    assert metric.compute() == 6 * 200**2  # whose sum exceeds half precision by far


def test_sums_keep_what_float32_rounds_off():
    values = torch.rand(20000, generator=torch.Generator().manual_seed(1)) * 1e3
    sums = torch.zeros(2)
    for part in values.split(7):
        sums = _add(torch.stack([sums, _sum(part)]))
    assert sums.dtype == torch.float32
    exact = values.double().sum()
    assert abs(sums.double().sum() - exact) / exact < 1e-13
    ranks = torch.stack([_sum(part) for part in values.split(5000)])
    assert abs(_add(ranks).double().sum() - exact) / exact < 1e-13


def test_a_sum_beyond_float32_gives_no_number():
    metric = ChamferDistance()
    far = torch.full((1, 2, 3), 2e18)
    for _ in range(20):
        metric.update(far, -far)
    with pytest.raises(ValueError, match="exceeds float32"):
        metric.compute()


@pytest.mark.parametrize("make", METRICS)
def test_no_state_needs_float64(make):
    """Apple's GPUs have none: moved there, a float64 tensor raises."""
    metric = make()
    metric.update(clouds(4), clouds(4, seed=1))

    def to_a_device_without_float64(tensor):
        assert tensor.dtype != torch.float64
        return tensor.to("meta")

    metric._apply(to_a_device_without_float64)
    assert metric.device.type == "meta"
    for state in metric.metric_state.values():
        for part in [state] if isinstance(state, torch.Tensor) else state:
            assert part.device.type == "meta"
            assert part.dtype != torch.float64


def test_to_empty_leaves_a_metric_what_it_has():
    module = nn.ModuleDict({"layer": nn.Linear(2, 2), "cd": ChamferDistance()})
    module["cd"].update(torch.zeros(1, 4, 3), torch.ones(1, 4, 3))
    module.to_empty(device="cpu")
    assert module["cd"].compute() == 6
    assert module["cd"].to_empty(device="cpu").compute() == 6


@pytest.mark.parametrize("make", SETS)
def test_what_is_kept_holds_its_own_memory_alone(make):
    wide = torch.rand(8, 50, 128, generator=torch.Generator().manual_seed(2))
    long = torch.rand(2000, 10, 3, generator=torch.Generator().manual_seed(3))
    metric = make()
    metric.update(wide[..., :3], wide[..., 3:6])  # a view of other numbers
    metric.update(long[100:108], long[200:208])  # a view of other clouds
    metric.update([wide[0, :, :3], wide[1, :, :3]], [wide[2, :, :3], wide[3, :, :3]])
    padded = torch.tensor([10, 3])
    metric.update(long[:2], long[2:4], preds_lengths=padded, target_lengths=padded)
    kept = [part for parts in metric.metric_state.values() for part in parts]
    assert all(part.untyped_storage().nbytes() == part.nbytes for part in kept)
    n_points = 8 * 50 + 8 * 10 + 2 * 50 + 13
    sides = sum(part.numel() for part in kept if part.dtype == torch.float32) / (3 * n_points)
    assert sides == (1 if isinstance(metric, DispersionScore) else 2)


def test_features_and_training_sets_hold_their_own_memory_alone():
    wide = torch.rand(8, 4096, generator=torch.Generator().manual_seed(2))
    metric = DispersionScore(n_clusters=2, distance="features")
    metric.update(wide[:, :16])
    assert metric._points[0].untyped_storage().nbytes() == 8 * 16 * 4
    share = RecognitionShare(train=torch.rand(6, 10, 64)[..., :3], n_clusters=2)
    assert share.train_set.points.untyped_storage().nbytes() == 6 * 10 * 12


@pytest.mark.parametrize("make", SETS)
def test_a_buffer_that_is_written_anew_changes_nothing(make):
    preds, target = clouds(8), clouds(8, seed=1)
    expected, metric = make(), make()
    expected.update(preds, target)
    buffers = torch.empty(4, 10, 3), torch.empty(4, 10, 3)
    for p, t in zip(preds.split(4), target.split(4), strict=True):
        metric.update(buffers[0].copy_(p), buffers[1].copy_(t))
    assert torch.equal(metric.compute(), expected.compute())


@pytest.mark.parametrize("make", SETS)
def test_what_is_computed_on_the_cpu_is_gathered_on_the_device(make):
    """NCCL gathers from GPUs alone."""
    metric = make()
    metric.compute_on_cpu = True
    metric.update(clouds(4), clouds(4, seed=1))
    metric._device = torch.device("meta")
    seen = []

    def gather(tensor, group=None):
        seen.append(tensor.device.type)
        return [torch.zeros(tensor.shape, dtype=tensor.dtype, device="cpu")]

    metric.sync(dist_sync_fn=gather, distributed_available=lambda: True)
    assert seen
    assert set(seen) == {"meta"}
    assert all(state.device.type == "cpu" for state in metric.metric_state.values())
    metric.unsync()
    assert all(part.device.type == "cpu" for parts in metric.metric_state.values() for part in parts)


@pytest.mark.parametrize("make", METRICS)
def test_running_window(make):
    batches = [(clouds(4, seed=step), clouds(4, seed=step + 50)) for step in range(5)]
    for call in ("update", "forward"):
        window = Running(make(), window=2)
        for step, batch in enumerate(batches):
            getattr(window, call)(*batch)
            expected = make()
            for other in batches[max(0, step - 1) : step + 1]:
                expected.update(*other)
            torch.testing.assert_close(window.compute(), expected.compute(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("of", ["metric", "states"])
@pytest.mark.parametrize("make", METRICS)
def test_merging_after_a_compute(make, of):
    expected, metric, other = make(), make(), make()
    for target in (expected, metric):
        target.update(clouds(4), clouds(4, seed=1))
    for target in (expected, other):
        target.update(clouds(5, seed=2), clouds(5, seed=3))
    metric.compute()
    metric.merge_state(other if of == "metric" else other.metric_state)
    torch.testing.assert_close(metric.compute(), expected.compute(), rtol=1e-6, atol=1e-9)
    if isinstance(metric, DispersionScore):
        assert len(metric.clustering.labels) == 9
    empty = make()
    empty.merge_state(other)
    assert torch.equal(empty.compute(), other.compute())  # without a warning that nothing was added


@pytest.mark.parametrize("make", METRICS)
def test_merging_the_wrong_state_costs_nothing(make):
    metric = make()
    metric.update(clouds(4), clouds(4, seed=1))
    value = metric.compute()
    part = dict(metric.metric_state)
    part.popitem()
    with pytest.raises(ValueError, match="Expected state variable"):
        metric.merge_state(part)
    metric._computed = None
    assert torch.equal(metric.compute(), value)


@pytest.mark.parametrize("make", METRICS)
def test_loading_after_a_compute(make):
    saved, metric = make(), make()
    saved.persistent(True)
    saved.update(clouds(5, seed=2), clouds(5, seed=3))
    state = saved.state_dict()
    metric.update(clouds(4), clouds(4, seed=1))
    metric.compute()
    metric.load_state_dict(state)
    assert torch.equal(metric.compute(), saved.compute())
    fresh = make()
    fresh.load_state_dict(state)
    assert torch.equal(fresh.compute(), saved.compute())
    fresh.update(clouds(4), clouds(4, seed=1))
    assert torch.equal(saved.compute(), metric.compute())


def synchronised(metric):
    metric.sync(dist_sync_fn=lambda tensor, group=None: [tensor], distributed_available=lambda: True)
    return metric


@pytest.mark.parametrize("make", METRICS)
def test_nothing_joins_a_synchronised_metric(make):
    """Which `unsync` would forget."""
    metric, other = make(), make()
    for target in (metric, other):
        target.update(clouds(4), clouds(4, seed=1))
    other.persistent(True)
    synchronised(metric)
    for join in (
        lambda: metric.merge_state(other),
        lambda: metric.merge_state(other.metric_state),
        lambda: metric.load_state_dict(other.state_dict()),
    ):
        with pytest.raises(TorchMetricsUserError, match="synchronised with other ranks; call `unsync` first"):
            join()
    metric.unsync()
    assert torch.equal(metric.compute(), other.compute())


@pytest.mark.parametrize("make", METRICS)
def test_what_was_saved_while_synchronised_can_be_added_to(make):
    saved, loaded, merged, expected = make(), make(), make(), make()
    saved.persistent(True)
    for target in (saved, expected):
        target.update(clouds(4), clouds(4, seed=1))
    loaded.load_state_dict(synchronised(saved).state_dict())
    merged.merge_state(saved)
    for target in (loaded, merged, expected):
        target.update(clouds(5, seed=2), clouds(5, seed=3))
    for target in (loaded, merged):
        torch.testing.assert_close(target.compute(), expected.compute(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("make", METRICS)
def test_states_that_are_none_are_refused_and_cost_nothing(make):
    metric = make()
    metric.update(clouds(4), clouds(4, seed=1))
    metric.persistent(True)
    value, name = metric.compute(), next(iter(metric.metric_state))
    for bad in ("hello", ["hello"], None, *([torch.zeros(7)] if isinstance(metric.metric_state[name], Tensor) else [])):
        state = {**metric.state_dict(), name: bad}
        for join in (metric.load_state_dict, metric.merge_state):
            with pytest.raises(ValueError, match=f"State `{name}` of {type(metric).__name__} must be a"):
                join(state)
    metric._computed = None
    assert torch.equal(metric.compute(), value)


@pytest.mark.parametrize("way", ["load", "merge"])
@pytest.mark.parametrize("make", [lambda: DispersionScore(n_clusters=2), MinimumMatchingDistance])
def test_samples_that_are_loaded_or_merged_keep_their_precision(make, way):
    far = clouds(8).double() + 1e6
    exact, metric = make().set_dtype(torch.float64), make()
    exact.persistent(True)
    exact.update(far, far.flip(0))
    if way == "load":
        metric.load_state_dict(exact.state_dict())
    else:
        metric.merge_state(exact)
    for target in (exact, metric):
        target.update(far[:4] + 3, far[4:] + 3)
    assert torch.equal(metric.compute(), exact.compute())


def test_what_is_loaded_or_merged_holds_its_own_memory_alone():
    wide = torch.rand(40, 64)
    state = {"preds_points": [wide[:, :3]], "preds_lengths": [torch.full((4,), 10)]}
    loaded, merged = (DispersionScore(n_clusters=2) for _ in range(2))
    loaded.load_state_dict(state)
    merged.merge_state(state)
    expected = loaded.compute()
    wide.zero_()
    for metric in (loaded, merged):
        metric._computed = None
        assert torch.equal(metric.compute(), expected)
        assert metric._points[0].untyped_storage().nbytes() == 40 * 12


@pytest.mark.parametrize("make", METRICS)
def test_copies_after_a_forward_with_gradient(make):
    metric = make()
    preds = clouds(4).requires_grad_()
    metric(preds, clouds(4, seed=1))
    for other in (metric.clone(), copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        assert torch.equal(other.compute(), metric.compute())
    assert metric._forward_cache.grad_fn is None  # which would keep the graph of the batch


def test_reset_while_synchronised():
    metric = Coverage()
    metric.update(clouds(4), clouds(4, seed=1))
    synchronised(metric).reset()
    metric.update(clouds(4), clouds(4, seed=1))
    assert len(metric.preds_lengths) == 1


def test_a_collection_finds_batches_that_are_not_pairs():
    """Metrics of sets that lead a group of a collection take them."""
    members = {"coverage": Coverage(), "recognition": RecognitionShare(train=clouds(4, seed=9), n_clusters=2)}
    collection = MetricCollection(members)
    for n_preds, n_target in ((3, 3), (3, 4), (4, 3)):  # as many in all
        collection.update(clouds(n_preds), clouds(n_target, seed=1))
    assert len(collection.compute_groups) == 1
    with pytest.raises(ValueError, match="update 1 added 3 of `preds` and 4 of `target`"):
        collection.compute()


@pytest.mark.parametrize("default", ["meta", "cpu"])
@pytest.mark.parametrize("make", METRICS)
def test_a_metric_made_under_another_default_device(make, default):
    expected = make()
    with torch.device(default):
        metric = make()
        batch = clouds(4), clouds(4, seed=1)
        metric.update(*batch)
        metric(*batch)
        value = metric.compute()
    for _ in range(2):
        expected.update(*batch)
    torch.testing.assert_close(value, expected.compute())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("make", METRICS)
def test_a_metric_made_under_another_default_type(make, dtype):
    batch = clouds(4), clouds(4, seed=1)
    expected = make()
    expected.update(*batch)
    expected(*batch)
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(dtype)
        metric = make().to("cpu")
        metric.update(*batch)
        metric(*batch)
        value = metric.compute()
    finally:
        torch.set_default_dtype(before)
    assert torch.equal(value, expected.compute())
