"""One step of training: forward, backward, update, the same on all processes."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from svr_baselines.data.items import Item
from svr_baselines.data.points import stable_seed
from svr_baselines.networks import Network, create_network
from svr_baselines.networks.building import check_room
from svr_baselines.networks.norm import at_least_float32
from svr_baselines.training.batch_norm import synchronize_batch_norm
from svr_baselines.training.batches import EpochBatches
from svr_baselines.training.checkpoints import Checkpoint, check_tensors
from svr_baselines.training.config import TrainingConfig
from svr_baselines.training.fabric import gather_names, in_precision


class Stepper:
    """A network, its optimizer and the steps of both.

    A step depends on the seed, its number, the weights and its batch alone, not on what was drawn before: so a run that
    is resumed takes the same steps. All processes draw the same random numbers, and the loss is the mean over the
    samples of all.

    Args:
        config: What the run depends on.
        fabric: The processes, launched.

    Attributes:
        network: The network as it is, without what the processes wrap around it.
    """

    def __init__(self, config: TrainingConfig, fabric: Any) -> None:
        self._config, self._fabric = config, fabric
        torch.manual_seed(stable_seed(config.seed, "weights"))
        self.network: Network = create_network(config.network, **config.network_options)
        if fabric.device.type == "cpu":
            check_room(self.network, "its gradients and what Adam has in memory", 3)
        if fabric.world_size > 1:
            synchronize_batch_norm(self.network, fabric.device)
        self._objective = fabric.setup_module(_Objective(self.network))
        self._optimizer: Any = None

    def start_optimizer(self, rate: float) -> None:
        """Make Adam anew, with nothing in memory."""
        fused = self._fabric.device.type in ("cpu", "cuda")
        adam = torch.optim.Adam(self.network.parameters(), lr=rate, fused=fused)
        self._optimizer = self._fabric.setup_optimizers(adam)

    def step(self, batch: Item, number: int, total: int) -> float:
        """Take a step and return the loss before it.

        Args:
            batch: The part of the batch that this process has.
            number: Number of the step in the run.
            total: Samples of the batch over all processes.

        Raises:
            ValueError: If the loss is NaN or infinite, on all processes; the text names the samples. The weights stay.
        """
        self._objective.train()
        torch.manual_seed(stable_seed(self._config.seed, f"step/{number}"))
        moved = self._fabric.to_device(batch)
        self._optimizer.zero_grad()
        loss, reason = self._forward(moved)
        share = len(batch.id) / total
        value = float(self._fabric.all_reduce(loss.detach().to(at_least_float32(loss.dtype)) * share, reduce_op="sum"))
        if not torch.isfinite(torch.tensor(value)):
            names = gather_names(self._fabric, batch.id)
            reasons = gather_names(self._fabric, [reason] if reason else [])
            raise ValueError(
                f"The loss is {value} in step {number + 1}, whose samples are {', '.join(names)}"
                + (f": {reasons[0]}" if reasons else ".")
            )
        # The processes' gradients are averaged, each as if of as many samples.
        self._fabric.backward(loss * (share * self._fabric.world_size))
        if self._config.clip is not None:
            self._fabric.clip_gradients(self._objective, self._optimizer, max_norm=self._config.clip)
        self._optimizer.step()
        return value

    def is_finite(self) -> bool:
        """Whether all weights are."""
        return all(bool(torch.isfinite(value).all()) for value in self.network.state_dict().values())

    def optimizer_tensors(self) -> dict[str, Tensor]:
        """What Adam has in memory, by name of weight and state."""
        states = self._optimizer.state
        return {
            f"{name}/{key}": value
            for name, weight in self.network.named_parameters()
            for key, value in states.get(weight, {}).items()
        }

    def load(self, checkpoint: Checkpoint) -> None:
        """Take over weights, and what Adam had in memory.

        Raises:
            ValueError: If they are another network's; the text names file and tensor.
        """
        checkpoint.check_weights(self.network.state_dict())
        what = f"{checkpoint.source}: The optimizer's state does not fit the network"
        check_tensors(checkpoint.optimizer, self._wanted_of_optimizer(checkpoint.optimizer), what)
        self.network.load_state_dict(dict(checkpoint.network))
        states: dict[int, dict[str, Tensor]] = {}
        places = {name: place for place, (name, _) in enumerate(self.network.named_parameters())}
        for name, value in checkpoint.optimizer.items():
            weight, _, key = name.rpartition("/")
            states.setdefault(places[weight], {})[key] = value
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": states, "param_groups": groups})

    def _wanted_of_optimizer(self, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What Adam has in memory after a step; of a weight that had no gradient so far, nothing."""
        moved = {name.rpartition("/")[0] for name in found}
        step = torch.zeros((), dtype=torch.float32, device="cpu")
        return {
            f"{name}/{key}": step if key == "step" else weight
            for name, weight in self.network.named_parameters()
            if name in moved or not moved
            for key in ("step", "exp_avg", "exp_avg_sq")
        }

    def _forward(self, batch: Item) -> tuple[Tensor, str]:
        """The loss; NaN and why if it can't be computed, as the other processes must hear of it."""
        with in_precision(self._fabric):
            try:
                loss: Tensor = self._objective(batch)
            except ValueError as error:
                return torch.tensor(torch.nan, device=self._fabric.device), str(error)
        return loss, ""


class _Objective(nn.Module):
    """The loss as a forward pass, as the wrappers of Fabric see those alone."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Item) -> Tensor:
        return self.network.loss(batch)


def check_batches(network: Network, config: TrainingConfig, count: int, image: Sequence[int]) -> None:
    """Find out before the first step whether a network can learn from batches of one sample, if there are any.

    Args:
        network: The network.
        config: Size of the batches.
        count: Samples to train on.
        image: Shape of their images.

    Raises:
        ValueError: If it can't, as batch norm needs two values of each channel.
    """
    fewest = EpochBatches(count, config.batch_size).sizes[-1]
    if fewest > 1:
        return
    tried = copy.deepcopy(network).train()
    weight = next(tried.parameters())
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            Network.forward(tried, torch.zeros(1, *image, dtype=weight.dtype, device=weight.device))
    except ValueError as error:
        if "more than" not in str(error):
            raise
        raise ValueError(
            f"Argument `batch_size` must leave at least 2 samples to each batch, as the batch norm of network "
            f"{config.network!r} needs them, but {config.batch_size} cuts {count} samples into batches of {fewest}"
        ) from error
