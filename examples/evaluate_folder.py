"""Score someone else's predictions: a folder of shapes, paired with the ground truth by their names.

    python examples/evaluate_folder.py
    python examples/evaluate_folder.py --predictions theirs/ --target truth/ --clusters 50

Any of `.npy .npz .ply .obj .off .stl .glb .xyz` will do, on either side. All shapes are moved and scaled to the unit
ball, as predictions often come in a frame of their own, and the meshes of the ground truth are sampled with as many
points as the predictions have, as scores of clouds of different sizes don't compare. Prints the scores and the shapes
that the clusters are about; leaves `result.json`, which `ds compare` and `ds report` read. On the command line the same
is `ds eval PREDICTIONS --target TRUTH --normalize unit-ball --points P --clusters K --json result.json`.

Without folders of yours it makes some: 48 meshes of furniture, and predictions in centimetres that recite one shape a
kind.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import trimesh
import typer
from small_data import KINDS, make_mesh, make_meshes

from svr_baselines.data import pair_shapes, read_shapes
from svr_baselines.dispersion import Scoring
from svr_baselines.evaluation import evaluate


def make_predictions(folder: Path, per_kind: int, points: int) -> None:
    """Write the clouds of a network that knows one shape of a kind and varies it a little; in centimetres."""
    for kind in KINDS:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        known, _ = trimesh.sample.sample_surface(make_mesh(kind, 0, seed=1), points, seed=0)
        for index in range(per_kind):
            cloud = known * np.random.default_rng(index).uniform(0.95, 1.05, 3)
            trimesh.PointCloud(100 * cloud + (50, 0, 20)).export(folder / kind / f"{index:04d}.ply")


def main(
    *,
    predictions: Path | None = None,
    target: Path | None = None,
    out: Path = Path("demo/evaluate_folder"),
    clusters: int | None = None,
    seed: int = 0,
) -> None:
    """Read two folders, pair them, score, and leave a result file."""
    if (predictions is None) != (target is None):
        raise typer.BadParameter("--predictions and --target go together: give both, or none to have some made")
    if predictions is None or target is None:
        predictions, target = out / "predictions", out / "truth"
        print(f"making shapes in {out}", file=sys.stderr)
        make_meshes(target, per_kind=12)
        make_predictions(predictions, per_kind=12, points=1024)

    predicted = read_shapes(predictions, normalize="unit-ball", seed=seed)
    points = len(predicted.clouds[0])
    truth = read_shapes(target, points=points, normalize="unit-ball", seed=seed, side="target")
    predicted, truth = pair_shapes(predicted, truth)  # a name without its counterpart is an error
    # The knee is that of the ground truth's DS over k: all that predict these shapes are scored at one k.
    scoring = Scoring(n_clusters="knee" if clusters is None else clusters, seed=seed)
    evaluation = evaluate(predicted, truth, scoring=scoring)

    clustering, interval, share = evaluation.dispersion.clustering, evaluation.interval, evaluation.share
    for name, value in evaluation.scores.items():
        print(f"{name:<22}{value:.6f}")
    if interval is not None:
        print(f"{'95 % interval of DS':<22}{interval.low:.6f} to {interval.high:.6f}")
    if evaluation.truth_score is not None:
        print(f"{'DS of the truth':<22}{evaluation.truth_score:.6f}")
    reason = evaluation.dispersion.normalized.reason
    print(f"{'share of the truth':<22}{reason if share is None else format(share, '.1%')}")
    print(f"{'clusters':<22}{clustering.n_clusters}, of which the largest:")
    for medoid, size in list(zip(clustering.medoids, clustering.sizes, strict=True))[:6]:
        print(f"  {size / clustering.n_samples:4.0%} of the predictions are near {predicted.names[medoid]}")
    result = out / "result.json"
    out.mkdir(parents=True, exist_ok=True)
    evaluation.save(result, predicted.names)
    print(f"wrote {result}", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
