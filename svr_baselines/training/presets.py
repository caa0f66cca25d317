"""Configurations by name: the protocol of the paper, and one for a laptop."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from svr_baselines.training.config import TrainingConfig, check_names
from svr_baselines.training.config_files import read_values

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "paper": {},  # the defaults of `TrainingConfig`
        "quick": {
            "epochs": 30,
            "batch_size": 8,
            "decays": (22, 27, 29),
            "validation_samples": 64,
            "validation_points": 1024,
            "clusters": 8,
        },
    }
)

_SMALL = {"code": 512, "hidden": 256}
# Decoders a quarter as large as the paper's, and as many points as the targets of `ds train --preset quick` have.
QUICK_OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "psgn": {"points": 1000, **_SMALL},
        "foldingnet": {"points": 1024, **_SMALL},
        "atlasnet-sphere": {"points": 1000, **_SMALL},
        "atlasnet-25": {"points": 900, **_SMALL},
    }
)

# A batch norm over the samples of a batch can't give more than the root of their number, in training: what networks do
# with more, in use, they have not learnt. PSGN, whose norms see a value a sample, goes wild at 8.
QUICK_BATCH, LARGE_SET = 32, 256  # of sets from the second size on; below, the preset's

_CPU_INFO = Path("/proc/cpuinfo")
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})  # the last is ARM's

QUICK_STEPS = 600  # at least, of the quick preset: sets of a few samples are gone through more often


def preset(name: str, network: str, samples: int | None = None, **changes: Any) -> TrainingConfig:
    """Make a configuration of a preset.

    `"paper"` is the protocol of the paper on ShapeNet. `"quick"` is for minutes on a laptop, with pictures of 64 pixels
    and 1000 points, which are options of the data, and smaller networks, see `QUICK_OPTIONS`. It computes in bfloat16
    where the GPU or the processor multiplies it (AVX512-BF16, AMX), which takes 0.6 of the time there and many times as
    long elsewhere: there in float32. The configuration says which it is.

    Args:
        name: `"paper"` or `"quick"`.
        network: Name of the network.
        samples: Size of the training set. With `"quick"`, batches are of 32 from 256 samples on, and of 8 below; an
            epoch goes through a small set several times, so that the run has some 600 steps at least.
        changes: Values of `TrainingConfig` other than the preset's. Where they change `epochs` but not `decays`, the
            learning rate falls at the same shares of the run.

    Raises:
        ValueError: If there is no such preset, or a change does not fit.

    Example:
        >>> preset("paper", "psgn").decays, preset("paper", "psgn", epochs=60).decays
        ((90, 110, 115), (45, 55, 57))
        >>> preset("quick", "psgn", samples=20).passes
        7
    """
    if name not in PRESETS:
        raise ValueError(f"Argument `preset` must be one of {tuple(PRESETS)}, but got {name!r}.")
    values = {**PRESETS[name], **changes, "network": network}
    if name == "quick" and "precision" not in changes:
        half = multiplies_bfloat16(changes.get("accelerator", "auto"))
        values["precision"] = "bf16-mixed" if half else "32-true"
    if name == "quick" and "network_options" not in changes:
        values["network_options"] = QUICK_OPTIONS.get(network, {})
    check_names(values)
    if name == "quick" and "batch_size" not in changes and (samples or 0) >= LARGE_SET:
        values["batch_size"] = QUICK_BATCH
    config = TrainingConfig(**{**values, "decays": changes.get("decays", ())})
    if "decays" not in changes:
        usual = TrainingConfig(**{**PRESETS[name], "network": network})
        values["decays"] = _scale(usual.decays, config.epochs, usual.epochs)
    if name == "quick" and "passes" not in changes and samples:
        steps = -(-samples // config.batch_size)
        values["passes"] = max(1, round(QUICK_STEPS / (steps * config.epochs)))
    return TrainingConfig(**values)


def multiplies_bfloat16(accelerator: str = "auto") -> bool:
    """Whether the hardware has instructions for products of bfloat16; of processors that Linux alone can tell."""
    import torch

    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_capability() >= (8, 0)
    try:
        known = _CPU_INFO.read_text()
    except OSError:
        return False
    return not _BFLOAT16.isdisjoint(known.split())


def load_config(path: str | os.PathLike[str], samples: int | None = None, **changes: Any) -> TrainingConfig:
    r"""Read a configuration file that may name a `preset` to start from.

    Args:
        path: A ``.toml`` or ``.json`` file.
        samples: See `preset`.
        changes: Values that go before those of the file.

    Raises:
        OSError: If the file can't be read.
        ValueError: If the file is damaged, or a value of it or a change does not fit; the text names the file.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp(), "run.toml")
        >>> _ = path.write_text('preset = "quick"\nnetwork = "psgn"\nbatch_size = 8')
        >>> load_config(path, seed=3).epochs
        30
    """
    from svr_baselines.networks import find_network  # brings torch

    values = read_values(path)
    name = values.pop("preset", None)
    try:
        if "network" in values and "network" in changes:  # which goes before it, but does not excuse it
            find_network(values["network"])
        values |= changes
        if name is None or "network" not in values:
            return TrainingConfig.from_dict(values)
        return preset(name, values.pop("network"), samples, **values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _scale(decays: tuple[int, ...], epochs: int, usual: int) -> tuple[int, ...]:
    """The same shares of another number of epochs; those that fall together or out of it are dropped."""
    scaled = {decay * epochs // usual for decay in decays}
    return tuple(sorted(decay for decay in scaled if decay > 0))
