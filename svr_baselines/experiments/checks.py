"""What can be known of an experiment before its first job."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from typing import Any

from svr_baselines.building.sources import find_meshes, split_of_sources
from svr_baselines.devices import find_device
from svr_baselines.experiments.jobs import Context, read_finished
from svr_baselines.experiments.plan import Plan
from svr_baselines.experiments.protocol import check_clusters
from svr_baselines.experiments.training_process import train_network
from svr_baselines.parallel import available_cores
from svr_baselines.rendering.backends import choose_renderer

_WORKERS_PER_CORE = 4
_FILES = 6  # of the weights' size, while a run is trained: `last` and `previous` with two moments each


def check_experiment(plan: Plan, context: Context, workers: int = 1) -> None:
    """Find out before the work that all of it would fail: where, with what and on which disk.

    Args:
        plan: What is to be done.
        context: Where, and with what.
        workers: Processes at work.

    Raises:
        ValueError: If there are no such devices, not so many cores, a package is missing, a network can't be made,
            there are no meshes or too few for the clusters, or there is not room enough on the disk.
    """
    if workers > (most := _WORKERS_PER_CORE * available_cores()):
        raise ValueError(f"Argument `workers` must be at most {most}, {_WORKERS_PER_CORE} a core, but got {workers}")
    left = [job for job in plan.jobs() if job.function is train_network and read_finished(context.out, job) is None]
    if not left:
        return
    building = [job for job in plan.building() if read_finished(context.out, job) is None]
    if building:
        choose_renderer()
    for job in building:
        if (meshes := job.arguments.get("meshes")) is not None:
            parts = Counter(split_of_sources(find_meshes(meshes)).values())
            check_clusters(plan.protocol.clusters, parts["test"], "test")
    try:
        find_device(context.accelerator)
    except ValueError as error:
        raise ValueError(str(error).replace("`device`", "`accelerator`", 1)) from error
    sizes: dict[str, int] = {}
    for job in left:
        if (name := job.arguments["network"]) not in sizes:
            sizes[name] = _try_network(name, job.arguments["preset"], job.arguments["changes"], context)
    needed = sum(sizes[job.arguments["network"]] for job in left) + _FILES * max(sizes.values())
    folder = next(folder for folder in (context.out, *context.out.absolute().parents) if folder.exists())
    if needed > (free := shutil.disk_usage(folder).free):
        raise ValueError(
            f"Argument `out` must be on a disk with room for the networks of {len(left)} trainings, "
            f"{needed / 1e9:.1f} GB, but {folder} has {free / 1e9:.1f} GB"
        )


def _try_network(name: str, preset: str, changes: Mapping[str, Any], context: Context) -> int:
    """Bytes of the weights of a network; it can be made, and trained on the devices."""
    import torch

    from svr_baselines.networks import create_network
    from svr_baselines.training import preset as make_preset
    from svr_baselines.training.fabric import check_config

    given: dict[str, Any] = {"accelerator": context.accelerator, "devices": context.devices, **changes}
    config = make_preset(preset, name, validation_samples=0, **given)
    check_config(config)
    with torch.random.fork_rng(devices=[]):
        network = create_network(name, **config.network_options)
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
