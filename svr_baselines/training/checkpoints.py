"""Checkpoints that survive a kill and tell when they are damaged.

A checkpoint is one file in the safetensors format, ``last.safetensors``, with the weights as ``network/NAME`` and the
optimizer's tensors as ``optimizer/NAME/KEY``. All else is JSON in its header: what it holds, and a SHA-256 of that and
of all tensors. So a checkpoint is whole or not there, as files are renamed in one step. ``last.json`` beside it repeats
the JSON for people and scripts; nothing is read from it.

Before a new ``last`` takes its place, the one there becomes ``previous``: a killed process leaves one of the two whole,
and a damaged ``last`` is replaced by ``previous`` when it is read. ``best`` holds weights alone, of the epoch with the
lowest Chamfer distance.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ds_metrics._files import atomic_write, write_text
from svr_baselines.documents import check_document, check_regular
from svr_baselines.networks import Network, create_network
from svr_baselines.training.config import TrainingConfig

SCHEMA = 1
LAST, PREVIOUS, BEST = "last", "previous", "best"

_SUFFIX = ".safetensors"
_NETWORK, _OPTIMIZER = "network/", "optimizer/"
_SINGLE_OR_DOUBLE = frozenset({torch.float32, torch.float64})  # one is rounded to the other

_Count = Annotated[int, msgspec.Meta(ge=1)]


@dataclass
class _Data:
    train: _Count
    validation: _Count = 1
    image: list[_Count] = field(default_factory=list)
    coordinates: Literal["object", "viewer"] = "object"


@dataclass
class _Best:
    epoch: _Count | None = None
    chamfer_distance: Annotated[float, msgspec.Meta(ge=0)] | None = None


@dataclass
class _Header:
    """The JSON of a checkpoint."""

    epoch: _Count
    step: _Count
    metrics: dict[str, float]
    best: _Best
    data: _Data
    config: dict[str, Any]
    options: dict[str, Any]
    versions: dict[str, str]


@dataclass(frozen=True)
class Checkpoint:
    """State of a run after an epoch.

    Attributes:
        config: What it was trained with.
        epoch: Epochs done.
        step: Steps done.
        metrics: Values of the epoch by name.
        data: What it was trained on: sizes of the sets, image size, coordinates.
        best: Epoch and Chamfer distance of the best validation so far; empty before the first.
        versions: Of the packages that wrote it.
        network: Weights by name.
        optimizer: Tensors of the optimizer by name of weight and state, `"encoder.conv1.weight/exp_avg"`.
        options: All options of the network, ready to rebuild it.
        sha256: Over all of the above; empty before it is written.
        source: The file that it was read from.
    """

    config: TrainingConfig
    epoch: int
    step: int
    metrics: Mapping[str, float]
    data: Mapping[str, Any]
    network: Mapping[str, Tensor]
    options: Mapping[str, Any]
    optimizer: Mapping[str, Tensor] = field(default_factory=dict)
    best: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""
    source: str = field(default="the checkpoint", compare=False)

    def build(self) -> Network:
        """The network with these weights, in eval mode on the CPU.

        Raises:
            ValueError: If no network has that name or options, or the weights are another's or not finite; the text
                names the file.
        """
        name = self.config.network
        try:
            with torch.random.fork_rng(devices=[]):  # its first weights are drawn, and thrown away
                network = create_network(name, **self.options)
        except (ValueError, TypeError, RuntimeError) as error:  # of networks of others, too
            raise ValueError(f"{self.source}: network {name!r} can't be made with its options: {error}") from error
        self.check_weights(network.state_dict())
        network.load_state_dict(dict(self.network))
        return network.eval()

    def check_weights(self, wanted: Mapping[str, Tensor]) -> None:
        """Refuse weights that are not those of a network.

        Args:
            wanted: Tensors of the names, shapes and dtypes that the network has.

        Raises:
            ValueError: If a tensor lacks, is too many, of another shape or dtype, or NaN or infinite.
        """
        check_tensors(self.network, wanted, f"{self.source}: The weights do not fit network {self.config.network!r}")


def check_tensors(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], what: str) -> None:
    """Refuse tensors of other names, shapes or dtypes than wanted, or that are NaN or infinite.

    Raises:
        ValueError: If one is such; the text begins with `what` and names it.
    """
    for name in wanted:
        if name not in found:
            raise ValueError(f"{what}: {name!r} is missing")
    for name, tensor in found.items():
        if name not in wanted:
            raise ValueError(f"{what}: it has no {name!r}")
        other = wanted[name]
        if tensor.shape != other.shape:
            raise ValueError(f"{what}: {name!r} must have shape {tuple(other.shape)}, but has {tuple(tensor.shape)}")
        if tensor.dtype != other.dtype and not {tensor.dtype, other.dtype} <= _SINGLE_OR_DOUBLE:
            raise ValueError(f"{what}: {name!r} must be {other.dtype}, but is {tensor.dtype}")
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{what}: {name!r} must be finite, but is NaN or infinite somewhere")


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write ``last`` into a folder; the one there becomes ``previous``."""
    with atomic_write(folder / f"{LAST}{_SUFFIX}") as temporary:
        text = _write(temporary, checkpoint)
        if (folder / f"{LAST}{_SUFFIX}").exists():
            (folder / f"{LAST}{_SUFFIX}").replace(folder / f"{PREVIOUS}{_SUFFIX}")
            if (folder / f"{LAST}.json").exists():
                (folder / f"{LAST}.json").replace(folder / f"{PREVIOUS}.json")
    write_text(folder / f"{LAST}.json", text)


