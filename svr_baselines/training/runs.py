"""Before the first step of a run: do its data go together, and what does its folder hold?"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, make_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from ds_metrics._files import claim_folder
from svr_baselines.data.opening import DataOptions
from svr_baselines.documents import read_document
from svr_baselines.parallel import available_cores
from svr_baselines.training.batches import check_items, coordinates_of
from svr_baselines.training.checkpoints import Checkpoint, has_checkpoint, resume_checkpoint, tidy_up
from svr_baselines.training.config import TrainingConfig
from svr_baselines.training.config_files import write_config
from svr_baselines.training.fabric import agree
from svr_baselines.training.validation import choose_samples

CONFIG, DATA = "config.json", "data.json"  # in the folder of a run

_MOST_WORKERS, _WORKERS_PER_CORE = 8, 8
_MAY_CHANGE = frozenset({"epochs", "accelerator", "devices", "nodes", "data_workers", "checkpoint_every"})


@dataclass(frozen=True)
class RunData:
    """What a run was trained on, from which predictions take their options.

    Attributes:
        data: Folder of the data.
        images: Folder of the pictures, where it is another.
        options: How items are made.
    """

    data: str
    options: DataOptions
    images: str | None = None

    @classmethod
    def of(cls, data: Path, images: Path | None, options: DataOptions) -> RunData:
        """Of folders as they are named here and now."""
        return cls(str(data.resolve()), options, str(images.resolve()) if images else None)

    def to_json(self) -> dict[str, Any]:
        """As the file has it."""
        return asdict(self)


# All options must be there: a default in place of one would have other items made than were trained on.
_AllOptions: Any = make_dataclass("_AllOptions", get_type_hints(DataOptions).items())


@dataclass
class _RunFile:
    data: str
    options: _AllOptions
    images: str | None


def read_run_data(folder: Path) -> RunData | None:
    """What the folder of a run says of its data; `None` where it says nothing.

    Raises:
        ValueError: If the file is damaged; the text names it.
    """
    file = folder / DATA
    if not file.exists():
        return None
    found = read_document(file, _RunFile)
    try:
        return RunData(found.data, DataOptions(**asdict(found.options)), found.images)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def describe_data(config: TrainingConfig, train_set: Any, validation_set: Any) -> dict[str, Any]:
    """Sizes and kind of the two sets.

    Raises:
        ValueError: If one is empty or its first item is none of ours, or they do not go together.
    """
    shape, other = check_items(train_set, "train_set"), check_items(validation_set, "validation_set")
    if shape != other:
        raise ValueError(
            f"Arguments `train_set` and `validation_set` must have images of one size, but got {shape} and {other}."
        )
    coordinates, others = coordinates_of(train_set), coordinates_of(validation_set)
    if coordinates != others:
        raise ValueError(
            "Arguments `train_set` and `validation_set` must have points in the same axes, but got "
            f"{coordinates!r} and {others!r}."
        )
    choose_samples(len(validation_set), config)
    return {
        "train": len(train_set),
        "validation": len(validation_set),
        "image": list(shape),
        "coordinates": coordinates,
    }


def open_run(
    stack: ExitStack,
    folder: Path,
    config: TrainingConfig,
    data: Mapping[str, Any],
    resume: bool,
    fabric: Any,
    log: Callable[[str], None],
) -> Checkpoint | None:
    """Hold the folder of a run, and read the checkpoint to go on from, on all processes.

    Raises:
        OSError: If the folder can't be made, or another process trains in it.
        ValueError: If the folder holds a run that is not to be resumed or is another, or whose checkpoints are damaged.
    """
    first, checkpoint, error = fabric.global_rank == 0, None, None
    try:
        if first:
            with claim_folder(folder, "training in") as lock:
                stack.callback(os.close, lock)
        if has_checkpoint(folder) and not resume:
            raise ValueError(f"{folder} holds a run already: go on with it (`resume`), or name another folder.")
        checkpoint = resume_checkpoint(folder, log if first else lambda line: None)
        if checkpoint is not None:
            _check_same(checkpoint, config, data)
    except (ValueError, OSError) as met:
        error = met
    agree(fabric, error)
    if first:
        tidy_up(folder)
        write_config(folder / CONFIG, config)
    return checkpoint


def _check_same(checkpoint: Checkpoint, config: TrainingConfig, data: Mapping[str, Any]) -> None:
    before, now = checkpoint.config.to_dict(), config.to_dict()
    changed = [name for name in now if name not in _MAY_CHANGE and now[name] != before[name]]
    if changed:
        name = changed[0]
        raise ValueError(
            f"A run goes on as it began, but `{name}` was {before[name]!r} and is {now[name]!r} now"
            + (f"; so do {', '.join(changed[1:])} differ." if changed[1:] else ".")
        )
    if dict(checkpoint.data) != dict(data):
        raise ValueError(
            f"A run goes on with its data, but they were {dict(checkpoint.data)} and are {dict(data)} now."
        )
    if checkpoint.epoch > config.epochs:
        raise ValueError(f"Argument `epochs` must be at least the {checkpoint.epoch} done, but got {config.epochs}.")


def count_workers(config: TrainingConfig, fabric: Any) -> int:
    """Processes that read the samples of each process."""
    if config.data_workers is not None:
        most = _WORKERS_PER_CORE * available_cores()
        if config.data_workers > most:
            raise ValueError(
                f"Argument `data_workers` must be at most {most}, {_WORKERS_PER_CORE} a core, but got "
                f"{config.data_workers}"
            )
        return config.data_workers
    if fabric.device.type == "cpu":
        return 0
    share = (os.cpu_count() or 1) * config.nodes // int(fabric.world_size)
    return max(1, min(_MOST_WORKERS, share))
