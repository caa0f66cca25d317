"""What the datasets of pictures and shapes have in common: items by index, epochs, the split, and what is missing."""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from svr_baselines.data.items import Item, ItemOptions, Place, read_item

_SHOWN = 3  # names in a line of the summary


@dataclass(frozen=True)
class Missing:
    """Shapes of all splits that are on one side only, as `category/id`, and are left out.

    Attributes:
        without_images: Shapes that have points but no pictures.
        without_points: Shapes that have pictures but no points.
        categories: Categories that were asked for and of which there is no shape with both.
    """

    without_images: tuple[str, ...] = ()
    without_points: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.without_images or self.without_points or self.categories)

    def __str__(self) -> str:
        """One line for each kind that there is; empty if nothing is missing.

        Example:
            >>> print(Missing(without_images=("chair/a", "chair/b")))
            2 shapes without images: chair/a, chair/b
        """
        kinds = {
            "shapes without images": self.without_images,
            "shapes without points": self.without_points,
            "categories without a shape that has both": self.categories,
        }
        return "\n".join(f"{len(names)} {kind}: {_list(names)}" for kind, names in kinds.items() if names)


class ItemDataset(Dataset[Item]):
    """Items by index, read and drawn as they are asked for.

    A subclass says where an item is found; `read_item` makes it. Datasets can be pickled, and used by a `DataLoader`
    with any number of workers: items do not depend on it. `set_epoch` reaches workers that live longer than an epoch.

    Attributes:
        missing: Shapes that were left out because they are on one side only.
    """

    def __init__(self, options: ItemOptions, redraw: bool, missing: Missing) -> None:
        self._options = options
        self._redraw = redraw
        self.missing = missing
        # Shared, so that persistent workers see the epoch change.
        epoch: Any = torch.zeros((), dtype=torch.int64)  # some stubs leave `share_memory_` without types
        self._epoch: Tensor = epoch.share_memory_()

    @property
    def options(self) -> ItemOptions:
        """How items are made."""
        return self._options

    def set_epoch(self, epoch: int) -> None:
        """Draw other points and augmentations from now on; the test split stays as it is.

        Call it before each epoch, on every rank.

        Raises:
            ValueError: If `epoch` is no integer from 0.
        """
        if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 0:
            raise ValueError(f"Argument `epoch` must be an integer from 0, but got {epoch!r}.")
        self._epoch.fill_(epoch)

    def summary(self) -> str:
        """Items and shapes by category, and what is missing, for people."""
        shapes = Counter(category for category, _ in self._shapes())
        lines = [f"{len(self)} items of {shapes.total()} shapes"]
        lines += [f"  {category or 'no category'}: {count}" for category, count in shapes.items()]
        return "\n".join([*lines, *str(self.missing).splitlines()])

    def __getitem__(self, index: int) -> Item:
        """Read an item.

        Raises:
            IndexError: Beyond the end.
            ValueError: If a file of it is missing or damaged; the text names the file.
        """
        epoch = int(self._epoch) if self._redraw else 0
        return read_item(self._place(range(len(self))[operator.index(index)]), self._options, epoch)

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _place(self, index: int) -> Place:
        """Where the item of an index from 0 is found."""

    @abstractmethod
    def _shapes(self) -> Collection[tuple[str, str]]:
        """Category and id of each shape, once."""


def take_split(ids: Iterable[str], split: str) -> list[str]:
    """Sort the ids of a category and take the first 80 % as `"train"`, or the rest as `"test"`.

    Example:
        >>> take_split("fbcdea", "train"), take_split("fbcdea", "test")
        (['a', 'b', 'c', 'd'], ['e', 'f'])
    """
    ordered = sorted(ids)
    end = len(ordered) * 4 // 5
    return ordered[:end] if split == "train" else ordered[end:]


def check_split(split: str) -> None:
    """Refuse what is neither `"train"` nor `"test"`."""
    if split not in ("train", "test"):
        raise ValueError(f"Argument `split` must be 'train' or 'test', but got {split!r}.")


def _list(names: Collection[str]) -> str:
    return ", ".join([*list(names)[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])