def save_best(folder: Path, checkpoint: Checkpoint) -> None:
    """Write ``best`` into a folder in place of the one there."""
    with atomic_write(folder / f"{BEST}{_SUFFIX}") as temporary:
        text = _write(temporary, checkpoint)
    write_text(folder / f"{BEST}.json", text)


def resume_checkpoint(folder: Path, tell: Callable[[str], None]) -> Checkpoint | None:
    """Read the checkpoint to go on from; `None` of a folder without any. See `read_checkpoint`."""
    return read_checkpoint(folder, tell=tell) if has_checkpoint(folder) else None


def tidy_up(folder: Path) -> None:
    """Remove what killed processes left unfinished, and set a damaged `last` aside.

    It would become `previous` at the next save, in place of the only one that is whole.
    """
    for name in (LAST, BEST):
        for path in sorted(folder.glob(f".{name}-*")):
            path.unlink()
    last = folder / f"{LAST}{_SUFFIX}"
    try:
        _read(last)
    except FileNotFoundError:
        return
    except ValueError:
        last.replace(folder / f"damaged{_SUFFIX}")


def has_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a checkpoint to go on from, whole or damaged."""
    return any((folder / f"{name}{_SUFFIX}").exists() for name in (LAST, PREVIOUS))


def read_checkpoint(
    path: str | os.PathLike[str], which: str = LAST, tell: Callable[[str], None] = warnings.warn
) -> Checkpoint:
    """Read a checkpoint and check that it is undamaged.

    Args:
        path: Folder of a run, or one file.
        which: `"last"` or `"best"` of a folder. In place of a `last` that is damaged or missing it is `previous`.
        tell: Is told of that; by default a warning.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If all are damaged, or of another schema; the text names the file.
    """
    if which not in (LAST, BEST):
        raise ValueError(f"Argument `which` must be {LAST!r} or {BEST!r}, but got {which!r}.")
    path = Path(path)
    if not path.is_dir():
        return _read(path)
    if which == BEST:
        return _read(path / f"{BEST}{_SUFFIX}")
    try:
        return _read(path / f"{LAST}{_SUFFIX}")
    except (ValueError, FileNotFoundError) as error:
        if not (path / f"{PREVIOUS}{_SUFFIX}").exists():
            raise
        checkpoint = _read(path / f"{PREVIOUS}{_SUFFIX}")
        tell(f"{error} Going back to the checkpoint before it, of epoch {checkpoint.epoch}.")
        return checkpoint


def load_network(path: str | os.PathLike[str], which: str = LAST) -> Network:
    """Rebuild the network of a checkpoint by its name and options, in eval mode on the CPU.

    Args:
        path: Folder of a run, or one file.
        which: `"last"` or `"best"` of a folder; see `read_checkpoint`.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If all are damaged, or the network is none of ours.
    """
    return read_checkpoint(path, which).build()


def _write(path: Path, checkpoint: Checkpoint) -> str:
    tensors = {_NETWORK + name: value for name, value in checkpoint.network.items()}
    tensors |= {_OPTIMIZER + name: value for name, value in checkpoint.optimizer.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    document = {
        "schema": SCHEMA,
        "epoch": checkpoint.epoch,
        "step": checkpoint.step,
        "metrics": dict(checkpoint.metrics),
        "best": dict(checkpoint.best),
        "data": dict(checkpoint.data),
        "config": checkpoint.config.to_dict(),
        "options": dict(checkpoint.options),
        "versions": dict(checkpoint.versions),
    }
    document["sha256"] = _hash(document, tensors)
    # One entry, as safetensors writes several in any order.
    save_file(tensors, path, {"checkpoint": json.dumps(document, sort_keys=True)})
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _read(path: Path) -> Checkpoint:
    if not path.exists():
        raise FileNotFoundError(f"No checkpoint at {path}.")
    check_regular(path)
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError, AttributeError, TypeError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path}: the checkpoint is damaged ({' '.join(str(error).split()).rstrip('.')}).") from error
    if "checkpoint" not in header:
        raise ValueError(f"{path}: no checkpoint of ours.")
    try:
        document = json.loads(header["checkpoint"])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: the checkpoint is damaged (its header is no JSON: {error}).") from error
    return _parse(document, tensors, path)


def _parse(document: Any, tensors: dict[str, Tensor], path: Path) -> Checkpoint:
    if not isinstance(document, dict) or not isinstance(document.get("sha256"), str):
        raise ValueError(f"{path}: no checkpoint of ours.")
    digest = document.pop("sha256")
    if _hash(document, tensors) != digest:
        raise ValueError(f"{path}: the checkpoint is damaged (its contents are not those of its hash).")
    if document.get("schema") != SCHEMA:
        raise ValueError(f"{path}: a checkpoint of schema {document.get('schema')!r}, but this version reads {SCHEMA}.")
    check_document(document, _Header, f"the header of {path}")
    try:
        config = TrainingConfig.from_dict(document["config"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if document["epoch"] > config.epochs:
        raise ValueError(f"{path}: 'epoch' must be at most the {config.epochs} of its run, but is {document['epoch']}")
    names = ("epoch", "step", "metrics", "best", "data", "options", "versions")
    return Checkpoint(
        config=config,
        network=_part(tensors, _NETWORK),
        optimizer=_part(tensors, _OPTIMIZER),
        sha256=digest,
        source=str(path),
        **{name: document[name] for name in names},
    )


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _hash(document: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"\0{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
