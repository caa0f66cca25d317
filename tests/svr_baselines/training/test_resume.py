import time
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from svr_baselines.training import read_checkpoint
from svr_baselines.training.checkpoints import save_checkpoint
from svr_baselines.training.logs import read_log


def same(first, second):
    first, second = (load_file(folder / "last.safetensors") for folder in (first, second))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def values(folder):
    return [{name: value for name, value in row.items() if "seconds" not in name} for row in read_log(folder)]


def test_killed_and_resumed_gives_the_same_weights(fit, start, tiny, tmp_path):
    changes = {"epochs": 30, "decays": [3, 20], "checkpoint_every": 2}
    process = start(tmp_path / "killed", {"config": changes, "slow": 0.01})
    deadline = time.monotonic() + 60
    while not (tmp_path / "killed" / "previous.safetensors").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    done = read_checkpoint(tmp_path / "killed", tell=lambda line: None).epoch
    assert 2 <= done < 30
    summary, lines = fit("killed", resume=True, **changes)
    assert f"Going on after epoch {done}." in lines
    fit("whole", **changes)
    assert summary.epochs == 30
    assert same(tmp_path / "killed", tmp_path / "whole")
    assert values(tmp_path / "killed") == values(tmp_path / "whole")
    assert not list((tmp_path / "killed").glob(".last-*"))


def test_weights_in_double_go_on_as_they_were(fit, tmp_path):
    fit("part", epochs=2, decays=[], precision="64-true")
    fit("part", epochs=3, decays=[], precision="64-true", resume=True)
    fit("whole", epochs=3, decays=[], precision="64-true")
    assert same(tmp_path / "part", tmp_path / "whole")
    assert load_file(tmp_path / "part" / "last.safetensors")["network/moves.weight"].dtype == torch.float64


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_going_on_at_any_epoch_gives_the_same_weights(fit, tmp_path, stop):
    """At epoch 2 the rate falls; `epochs` may grow."""
    fit("part", epochs=max(stop, 3) if stop == 3 else stop, decays=[2] if stop == 3 else [])
    if stop < 3:
        with pytest.raises(ValueError, match=r"`decays` was \[\] and is \[2\] now"):
            fit("part", resume=True, epochs=4, decays=[2])
    fit("part", resume=True, epochs=4, decays=[2] if stop == 3 else [])
    fit("whole", epochs=4, decays=[2] if stop == 3 else [])
    assert same(tmp_path / "part", tmp_path / "whole")


def test_a_run_that_stops_in_its_epoch_goes_on(fit, tmp_path):
    def stop(done, total):
        if done > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(progress=stop)
    assert read_checkpoint(tmp_path / "run").epoch == 3
    fit(resume=True)
    fit("whole")
    assert same(tmp_path / "run", tmp_path / "whole")
    assert values(tmp_path / "run") == values(tmp_path / "whole")


@pytest.mark.parametrize("content", [b"torn", None])
def test_a_damaged_checkpoint_falls_back_and_says_so(fit, tmp_path, content):
    fit()
    path = tmp_path / "run" / "last.safetensors"
    whole = path.read_bytes()
    path.write_bytes(content or whole[:-1] + bytes([whole[-1] ^ 1]))
    _, lines = fit(resume=True)
    assert any("last.safetensors: the checkpoint is damaged" in line and "of epoch 5" in line for line in lines)
    assert "Going on after epoch 5." in lines
    assert path.read_bytes() == whole
    assert [row["epoch"] for row in read_log(tmp_path / "run")] == [1, 2, 3, 4, 5, 6]


def test_a_finished_run_is_left_as_it_is(fit, tmp_path):
    before, _ = fit()
    data = (tmp_path / "run" / "last.safetensors").read_bytes()
    after, _ = fit(resume=True)
    assert (after.epochs, after.steps, after.metrics, after.best) == (6, 18, before.metrics, before.best)
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == data
    assert len(read_log(tmp_path / "run")) == 6


def test_resume_without_a_run_starts_one(fit):
    summary, lines = fit(resume=True, epochs=1, decays=[])
    assert summary.epochs == 1
    assert not any("Going on" in line for line in lines)


def test_other_runs_are_refused(fit, tiny):
    fit()
    with pytest.raises(ValueError, match="holds a run already"):
        fit()
    with pytest.raises(ValueError, match=r"`learning_rate` was 0.01 and is 0.1 now; so do seed differ"):
        fit(resume=True, learning_rate=0.1, seed=3)
    with pytest.raises(ValueError, match="A run goes on with its data"):
        fit(resume=True, train_set=tiny.Shapes(13))
    with pytest.raises(ValueError, match="`epochs` must be at least the 6 done, but got 5"):
        fit(resume=True, epochs=5)


def test_two_runs_can_not_share_a_folder(fit, tmp_path):
    from ds_metrics._files import claim_folder

    with claim_folder(tmp_path / "run", "training in"), pytest.raises(OSError, match="another process is training in"):
        fit()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: state.update(exp_avg=torch.zeros(2, 2)),
            r"exp_avg' must have shape \(9, 16\), but has \(2, 2\)",
        ),
        (lambda state: state.update(exp_avg_sq=torch.zeros(9, 16).half()), "exp_avg_sq' must be torch.float32"),
        (lambda state: state.update(step=torch.zeros(3)), r"step' must have shape \(\), but has \(3,\)"),
        (lambda state: state["exp_avg"].fill_(torch.inf), "exp_avg' must be finite"),
        (lambda state: state.pop("exp_avg"), "exp_avg' is missing"),
        (lambda state: state.update(speed=torch.zeros(1)), "it has no 'moves.weight/speed'"),
    ],
)
def test_another_optimizers_state_is_refused_and_named(fit, tmp_path, change, message):
    fit("run", epochs=1, decays=[])
    before = read_checkpoint(tmp_path / "run")
    prefix = "moves.weight/"
    state = {key.removeprefix(prefix): value for key, value in before.optimizer.items() if key.startswith(prefix)}
    change(state)
    kept = {key: value for key, value in before.optimizer.items() if not key.startswith(prefix)}
    optimizer = kept | {prefix + key: value for key, value in state.items()}
    save_checkpoint(tmp_path / "run", replace(before, optimizer=optimizer))
    with pytest.raises(ValueError, match=rf"last.safetensors: The optimizer's state does not fit .*{message}"):
        fit("run", epochs=2, decays=[], resume=True)


def test_a_run_without_its_optimizer_is_not_gone_on_with(fit, tmp_path):
    fit("run", epochs=1, decays=[])
    save_checkpoint(tmp_path / "run", replace(read_checkpoint(tmp_path / "run"), optimizer={}))
    with pytest.raises(ValueError, match=r"last.safetensors: The optimizer's state .* is missing"):
        fit("run", epochs=2, decays=[], resume=True)
