"""Does a 95 % interval of the Dispersion Score cover the expected score 95 % of the time?

    python benchmarks/coverage.py                              # an hour on one core
    python benchmarks/coverage.py --quick                      # two minutes
    python benchmarks/coverage.py --matrix distances.npy       # samples of your own as a further population

Sets of N samples are drawn from known populations again and again. The mean and the standard deviation of their scores
are the truth. Columns: the share of the intervals that hold the true mean, by `confidence_interval` and by
four others; and the standard error that it gives, as a part of the true standard deviation (root mean square). The
others: `jackknife`, leaving out one sample (FasterPAM from the same medoids), `bootstrap`, the standard deviation over
resamples with replacement, and `fixed medoids`, the standard error of a mean, each with Student's t; `percentile`, the
2.5 and 97.5 percentiles of the bootstrap. A share over n sets is itself uncertain, by 1 % at n = 400.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.spatial.distance import cdist
from scipy.stats import t as student
from surfaces import draw_clouds

from ds_metrics._native import _core
from ds_metrics.clustering import Clustering, confidence_interval, kmedoids
from ds_metrics.pairwise import pairwise_distance

Draw = Callable[[np.random.Generator, int], np.ndarray]  # draws N samples, returns their distances
COLUMNS = [
    "population",
    "N",
    "k",
    "sets",
    "covers",
    "jackknife",
    "bootstrap",
    "percentile",
    "fixed medoids",
    "SE ratio",
]
LEVEL = 0.95
COMPARED = 100  # sets, up to this size, on which the other intervals are tried: they take long
STARTS = 5  # of FasterPAM, which by default takes up to 100
SHAPES = 3000
SHARE = 10  # of a finite population sets hold at most a tenth, or they would have much in common


@dataclass(frozen=True)
class Population:
    """Where sets are drawn from, and how large they may be."""

    draw: Draw
    largest: int = sys.maxsize


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few sets, all small")
    parser.add_argument("--sizes", type=int, nargs="+", metavar="N", help="by default 20 50 100 300 1000")
    parser.add_argument(
        "--sets", type=int, help="drawn of each kind; by default 400, 100 with --quick, fewer at N > 300"
    )
    parser.add_argument("--populations", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--matrix", type=Path, help="distances of many samples, which sets are drawn from")
    parser.add_argument("--solver", choices=["fasterpam", "alternate"], default="fasterpam")
    parser.add_argument("--resamples", type=int, help="of each set; by default as many as `confidence_interval` takes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    populations = make_populations(options.matrix)
    names = options.populations or list(populations)
    if unknown := set(names) - set(populations):
        parser.error(f"--populations: choose from {', '.join(populations)}, not {', '.join(sorted(unknown))}")
    sets = options.sets or (100 if options.quick else 400)
    rows = []
    for name in names:
        for size in options.sizes or ([20, 50] if options.quick else [20, 50, 100, 300, 1000]):
            if size > populations[name].largest:
                continue
            for k in sorted({1, 2, 5, max(1, size // 20), size // 10, size // 4}):
                rng = np.random.default_rng([options.seed, size, k])
                count = max(sets * 300 // max(size, 300), 2)
                measured = measure(populations[name].draw, size, k, count, options.solver, options.resamples, rng)
                rows.append([name, f"{size:,}", str(k), str(count), *measured])
                print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)  # it takes long, and may be interrupted
    print_table(rows, options.markdown)


def make_populations(matrix: Path | None) -> dict[str, Population]:
    """Points of several kinds, shapes under the Chamfer distance, and what `matrix` holds."""
    centers = np.random.default_rng(1).uniform(-1, 1, (100, 8))
    few = np.random.default_rng(2).uniform(-1, 1, (10, 2))
    shares = np.arange(1, 11) ** -1.5
    shares /= shares.sum()

    def blobs(rng: np.random.Generator, size: int) -> np.ndarray:
        return centers[rng.integers(100, size=size)] + 0.15 * rng.normal(size=(size, 8))

    def unequal(rng: np.random.Generator, size: int) -> np.ndarray:
        of = rng.choice(10, size=size, p=shares)
        return few[of] + 0.01 * (1 + of)[:, None] * rng.normal(size=(size, 2))

    found = {
        "100 blobs, squared": Population(lambda rng, size: distances(blobs(rng, size), "sqeuclidean")),
        "uniform cube": Population(lambda rng, size: distances(rng.uniform(size=(size, 3)), "euclidean")),
        "heavy tails (t3)": Population(lambda rng, size: distances(rng.standard_t(3, size=(size, 2)), "euclidean")),
        "10 unequal blobs": Population(lambda rng, size: distances(unequal(rng, size), "euclidean")),
        "furniture": Population(subsets(furniture_distances), SHAPES // SHARE),
    }
    if matrix is not None:
        pool = np.load(matrix, mmap_mode="r")
        found[matrix.stem] = Population(subsets(lambda: pool), len(pool) // SHARE)
    return found


def distances(points: np.ndarray, metric: str) -> np.ndarray:
    return cdist(points, points, metric).astype(np.float32)


def subsets(pool: Callable[[], np.ndarray]) -> Draw:
    def draw(rng: np.random.Generator, size: int) -> np.ndarray:
        chosen = np.sort(rng.choice(len(pool()), size, replace=False))
        return np.ascontiguousarray(pool()[chosen][:, chosen])

    return draw


@cache
def furniture_distances() -> np.ndarray:
    """Of the built-in shapes, 128 points each."""
    return pairwise_distance([torch.from_numpy(cloud) for cloud in draw_clouds(SHAPES, 128)]).numpy()


def measure(
    draw: Draw, size: int, k: int, sets: int, solver: str, resamples: int | None, rng: np.random.Generator
) -> list[str]:
    """The cells of a row."""
    scores, ends, errors = np.empty(sets), np.empty((sets, 2)), np.empty(sets)
    others: dict[str, list[tuple[float, float]]] = {name: [] for name in COLUMNS[5:9]}
    for i in range(sets):
        drawn = draw(rng, size)
        found = kmedoids(drawn, k, solver, seed=i, n_init=STARTS if solver == "fasterpam" else None)
        interval = confidence_interval(drawn, found, LEVEL, n_resamples=resamples)
        scores[i], ends[i] = found.score, (interval.low, interval.high)
        errors[i] = np.hypot(interval.standard_error, interval.solver_error)
        if i < COMPARED and size <= COMPARED and solver == "fasterpam":
            for name, other in other_intervals(drawn, found, rng).items():
                others[name].append(other)
    truth = scores.mean()
    shares = [share_covering(ends, truth), *(share_covering(tried, truth) for tried in others.values())]
    return [*shares, f"{np.sqrt((errors**2).mean()) / scores.std(ddof=1):.2f}"]


def share_covering(ends: Sequence[tuple[float, float]] | np.ndarray, truth: float) -> str:
    low, high = np.reshape(ends, (-1, 2)).T
    return f"{100 * np.mean((low <= truth) & (truth <= high)):.1f} %" if len(low) else ""


def other_intervals(drawn: np.ndarray, found: Clustering, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    size = len(drawn)
    quantile = student.ppf((1 + LEVEL) / 2, size - 1)
    one_less = np.array([refit(drawn, found, np.delete(np.arange(size), i)) for i in range(size)])
    resampled = np.array([refit(drawn, found, np.sort(rng.integers(size, size=size))) for _ in range(100)])
    nearest = drawn[:, found.medoids].min(axis=1)
    errors = {
        "jackknife": np.sqrt((size - 1) * one_less.var()),
        "bootstrap": resampled.std(ddof=1),
        "fixed medoids": nearest.std(ddof=1) / np.sqrt(size),
    }
    ends = {name: (found.score - quantile * error, found.score + quantile * error) for name, error in errors.items()}
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return ends | {"percentile": (low, high)}


def refit(drawn: np.ndarray, found: Clustering, chosen: np.ndarray) -> float:
    """Score of the chosen samples, of which some may be repeated; the medoids that are missing are added greedily."""
    part, order = np.ascontiguousarray(drawn[chosen][:, chosen]), np.arange(len(chosen))
    start = np.unique(chosen, return_index=True)[1][np.isin(np.unique(chosen), found.medoids)]
    medoids = _core.kmedoids_extend(part, order, start if len(start) else order[:1], found.n_clusters)
    return _core.kmedoids_assign(part, order, _core.kmedoids_refine(part, order, medoids, "fasterpam", 100))[1] / len(
        part
    )


def print_table(rows: list[list[str]], markdown: bool) -> None:
    if markdown:
        lines = [COLUMNS, ["---"] + ["---:"] * (len(COLUMNS) - 1), *rows]
        print("\n".join("| " + " | ".join(line) + " |" for line in lines))
        return
    table = Table()
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "population" else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
