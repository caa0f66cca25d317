"""What measures of sets cost together, where they share their matrices of distances, against one run for each.

    python benchmarks/measures.py
    python benchmarks/measures.py --samples 100 --points 500

Seconds of `svr_baselines.evaluation.evaluate`, without reading the shapes: the Dispersion Score and every registered
measure of sets, as `ds eval --metric all` computes them, and each alone. Measures of pairs, such as the Chamfer
distance, are left out: they share nothing, and cost the same either way. Shapes are ellipsoids of random axes;
predictions, ground truth and training set have as many each. One run of each, one after another.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from ds_metrics import DispersionScore, SetMetric, list_metrics
from svr_baselines.data import ShapeSet
from svr_baselines.dispersion import Scoring
from svr_baselines.evaluation import evaluate


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=500, help="shapes of each of the three sets")
    parser.add_argument("--points", type=int, default=2500)
    parser.add_argument("--clusters", type=int, default=10)
    options = parser.parse_args(arguments)
    sets = [ellipsoids(options.samples, options.points, seed) for seed in range(3)]
    scoring = Scoring(options.clusters)

    seconds = {name: run([name], sets, scoring) for name in set_measures()}
    together = run(list(seconds), sets, scoring)
    separate = sum(seconds.values())
    table = Table("run", "seconds", title=f"{options.samples} shapes of {options.points} points, a set")
    for name, value in seconds.items():
        table.add_row(name, f"{value:.2f}")
    table.add_section()
    table.add_row("sum of separate runs", f"{separate:.2f}")
    table.add_row("all together", f"{together:.2f}")
    table.add_row("separate / together", f"{separate / together:.2f}")
    Console().print(table)


def set_measures() -> list[str]:
    """Names of the Dispersion Score and of all measures of sets."""
    return [
        info.name
        for info in list_metrics()
        if isinstance(info.factory, type) and issubclass(info.factory, (DispersionScore, SetMetric))
    ]


def ellipsoids(n_shapes: int, points: int, seed: int) -> ShapeSet:
    rng = np.random.default_rng(seed)
    clouds = rng.normal(size=(n_shapes, points, 3))
    clouds /= np.linalg.norm(clouds, axis=2, keepdims=True)
    clouds *= rng.uniform(0.3, 1.0, size=(n_shapes, 1, 3))
    names = tuple(f"{index:06d}" for index in range(n_shapes))
    return ShapeSet(names, list(clouds.astype(np.float32)), ("points",) * n_shapes)


def run(names: list[str], sets: list[ShapeSet], scoring: Scoring) -> float:
    """Seconds of one evaluation."""
    predictions, targets, train = sets
    start = time.perf_counter()
    evaluate(predictions, targets, names, scoring, train=train)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
