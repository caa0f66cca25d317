"""Training of a network, on one device or on many."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from svr_baselines.data.items import Item
from svr_baselines.networks.building import usual_defaults
from svr_baselines.training.batches import EpochBatches, create_loader, read_batches, set_epoch
from svr_baselines.training.checkpoints import Checkpoint, save_best, save_checkpoint
from svr_baselines.training.config import TrainingConfig
from svr_baselines.training.fabric import agree, create_fabric, describe, launched
from svr_baselines.training.logs import EpochLog, format_row, open_log, print_line
from svr_baselines.training.runs import count_workers, describe_data, open_run
from svr_baselines.training.steps import Stepper, check_batches
from svr_baselines.training.validation import CHAMFER, Validation

Tell = Callable[[str], None]
Progress = Callable[[int, int], None]

_PACKAGES = ("dispersion-score", "torch", "numpy")


@dataclass(frozen=True)
class Summary:
    """What came of a run.

    Attributes:
        folder: Where it is: `config.json`, `log.csv`, and the checkpoints `last`, `previous` and `best`.
        epochs: Epochs done in all.
        steps: Steps done in all.
        metrics: Values of the last epoch by name: those of `log.csv`, but for its times.
        best: Epoch and `chamfer_distance` of the best validation.
        seconds: Time that this call took.
        rank: Number of this process: 0 is the one to report.
    """

    folder: Path
    epochs: int
    steps: int
    metrics: Mapping[str, float]
    best: Mapping[str, float]
    seconds: float
    rank: int


@usual_defaults()
def train(
    config: TrainingConfig,
    train_set: Dataset[Item],
    validation_set: Dataset[Item],
    out: str | os.PathLike[str],
    *,
    resume: bool = False,
    progress: Progress | None = None,
    log: Tell = print_line,
    tensorboard: bool | None = None,
    loggers: Sequence[Any] = (),
) -> Summary:
    """Train a network and write its checkpoints and logs into a folder.

    Runs that are killed go on with `resume` at their last checkpoint: on a CPU to the same weights, bit for bit, as if
    they had not been. With several devices or nodes all processes share each batch: batch norm takes its statistics
    from all of it, and loss and gradients are those of one process, but for rounding. Fabric starts the processes by
    running this program again, unless ``torchrun`` or a cluster's scheduler has started them; so all that comes before
    this call runs in each of them, and the call returns in all.

    The random state of the process is not touched.

    Args:
        config: The network, and how it is trained.
        train_set: Items to train on. If it has `set_epoch`, it is told the number of each pass.
        validation_set: Items to measure the network on. It keeps its epoch.
        out: Folder of the run, made if need be; all nodes must see it.
        resume: Whether to go on with a run that the folder may hold. Without it a folder with a run is refused.
        progress: Is told after each step, on the first process, how many samples of how many are done.
        log: Is told a line for each epoch, and of checkpoints that are damaged, on the first process.
        tensorboard: Whether to write for TensorBoard; `None` if it is installed.
        loggers: Further loggers of Fabric, such as that of Weights & Biases; they get the values of each epoch.

    Raises:
        OSError: If the folder can't be written, or another process trains in it.
        ValueError: If a set is empty, items do not fit to each other, the folder holds another run, the configuration
            can't be served, or the loss is NaN or infinite. Checkpoints stay as they are.
    """
    begun = time.monotonic()
    data = describe_data(config, train_set, validation_set)
    fabric = create_fabric(config, loggers)
    with ExitStack() as stack:
        stack.enter_context(launched(fabric))
        gpus = [fabric.device] if fabric.device.type == "cuda" else []
        stack.enter_context(torch.random.fork_rng(devices=gpus))
        folder = Path(out)
        checkpoint = open_run(stack, folder, config, data, resume, fabric, log)
        run = _Run(config, train_set, validation_set, folder, data, fabric, checkpoint)
        if fabric.global_rank == 0:
            log(f"{data['train']} samples for training, {data['validation']} for validation.")
            if how := describe(fabric, config):
                log(how)
            if checkpoint is not None:
                log(f"Going on after epoch {checkpoint.epoch}.")
            run.table = stack.enter_context(open_log(folder, run.epoch, tensorboard))
            run.progress, run.tell = progress, log
        while run.epoch < config.epochs:
            run.epoch_once()
        agree(fabric)
    seconds = time.monotonic() - begun
    return Summary(folder, run.epoch, run.number, run.metrics, run.best, seconds, fabric.global_rank)


class _Run:
    """A run between two epochs."""

    def __init__(
        self,
        config: TrainingConfig,
        train_set: Dataset[Item],
        validation_set: Dataset[Item],
        folder: Path,
        data: Mapping[str, Any],
        fabric: Any,
        checkpoint: Checkpoint | None,
    ) -> None:
        self._config, self._folder, self._data, self._fabric = config, folder, data, fabric
        self._train_set = train_set
        workers = count_workers(config, fabric)
        self._batches = EpochBatches(
            data["train"], config.batch_size, config.seed, fabric.global_rank, fabric.world_size
        )
        self._loader = create_loader(train_set, self._batches, workers, fabric.device)
        self._validation = Validation(validation_set, config, data["coordinates"], fabric, workers)
        self._stepper = Stepper(config, fabric)
        check_batches(self._stepper.network, config, data["train"], data["image"])
        self.epoch = self.number = 0
        self.metrics: Mapping[str, float] = {}
        self.best: Mapping[str, float] = {}
        if checkpoint is not None:
            self.epoch, self.number = checkpoint.epoch, checkpoint.step
            self.metrics, self.best = checkpoint.metrics, checkpoint.best
            self._stepper.start_optimizer(config.rate(self.epoch - 1))
            self._stepper.load(checkpoint)
        self.table: EpochLog | None = None
        self.progress: Progress | None = None
        self.tell: Tell | None = None

    def epoch_once(self) -> None:
        """Train for one epoch, validate, log, save."""
        config = self._config
        if self.epoch == 0 or self.epoch in config.decays:
            self._stepper.start_optimizer(config.rate(self.epoch))
        begun = time.monotonic()
        loss = self._pass_all()
        row = {
            "epoch": self.epoch + 1,
            "step": self.number,
            "learning_rate": config.rate(self.epoch),
            "loss": loss,
        }
        seconds = {"seconds": time.monotonic() - begun}
        self.epoch += 1
        if self._is_due(config.validate_every):
            begun = time.monotonic()
            row |= self._validation.run(self._stepper.network)
            seconds["validation_seconds"] = time.monotonic() - begun
        self.metrics = row
        improved = CHAMFER in row and row[CHAMFER] < self.best.get(CHAMFER, float("inf"))
        if improved:
            self.best = {"epoch": self.epoch, CHAMFER: row[CHAMFER]}
        if self._fabric.global_rank == 0:
            self._write(seconds, improved)

    def _is_due(self, every: int) -> bool:
        return self.epoch % every == 0 or self.epoch == self._config.epochs

    def _pass_all(self) -> float:
        """Mean loss over the samples of an epoch."""
        total = 0.0
        ids: Sequence[str] = ()
        for number in range(self._config.passes):
            self._batches.epoch = self.epoch * self._config.passes + number
            set_epoch(self._train_set, self._batches.epoch)
            done = self._batches.epoch * self._data["train"]
            batches = read_batches(self._loader)
            for size in self._batches.sizes:
                batch = self._next(batches)
                total += size * self._stepper.step(batch, self.number, size)
                self.number += 1
                done += size
                ids = batch.id
                if self.progress is not None:
                    self.progress(done, self._data["train"] * self._config.passes * self._config.epochs)
        if not self._stepper.is_finite():
            raise ValueError(
                f"Weights are NaN or infinite after epoch {self.epoch + 1}, whose last step took {', '.join(ids)}."
            )
        return total / int(self._data["train"] * self._config.passes)

    def _next(self, batches: Iterator[Item]) -> Item:
        """The next batch, once all processes have theirs: none may wait in vain for one whose data are damaged."""
        batch, error = None, None
        try:
            batch = next(batches)
        except (ValueError, OSError) as met:
            error = met
        agree(self._fabric, error)
        assert batch is not None
        return batch

    def _write(self, seconds: Mapping[str, float], improved: bool) -> None:
        assert self.table is not None
        assert self.tell is not None
        row = {**self.metrics, **seconds}
        self.table.add(row)
        self.tell(format_row(row, self._config.epochs))
        self._fabric.log_dict(row, step=self.epoch)
        state = self._state()
        if improved:
            save_best(self._folder, replace(state, optimizer={}))
        if self._is_due(self._config.checkpoint_every):
            save_checkpoint(self._folder, state)

    def _state(self) -> Checkpoint:
        return Checkpoint(
            config=self._config,
            epoch=self.epoch,
            step=self.number,
            metrics=self.metrics,
            data=self._data,
            network=self._stepper.network.state_dict(),
            options=self._stepper.network.options,
            optimizer=self._stepper.optimizer_tensors(),
            best=self.best,
            versions={name: version(name) for name in _PACKAGES},
        )
