"""`ds demo`."""

from __future__ import annotations

from pathlib import Path

from ds_cli.experiment import run

from svr_baselines.experiments.demonstration import plan


def demonstrate(out: Path, seed: int) -> None:
    """Build, train, score, conclude, and write a report."""
    run(plan(seed), out, workers=None, accelerator="auto", devices=1, report=True)
