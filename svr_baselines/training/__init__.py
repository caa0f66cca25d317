"""Training of the networks with Lightning Fabric, and prediction.

- `config`: what a run depends on, `TrainingConfig`; `config_files`: the same in JSON and TOML; `presets`: the paper's
  values and a laptop's.
- `batches`: which samples a step takes, on how many processes soever; `batch_norm`: the same for batch statistics.
- `fit`: `train`, the loop; `steps`: one step of it; `validation`: Chamfer distance and DS of a network.
- `runs`: what is checked before the first step; `fabric`: the processes, and how they agree on errors.
- `checkpoints`: files that survive a kill and tell when they are damaged; `logs`: what is written of each epoch.
- `prediction`: the predictions of a network for a dataset, ready for ``ds eval``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from svr_baselines.training.config import TrainingConfig
from svr_baselines.training.config_files import read_config, write_config
from svr_baselines.training.presets import PRESETS, load_config, preset

if TYPE_CHECKING:
    from svr_baselines.training.checkpoints import Checkpoint, load_network, read_checkpoint
    from svr_baselines.training.fit import Summary, train
    from svr_baselines.training.prediction import predict

__all__ = [
    "PRESETS",
    "Checkpoint",
    "Summary",
    "TrainingConfig",
    "load_config",
    "load_network",
    "predict",
    "preset",
    "read_checkpoint",
    "read_config",
    "train",
    "write_config",
]

_OF_TORCH = {
    "Checkpoint": "checkpoints",
    "load_network": "checkpoints",
    "read_checkpoint": "checkpoints",
    "Summary": "fit",
    "train": "fit",
    "predict": "prediction",
}


def __getattr__(name: str) -> Any:
    if name in _OF_TORCH:
        return getattr(import_module(f"svr_baselines.training.{_OF_TORCH[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
