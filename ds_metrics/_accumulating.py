"""What all metrics share: how batches are added, under errors, in collections and over ranks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.exceptions import TorchMetricsUserError

from ds_metrics.pairwise import Ranks


class RecoveringMetric(Metric):
    """A metric that an error costs no more than the batch it came with.

    torchmetrics' own ``forward`` resets the state while it computes the value of the batch: a bad batch would take all
    earlier ones with it, and every step would copy what list states hold. Here a batch is measured first, and only then
    added. After an error of ``compute`` torchmetrics' own would stay synchronised, and refuse every further call; here
    each rank goes on with what it had.

    A subclass says what ``forward`` makes of its arguments (``_measured``) and how a batch joins the state
    (``_accumulate``), which never changes a list in place: the metrics of a `MetricCollection` may share it.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.dist_sync_on_step:
            raise ValueError("Argument `dist_sync_on_step` must be False: `forward` measures the batch of its own rank")

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Add a batch as ``update`` does, and return its value alone."""
        batch, value = self._measured(*args, **kwargs)
        self._add(*batch)
        self._computed = None
        self._update_count += 1
        if self.compute_on_cpu:
            self._move_list_states_to_cpu()
        self._forward_cache = value  # type: ignore[assignment]
        return value

    @abstractmethod
    def _measured(self, *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], Tensor]:
        """The checked batch, as ``_add`` takes it, and its value."""

    def _add(self, *batch: Any) -> None:
        """Add a checked batch."""
        if self._is_synced:  # what is added now, `unsync` would forget
            raise TorchMetricsUserError(
                f"{type(self).__name__} takes no samples while it is synchronised with other ranks; call `unsync` first"
            )
        self._accumulate(*batch)

    @abstractmethod
    def _accumulate(self, *batch: Any) -> None:
        """Make a batch part of the state."""

    def _append(self, **parts: Tensor) -> None:
        """Append to list states by name."""
        for name, part in parts.items():
            setattr(self, name, [*getattr(self, name), part])

    def set_dtype(self, dst_type: str | torch.dtype) -> Metric:
        """As that of `torchmetrics.Metric`, but that counts stay integers."""
        counts = {name: value for name in self._defaults if _counts(value := getattr(self, name))}
        super().set_dtype(dst_type)
        for name, value in counts.items():
            setattr(self, name, value)
        return self

    @property
    def _ranks(self) -> Ranks | None:
        """Those that ``compute`` together, once synchronised; ``None`` where this process is alone."""
        shared = self._is_synced and self._to_sync and dist.is_available() and dist.is_initialized()
        return Ranks(self.process_group, self.device) if shared else None

    @contextmanager
    def sync_context(self, *args: Any, should_unsync: bool = True, **kwargs: Any) -> Iterator[None]:
        """As that of `torchmetrics.Metric`, but that it ends on errors, too."""
        self.sync(*args, **kwargs)
        try:
            yield
        finally:
            self.unsync(should_unsync=self._is_synced and should_unsync)


def joined(state: list[Tensor] | Tensor, replace: bool = False) -> Tensor:
    """The tensors of a list state as one, in the most precise of their types.

    It takes no copy if it is one already, as after a sync. Replaced by views of it one by one, the tensors don't take
    their memory twice, whatever else holds the list.

    Example:
        >>> joined([torch.zeros(2, 3), torch.ones(1, 3, dtype=torch.float64)])[:, 0]
        tensor([0., 0., 1.], dtype=torch.float64)
    """
    if isinstance(state, Tensor):
        return state
    if len(state) == 1:
        return state[0]
    dtype = reduce(torch.promote_types, {part.dtype for part in state})
    whole = state[0].new_empty(sum(map(len, state)), *state[0].shape[1:], dtype=dtype)
    start = 0
    for position, part in enumerate(state):
        whole[start : start + len(part)] = part
        if replace:
            state[position] = whole[start : start + len(part)]
        start += len(part)
    if replace:
        state[:] = [whole]
    return whole


def _counts(state: list[Tensor] | Tensor) -> bool:
    parts = [state] if isinstance(state, Tensor) else state
    return any(not part.is_floating_point() for part in parts)
