"""k-medoids: how close to the best solution, and how fast, beside the packages that there are.

    python benchmarks/clustering.py                   # 10 minutes on one core
    python benchmarks/clustering.py --quick           # a minute: N = 200 and 1,000
    python benchmarks/clustering.py --folder meshes/  # shapes of your own beside the built-in ones

One thread. Every solver gets the same matrix and the same number of starts. The excess is over the best solution that
any of them found in this run; the time is CPU time of the solver alone. The packages: `kmedoids` (FasterPAM in Rust),
scikit-learn-extra (the paper's solver, "alternate") and `onebatch` (OneBatchPAM, from as many columns of the matrix
as it chooses by itself; `pip install onebatch`, into an environment that runs no tests: it brings a package named
`tests`). scikit-learn-extra needs numpy 1: run `build/paper/bin/python benchmarks/clustering.py` after
`make paper`.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from report import Section, print_tables, say
from scipy.spatial.distance import cdist
from surfaces import draw_clouds

from ds_metrics.clustering import dispersion_curve
from ds_metrics.clustering import kmedoids as solve
from ds_metrics.pairwise import pairwise_distance

POINTS = 256
Medoids = Callable[[np.ndarray, int, int], Sequence[int]]  # from a matrix, a number of clusters and a seed


@dataclass(frozen=True)
class Case:
    """A problem, and how often each solver meets it."""

    samples: int
    n_clusters: int
    seeds: int


CASES = (
    Case(200, 5, 5),
    Case(200, 25, 5),
    Case(1000, 10, 5),
    Case(1000, 100, 5),
    Case(4000, 20, 2),
    Case(4000, 500, 2),
)
QUICK = CASES[:4]
SMOKE = (Case(40, 4, 2),)
STARTS = (1, 5)


@dataclass(frozen=True)
class Run:
    """One solver on one case: inertias over the seeds, and seconds a seed."""

    inertias: np.ndarray
    seconds: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small sets only")
    size.add_argument("--smoke", action="store_true", help="tiny: shows that it runs, says nothing about solvers")
    parser.add_argument("--folder", type=Path, help="meshes or point clouds, as a further set")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    options = parser.parse_args(arguments)
    cases = QUICK if options.quick else SMOKE if options.smoke else CASES
    torch.set_num_threads(1)
    matrices = make_matrices(max(case.samples for case in cases), options.folder)
    solvers, missing = available_solvers()
    tables = [quality(case, matrices, solvers) for case in cases]
    tables.append(curves(matrices, max(case.samples for case in cases)))
    print_tables("\n".join(["k-medoids on one thread.", *missing]), tables, options.markdown)


def make_matrices(samples: int, folder: Path | None) -> dict[str, np.ndarray]:
    """Distances of `samples` samples of each kind; the shapes of a folder as many as there are."""
    rng = np.random.default_rng(0)
    centres = 3 * rng.normal(size=(100, 8))
    points = {
        "blobs": centres[rng.integers(0, 100, samples)] + rng.normal(size=(samples, 8)),
        "uniform": rng.random((samples, 3)),
    }
    matrices = {name: cdist(x, x).astype(np.float32) for name, x in points.items()}
    say("distances of the shapes")
    matrices["furniture"] = chamfer(draw_clouds(samples, POINTS)[:samples])
    if folder is not None:
        matrices[folder.name] = chamfer(draw_clouds(samples, POINTS, folder)[:samples])
    return matrices


def chamfer(clouds: list[np.ndarray]) -> np.ndarray:
    return pairwise_distance([np.asarray(cloud, dtype=np.float32) for cloud in clouds]).numpy()


def part(matrix: np.ndarray, samples: int) -> np.ndarray:
    """Some of the samples, evenly from all."""
    chosen = np.linspace(0, len(matrix) - 1, min(samples, len(matrix))).round().astype(int)
    return np.ascontiguousarray(matrix[np.ix_(chosen, chosen)])


def available_solvers() -> tuple[dict[str, Medoids], list[str]]:
    """Solvers by name, and why others are missing."""
    solvers: dict[str, Medoids] = {}
    missing = []
    for starts in STARTS:
        solvers[f"fasterpam, {_starts(starts)}"] = lambda d, k, seed, n=starts: solve(d, k, seed=seed, n_init=n).medoids
        try:
            solvers[f"kmedoids, {_starts(starts)}"] = package_fasterpam(starts)
        except ImportError as error:
            missing.append(f"Not run: kmedoids ({error}).")
    solvers["alternate, 1 start"] = lambda d, k, seed: solve(d, k, "alternate", seed).medoids
    for name, make in (("scikit-learn-extra", scikit_learn_extra), ("onebatch", onebatch)):
        try:
            solvers[name] = make()
        except Exception as error:  # with numpy 2, scikit-learn-extra fails with a ValueError
            missing.append(f"Not run: {name} ({str(error).splitlines()[0]}).")
    return solvers, list(dict.fromkeys(missing))


def package_fasterpam(starts: int) -> Medoids:
    package = import_module("kmedoids")

    def medoids(distances: np.ndarray, k: int, seed: int) -> Sequence[int]:
        runs = (
            package.fasterpam(distances, k, init="random", random_state=starts * seed + start, n_cpu=1)
            for start in range(starts)
        )
        return min(runs, key=lambda run: run.loss).medoids

    return medoids


def scikit_learn_extra() -> Medoids:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = import_module("sklearn_extra.cluster").KMedoids

    def medoids(distances: np.ndarray, k: int, seed: int) -> Sequence[int]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = estimator(k, metric="precomputed", init="k-medoids++", random_state=seed).fit(distances)
        return fitted.medoid_indices_

    return medoids


def onebatch() -> Medoids:
    estimator = import_module("onebatch").OneBatchPAM

    def medoids(distances: np.ndarray, k: int, seed: int) -> Sequence[int]:
        columns = min(len(distances), max(k, int(100 * np.log(len(distances) * k))))  # its own "auto"
        chosen = np.random.default_rng(seed).choice(len(distances), columns, replace=False)
        fitted = estimator(n_medoids=k, distance="precomputed", random_state=seed)
        return fitted.fit(np.ascontiguousarray(distances[:, chosen])).medoid_indices_

    return medoids


def quality(case: Case, matrices: dict[str, np.ndarray], solvers: dict[str, Medoids]) -> Section:
    """Excess and time of every solver on every set."""
    results: dict[str, dict[str, Run]] = {}
    for name, matrix in matrices.items():
        say(f"N = {case.samples}, k = {case.n_clusters}: {name}")
        distances = part(matrix, case.samples)
        results[name] = {solver: run(medoids, distances, case) for solver, medoids in solvers.items()}
    columns = ["solver", *(column for name in matrices for column in (f"{name}, +%", "s"))]
    rows = []
    for solver in solvers:
        cells = []
        for runs in results.values():
            best = min(run.inertias.min() for run in runs.values())
            excess = 100 * (runs[solver].inertias / best - 1)
            cells += [f"{excess.mean():.2f} ({excess.max():.2f})", f"{runs[solver].seconds:.2g}"]
        rows.append([solver, *cells])
    note = f"Mean (and most) of {case.seeds} seeds."
    return Section(f"N = {case.samples:,}, k = {case.n_clusters}", columns, rows, note)


def run(medoids: Medoids, distances: np.ndarray, case: Case) -> Run:
    start = time.process_time()
    found = [np.asarray(medoids(distances, case.n_clusters, seed)) for seed in range(case.seeds)]
    seconds = time.process_time() - start
    inertias = [distances[:, chosen].min(axis=1).sum(dtype=np.float64) for chosen in found]
    return Run(np.array(inertias), seconds / case.seeds)


def curves(matrices: dict[str, np.ndarray], samples: int) -> Section:
    """The whole curve of DS over k beside its most expensive point, solved alone."""
    rows = []
    for name, matrix in matrices.items():
        say(f"curve: {name}")
        start = time.process_time()
        curve = dispersion_curve(matrix)
        seconds = time.process_time() - start
        points, excess = [], []
        for k, score in zip(curve.n_clusters[::3], curve.scores[::3], strict=True):
            start = time.process_time()
            alone = solve(matrix, int(k)).score
            points.append(time.process_time() - start)
            excess.append(100 * (score / alone - 1))
        rows.append(
            [
                name,
                f"{seconds:.3g}",
                f"{max(points):.3g}",
                f"{seconds / max(points):.2f}",
                f"{np.mean(excess):.3f}",
                f"{max(excess):.3f}",
            ]
        )
    columns = ["set", "curve s", "dearest point s", "ratio", "+%", "max +%"]
    note = "Excess of the curve over its points solved alone, every third of them."
    return Section(f"DS over k, about 40 points, N = {samples:,}", columns, rows, note)


def _starts(count: int) -> str:
    return "1 start" if count == 1 else f"{count} starts"


if __name__ == "__main__":
    main()
