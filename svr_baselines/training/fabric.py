"""Lightning Fabric, of the package ``lightning-fabric`` or of ``lightning``."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any

import torch
import torch.distributed as dist

from svr_baselines.parallel import available_cores
from svr_baselines.training.config import TrainingConfig

_MODULES = ("lightning_fabric", "lightning.fabric")


def create_fabric(config: TrainingConfig, loggers: Any = ()) -> Any:
    """Make the Fabric that a configuration asks for; it is not launched yet.

    Raises:
        ValueError: If Fabric can't be imported, or can't serve the configuration.
    """
    module = _import()
    _check_devices(config)
    try:
        with _quiet():
            fabric = module.Fabric(
                accelerator=config.accelerator,
                devices=_devices(config),
                num_nodes=config.nodes,
                precision=config.precision,
                loggers=list(loggers),
            )
    except Exception as error:  # Fabric has exceptions of its own for what a machine lacks
        text = " ".join(str(error).split())
        at_fault = next((name for name in ("accelerator", "devices", "precision") if name in text.lower()), "config")
        raise ValueError(f"Argument `{at_fault}`: Fabric can't serve this configuration: {text}") from error
    _check_nodes(config, fabric)
    return fabric


def check_config(config: TrainingConfig) -> None:
    """Find out before the work that Fabric is missing, or that this machine can't serve a configuration.

    Raises:
        ValueError: See `create_fabric`.
    """
    create_fabric(config)


@contextmanager
def _quiet() -> Iterator[None]:
    """A block in which Fabric tells neither the precision nor its advice: our lines and errors stand alone."""
    from lightning_utilities.core import rank_zero

    logger = rank_zero.log  # Fabric's, or that of Lightning once it is imported
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def describe(fabric: Any, config: TrainingConfig) -> str:
    """Where and how a run computes, as a line for people; empty for one process on a CPU in float32."""
    if (fabric.device.type, fabric.world_size, config.precision) == ("cpu", 1, "32-true"):
        return ""
    processes = "one process" if fabric.world_size == 1 else f"{fabric.world_size} processes"
    return f"Training in {config.precision} on {fabric.device.type}, {processes}."


@contextmanager
def launched(fabric: Any) -> Iterator[None]:
    """Start all processes, and take leave of them after the block."""
    alone = not dist.is_initialized()
    with _quiet():
        fabric.launch()
    try:
        yield
    finally:
        if alone and dist.is_initialized():
            dist.destroy_process_group()  # or gloo's threads outlive what they use when the program ends


def in_precision(fabric: Any) -> AbstractContextManager[Any]:
    """A block in which new tensors, and what Fabric's modules return, have the dtype of the weights.

    Fabric gives a loss in double back as float32, unless double is the default around it, too.
    """
    context: AbstractContextManager[Any] = fabric.strategy.precision.tensor_init_context()
    return context


def agree(fabric: Any, error: Exception | None = None) -> None:
    """Wait for all processes, and raise on all of them what any has met.

    Raises:
        ValueError: With the text of the first process that has met an error.
    """
    if fabric.world_size == 1:
        if error is not None:
            raise error
        return
    failed = torch.tensor(float(error is not None), device=fabric.device)
    if not float(fabric.all_reduce(failed, reduce_op="sum")):
        return
    texts: list[str | None] = [None] * fabric.world_size
    dist.all_gather_object(texts, None if error is None else str(error))
    if error is not None:
        raise error
    raise ValueError(next(text for text in texts if text is not None))


def gather_names(fabric: Any, names: Sequence[str]) -> list[str]:
    """Names that the processes hold, put together in the order of the processes."""
    if fabric.world_size == 1:
        return list(names)
    parts: list[Any] = [None] * fabric.world_size
    dist.all_gather_object(parts, list(names))
    return [name for part in parts for name in part]


def _devices(config: TrainingConfig) -> Any:
    """Under ``torchrun`` as many as it started: Fabric would take what the machine has."""
    if config.devices == "auto" and "LOCAL_WORLD_SIZE" in os.environ:
        return int(os.environ["LOCAL_WORLD_SIZE"])
    return config.devices


def _check_devices(config: TrainingConfig) -> None:
    """On a CPU, Fabric would start any number of processes."""
    alone = config.accelerator == "cpu" or (config.accelerator == "auto" and not _has_gpu())
    if config.devices != "auto" and alone and config.devices > available_cores():
        raise ValueError(
            f"Argument `devices` must be at most the {available_cores()} cores of this machine, where there is no GPU "
            f"to train on, but got {config.devices}"
        )


def _has_gpu() -> bool:
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def _check_nodes(config: TrainingConfig, fabric: Any) -> None:
    """Without an address, Fabric would wait for the others on this machine, for ever."""
    cluster = getattr(fabric.strategy, "cluster_environment", None)
    started = cluster is None or type(cluster).__name__ != "LightningEnvironment"
    if config.nodes > 1 and not started and "MASTER_ADDR" not in os.environ:
        raise ValueError(
            f"Argument `nodes` must be 1 where neither torchrun, a scheduler nor MASTER_ADDR says where the other "
            f"machines are, but got {config.nodes}"
        )


def _import() -> Any:
    reasons = []
    for name in _MODULES:
        try:
            return import_module(name)
        except ImportError as error:
            reasons.append(str(error))
    raise ValueError(f"Training needs Lightning Fabric ({reasons[0]}): pip install 'dispersion-score[train]'")
