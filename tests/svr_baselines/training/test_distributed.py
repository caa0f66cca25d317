"""Real processes that talk over gloo, against one."""

import pytest
import torch
from safetensors.torch import load_file

from svr_baselines.training.logs import read_log

TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2")


def test_two_processes_train_as_one(fit, start, tiny, tmp_path):
    """13 samples in batches of 5, 4 and 4: the first is not halved evenly, nor are the 7 for validation."""
    process = start(tmp_path / "two", {"count": 13, "config": {"devices": 2}})
    fit("one", train_set=tiny.Shapes(13))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert sorted(out.split("\n")) == ["", '{"rank": 0, "steps": 18}', '{"rank": 1, "steps": 18}']
    first, second = read_log(tmp_path / "one"), read_log(tmp_path / "two")
    for name in ("epoch", "step", "learning_rate", "loss", "chamfer_distance", "dispersion_score", "dispersion_truth"):
        assert [row[name] for row in second] == pytest.approx([row[name] for row in first], rel=1e-3, abs=1e-6), name
    curves = [torch.tensor([row["loss"] for row in log]) for log in (first, second)]
    assert (curves[0] - curves[1]).abs().max() < 1e-4
    weights = [load_file(tmp_path / name / "last.safetensors") for name in ("one", "two")]
    for name in weights[0]:
        if name.startswith("network/"):
            assert torch.allclose(weights[0][name].float(), weights[1][name].float(), atol=5e-3), name


def test_a_network_of_ours_trains_as_one_under_torchrun(fit, start, tiny, tmp_path):
    """It has batch norms of its own. In one batch, as rounding grows fast where few samples normalise each other."""
    options = {"points": 64, "code": 32, "hidden": 32}
    changes = {"network": "atlasnet-sphere", "network_options": options, "batch_size": 20, "learning_rate": 3e-6}
    process = start(tmp_path / "two", {"count": 13, "config": {**changes, "epochs": 3, "decays": []}}, TORCHRUN)
    fit("one", train_set=tiny.Shapes(13), **changes, epochs=3, decays=[])
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    curves = [torch.tensor([row["loss"] for row in read_log(tmp_path / name)]) for name in ("one", "two")]
    assert (curves[0] - curves[1]).abs().max() < 1e-4
    assert (curves[0][0] - curves[0][-1]).abs() > 1e-3  # it moved


def test_an_error_of_one_process_ends_both(start, tmp_path):
    process = start(tmp_path / "run", {"count": 13, "bad": 3, "config": {"devices": 2}})
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    lines = [line for line in err.splitlines() if "ValueError: The loss is nan in step" in line]
    assert len(lines) == 2
    assert all("shape-003" in line for line in lines)
    assert {line.split("]")[0] for line in lines} == {"[rank0", "[rank1"}
