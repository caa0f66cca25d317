"""Peak memory of a distance matrix that goes to disk: one process, clouds mapped from a file.

    python benchmarks/memory.py                                            # N = 4,000, budget a tenth of the matrix
    python benchmarks/memory.py --clouds 35000 --budget 500MB --stop-after 60

Linux only. The clouds are random ellipsoids. RSS is the high-water mark of the whole process, Python, torch and the
pages of the mapped clouds included; `before` is that mark when the clouds are mapped and torch is loaded, but nothing
is computed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clouds", type=int, default=4000)
    parser.add_argument("--points", type=int, default=2500)
    parser.add_argument("--budget", help="by default a tenth of the matrix")
    parser.add_argument("--stop-after", type=float, help="interrupt after so many seconds of computing")
    parser.add_argument("--folder", type=Path, help="where the clouds and the matrix go; by default a temporary one")
    options = parser.parse_args(arguments)
    budget = options.budget or str(4 * options.clouds**2 // 10)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        make_clouds(Path(folder) / "clouds.npy", options.clouds, options.points)
        # A process of its own, as the high-water mark never falls.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            measured = pool.apply(measure, (Path(folder), budget, options.stop_after))
    print(json.dumps({"clouds": options.clouds, "points": options.points, "budget": budget} | measured, indent=2))


def make_clouds(path: Path, clouds: int, points: int) -> None:
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(clouds, points, 3))
    rng = np.random.default_rng(0)
    for cloud in array:
        sphere = rng.standard_normal((points, 3), dtype=np.float32)
        cloud[:] = sphere / np.linalg.norm(sphere, axis=1, keepdims=True) * rng.uniform(0.3, 1, 3)
    array.flush()


def measure(folder: Path, budget: str, stop_after: float | None) -> dict[str, object]:
    from ds_metrics.pairwise import pairwise_distance, report_progress

    clouds = np.load(folder / "clouds.npy", mmap_mode="r")
    before = peak()
    start = time.monotonic()
    state = {"pairs": 0}

    def tell(done: int, total: int) -> None:
        state["pairs"] = done
        if stop_after is not None and time.monotonic() - start > stop_after:
            raise KeyboardInterrupt

    finished = True
    try:
        with report_progress(tell):
            pairwise_distance(clouds, memory_budget=budget, store=folder / "store")
    except KeyboardInterrupt as interrupt:
        finished = False
        print(interrupt)
    return {
        "finished": finished,
        "pairs": state["pairs"],
        "seconds": round(time.monotonic() - start, 1),
        "matrix_megabytes": 4 * len(clouds) ** 2 / 1e6,
        "clouds_megabytes": clouds.nbytes / 1e6,
        "peak_rss_megabytes": {"before": before, "after": peak()},
    }


def peak() -> float:
    """High-water mark of this process in MB. Not from `getrusage`, whose mark a process inherits from its parent."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return round(int(status["VmHWM"].split()[0]) * 1024 / 1e6, 1)


if __name__ == "__main__":
    main()
