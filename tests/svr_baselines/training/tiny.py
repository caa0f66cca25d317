"""A network and a dataset small enough for tests. As a program it trains the one on the other."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from svr_baselines.data.cameras import Camera
from svr_baselines.data.items import Item
from svr_baselines.networks import Network, has_network, register_network
from svr_baselines.training import TrainingConfig, train


class Tiny(Network):
    """Two layers and batch norms; points of a template that is drawn in training are moved by the code.

    No bias before batch norm: its gradient is zero but for rounding, which Adam would make steps of.
    """

    def __init__(self, points=32, hidden=16):
        nn.Module.__init__(self)
        self.options = {"points": points, "hidden": hidden}
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.middle = nn.Sequential(nn.Linear(32, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU())
        self.moves = nn.Linear(hidden, 9)
        self.offsets = nn.Linear(hidden, 3 * points)
        self.points = points

    def decode(self, code):
        template = (
            torch.rand(self.points, 3) if self.training else torch.linspace(0, 1, self.points)[:, None].expand(-1, 3)
        )
        hidden = self.middle(code)
        turned = template.to(hidden) @ self.moves(hidden).view(-1, 3, 3)
        return (turned + self.offsets(hidden).view(-1, self.points, 3)).float()


if not has_network("tiny"):
    register_network("tiny", Tiny, "For tests.")


class Options:
    """As of `ItemDataset.options`."""

    def __init__(self, coordinates):
        self.coordinates = coordinates


class Shapes(Dataset):
    """Rods on red ground and plates on green; points are drawn anew each epoch.

    `bad` is the index of an item whose points are NaN; `slow` the seconds that an item takes.
    """

    def __init__(self, count=12, *, points=40, size=16, coordinates="object", bad=None, slow=0.0, start=0):
        self.count, self.points, self.size, self.bad, self.slow, self.start = count, points, size, bad, slow, start
        self.options = Options(coordinates)
        self.epoch = 0
        self.epochs = []

    def set_epoch(self, epoch):
        self.epoch = epoch
        self.epochs.append(epoch)

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(index)
        time.sleep(self.slow)
        camera = Camera(azimuth=10 * index, elevation=20)
        rng = np.random.default_rng([self.start + index, self.epoch])
        kind = index % 2
        image = np.random.default_rng(index).random((3, self.size, self.size)) * 0.2
        image[kind] += 0.7
        points = rng.random((self.points, 3)) - 0.5
        points[:, 1] *= 0.1
        points[:, 2] *= 0.1 if kind == 0 else 1
        if self.options.coordinates == "viewer":
            points = points @ camera.rotation.T
        if index == self.bad:
            points[0] = np.nan
        return Item(
            image=torch.tensor(image, dtype=torch.float32),
            points=torch.tensor(points, dtype=torch.float32),
            rotation=torch.tensor(np.asarray(camera.rotation), dtype=torch.float32),
            camera=torch.tensor([camera.azimuth, camera.elevation, camera.distance, camera.roll, camera.fov]).double(),
            id=f"shape-{self.start + index:03}",
            category="rod" if kind == 0 else "plate",
            view=0,
        )


VALUES = {
    "network": "tiny",
    "epochs": 6,
    "batch_size": 5,
    "decays": [4],
    "learning_rate": 0.01,
    "validation_samples": 6,
    "clusters": 2,
    "accelerator": "cpu",
}


def make_config(**changes):
    """A configuration for seconds."""
    return TrainingConfig.from_dict({**VALUES, **changes})


def main(out, options):
    """Train as a program does: with options of the sets and of the configuration, as JSON."""
    torch.set_num_threads(1)
    size = options.get("size", 16)
    train_set = Shapes(options.get("count", 12), size=size, slow=options.get("slow", 0.0), bad=options.get("bad"))
    config = make_config(**options.get("config", {}))
    summary = train(config, train_set, Shapes(7, size=size, start=100), Path(out), tensorboard=False)
    line = json.dumps({"rank": summary.rank, "steps": summary.steps})
    sys.stdout.write(f"{line}\n")  # at once, as another rank writes to the same pipe; `print` ends a line by itself


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
