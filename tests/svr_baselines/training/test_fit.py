import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from svr_baselines.training import load_network, predict, read_checkpoint, read_config
from svr_baselines.training.logs import read_log
from svr_baselines.training.steps import Stepper


def weights(folder, name="last"):
    return load_file(folder / f"{name}.safetensors")


def test_training_lowers_the_loss_and_tells_the_shapes_apart(fit, tiny, tmp_path):
    summary, lines = fit(epochs=40, decays=[30], validate_every=10, checkpoint_every=10)
    log = read_log(tmp_path / "run")
    assert log[-1]["loss"] < log[0]["loss"] / 10
    assert summary.metrics["chamfer_distance"] < 0.05
    assert [row["epoch"] for row in log if "chamfer_distance" in row] == [10, 20, 30, 40]
    network = load_network(tmp_path / "run")
    items = [tiny.Shapes(start=100)[index] for index in range(6)]
    points = network(torch.stack([item.image for item in items])).detach()
    widths = points[:, :, 2].std(dim=1)
    assert widths[1::2].min() > 2 * widths[0::2].max()  # plates and rods
    assert len(lines) == 41


def test_what_a_run_leaves(fit, tiny, tmp_path):
    told, seen = [], tiny.Shapes(13)
    summary, lines = fit(train_set=seen, progress=lambda done, total: told.append((done, total)), passes=2)
    folder = tmp_path / "run"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [
            "config.json",
            "log.csv",
            *(f"{name}.{end}" for name in ("last", "previous", "best") for end in ("json", "safetensors")),
        ]
    )
    assert (summary.epochs, summary.steps, summary.rank) == (6, 6 * 2 * 3, 0)
    assert read_config(folder / "config.json") == tiny.make_config(passes=2)
    last, previous = read_checkpoint(folder), json.loads((folder / "previous.json").read_text())
    assert (last.epoch, last.step, previous["epoch"]) == (6, 36, 5)
    assert last.data == {"train": 13, "validation": 7, "image": [3, 16, 16], "coordinates": "object"}
    assert last.options == {"points": 32, "hidden": 16}
    assert torch.__version__.startswith(last.versions["torch"])
    log = read_log(folder)
    best = min(log, key=lambda row: row["chamfer_distance"])
    assert read_checkpoint(folder, "best").epoch == summary.best["epoch"] == best["epoch"]
    assert last.metrics == {name: value for name, value in log[-1].items() if "seconds" not in name}
    assert told[-1] == (13 * 12, 13 * 12)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert seen.epochs == list(range(12))
    assert lines[0] == "13 samples for training, 7 for validation."
    assert lines[-1].startswith("epoch 6/6  loss ")


def test_rates_fall_where_they_should_and_adam_starts_anew(fit, tmp_path, monkeypatch):
    started = []
    start = Stepper.start_optimizer
    monkeypatch.setattr(Stepper, "start_optimizer", lambda self, rate: (started.append(rate), start(self, rate))[1])
    fit(epochs=5, decays=[2, 4], decay_factor=0.5)
    assert started == [0.01, 0.005, 0.0025]
    assert [row["learning_rate"] for row in read_log(tmp_path / "run")] == [0.01, 0.01, 0.005, 0.005, 0.0025]
    # Three steps an epoch; the last epoch is the first of its optimizer, which has forgotten the four before.
    counts = [value.item() for name, value in weights(tmp_path / "run").items() if name.endswith("/step")]
    assert set(counts) == {3.0}
    counts = [value.item() for name, value in weights(tmp_path / "run", "previous").items() if name.endswith("/step")]
    assert set(counts) == {6.0}


def test_steps_are_adams(tiny, tmp_path):
    """One step from its definition: the first has a size of the rate, against the sign of the gradient."""
    from svr_baselines.training.batches import collate
    from svr_baselines.training.fabric import create_fabric

    config = tiny.make_config()
    stepper = Stepper(config, create_fabric(config))
    stepper.start_optimizer(0.01)
    before = {name: value.clone() for name, value in stepper.network.named_parameters()}
    stepper.step(collate([tiny.Shapes()[index] for index in range(4)]), 0, 4)
    for name, value in stepper.network.named_parameters():
        gradient = value.grad
        expected = before[name] - 0.01 * gradient / (gradient.abs() + 1e-8)
        assert torch.allclose(value, expected, atol=1e-6), name


