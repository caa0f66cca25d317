"""Does the order of datasets by Dispersion Score depend on the solver? After appendix B of the paper.

    python benchmarks/ablation.py [--quick] [--markdown]

Families of sets of shapes are scored by every solver. The rank correlation (Spearman's rho, Kendall's tau) of a
solver's scores with those of `fasterpam` says whether both put the sets of a family in the same order. One run of each
solver with seed 0, as in the paper; `fasterpam` with its default starts. `sklearn-extra` needs numpy 1: run
`build/paper/bin/python benchmarks/ablation.py` after `make paper`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from report import Section, print_tables, say
from scipy.stats import kendalltau, spearmanr

from ds_metrics.clustering import Solver, kmedoids
from ds_metrics.clustering.solvers import check_solver
from ds_metrics.pairwise import pairwise_distance
from svr_baselines.data import make_shapes, normalize_points

SEED = 0
WIDTHS = (1, 5, 10, 15, 20, 25, 30, 35)
MORPHS = 700  # from cube to sphere, the paper's training shapes
BASELINE: Solver = "fasterpam"


@dataclass(frozen=True)
class Sizes:
    points: int = 2500  # of a morph
    furniture_points: int = 1024
    samples: int = 200  # of a set of furniture
    distinct: tuple[int, ...] = (10, 20, 50, 100, 200)
    mixtures: int = 24
    n_clusters: tuple[int, ...] = (10, 20, 50)


FULL = Sizes()
QUICK = Sizes(500, 200, 100, (10, 20, 50, 100), 10, (10, 20))
SMOKE = Sizes(50, 30, 20, (10, 20), 4, (5,))


@dataclass(frozen=True)
class Family:
    """Sets of shapes, as distance matrices."""

    title: str
    sets: dict[str, np.ndarray]
    n_clusters: int


@dataclass(frozen=True)
class Scores:
    """Of one solver on the sets of a family; not a number where it gave none."""

    values: np.ndarray
    seconds: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="fewer and smaller sets")
    size.add_argument("--smoke", action="store_true", help="tiny: shows that it runs, says nothing about solvers")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else SMOKE if options.smoke else FULL
    solvers, missing = available_solvers()
    sections = []
    for family in families(sizes):
        say(family.title)
        sections.append(section(family, {solver: score(family, solver) for solver in solvers}))
    print_tables(
        "\n".join(["The order of datasets by Dispersion Score, by solver.", *missing]), sections, options.markdown
    )


def available_solvers() -> tuple[list[Solver], list[str]]:
    """The solvers whose libraries load, and why the others don't."""
    found, missing = [], []
    for solver in get_args(Solver):
        try:
            check_solver(solver)
            found.append(solver)
        except ValueError as error:
            missing.append(f"Not run: {error}.")
    return found, missing


def families(sizes: Sizes) -> list[Family]:
    copies = {f"{m}": distances(copied_furniture(m, sizes)) for m in sizes.distinct}
    pool = distances(copied_furniture(sizes.samples, sizes))
    mixed = {f"{i}": pool[np.ix_(chosen, chosen)] for i, chosen in enumerate(mixtures(sizes))}
    return [
        Family(
            "Morphs from cube to sphere, 20 a set in two groups, by the step within a group",
            {f"{width}": distances(morphs(width, sizes.points)) for width in WIDTHS},
            n_clusters=2,
        ),
        *(
            Family(f"Furniture, {sizes.samples} samples, by the number of different shapes", copies, k)
            for k in sizes.n_clusters
        ),
        *(
            Family(f"Furniture in mixtures of its classes, {sizes.samples // 2} samples", mixed, k)
            for k in sizes.n_clusters
        ),
    ]


def distances(clouds: list[np.ndarray]) -> np.ndarray:
    return pairwise_distance([np.asarray(cloud, dtype=np.float32) for cloud in clouds]).numpy()


def morphs(width: int, points: int) -> list[np.ndarray]:
    """A sub-trainset of the paper: 10 shapes from either end of the morph, `width` apart. At 35 they span it evenly."""
    steps = width * np.arange(10)
    indices = [*steps, *(MORPHS - 1 - steps)]
    return [morph(index / (MORPHS - 1), points, np.random.default_rng([SEED, index])) for index in indices]


def morph(value: float, points: int, rng: np.random.Generator) -> np.ndarray:
    """Points on a cube, moved towards the sphere around it: 0 is the cube, 1 the sphere."""
    cube = rng.uniform(-1, 1, size=(points, 3))
    cube[np.arange(points), rng.integers(0, 3, size=points)] = rng.choice([-1.0, 1.0], size=points)
    sphere = np.sqrt(3) * cube / np.linalg.norm(cube, axis=1, keepdims=True)
    return normalize_points((1 - value) * cube + value * sphere)


def copied_furniture(different: int, sizes: Sizes) -> list[np.ndarray]:
    """A set of so many different shapes, each several times with points drawn anew."""
    copies = sizes.samples // different
    shapes = make_shapes(different // 5, copies * sizes.furniture_points, SEED).clouds  # of five classes
    return [normalize_points(part) for cloud in shapes for part in np.split(cloud, copies)]


def mixtures(sizes: Sizes) -> list[np.ndarray]:
    """Samples of the pool in sets that differ in the shares of the classes."""
    rng = np.random.default_rng(SEED)
    sets = []
    for _ in range(sizes.mixtures):
        weights = np.repeat(rng.dirichlet(np.ones(5)), sizes.samples // 5)
        sets.append(rng.choice(sizes.samples, size=sizes.samples // 2, replace=False, p=weights / weights.sum()))
    return sets


def score(family: Family, solver: Solver) -> Scores:
    start = time.process_time()
    values = []
    for matrix in family.sets.values():
        try:
            values.append(kmedoids(matrix, family.n_clusters, solver, SEED).score)
        except ValueError:  # affinity propagation may not reach a number of clusters
            values.append(np.nan)
    return Scores(np.array(values), time.process_time() - start)


def section(family: Family, scores: dict[Solver, Scores]) -> Section:
    names = list(family.sets) if len(family.sets) <= len(WIDTHS) else []
    columns = ["solver", *names, "rho", "tau", "DS, fasterpam = 1", "sets", "CPU s"]
    rows = [row(solver, found, scores[BASELINE].values, bool(names)) for solver, found in scores.items()]
    note = "Scores x 1000." if names else ""
    return Section(f"{family.title}; k = {family.n_clusters}, {len(family.sets)} sets", columns, rows, note)


def row(solver: str, found: Scores, baseline: np.ndarray, show_scores: bool) -> list[str]:
    solved = np.isfinite(found.values)
    ours, theirs = found.values[solved], baseline[solved]
    return [
        solver,
        *([f"{1000 * value:.3g}" for value in found.values] if show_scores else []),
        f"{spearmanr(ours, theirs).statistic:.3f}",
        f"{kendalltau(ours, theirs).statistic:.3f}",
        f"{np.mean(ours / theirs):.3f}",
        f"{solved.sum()}",
        f"{found.seconds:.2f}",
    ]


if __name__ == "__main__":
    main()
