"""How fast pairwise Chamfer distances are, against other libraries, on this machine.

    python benchmarks/pairwise.py [--quick] [--json FILE] [--plot FILE] [--markdown] [--data FOLDER]

One thread on one core unless said otherwise; tasks take turns, and the median of their repeats counts. Every
engine's distances are checked against float64 brute force on the same pairs. `engines.py` shows what is called.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Read by the libraries when they load.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", VECLIB_MAXIMUM_THREADS="1")

import numpy as np
import torch
from report import describe_run, print_report, say, write_json
from sections import compare_losses, compare_peers, scale_points, scale_samples, scale_threads
from surfaces import draw_clouds, select_clouds
from timing import allowed_cores, run_on


@dataclass(frozen=True)
class Sizes:
    clouds: int = 16  # all pairs among these, for the comparison
    points: int = 2500
    repeats: int = 5
    points_scaling: tuple[int, ...] = (1000, 2000, 4000, 8000, 16000)
    points_clouds: int = 5
    samples_scaling: tuple[int, ...] = (50, 100, 200, 400)
    threads_clouds: int = 100
    batch: int = 8


FULL = Sizes()
QUICK = Sizes(10, 2500, 3, (1000, 2000, 4000), samples_scaling=(25, 50, 100), threads_clouds=50)
SMOKE = Sizes(4, 200, 1, (50, 100), points_clouds=3, samples_scaling=(3, 6), threads_clouds=4, batch=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="fewer pairs and repeats, no large sizes")
    size.add_argument("--smoke", action="store_true", help="tiny: shows that it runs, says nothing about speed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers, the machine and the versions")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw time over points and over samples")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="your meshes in place of the built-in furniture")
    options = parser.parse_args()
    sizes = QUICK if options.quick else SMOKE if options.smoke else FULL
    for path in (options.json, options.plot):
        if path is not None and not path.parent.is_dir():
            parser.error(f"there is no folder {path.parent}")
    try:
        drawn = draw_clouds(max(sizes.samples_scaling), max(sizes.points, *sizes.points_scaling), options.data)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    needed = max(sizes.clouds, 2 * sizes.batch, sizes.samples_scaling[1])
    if len(drawn) < needed:
        parser.error(f"--data must hold at least {needed} shapes, but {options.data} has {len(drawn)}")

    result = measure(drawn, sizes, f"folder {options.data.name}" if options.data else "built-in furniture")
    print_report(result, options.markdown)
    if options.json:
        write_json(result, options.json)
    if options.plot:
        from plot import plot_scaling

        plot_scaling(result, options.plot)


def measure(drawn: list[np.ndarray], sizes: Sizes, data: str) -> dict[str, Any]:
    """All sections, as they go into the JSON."""
    cores = allowed_cores()
    torch.set_num_threads(1)
    pinned = run_on(cores[-1:])
    result = describe_run(vars(sizes), data, pinned, cores)
    wall, busy = time.perf_counter(), time.process_time()
    say("other libraries")
    result["peers"] = compare_peers(select_clouds(drawn, sizes.clouds, sizes.points), sizes.repeats)
    say("points a cloud")
    result["points"] = scale_points(drawn, sizes.points_scaling, sizes.points_clouds, sizes.repeats)
    say("samples a matrix")
    result["samples"] = scale_samples(drawn, sizes.samples_scaling, sizes.points, sizes.repeats)
    say("training loss")
    result["loss"] = compare_losses(select_clouds(drawn, 2 * sizes.batch, sizes.points), sizes.repeats)
    result["machine"]["share_of_core"] = (time.process_time() - busy) / (time.perf_counter() - wall)
    say("threads")
    run_on(cores)
    clouds = select_clouds(drawn, sizes.threads_clouds, sizes.points)
    result["threads"] = scale_threads(clouds, sizes.repeats, len(cores))
    return result


if __name__ == "__main__":
    main()
