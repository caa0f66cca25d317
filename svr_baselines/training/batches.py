"""Which samples each step takes, in which order, on which process.

The order of an epoch is a permutation that depends on seed and epoch alone. It is cut into batches of one size, give or
take one sample, and each batch into as many parts as there are processes: so any number of processes takes the same
steps, no sample is left out, and none has a process without a sample. (The paper's code drops the samples of the last
batch that are too few for a whole one.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from svr_baselines.data.item_dataset import ItemDataset
from svr_baselines.data.items import Item
from svr_baselines.data.points import stable_seed


class EpochBatches(Sampler[list[int]]):
    """The part of one process of each batch of an epoch, as indices; a `batch_sampler` for a `DataLoader`.

    Attributes:
        epoch: Number of the epoch; set it before each.
        sizes: Samples of each batch, over all processes.

    Args:
        count: Samples of the dataset.
        batch_size: Samples of a batch at most, over all processes.
        seed: Seed of the order.
        rank: Number of the process.
        world_size: Number of processes.

    Raises:
        ValueError: If there are not samples for all processes in each batch.

    Example:
        >>> [len(batch) for batch in EpochBatches(20, batch_size=8)]
        [7, 7, 6]
        >>> whole = list(EpochBatches(20, batch_size=8))
        >>> parts = [list(EpochBatches(20, batch_size=8, rank=rank, world_size=2)) for rank in range(2)]
        >>> [first + second for first, second in zip(*parts)] == whole
        True
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.epoch = 0
        self._count, self._seed, self._rank, self._world_size = count, seed, rank, world_size
        self._batches = -(-count // batch_size)
        self.sizes = [len(batch) for batch in np.array_split(np.arange(count), max(self._batches, 1))]
        fewest = self.sizes[-1]
        if fewest < world_size:
            raise ValueError(
                f"Argument `batch_size` must leave a sample to each of {world_size} processes, but {batch_size} cuts "
                f"{count} samples into batches of {fewest}."
            )

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[int]]:
        order = np.random.default_rng(stable_seed(self._seed, f"order/{self.epoch}")).permutation(self._count)
        for batch in np.array_split(order, self._batches):
            yield [int(index) for index in np.array_split(batch, self._world_size)[self._rank]]


class FixedBatches(Sampler[list[int]]):
    """The part of one process of a dataset in its order: a stretch of it, batch by batch.

    Example:
        >>> list(FixedBatches(5, batch_size=2, rank=1, world_size=2))
        [[3, 4]]
    """

    def __init__(self, count: int, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        self._indices = [int(index) for index in np.array_split(np.arange(count), world_size)[rank]]
        self._batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self._indices) // self._batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        for start in range(0, len(self._indices), self._batch_size):
            yield self._indices[start : start + self._batch_size]


def create_loader(
    dataset: Dataset[Item], batches: Sampler[list[int]], workers: int, device: torch.device
) -> DataLoader[Item]:
    """Make a loader of batches whose items fit together."""
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0 and _reaches_workers(dataset),
        collate_fn=collate,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # or it would draw from the default one, that networks draw from
    )


def read_batches(loader: DataLoader[Item]) -> Iterator[Item]:
    """Batches of a loader; what a worker raises becomes one line again.

    Raises:
        ValueError: If an item is damaged or does not fit to the others; the text names it.
    """
    try:
        yield from loader
    except ValueError as error:
        if "Original Traceback" not in str(error):
            raise
        raise ValueError(str(error).strip().splitlines()[-1].removeprefix("ValueError: ")) from error


def collate(items: Sequence[Item]) -> Item:
    """Put items together into a batch.

    Raises:
        ValueError: If images or clouds differ in size; the text names two items that do.

    Example:
        >>> item = Item(torch.zeros(3, 8, 8), torch.zeros(5, 3), torch.eye(3), torch.zeros(5), "cube", "", 0)
        >>> collate([item, item]).image.shape
        torch.Size([2, 3, 8, 8])
    """
    first = items[0]
    for other in items:
        for name in ("image", "points"):
            here, there = tuple(getattr(first, name).shape), tuple(getattr(other, name).shape)
            if here != there:
                raise ValueError(
                    f"Items of one size are needed, but `{name}` of {first.id!r} is {here}, of {other.id!r} {there}."
                )
    batch: Item = default_collate(list(items))
    return batch


def check_items(dataset: Any, name: str) -> tuple[int, ...]:
    """Refuse a dataset without items, or whose first is none of ours.

    Returns:
        Shape of the first image.

    Raises:
        ValueError: If it is so.
    """
    if not len(dataset):
        raise ValueError(f"Argument `{name}` must have items, but it is empty.")
    item = dataset[0]
    if not all(hasattr(item, field) for field in Item._fields):  # occupancy items have more
        raise ValueError(f"Argument `{name}` must hold items, but its first is a {type(item).__name__}.")
    for part, shape, right in (
        ("image", item.image.shape, item.image.ndim == 3 and item.image.shape[0] == 3),
        ("points", item.points.shape, item.points.ndim == 2 and item.points.shape[1] == 3 and len(item.points) > 0),
    ):
        if not right:
            wanted = "(3, H, W)" if part == "image" else "(P, 3)"
            raise ValueError(
                f"Argument `{name}` must hold {part} of shape {wanted}, but {item.id!r} has {tuple(shape)}."
            )
    return tuple(item.image.shape)


def coordinates_of(dataset: Any) -> str:
    """`"viewer"` or `"object"`: of what a dataset of ours gives, or a part of one; of others `"object"`."""
    while not hasattr(dataset, "options") and hasattr(dataset, "dataset"):
        dataset = dataset.dataset  # torch's Subset
    return str(getattr(getattr(dataset, "options", None), "coordinates", "object"))


def _reaches_workers(dataset: Any) -> bool:
    """Whether workers that live longer than an epoch draw what they should: those of datasets of ours do."""
    while not hasattr(dataset, "set_epoch") and hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    return isinstance(dataset, ItemDataset) or not hasattr(dataset, "set_epoch")


def set_epoch(dataset: Any, epoch: int) -> None:
    """Have a dataset draw other points from now on, if it does that."""
    while not hasattr(dataset, "set_epoch") and hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    if hasattr(dataset, "set_epoch"):
        dataset.set_epoch(epoch)
