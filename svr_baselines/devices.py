"""Where networks compute."""

from __future__ import annotations

import torch


def find_device(device: str | torch.device = "auto") -> torch.device:
    """A device by its name; `"auto"` is a CUDA GPU if there is one, else the CPU.

    Raises:
        ValueError: If there is no such device here.

    Example:
        >>> find_device("cpu")
        device(type='cpu')
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:  # AssertionError: torch without CUDA
        reason = str(error).partition("\n")[0]
        raise ValueError(f"Argument `device` can't be {str(device)!r} here: {reason}") from error