def test_runs_depend_on_the_seed_alone(fit, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit("a", epochs=2, decays=[])
    assert torch.equal(torch.rand(3), expected)  # the random state of the process is left alone
    fit("b", epochs=2, decays=[], data_workers=1, checkpoint_every=2)
    fit("c", epochs=2, decays=[], seed=2)
    first, second, third = (weights(tmp_path / name) for name in "abc")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], third[name]) for name in first)


def test_clipping_bounds_the_gradient(fit, tmp_path, monkeypatch):
    norms = []
    step = torch.optim.Adam.step

    def watch(self, *args, **kwargs):
        norms.append(torch.stack([w.grad.norm() for group in self.param_groups for w in group["params"]]).norm().item())
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", watch)
    fit("free", epochs=1, decays=[])
    assert max(norms) > 0.011
    norms.clear()
    fit("clipped", epochs=1, decays=[], clip=0.01)
    assert norms == pytest.approx([0.01] * 3, rel=1e-3)


def test_half_precision_trains(fit, tmp_path):
    summary, _ = fit(epochs=10, decays=[], precision="bf16-mixed")
    log = read_log(tmp_path / "run")
    assert log[-1]["loss"] < log[0]["loss"] / 3
    full, _ = fit("full", epochs=10, decays=[])
    assert summary.metrics["loss"] != full.metrics["loss"]
    assert all(
        value.dtype == torch.float32 for name, value in weights(tmp_path / "run").items() if "tracked" not in name
    )


def test_a_loss_that_is_nan_names_the_samples_and_leaves_the_checkpoints(fit, tiny, tmp_path):
    class Spoiled(tiny.Shapes):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            if self.epoch == 2 and index == 7:
                item.image.fill_(torch.nan)
            return item

    with pytest.raises(ValueError, match=r"The loss is nan in step \d, whose samples are .*shape-007") as caught:
        fit(train_set=Spoiled())
    named = [
        name for name in str(caught.value).replace(",", " ").replace(":", " ").split() if name.startswith("shape-")
    ]
    assert len(named) == 4  # the batch, and no other
    checkpoint = read_checkpoint(tmp_path / "run")
    assert checkpoint.epoch == 2
    assert all(torch.isfinite(value).all() for value in checkpoint.network.values())
    with pytest.raises(ValueError, match=r"in step 1, whose samples are .*shape-003"):
        fit("other", train_set=tiny.Shapes(4, bad=3))


def test_weights_that_are_infinite_are_not_saved(fit, tiny, tmp_path):
    with pytest.raises(ValueError, match=r"(The loss is (nan|inf)|Weights are NaN or infinite)"):
        fit(learning_rate=1e38, epochs=3, decays=[])
    assert not (tmp_path / "run" / "last.safetensors").exists()


@pytest.mark.parametrize(
    ("sets", "text"),
    [
        (lambda t: (t.Shapes(0), t.Shapes()), "`train_set` must have items, but it is empty"),
        (lambda t: (t.Shapes(), t.Shapes(0)), "`validation_set` must have items, but it is empty"),
        (
            lambda t: (t.Shapes(size=16), t.Shapes(size=8)),
            r"images of one size, but got \(3, 16, 16\) and \(3, 8, 8\)",
        ),
        (lambda t: (t.Shapes(coordinates="viewer"), t.Shapes()), "same axes, but got 'viewer' and 'object'"),
        (
            lambda t: (t.Shapes(), t.Shapes(2)),
            "`clusters` must be below the number of validation samples, 2, but got 2",
        ),
    ],
)
def test_sets_that_do_not_go_together_are_refused(fit, tiny, tmp_path, sets, text):
    train_set, validation_set = sets(tiny)
    with pytest.raises(ValueError, match=text):
        fit(train_set=train_set, validation_set=validation_set)
    assert not (tmp_path / "run").exists()


