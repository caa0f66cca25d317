"""A step of training: this package, with and without half precision, beside the networks written plainly.

    python benchmarks/training.py                    # some minutes on two cores
    python benchmarks/training.py --device cuda      # on a GPU
    python benchmarks/training.py --quick --networks psgn --out table.md

The plain step has the same weights' shapes and sizes, in float32: the Chamfer distance from `torch.cdist`, AtlasNet's
decoders as 1 x 1 convolutions one after another, the code added to each point; as the code of the field has it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from report import Section, print_tables, say
from timing import allowed_cores, median, take_turns
from torch import Tensor, nn

from svr_baselines.data.items import Item
from svr_baselines.networks import create_network
from svr_baselines.networks.atlasnet import AtlasNetSphere, AtlasNetSquares
from svr_baselines.training import TrainingConfig
from svr_baselines.training.fabric import create_fabric
from svr_baselines.training.steps import Stepper

NETWORKS = "psgn", "foldingnet", "atlasnet-sphere", "atlasnet-25"
RATE = 1e-3


class PlainDecoder(nn.Module):
    """AtlasNet's decoder of one patch."""

    def __init__(self, dimension: int, code: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(dimension, code, 1)
        widths = [code, hidden, hidden, hidden]
        self.layers = nn.ModuleList(nn.Conv1d(a, b, 1) for a, b in pairwise(widths))
        self.last = nn.Conv1d(hidden, 3, 1)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in widths)

    def forward(self, template: Tensor, code: Tensor) -> Tensor:
        values = torch.relu(self.norms[0](self.first(template) + code[:, :, None]))
        for layer, norm in zip(self.layers, self.norms[1:], strict=True):
            values = torch.relu(norm(layer(values)))
        return self.last(values)


class PlainAtlasNet(nn.Module):
    """AtlasNet as a loop over its patches."""

    def __init__(self, network: AtlasNetSphere | AtlasNetSquares) -> None:
        super().__init__()
        self.encoder = network.encoder
        self.sphere = isinstance(network, AtlasNetSphere)
        self.patches = 1 if self.sphere else network.options["patches"]
        self.points = network.options["points"] // self.patches
        sizes = 3 if self.sphere else 2, network.options["code"], network.options["hidden"]
        self.decoders = nn.ModuleList(PlainDecoder(*sizes) for _ in range(self.patches))

    def forward(self, images: Tensor) -> Tensor:
        code = self.encoder(images)
        return torch.cat([decoder(self.draw(images), code) for decoder in self.decoders], dim=2).transpose(1, 2)

    def draw(self, images: Tensor) -> Tensor:
        if not self.sphere:
            return torch.rand(len(images), 2, self.points, device=images.device)
        return nn.functional.normalize(torch.randn(len(images), 3, self.points, device=images.device), dim=1)


def plain_chamfer(first: Tensor, second: Tensor) -> Tensor:
    squared = torch.cdist(first, second).square()
    return squared.min(dim=2).values.mean() + squared.min(dim=1).values.mean()


def plain_step(name: str, batch: Item, device: str) -> Callable[[], object]:
    network = create_network(name)
    plain = PlainAtlasNet(network) if name.startswith("atlasnet") else network
    plain = plain.to(device).train()
    images, points = batch.image.to(device), batch.points.to(device)
    adam = torch.optim.Adam(plain.parameters(), RATE)

    def step() -> float:
        adam.zero_grad()
        loss = plain_chamfer(plain(images), points)
        loss.backward()
        adam.step()
        return float(loss.detach())

    return step


def own_step(name: str, batch: Item, precision: str, device: str) -> Callable[[], object]:
    config = TrainingConfig(name, precision=precision, accelerator=device, devices=1)
    fabric = create_fabric(config)
    fabric.launch()
    stepper = Stepper(config, fabric)
    stepper.start_optimizer(RATE)
    return lambda: stepper.step(batch, 0, len(batch.id))


def make_batch(size: int, pixels: int, points: int) -> Item:
    generator = torch.Generator().manual_seed(0)
    surface = nn.functional.normalize(torch.randn(size, points, 3, generator=generator), dim=2)
    none = torch.full((size, 3, 3), torch.nan), torch.full((size, 5), torch.nan, dtype=torch.float64)
    images = torch.rand(size, 3, pixels, pixels, generator=generator)
    names = [f"sphere-{n}" for n in range(size)]
    return Item(images, surface, *none, names, [""] * size, [0] * size)  # type: ignore[arg-type]


def measure(names: Sequence[str], batch: Item, device: str, repeats: int) -> list[list[str]]:
    rows = []
    for name in names:
        say(name)
        steps = {
            "plain": plain_step(name, batch, device),
            "float32": own_step(name, batch, "32-true", device),
            "bf16": own_step(name, batch, "bf16-mixed", device),
        }
        taken = {kind: 1000 * median(seconds) for kind, seconds in take_turns(steps, repeats).items()}
        rows.append(
            [
                name,
                *(f"{taken[kind]:.0f}" for kind in steps),
                f"{taken['plain'] / taken['float32']:.2f}",
                f"{taken['plain'] / taken['bf16']:.2f}",
            ]
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--size", type=int, default=224, help="pixels along each side; by default 224")
    parser.add_argument("--points", type=int, default=2500, help="points of the targets; by default 2500")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--quick", action="store_true", help="three repeats instead of seven")
    parser.add_argument("--out", type=Path, help="write the table to this file, too, as Markdown")
    options = parser.parse_args(arguments)
    batch = make_batch(options.batch_size, options.size, options.points)
    rows = measure(options.networks, batch, options.device, 3 if options.quick else 7)
    threads = f"{torch.get_num_threads()} threads of {len(allowed_cores())} cores"
    heading = (
        f"Batch {options.batch_size}, {options.size} x {options.size} pixels, {options.points} points, ResNet-18; "
        f"torch {torch.__version__}, {options.device if options.device == 'cuda' else threads}. Milliseconds a step: "
        "forward, backward, Adam."
    )
    columns = ["network", "plain, float32", "this, float32", "this, bf16", "plain / float32", "plain / bf16"]
    sections = [Section("A step of training", columns, rows, "Median of steps that take turns.")]
    print_tables(heading, sections, markdown=False, out=options.out)


if __name__ == "__main__":
    main()
