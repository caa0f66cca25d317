"""A plain PyTorch training loop with the Dispersion Score in its validation.

    python examples/training_loop.py
    python examples/training_loop.py --epochs 60 --per-kind 200 --points 2500 --device cuda

Trains a small network that turns a picture of a piece of furniture into a point cloud. After each epoch it prints the
Chamfer distance (CD), the Dispersion Score (DS) and DS as a share of the ground truth's. CD falls from the first epoch
on, while the network still answers every picture with one shape: its share is near 0 then. Leaves `predictions.npy` and
`targets.npy` of the last epoch; `ds eval OUT/predictions.npy --target OUT/targets.npy --clusters 4` gives the same DS.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import typer
from small_data import make_pairs
from torch import nn
from torch.utils.data import DataLoader

from ds_metrics import ChamferDistance, DispersionScore
from ds_metrics.functional import chamfer_distance


def make_network(points: int) -> nn.Module:
    """Pictures `(B, 3, 64, 64)` to clouds `(B, points, 3)`."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=4, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 8 * 8, 256),
        nn.ReLU(),
        nn.Linear(256, 3 * points),
        nn.Unflatten(1, (points, 3)),
    )


def main(
    *,
    epochs: int = 20,
    out: Path = Path("demo/training_loop"),
    per_kind: int = 40,
    points: int = 512,
    clusters: int = 4,
    device: str = "cpu",
    seed: int = 0,
) -> None:
    """Train, and print CD, DS and the share of the ground truth's DS after each epoch."""
    print(f"making {4 * per_kind} shapes in {out / 'data'}", file=sys.stderr)
    train, test = make_pairs(out / "data", per_kind, points)
    torch.manual_seed(seed)
    network = make_network(points).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    train_batches, test_batches = DataLoader(train, batch_size=8, shuffle=True), DataLoader(test, batch_size=8)

    # A fixed number of clusters, so that epochs compare with each other and with the ground truth.
    truth = DispersionScore(n_clusters=clusters).to(device)
    for batch in test_batches:
        truth.update(batch.points.to(device))
    true_score = truth.compute().item()
    chamfer, dispersion = ChamferDistance().to(device), DispersionScore(n_clusters=clusters).to(device)

    print(f"DS of the ground truth {true_score:.5f}")
    print("epoch       CD       DS  share")
    for epoch in range(1, epochs + 1):
        network.train()
        for batch in train_batches:
            loss = chamfer_distance(network(batch.image.to(device)), batch.points.to(device)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        network.eval()
        chamfer.reset()
        dispersion.reset()
        predictions, targets = [], []
        with torch.no_grad():
            for batch in test_batches:
                clouds, target = network(batch.image.to(device)), batch.points.to(device)
                chamfer.update(clouds, target)
                dispersion.update(clouds)
                predictions.append(clouds.cpu())
                targets.append(target.cpu())
        score = dispersion.compute().item()
        print(f"{epoch:5d}  {chamfer.compute():.5f}  {score:.5f}  {score / true_score:4.0%}")

    np.save(out / "predictions.npy", torch.cat(predictions).numpy())
    np.save(out / "targets.npy", torch.cat(targets).numpy())


if __name__ == "__main__":
    typer.run(main)
