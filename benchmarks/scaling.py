"""`estimator="sampled"` over the number of samples: time and its exponent, distances avoided, memory, and the error.

    python benchmarks/scaling.py                       # N from 2,000 to 50,000, minutes
    python benchmarks/scaling.py --sizes 2000 1000000 --points 2500 --exact-up-to 0 --folder /scratch
    python benchmarks/scaling.py --clouds shapes.npy --sizes 4000   # an array (N, P, 3) of your own

Linux only. The clouds are built-in furniture, each stretched at random, mapped from a file; each measurement is a
process of its own on one thread, and its time is that of the processor. `computed` counts the distances of the
assignment that bounds did not rule out, for each sample. Memory is the most that was allocated ("anonymous"), Python
and torch included; the pages of the mapped file come on top in what `ps` shows, but the system takes them back when it
needs to. `before` is the same once the clouds are mapped and torch is loaded, but nothing is computed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from timing import exponent

COLUMNS = ("N", "part", "time, s", "assignment, s", "DS", "error", "exact DS", "above exact", "exact time, s")
COLUMNS = (*COLUMNS, "distances", "computed", "of k", "memory, MB", "before, MB")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 5000, 10_000, 20_000, 50_000])
    parser.add_argument("--points", type=int, default=128)
    parser.add_argument("--clusters", type=int, default=100)
    parser.add_argument("--exact-up-to", type=int, default=5000, help="samples to compute the exact score for, too")
    parser.add_argument("--clouds", type=Path, help="array to take the samples from, instead of built-in shapes")
    parser.add_argument("--folder", type=Path, help="where the clouds go; by default a temporary one")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = options.clouds or make_clouds(Path(folder) / "clouds.npy", max(options.sizes), options.points)
        for size in sorted(options.sizes):
            rows.append(in_child(measure, path, size, options.clusters, "sampled"))
            if size <= options.exact_up_to:
                exact = in_child(measure, path, size, options.clusters, "exact")
                rows[-1] |= {"exact": exact["score"], "exact seconds": exact["seconds"]}
    show(rows, options.clusters, options.markdown)


def make_clouds(path: Path, count: int, points: int) -> Path:
    from surfaces import draw_clouds

    drawn = draw_clouds(min(count, 2000), 4 * points)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, points, 3))
    rng = np.random.default_rng(0)
    for cloud in array:
        source = drawn[rng.integers(len(drawn))]
        picked = source[rng.choice(len(source), points, replace=False)] * np.exp(rng.normal(0, 0.15, 3))
        picked -= picked.mean(axis=0)
        cloud[:] = picked / np.linalg.norm(picked, axis=1).max()
    array.flush()
    return path


def in_child(function: Any, *arguments: Any) -> dict[str, Any]:
    """Run in a process of its own: memory that was freed is not always given back."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return dict(pool.apply(function, arguments))


def measure(path: Path, size: int, clusters: int, estimator: str) -> dict[str, Any]:
    import torch

    from ds_metrics import DispersionScore
    from ds_metrics.pairwise import assignment, native

    torch.set_num_threads(1)
    clouds = np.load(path, mmap_mode="r")[:size]
    if len(clouds) < size:
        raise ValueError(f"{path} holds {len(clouds)} clouds, but {size} were asked for")
    pairs = Counted(native, "distances", lambda x, y, i, j, squared=True: len(i))
    assigned = Counted(assignment.NearestOf, "run", lambda task, ranks=None: 0, pairs)
    metric = DispersionScore(n_clusters=clusters, estimator=estimator)
    with Memory() as memory:
        start = time.process_time()
        metric.update(clouds)
        metric.compute()
        seconds = time.process_time() - start
    found = metric.clustering
    return {
        "N": size,
        "part": found.sample_size,
        "seconds": seconds,
        "score": found.score,
        "error": found.interval.standard_error if found.interval else None,
        "distances": pairs.count,
        "assignment seconds": assigned.seconds,
        "computed": assigned.inner / size,
        "megabytes": memory.most,
        "before": memory.before,
    }


class Counted:
    """A function that counts what it is asked for, its time, and the count of another within it."""

    def __init__(self, owner: Any, name: str, size: Any, inner: Counted | None = None) -> None:
        self.count, self.seconds, self.inner = 0, 0.0, 0
        function = getattr(owner, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            self.count += size(*arguments, **options)
            before, start = inner.count if inner else 0, time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.process_time() - start
                self.inner += (inner.count if inner else 0) - before

        setattr(owner, name, counted)


class Memory:
    """Watches the memory that this process has allocated, in MB."""

    def __enter__(self) -> Memory:
        self.before = self.most = allocated()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.most = max(self.most, allocated())


def allocated() -> float:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) * 1024 / 1e6


def show(rows: Sequence[dict[str, Any]], clusters: int, markdown: bool) -> None:
    cells = [[*map(str, columns(row, clusters))] for row in rows]
    console = Console()
    if markdown:
        for line in (COLUMNS, ["---:"] * len(COLUMNS), *cells):
            console.print("| " + " | ".join(line) + " |", soft_wrap=True)
    else:
        table = Table(*COLUMNS, title=f"k = {clusters}")
        for line in cells:
            table.add_row(*line)
        console.print(table)
    if len(rows) > 1:
        sizes = [row["N"] for row in rows]
        for what in ("seconds", "assignment seconds"):
            power = exponent(sizes, [row[what] for row in rows])
            console.print(f"{what} grow with N to the power of {power:.2f}")


def columns(row: dict[str, Any], clusters: int) -> list[str]:
    exact = row.get("exact")
    return [
        f"{row['N']:,}",
        f"{row['part']:,}",
        f"{row['seconds']:.1f}",
        f"{row['assignment seconds']:.1f}",
        f"{row['score']:.5f}",
        f"{row['error']:.5f}",
        "" if exact is None else f"{exact:.5f}",
        "" if exact is None else f"{100 * (row['score'] / exact - 1):+.2f} %",
        "" if exact is None else f"{row['exact seconds']:.1f}",
        f"{row['distances']:,}",
        f"{row['computed']:.1f}",
        f"{100 * row['computed'] / clusters:.1f} %",
        f"{row['megabytes']:.0f}",
        f"{row['before']:.0f}",
    ]


if __name__ == "__main__":
    main()
