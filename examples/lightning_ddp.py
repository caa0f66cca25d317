"""A Lightning module that logs the Chamfer distance and the Dispersion Score, trained by two processes.

    python examples/lightning_ddp.py
    python examples/lightning_ddp.py --processes 8 --accelerator gpu --per-kind 200 --test-shapes 159 --points 2500

Trains on a CPU with gloo unless told otherwise. 33 test shapes are 17 and 16 for two processes, in five and four
batches. Afterwards one process validates the same weights on all 33. Prints both rows: they agree but for rounding, as
the metrics gather the clouds of all processes.
"""

from __future__ import annotations

from pathlib import Path

import lightning as L
import torch
import typer
from small_data import make_pairs, open_pairs
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler, Subset
from torchmetrics import MetricCollection
from training_loop import make_network

from ds_metrics import ChamferDistance, DispersionScore
from ds_metrics.functional import chamfer_distance
from svr_baselines.data.items import Item


class Reconstruction(L.LightningModule):
    """Pictures to point clouds."""

    def __init__(self, points: int, clusters: int) -> None:
        super().__init__()
        self.network = make_network(points)
        # Attributes of the module, so that Lightning moves them to its device and resets them after each epoch.
        self.metrics = MetricCollection(
            {
                "CD": ChamferDistance(),
                "DS": DispersionScore(n_clusters=clusters),
                "DS of the truth": DispersionScore(n_clusters=clusters, of="target"),
            }
        )
        self.share = self.metrics["DS"] / self.metrics["DS of the truth"]  # computed from both, so never updated itself

    def training_step(self, batch: Item, index: int) -> Tensor:
        """Mean Chamfer distance of a batch."""
        return chamfer_distance(self.network(batch.image), batch.points).mean()

    def validation_step(self, batch: Item, index: int) -> None:
        """Add a batch; Lightning computes what is logged at the end of the epoch, over all processes."""
        self.metrics.update(self.network(batch.image), batch.points)
        self.log_dict(self.metrics)
        self.log("share", self.share)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Furniture(L.LightningDataModule):
    """Pictures and points, shared out among the processes."""

    def __init__(self, folder: Path, per_kind: int, points: int, test_shapes: int) -> None:
        super().__init__()
        self.folder, self.per_kind, self.points, self.test_shapes = folder, per_kind, points, test_shapes

    def prepare_data(self) -> None:
        """Make the data, in one process."""
        make_pairs(self.folder, self.per_kind, self.points)

    def setup(self, stage: str) -> None:
        """Open it, in each."""
        self.train, self.test = open_pairs(self.folder, self.points)

    def train_dataloader(self) -> DataLoader:
        """Equal shares, as gradients are averaged after each batch."""
        sampler = DistributedSampler(self.train, self.trainer.world_size, self.trainer.global_rank)
        return DataLoader(self.train, batch_size=8, sampler=sampler)

    def val_dataloader(self) -> DataLoader:
        """Every n-th shape. A `DistributedSampler` would repeat some to make shares equal, which changes the scores."""
        share = range(self.trainer.global_rank, self.test_shapes, self.trainer.world_size)
        return DataLoader(Subset(self.test, share), batch_size=4)


def make_trainer(out: Path, **options: object) -> L.Trainer:
    """A trainer that leaves the data as they are shared out, and says little."""
    return L.Trainer(
        default_root_dir=out,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,  # a few batches may hold too few samples for the number of clusters
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def main(
    *,
    epochs: int = 12,
    out: Path = Path("demo/lightning_ddp"),
    processes: int = 2,
    accelerator: str = "cpu",
    per_kind: int = 45,
    test_shapes: int = 33,
    points: int = 512,
    clusters: int = 4,
    seed: int = 0,
) -> None:
    """Train with several processes, and validate with them and with one."""
    L.seed_everything(seed, verbose=False)
    data, module = Furniture(out / "data", per_kind, points, test_shapes), Reconstruction(points, clusters)
    # Spawned processes end with `fit`, so that this one can go on alone; "ddp" does as well where it need not.
    several = make_trainer(out, accelerator=accelerator, devices=processes, strategy="ddp_spawn", max_epochs=epochs)
    several.fit(module, data)
    alone = make_trainer(out, accelerator=accelerator, devices=1)
    alone.validate(module, data, verbose=False)

    names = list(alone.callback_metrics)
    print("processes", *(f"{name:>9}" for name in names), sep="  ")
    for count, trainer in ((processes, several), (1, alone)):
        values = (f"{trainer.callback_metrics[name]:{max(len(name), 9)}.7f}" for name in names)
        print(f"{count:9d}", *values, sep="  ")


if __name__ == "__main__":
    typer.run(main)
