"""An experiment from plan to `results.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ds_metrics._files import atomic_write, write_json
from svr_baselines.data.opening import Role
from svr_baselines.experiments import work
from svr_baselines.experiments.checks import check_experiment
from svr_baselines.experiments.graph import Tell, run_jobs
from svr_baselines.experiments.jobs import Context, read_finished
from svr_baselines.experiments.plan import Conclusion, Plan
from svr_baselines.experiments.protocol import Options, check_clusters
from svr_baselines.experiments.training_process import train_network
from svr_baselines.versions import package_versions

EXPERIMENTS = ("synthetic", "more-images", "more-shapes", "more-views")
RESULTS = "results.json"

_SCHEMA = 1
_FIGURES = "figures"
_PACKAGES = ("dispersion-score", "torch", "torchvision", "lightning-fabric", "numpy", "scipy")


def plan_experiment(name: str, options: Options) -> Plan:
    """Plan an experiment by its name.

    Raises:
        FileNotFoundError: If there are no such data.
        ValueError: If there is no such experiment, or an option does not fit.

    Example:
        >>> plan = plan_experiment("synthetic", Options("paper"))
        >>> len(plan.arms), sum(job.name.startswith("train/") for job in plan.jobs())
        (16, 15)
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"Argument `name` must be one of {EXPERIMENTS}, but got {name!r}.")
    module = import_module(f"svr_baselines.experiments.{name.replace('-', '_')}")
    planned: Plan = module.plan(options)
    return planned


def run_experiment(plan: Plan, context: Context, workers: int = 1, tell: Tell = print) -> Conclusion:
    """Do what is left of an experiment, conclude, and write `OUT/results.json` and `OUT/figures/`.

    Jobs that are finished are not done again, so an experiment that was ended goes on where it was; several processes
    may run it at once in one folder.

    Args:
        plan: What to do.
        context: Where, and with what.
        workers: Processes at work.
        tell: Is told a line for each finished job.

    Raises:
        OSError: If the folder can't be written.
        ValueError: If this machine can't do what is planned, see `check_experiment`, the folder holds this experiment
            with other settings, the data have too few shapes for the clusters, or a job fails.
    """
    check_experiment(plan, context, workers)
    if building := plan.building():
        run_jobs(building, context, workers, tell)
    _check_sizes(plan, context.out)
    results = run_jobs(plan.jobs(), context, workers, tell)
    conclusion = plan.conclude(plan, plan.rows(results), lambda name: np.load(context.out / name, allow_pickle=False))
    for drawing in conclusion.drawings:
        file = _figure_file(context.out, drawing.name)
        file.parent.mkdir(exist_ok=True)
        with atomic_write(file) as temporary:
            drawing.figure.savefig(temporary, dpi=150)
    write_json(context.out / RESULTS, _document(plan, context.out, conclusion))
    return conclusion


def _check_sizes(plan: Plan, out: Path) -> None:
    """Find out before the trainings, not after them, that there are too few shapes to be scored, or too few views."""
    sizes: dict[str, int] = {}
    for job in plan.jobs():
        if job.function is train_network and read_finished(out, job) is None:
            train_set = work.open_part(out, job.arguments["data"], job.arguments["options"], "train")
            train_set[len(train_set) - 1]  # the last view of a shape
        if "clusters" not in job.arguments:
            continue
        data, options, clusters = (job.arguments[name] for name in ("data", "options", "clusters"))
        part: Role = "train" if job.function in (work.score_images, work.score_shapes) else "test"
        key = json.dumps([data, options, part])
        if key not in sizes:
            sizes[key] = len(work.open_part(out, data, options, part))
        check_clusters(clusters, sizes[key], part)


def _document(plan: Plan, out: Path, conclusion: Conclusion) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "kind": "experiment",
        "experiment": plan.name,
        "title": plan.title,
        "claim": plan.claim,
        "preset": plan.protocol.preset,
        "preset_changes": list(plan.protocol.differs),
        "rows": [row.to_json() for row in conclusion.rows],
        "table": asdict(conclusion.table),
        "verdicts": [verdict.to_json() for verdict in conclusion.verdicts],
        "figures": [
            {
                "file": str(_figure_file(out, drawing.name).relative_to(out)),
                "caption": drawing.caption,
                "alt": drawing.alt,
            }
            for drawing in conclusion.drawings
        ],
        "provenance": _provenance(plan, out),
    }


def _provenance(plan: Plan, out: Path) -> Mapping[str, Any]:
    protocol = {name: value for name, value in asdict(plan.protocol).items() if name != "differs"}
    finished = {job.name: read_finished(out, job) for job in plan.jobs()}
    seconds = {name: found.seconds for name, found in finished.items() if found is not None}
    return {
        "protocol": protocol,
        "versions": package_versions(_PACKAGES),
        "jobs": {job.name: job.key() for job in plan.jobs()},
        "seconds": seconds,
    }


def _figure_file(out: Path, name: str) -> Path:
    return out / _FIGURES / f"{name}.png"
