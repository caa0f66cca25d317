"""What measures cost: those of sets together and alone, and those of pairs that take longest. And their values.

    python benchmarks/measures.py
    python benchmarks/measures.py --samples 100 --points 500
    python benchmarks/measures.py --references       # values beside those of public references, in Markdown

Sets: seconds of `svr_baselines.evaluation.evaluate`, without reading the shapes: the Dispersion Score and every
registered measure of sets, as `ds eval --metric all` computes them, sharing their matrices of distances, against one
run for each. Shapes are ellipsoids of random axes; predictions, ground truth and training set have as many each.

Pairs: seconds of the earth mover's distance, exact and by Sinkhorn to within 1 %, between two ellipsoids, and of the
distance of an ellipsoid's points to the triangles of a sphere and of a cylinder, long and thin as those of models that
people draw: by this package, and by `trimesh.proximity` where rtree is installed. Other measures of pairs take
milliseconds a pair.

One run of each, one after another.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np
import torch
import trimesh
from reference_values import table
from rich.console import Console
from rich.table import Table

from ds_metrics import DispersionScore, SetMetric, list_metrics
from ds_metrics.functional import earth_movers_distance, point_to_surface_distance
from svr_baselines.data import ShapeSet
from svr_baselines.dispersion import Scoring
from svr_baselines.evaluation import evaluate


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=500, help="shapes of each of the three sets")
    parser.add_argument("--points", type=int, default=2500, help="of a shape; pairs are timed with fewer, too")
    parser.add_argument("--clusters", type=int, default=10)
    parser.add_argument("--references", action="store_true", help="print values beside those of references instead")
    options = parser.parse_args(arguments)
    if options.references:
        print(*table(), sep="\n")
        return
    Console().print(time_sets(options.samples, options.points, options.clusters))
    pairs = Table("pair", "seconds", title="one pair")
    for label, run in of_pairs(options.points):
        pairs.add_row(label, f"{seconds(label, run):.3f}")
    Console().print(pairs)


def time_sets(samples: int, points: int, clusters: int) -> Table:
    """Measures of sets, each alone and all together."""
    sets = [ellipsoids(samples, points, seed) for seed in range(3)]
    names = set_measures()

    def run(chosen: list[str]) -> None:
        predictions, targets, train = sets
        evaluate(predictions, targets, chosen, Scoring(clusters), train=train)

    rows = Table("run", "seconds", title=f"{samples} shapes of {points} points, a set")
    taken = {name: seconds(name, partial(run, [name])) for name in names}
    for name, value in taken.items():
        rows.add_row(name, f"{value:.2f}")
    together, separate = seconds("all together", partial(run, names)), sum(taken.values())
    rows.add_section()
    rows.add_row("sum of separate runs", f"{separate:.2f}")
    rows.add_row("all together", f"{together:.2f}")
    rows.add_row("separate / together", f"{separate / together:.2f}")
    return rows


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


def of_pairs(points: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """What is timed of pairs, by a label."""
    clouds = [torch.from_numpy(cloud)[None] for cloud in ellipsoids(2, points, seed=0).clouds]
    for size in (points // 10, points * 2 // 5, points):
        p, q = (cloud[:, :size] for cloud in clouds)
        for method in ("assignment", "sinkhorn"):
            yield (
                f"earth-movers-distance, {method}, {size:,} points",
                partial(earth_movers_distance, p, q, method=method),
            )
    meshes = {
        "sphere": trimesh.creation.icosphere(2),
        "finer sphere": trimesh.creation.icosphere(4),
        "cylinder": trimesh.creation.cylinder(radius=0.3, height=1.5, sections=500),
    }
    for name, mesh in meshes.items():
        label = f"to the surface of a {name}, {points:,} points, {len(mesh.faces):,} triangles"
        surface = (mesh.vertices.view(np.ndarray), mesh.faces.view(np.ndarray))
        yield label, partial(point_to_surface_distance, clouds[0], [surface])
        if find_spec("rtree") is not None:
            query = trimesh.proximity.ProximityQuery(mesh)
            yield f"{label}, trimesh", partial(query.on_surface, clouds[0][0].numpy())


def seconds(label: str, run: Callable[[], object]) -> float:
    """Of one run."""
    start = time.perf_counter()
    run()
    taken = time.perf_counter() - start
    print(f"{label}: {taken:.2f} s", file=sys.stderr)
    return taken


if __name__ == "__main__":
    main()
