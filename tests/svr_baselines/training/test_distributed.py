"""Real processes that talk over gloo, against one.

In double precision: in float32 Adam makes full steps of gradients that are zero but for rounding, and the runs part.
"""

import torch
from safetensors.torch import load_file

from svr_baselines.training import TrainingConfig
from svr_baselines.training.logs import read_log

TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2")


def check_same(tmp_path, weights_within):
    """The runs `one` and `two` have the same curves of losses and of validation values, and the same weights."""
    first, second = (read_log(tmp_path / name) for name in ("one", "two"))
    assert len(first) == len(second)
    assert all(row.keys() == other.keys() for row, other in zip(first, second, strict=True))
    for name in (name for name in first[0] if "seconds" not in name):
        apart = [abs(row[name] - other[name]) for row, other in zip(first, second, strict=True)]
        assert max(apart) < 1e-7, name
    weights, others = (load_file(tmp_path / name / "last.safetensors") for name in ("one", "two"))
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        assert not value.is_floating_point() or value.dtype == torch.float64 or name.endswith("/step"), name
        assert torch.allclose(value, others[name], rtol=0, atol=weights_within), name


def test_two_processes_train_as_one(fit, start, tiny, tmp_path):
    """13 samples in batches of 5, 4 and 4: the first is not halved evenly, nor are the 7 for validation."""
    process = start(tmp_path / "two", {"count": 13, "config": {"devices": 2, "precision": "64-true"}})
    fit("one", train_set=tiny.Shapes(13), precision="64-true")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert sorted(out.split("\n")) == ["", '{"rank": 0, "steps": 18}', '{"rank": 1, "steps": 18}']
    check_same(tmp_path, weights_within=1e-9)


def test_a_network_of_ours_trains_as_one_under_torchrun(fit, start, tiny, tmp_path):
    """ResNet-18, and batch norms of its own. 23 samples in batches of 12 and 11, the last cut into 6 and 5."""
    options = {"points": 64, "code": 32, "hidden": 32}
    changes = {"network": "atlasnet-sphere", "network_options": options, "batch_size": 12, "epochs": 2}
    changes |= {"decays": [], "learning_rate": TrainingConfig("psgn").learning_rate, "precision": "64-true"}
    process = start(tmp_path / "two", {"count": 23, "size": 64, "config": changes}, TORCHRUN)
    fit("one", tiny.Shapes(23, size=64), tiny.Shapes(7, size=64, start=100), **changes)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    check_same(tmp_path, weights_within=1e-6)
    log = read_log(tmp_path / "two")
    assert log[-1]["loss"] < 0.9 * log[0]["loss"]  # it moved


def test_an_error_of_one_process_ends_both(start, tmp_path):
    process = start(tmp_path / "run", {"count": 13, "bad": 3, "config": {"devices": 2}})
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    lines = [line for line in err.splitlines() if "ValueError: The loss is nan in step" in line]
    assert len(lines) == 2
    assert all("shape-003" in line for line in lines)
    assert {line.split("]")[0] for line in lines} == {"[rank0", "[rank1"}
