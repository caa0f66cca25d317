"""Training as a job: in this process, or in processes of its own where it takes several devices.

Fabric starts the processes of several devices by running the program again. That must not be the whole experiment, so
the program is this module, ``python -m svr_baselines.experiments.training_process``, with the job in an environment
variable.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from svr_baselines.experiments.jobs import Context
from svr_baselines.experiments.work import open_part

_JOB = "DS_TRAINING_JOB"  # environment variable: processes that Fabric starts have the same


def train_network(
    context: Context,
    *,
    run: str,
    data: Mapping[str, Any],
    options: Mapping[str, Any],
    preset: str,
    network: str,
    seed: int,
    steps: int | None,
    changes: Mapping[str, Any],
) -> dict[str, Any]:
    """Train a network to its last epoch, and keep the weights of that.

    Args:
        context: The folder, and what to train on.
        run: Folder of the run.
        data: What to train on: `folder` and `images` of `svr_baselines.data.opening.open_data`.
        options: How items are made, see `svr_baselines.data.opening.DataOptions`.
        preset: See `svr_baselines.training.preset`.
        network: Name of the network.
        seed: Seed of the training.
        steps: Steps to train for, whatever the size of the set; `None` for the preset's epochs.
        changes: Values other than the preset's.

    Returns:
        Samples, epochs, steps, and the loss of the last epoch.
    """
    job: dict[str, Any] = {
        "run": run,
        "data": dict(data),
        "options": dict(options),
        "preset": preset,
        "network": network,
    }
    job |= {"seed": seed, "steps": steps, "changes": dict(changes), "out": str(context.out)}
    job |= {"accelerator": context.accelerator, "devices": context.devices}
    if context.devices == 1:
        _train(job)
    else:
        command = [sys.executable, "-m", "svr_baselines.experiments.training_process"]
        done = subprocess.run(
            command, env={**os.environ, _JOB: json.dumps(job)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        if done.returncode != 0:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            raise ValueError(f"training on {context.devices} devices failed: {lines[-1] if lines else 'killed'}")
    return _tidy(context.out / run)


def plan_steps(samples: int, batch_size: int, steps: int) -> dict[str, Any]:
    """Epochs of about so many steps in all, with a tenth of the learning rate in the last fifth of them.

    Large sets have three epochs at least; small ones are gone through several times in each, so that there are some
    thirty.

    Example:
        >>> plan_steps(samples=20, batch_size=8, steps=300)
        {'epochs': 33, 'passes': 3, 'decays': (26,)}
        >>> plan_steps(samples=4320, batch_size=16, steps=300)
        {'epochs': 3, 'passes': 1, 'decays': (2,)}
    """
    each = -(-samples // batch_size)
    passes = max(1, steps // (each * 30))
    epochs = max(3, round(steps / (each * passes)))
    return {"epochs": epochs, "passes": passes, "decays": (epochs * 4 // 5,)}


def _train(job: Mapping[str, Any]) -> None:
    from svr_baselines.training import preset, read_config, train
    from svr_baselines.training.checkpoints import has_checkpoint
    from svr_baselines.training.runs import CONFIG

    out = Path(job["out"])
    train_set = open_part(out, job["data"], job["options"], "train")
    validation_set = open_part(out, job["data"], job["options"], "validation")
    samples = len(train_set)
    changes = {"accelerator": job["accelerator"], "devices": job["devices"], **job["changes"]}
    config = preset(job["preset"], job["network"], samples, seed=job["seed"], validation_samples=0, **changes)
    if job["steps"] is not None:
        config = replace(config, **plan_steps(samples, config.batch_size, job["steps"]))
    # The last epoch is what counts: no other is validated, so it becomes `best`, too.
    config = replace(config, validate_every=config.epochs, checkpoint_every=max(1, config.epochs // 8))
    run = out / job["run"]
    if has_checkpoint(run):  # begun on a machine that may have other hardware
        config = replace(config, precision=read_config(run / CONFIG).precision)
    if _finished(run) is None:
        train(config, train_set, validation_set, run, resume=has_checkpoint(run), log=_silent, tensorboard=False)


def _finished(run: Path) -> Any:
    """The network of the last epoch, if it is there and whole."""
    from svr_baselines.training import read_checkpoint
    from svr_baselines.training.checkpoints import BEST

    try:
        found = read_checkpoint(run, BEST)
    except (FileNotFoundError, ValueError):
        return None
    return found if found.epoch == found.config.epochs else None


def _tidy(run: Path) -> dict[str, Any]:
    """Drop what a run is gone on with: it is three times as large as the network, and this one has ended."""
    from svr_baselines.training.checkpoints import LAST, PREVIOUS

    found = _finished(run)
    if found is None:
        raise ValueError(f"{run} holds no trained network.")
    for name in (LAST, PREVIOUS):
        for file in run.glob(f"{name}.*"):
            file.unlink()
    return {
        "samples": found.data["train"],
        "epochs": found.epoch,
        "steps": found.step,
        "loss": found.metrics["loss"],
        "weights": found.sha256,
    }


def _silent(line: str) -> None:
    """The graph tells what is done."""


if __name__ == "__main__":
    try:
        _train(json.loads(os.environ[_JOB]))
    except (ValueError, OSError) as error:
        sys.exit(str(error))
