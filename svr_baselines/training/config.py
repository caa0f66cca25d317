"""What a training run depends on, beside its data."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from typing import Any, Literal, get_args

from svr_baselines.data.points import check_count

Precision = Literal["32-true", "bf16-mixed", "64-true"]


@dataclass(frozen=True)
class TrainingConfig:
    """A network and how it is trained. The defaults are the protocol of the paper on ShapeNet.

    Adam at a learning rate that is multiplied by `decay_factor` after each of the epochs `decays`. As in the paper's
    code the optimizer is made anew at each of them: the moments that Adam has estimated so far are forgotten.

    Attributes:
        network: Name of the network, see `svr_baselines.networks.list_networks`.
        network_options: Its options, ready for JSON.
        epochs: Epochs in all.
        passes: How often an epoch goes through the training set; more than once for sets of a few samples.
        batch_size: Samples of a step at most, over all processes together.
        learning_rate: Of the first epochs.
        decays: After how many epochs the learning rate falls.
        decay_factor: What it is multiplied by.
        clip: Largest norm of the gradient; `None` leaves gradients as they are.
        seed: Seed of the weights, of the order of the samples and of the points that networks draw.
        precision: `"32-true"`; `"bf16-mixed"` for steps in half precision, with validation in full; or `"64-true"` for
            all in double, to check that two ways of computing are one: they part by rounding alone, and it stays small.
        accelerator: `"auto"`, `"cpu"`, `"cuda"` or another of Fabric's.
        devices: Processes on each node, one a device; `"auto"` takes all GPUs, or one process on a CPU.
        nodes: Machines that take part.
        data_workers: Processes of each that read samples; `None` takes none on a CPU, where all cores are busy, and up
            to 8 for a GPU.
        validation_samples: Validation samples of which the DS is computed: the same ones each time. 0 computes none.
        validation_points: Points of each of their clouds that it takes.
        clusters: Number of clusters of that DS.
        validate_every: Epochs from one validation to the next; there is always one after the last.
        checkpoint_every: Epochs from one checkpoint to the next; there is always one after the last.

    Raises:
        ValueError: If one of them is not as described, or two do not go together.

    Example:
        >>> config = TrainingConfig("psgn", epochs=3, decays=(2,))
        >>> [config.rate(epoch) for epoch in range(3)]
        [0.001, 0.001, 0.0001]
    """

    network: str
    network_options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    epochs: int = 120
    passes: int = 1
    batch_size: int = 64
    learning_rate: float = 1e-3
    decays: tuple[int, ...] = (90, 110, 115)
    decay_factor: float = 0.1
    clip: float | None = None
    seed: int = 1
    precision: Precision = "32-true"
    accelerator: str = "auto"
    devices: int | Literal["auto"] = "auto"
    nodes: int = 1
    data_workers: int | None = None
    validation_samples: int = 500
    validation_points: int = 2500
    clusters: int = 50
    validate_every: int = 1
    checkpoint_every: int = 1

    def __post_init__(self) -> None:
        for name in ("network", "accelerator"):
            _check(name, isinstance(value := getattr(self, name), str) and value != "", "a name", value)
        for name in _COUNTS:
            check_count(name, getattr(self, name), _MOST)
        for name in ("learning_rate", "decay_factor"):
            _check(name, _is_positive(value := getattr(self, name)), "a positive number", value)
        _check("clip", self.clip is None or _is_positive(self.clip), "a positive number or None", self.clip)
        _check("seed", _is_integer(self.seed) and abs(self.seed) < 2**63, "an integer of 64 bits", self.seed)
        _check("precision", self.precision in get_args(Precision), f"one of {get_args(Precision)}", self.precision)
        if self.devices != "auto":
            _check("devices", _is_integer(self.devices, 1), "'auto' or an integer of at least 1", self.devices)
        workers = self.data_workers
        _check("data_workers", workers is None or _is_integer(workers, 0), "None or an integer from 0", workers)
        samples = self.validation_samples
        _check("validation_samples", _is_integer(samples, 0), "an integer from 0", samples)
        if 0 < samples <= self.clusters:
            raise ValueError(
                f"Argument `clusters` must be below the {samples} of `validation_samples`, but got {self.clusters}."
            )
        object.__setattr__(self, "decays", self._checked_decays())
        object.__setattr__(self, "network_options", _checked_options(self.network_options))

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0."""
        passed = sum(decay <= epoch for decay in self.decays)
        return self.learning_rate * self.decay_factor**passed

    def to_dict(self) -> dict[str, Any]:
        """All values, ready for JSON."""
        return {**asdict(self), "network_options": dict(self.network_options), "decays": list(self.decays)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """Make a configuration of the values of `to_dict`, or of some of them.

        Raises:
            ValueError: If a value is none of ours or not as described, or if the network is missing.

        Example:
            >>> TrainingConfig.from_dict({"network": "psgn", "epoch": 3})
            Traceback (most recent call last):
            ValueError: A configuration has no value 'epoch'; did you mean 'epochs'?
        """
        check_names(values)
        if "network" not in values:
            raise ValueError("A configuration needs the value 'network', the name of a network.")
        return cls(**values)

    def _checked_decays(self) -> tuple[int, ...]:
        wanted = f"increasing numbers of epochs below `epochs` ({self.epochs})"
        listed = isinstance(self.decays, (list, tuple)) and all(_is_integer(decay, 1) for decay in self.decays)
        _check("decays", listed, wanted, self.decays)
        decays = tuple(self.decays)
        ordered = all(before < after for before, after in pairwise((*decays, self.epochs)))
        _check("decays", ordered, wanted, decays)
        return decays


_COUNTS = (
    "epochs",
    "passes",
    "batch_size",
    "nodes",
    "validation_points",
    "clusters",
    "validate_every",
    "checkpoint_every",
)


_MOST = 1_000_000


def check_names(values: Mapping[str, Any]) -> None:
    """Refuse values that a configuration does not have; the message names those that come near."""
    known = [item.name for item in fields(TrainingConfig)]
    for name in values:
        if name not in known:
            from ds_metrics._plugins import did_you_mean  # brings torch

            hint = did_you_mean(str(name), known) or f"there are {', '.join(known)}."
            raise ValueError(f"A configuration has no value {name!r}; {hint}")


def _checked_options(options: Any) -> dict[str, Any]:
    """A copy as JSON gives it back, so that a configuration equals the one that is read again."""
    _check("network_options", isinstance(options, Mapping), "options by name", options)
    try:
        copied: dict[str, Any] = json.loads(json.dumps(dict(options), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"Argument `network_options` must be ready for JSON: {error}.") from error
    return copied


def _check(name: str, right: bool, wanted: str, value: Any) -> None:
    if not right:
        raise ValueError(f"Argument `{name}` must be {wanted}, but got {value!r}.")


def _is_integer(value: Any, least: float = -math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_positive(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 < value <= sys.float_info.max
