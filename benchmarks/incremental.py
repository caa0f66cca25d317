"""What `DispersionScore(incremental=True)` costs against computing all distances at the end, by batch size.

    python benchmarks/incremental.py

Seconds of all updates and one compute, on one thread, the two ways by turns in the same run; the median of repeats.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from rich.console import Console
from rich.table import Table

from ds_metrics import DispersionScore


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--points", type=int, default=2500)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    clouds = torch.randn(options.samples, options.points, 3, generator=generator)
    clouds = clouds / clouds.norm(dim=2, keepdim=True) * torch.rand(options.samples, 1, 3, generator=generator)
    table = Table("batch size", "at the end, s", "incremental, s", "ratio", "incremental compute, s")
    for size in options.batches:
        runs = [(run(clouds, size, False), run(clouds, size, True)) for _ in range(options.repeats)]
        plain = statistics.median(total for (total, _), _ in runs)
        grown = statistics.median(total for _, (total, _) in runs)
        compute = statistics.median(seconds for _, (_, seconds) in runs)
        table.add_row(str(size), f"{plain:.3f}", f"{grown:.3f}", f"{grown / plain:.2f}", f"{compute:.3f}")
    Console().print(table)


def run(clouds: torch.Tensor, batch_size: int, incremental: bool) -> tuple[float, float]:
    """Seconds of everything, and of compute alone."""
    metric = DispersionScore(n_clusters=8, incremental=incremental)
    start = time.perf_counter()
    for batch in clouds.split(batch_size):
        metric.update(batch)
    updated = time.perf_counter()
    metric.compute()
    end = time.perf_counter()
    return end - start, end - updated


if __name__ == "__main__":
    main()
