"""Real processes that talk over gloo, against one."""

import pytest
import torch
from safetensors.torch import load_file

from svr_baselines.training.logs import read_log

LAUNCHERS = {
    "fabric": ({"devices": 2}, ()),
    "torchrun": ({}, ("-m", "torch.distributed.run", "--nproc-per-node", "2")),
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_train_as_one(fit, start, tiny, tmp_path, launcher):
    """13 samples in batches of 5, 4 and 4: the first is not halved evenly, nor are the 7 for validation."""
    changes, command = LAUNCHERS[launcher]
    process = start(tmp_path / "two", {"count": 13, "config": changes}, command)
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


def test_an_error_of_one_process_ends_both(start, tmp_path):
    process = start(tmp_path / "run", {"count": 13, "bad": 3, "config": {"devices": 2}})
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    lines = [line for line in err.splitlines() if "ValueError: The loss is nan in step" in line]
    assert len(lines) == 2
    assert all("shape-003" in line for line in lines)
    assert {line.split("]")[0] for line in lines} == {"[rank0", "[rank1"}
