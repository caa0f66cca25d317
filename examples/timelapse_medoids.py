"""The shapes that a network recites, epoch by epoch, in Kaolin's Timelapse.

    python examples/timelapse_medoids.py
    python examples/timelapse_medoids.py --network foldingnet --epochs 60 --per-kind 200 --points 2500 --device cuda

Trains a network of the package and logs, after each epoch, the medoids of its predictions on the test set: the shapes
that stand for its clusters, the largest cluster first, coloured by their share of the predictions. With NVIDIA Kaolin
they go to a Timelapse, `OUT/medoids/pointcloud_0.usd` and so on, with a time sample an epoch, for `kaolin-dash3d
--logdir OUT` or any viewer of USD. Without Kaolin they are PLY files, `OUT/medoids/pointcloud_0.0001.ply` and so on,
one an epoch. `OUT/shares.csv` and the lines on stdout tell the shares. Start anew in an empty OUT: a Timelapse adds to
what is there.
"""

from __future__ import annotations

import contextlib
import csv
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
import trimesh
import typer
from small_data import make_pairs
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ds_metrics import DispersionScore
from svr_baselines.networks import create_network

HOW_TO_GET_KAOLIN = (
    "NVIDIA Kaolin can't be imported: medoids are written as PLY files. To get Kaolin, install NVIDIA's wheel for your "
    "versions of torch and CUDA, see https://kaolin.readthedocs.io/en/latest/notes/installation.html"
)


class PlyTimelapse:
    """What Kaolin's Timelapse does with point clouds, as PLY files."""

    def __init__(self, log_dir: str) -> None:
        self.folder = Path(log_dir)

    def add_pointcloud_batch(
        self,
        iteration: int = 0,
        category: str = "",
        pointcloud_list: Any = None,
        colors: Any = None,
        points_type: str = "point_instancer",
    ) -> None:
        """Write each cloud with its colours, `(P, 3)` in [0, 1]."""
        (self.folder / category).mkdir(parents=True, exist_ok=True)
        for index, (points, color) in enumerate(zip(pointcloud_list, colors, strict=True)):
            cloud = trimesh.PointCloud(points.numpy(), (255 * color.numpy()).round().astype(np.uint8))
            cloud.export(self.folder / category / f"pointcloud_{index}.{iteration:04d}.ply")


def open_timelapse(folder: Path) -> Any:
    """Kaolin's Timelapse, or PLY files where there is no Kaolin."""
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Kaolin greets when it is imported
            from kaolin.visualize import Timelapse
    except (Exception, SystemExit):  # of the placeholder that is called kaolin on PyPI, and of what does not fit torch
        print(HOW_TO_GET_KAOLIN, file=sys.stderr)
        return PlyTimelapse(str(folder))
    return Timelapse(str(folder))


def log_medoids(timelapse: Any, epoch: int, predictions: Tensor, metric: DispersionScore) -> list[float]:
    """Log the medoids of the metric's last `compute`; returns the share of each cluster.

    Args:
        timelapse: Kaolin's, or one like it.
        epoch: Time of the sample.
        predictions: All that the metric was updated with, `(N, P, 3)`, in that order.
        metric: Metric that has computed.
    """
    found = metric.clustering
    shares = (found.sizes / found.n_samples).tolist()
    medoids = list(predictions[found.medoids].detach().cpu())
    colors = [torch.tensor(matplotlib.colormaps["viridis"](share)[:3]).float() for share in shares]
    timelapse.add_pointcloud_batch(
        iteration=epoch,
        category="medoids",
        pointcloud_list=medoids,
        colors=[color.expand_as(medoid).contiguous() for color, medoid in zip(colors, medoids, strict=True)],
        points_type="usd_geom_points",  # the other type has no colours
    )
    return shares


def train_epoch(network: nn.Module, optimizer: torch.optim.Optimizer, batches: DataLoader, device: str) -> None:
    """One pass over the training set."""
    network.train()
    for batch in batches:
        loss = network.loss(batch._replace(image=batch.image.to(device), points=batch.points.to(device)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def main(
    *,
    epochs: int = 8,
    out: Path = Path("demo/timelapse_medoids"),
    network: str = "psgn",
    per_kind: int = 40,
    points: int = 512,
    clusters: int = 4,
    device: str = "cpu",
    seed: int = 0,
) -> None:
    """Train, and log medoids and shares after each epoch."""
    train, test = make_pairs(out / "data", per_kind, points)
    torch.manual_seed(seed)
    model = create_network(network, points=points, code=64, hidden=64).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    train_batches, test_batches = DataLoader(train, batch_size=16, shuffle=True), DataLoader(test, batch_size=16)
    timelapse, metric = open_timelapse(out), DispersionScore(n_clusters=clusters).to(device)

    print("epoch       DS  shares of the clusters")
    with (out / "shares.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["epoch", "DS", *(f"share {cluster}" for cluster in range(clusters))])
        for epoch in range(1, epochs + 1):
            train_epoch(model, optimizer, train_batches, device)
            model.eval()
            with torch.no_grad():
                predictions = torch.cat([model(batch.image.to(device)) for batch in test_batches])
            metric.reset()
            metric.update(predictions)
            score = metric.compute().item()
            shares = log_medoids(timelapse, epoch, predictions, metric)
            print(f"{epoch:5d}  {score:.5f}  {'  '.join(f'{share:.0%}' for share in shares)}")
            table.writerow([epoch, score, *shares])


if __name__ == "__main__":
    typer.run(main)