def test_clouds_may_differ_in_size_between_network_and_sets(fit, tiny):
    summary, _ = fit(train_set=tiny.Shapes(points=50), validation_set=tiny.Shapes(7, points=25), epochs=1, decays=[])
    assert np.isfinite(summary.metrics["dispersion_share"])


def test_unknown_networks_and_devices_are_refused(fit):
    with pytest.raises(ValueError, match="'tinny'; did you mean 'tiny'"):
        fit(network="tinny")
    with pytest.raises(ValueError, match="no option 'width'"):
        fit("other", network_options={"width": 3})
    with pytest.raises(ValueError, match="Fabric can't serve this configuration"):
        fit("third", accelerator="abacus")


def test_without_fabric(fit, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    monkeypatch.setitem(sys.modules, "lightning.fabric", None)
    with pytest.raises(ValueError, match=r"Training needs Lightning Fabric .*pip install 'dispersion-score\[train\]'"):
        fit()


def test_loggers_of_fabric_get_the_values(fit, tmp_path):
    from lightning_fabric.loggers import CSVLogger

    fit(epochs=2, decays=[], loggers=[CSVLogger(tmp_path / "csv", flush_logs_every_n_steps=1)])
    (path,) = (tmp_path / "csv").rglob("metrics.csv")
    assert "chamfer_distance" in path.read_text()


@pytest.mark.parametrize(("count", "batch_size", "fewest"), [(3, 1, 1), (3, 2, 1), (1, 5, 1)])
def test_batches_of_one_sample_are_refused_where_batch_norm_needs_two(fit, tiny, tmp_path, count, batch_size, fewest):
    message = rf"`batch_size` must leave at least 2 samples .* cuts {count} samples into batches of {fewest}$"
    with pytest.raises(ValueError, match=message):
        fit(train_set=tiny.Shapes(count), batch_size=batch_size)
    assert not list((tmp_path / "run").glob("*.safetensors"))


def test_batches_of_one_sample_do_where_batch_norm_has_many_values(fit, tiny):
    summary, _ = fit(
        train_set=tiny.Shapes(2, size=64),
        validation_set=tiny.Shapes(7, size=64),
        network="foldingnet",
        network_options={"points": 16, "code": 8, "hidden": 8},
        batch_size=1,
        epochs=1,
        decays=[],
    )
    assert summary.steps == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"devices": 10**6}, r"`devices` must be at most the \d+ cores of this machine, .* but got 1000000"),
        ({"nodes": 2}, "`nodes` must be 1 where neither torchrun, a scheduler nor MASTER_ADDR"),
        ({"data_workers": 10**6}, r"`data_workers` must be at most \d+, 8 a core, but got 1000000"),
        ({"accelerator": "cuda"}, "Fabric can't serve this configuration: "),
    ],
)
def test_what_the_machine_has_not_is_refused(fit, changes, message, monkeypatch):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    if changes == {"accelerator": "cuda"} and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ValueError, match=message):
        fit(**changes)


def test_fabric_is_quiet_and_the_precision_is_in_the_log(fit, caplog):
    _, lines = fit(precision="bf16-mixed", epochs=1, decays=[])
    assert lines[1] == "Training in bf16-mixed on cpu, one process."
    assert caplog.records == []


@pytest.mark.parametrize(
    ("dtype", "device"), [(torch.bfloat16, "cpu"), (torch.float64, "cpu"), (torch.float32, "meta")]
)
def test_other_defaults_of_torch_change_no_training_and_no_prediction(fit, tiny, tmp_path, dtype, device):
    def run(name):
        summary, _ = fit(name, epochs=1, decays=[])
        return summary.metrics, np.load(predict(tmp_path / name, tiny.Shapes(4), tmp_path / name / "out"))

    metrics, points = run("usual")
    torch.set_default_dtype(dtype)
    torch.set_default_device(device)
    try:
        others, moved = run("other")
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert metrics == others
    assert np.array_equal(points, moved)
