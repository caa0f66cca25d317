"""Several measures in one `MetricCollection`, and what each says of a network that recites.

    python examples/metric_collection.py
    python examples/metric_collection.py --per-kind 100 --points 2500

Scores three made-up networks on the same furniture. The first answers with one shape of the right kind; the second with
the true shape, each axis stretched or shrunk by up to a tenth; the third is the truth itself, sampled anew. Prints a
line a measure, then which measures share their state. Measures that need normals take them by keyword; the collection
hands a keyword on to those that know it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import trimesh
import typer
from small_data import KINDS, make_mesh
from torch import Tensor
from torchmetrics import MetricCollection

from ds_metrics import (
    ChamferDistance,
    Coverage,
    DispersionScore,
    FScore,
    MinimumMatchingDistance,
    NormalConsistency,
)
from svr_baselines.data import normalize_points

Network = Callable[[str, int], trimesh.Trimesh]  # kind and number of a shape stand for its picture


class Clouds(NamedTuple):
    """Points `(B, P, 3)` in the unit ball, and their normals."""

    points: Tensor
    normals: Tensor


def recite(kind: str, index: int) -> trimesh.Trimesh:
    """One shape for all of a kind."""
    return make_mesh(kind, 0, seed=1)


def reconstruct(kind: str, index: int) -> trimesh.Trimesh:
    """The true shape with wrong proportions."""
    mesh = make_mesh(kind, index)
    return mesh.apply_scale(np.random.default_rng(index).uniform(0.9, 1.1, 3))


def sample(meshes: list[trimesh.Trimesh], points: int, seed: int) -> Clouds:
    """Points and normals of surfaces."""
    clouds, normals = [], []
    for mesh in meshes:
        cloud, face = trimesh.sample.sample_surface(mesh, points, seed=seed)
        clouds.append(normalize_points(cloud))
        normals.append(mesh.face_normals[face])
    return Clouds(*(torch.from_numpy(np.stack(values)).float() for values in (clouds, normals)))


def score(metrics: MetricCollection, network: Network, per_kind: int, points: int) -> dict[str, float]:
    """Values of the collection over all kinds, a kind a batch."""
    metrics.reset()
    for kind in KINDS:
        preds = sample([network(kind, index) for index in range(per_kind)], points, seed=1)
        target = sample([make_mesh(kind, index) for index in range(per_kind)], points, seed=0)
        metrics.update(preds.points, target.points, preds_normals=preds.normals, target_normals=target.normals)
    return {name: value.item() for name, value in metrics.compute().items()}


def main(*, per_kind: int = 12, points: int = 1024, clusters: int = 4) -> None:
    """Score a network that recites, one that reconstructs, and the truth."""
    metrics = MetricCollection(
        [
            ChamferDistance(),
            FScore(radius=0.05),
            NormalConsistency(),
            DispersionScore(n_clusters=clusters),
            Coverage(),
            MinimumMatchingDistance(),
        ]
    )
    columns = [score(metrics, network, per_kind, points) for network in (recite, reconstruct, make_mesh)]
    print("measure                  recites  reconstructs    truth")
    for name in columns[0]:
        print(f"{name:<23}  {columns[0][name]:.5f}  {columns[1][name]:12.5f}  {columns[2][name]:.5f}")
    # Means over pairs keep a sum; DS keeps the predictions; measures of two sets keep one copy of both between them.
    print("state is shared within", *(f"[{', '.join(group)}]" for group in metrics.compute_groups.values()))


if __name__ == "__main__":
    typer.run(main)
