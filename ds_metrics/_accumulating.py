"""What all metrics share: how batches are added, under errors, in collections, over ranks and on any device."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any

import torch
import torch.distributed as dist
from lightning_utilities import apply_to_collection
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities.exceptions import TorchMetricsUserError

from ds_metrics.pairwise import Ranks


class RecoveringMetric(Metric):
    """A metric that an error costs no more than the batch it came with.

    torchmetrics' own ``forward`` resets the state while it computes the value of the batch: a bad batch would take all
    earlier ones with it, and every step would copy what list states hold. Here a batch is measured first, and only then
    added. After an error of ``compute`` torchmetrics' own would stay synchronised, and refuse every further call; here
    each rank goes on with what it had.

    States keep their precision. ``.to``, ``.half`` and the like, also of a module that holds the metric, move them to
    another device and leave their types alone; `set_dtype` can raise the precision in which samples are kept, and
    lowers it from the next ``reset`` on, to float32 at the least. No state needs float64, which Apple's GPUs lack.

    A subclass says what ``forward`` makes of its arguments (``_measured``) and how a batch joins the state
    (``_accumulate``), which never changes a list in place: the metrics of a `MetricCollection` may share it.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.dist_sync_on_step:
            raise ValueError("Argument `dist_sync_on_step` must be False: `forward` measures the batch of its own rank")
        if self._device.type == "meta":  # the default device while a module is built without weights
            self._device = torch.device("cpu")
        self._dtype = torch.float32  # whatever the default dtype is
        self._precision = torch.float32

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Add a batch as ``update`` does, and return its value alone."""
        batch, value = self._measured(*args, **kwargs)
        self._add(*batch)
        self._computed = None
        self._update_count += 1
        if self.compute_on_cpu:
            self._move_list_states_to_cpu()
        self._forward_cache = value.detach()  # type: ignore[assignment]
        return value

    @abstractmethod
    def _measured(self, *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], Tensor]:
        """The checked batch, as ``_add`` takes it, and its value."""

    def _add(self, *batch: Any) -> None:
        """Add a checked batch."""
        self._check_not_synced()
        self._accumulate(*batch)

    def _check_not_synced(self) -> None:
        if self._is_synced:  # what is added now, `unsync` would forget
            raise TorchMetricsUserError(
                f"{type(self).__name__} takes no samples while it is synchronised with other ranks; call `unsync` first"
            )

    @abstractmethod
    def _accumulate(self, *batch: Any) -> None:
        """Make a batch part of the state."""

    def _append(self, **parts: Tensor) -> None:
        """Append to list states by name."""
        for name, part in parts.items():
            setattr(self, name, [*getattr(self, name), part])

    def _state_changed(self) -> None:
        """Forget what was computed of the state before; for changes other than batches that are added."""
        self._computed = None

    def reset(self) -> None:
        """As that of `torchmetrics.Metric`, but that lists are replaced, which a `Running` window may hold."""
        for name, default in self._defaults.items():
            if isinstance(default, list):
                setattr(self, name, [])
        super().reset()
        self._precision = torch.promote_types(self._dtype, torch.float32)

    def set_dtype(self, dst_type: str | torch.dtype) -> Metric:
        """Set the precision in which samples are kept: that of ``dst_type``, float32 at the least.

        What is kept already stays as it is, so that a lower precision takes effect with the next ``reset``.

        Raises:
            TypeError: If ``dst_type`` is no floating point type.
        """
        dtype = torch.empty(0, device="cpu").type(dst_type).dtype
        if not dtype.is_floating_point:
            raise TypeError(f"Argument `dst_type` must be a floating point type, but got {dst_type}")
        self._dtype = dtype
        self._precision = torch.promote_types(self._precision, dtype)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> nn.Module:
        """Move states to the device that ``fn`` moves tensors to; its other effects are left out."""
        device = fn(torch.zeros(1, dtype=torch.float32, device=self._device)).device

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device)

        nn.Module._apply(self, move)  # type: ignore[no-untyped-call]
        for states in (self._defaults, self._cache or {}):
            states.update({name: apply_to_collection(state, Tensor, move) for name, state in states.items()})
        for name in (*self._defaults, "_computed", "_forward_cache"):
            setattr(self, name, apply_to_collection(getattr(self, name), Tensor, move))
        self._device = device
        return self

    def merge_state(self, incoming_state: dict[str, Any] | Metric) -> None:
        """As that of `torchmetrics.Metric`, but that ``compute`` takes note of it."""
        self._check_not_synced()
        super().merge_state(incoming_state)
        self._update_count += incoming_state._update_count if isinstance(incoming_state, Metric) else 1

    def _reduce_states(self, incoming_state: dict[str, Any]) -> None:
        """Add another state, on whatever device it is; the whole of it or, if it does not fit, nothing."""
        before = {name: getattr(self, name) for name in self._defaults}
        incoming = {name: self._taken(name, state) for name, state in incoming_state.items() if name in before}
        try:
            super()._reduce_states(incoming)
        except Exception:
            for name, state in before.items():
                setattr(self, name, state)
            raise
        self._state_changed()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        """As that of `torchmetrics.Metric`, but onto the metric's device, and ``compute`` takes note of it."""
        given = {name: state_dict[prefix + name] for name in self._defaults if prefix + name in state_dict}
        if given:
            self._check_not_synced()
        loaded = {name: self._taken(name, state) for name, state in given.items()}
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        for name, state in loaded.items():
            setattr(self, name, state)
        if loaded:
            self._update_count = max(1, self._update_count)
            self._state_changed()

    def _taken(self, name: str, state: Any) -> Tensor | list[Tensor]:
        """A copy of a state from elsewhere, as it is kept here; samples in their own precision if that is higher.

        Raises:
            ValueError: If it is no such state.
        """
        default = self._defaults[name]
        if isinstance(default, Tensor):
            if not isinstance(state, Tensor) or state.shape != default.shape:
                raise ValueError(
                    f"State `{name}` of {type(self).__name__} must be a tensor of shape {tuple(default.shape)}, "
                    f"but got {_described(state)}"
                )
            return own_copy(state.to(self.device, default.dtype))
        parts = [state] if isinstance(state, Tensor) else state  # one after a sync
        if not isinstance(parts, list) or not all(isinstance(part, Tensor) for part in parts):
            raise ValueError(
                f"State `{name}` of {type(self).__name__} must be a list of tensors, but got {_described(state)}"
            )
        for dtype in {part.dtype for part in parts if part.is_floating_point()}:
            self._precision = torch.promote_types(self._precision, dtype)
        return [own_copy(part.to(self.device)) for part in parts]

    def _empty_parts(self) -> dict[str, Tensor]:
        """An empty part of each list state, in its width and type on all ranks, which call this together."""
        return {}

    def _sync_dist(self, *args: Any, **kwargs: Any) -> None:
        """Gather the states of all ranks, on the metric's device; a rank without samples takes part with none."""
        parts = self._empty_parts()
        for name, empty in parts.items():
            state = getattr(self, name)
            setattr(self, name, [(joined(state) if state else empty).to(self.device, empty.dtype)])
        super()._sync_dist(*args, **kwargs)
        if self.compute_on_cpu:
            for name in parts:
                setattr(self, name, getattr(self, name).cpu())

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


def _described(state: Any) -> str:
    if isinstance(state, list):
        return f"a list of {', '.join(sorted({type(part).__name__ for part in state}))}"
    return f"one of shape {tuple(state.shape)}" if isinstance(state, Tensor) else type(state).__name__


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


def own_copy(part: Tensor) -> Tensor:
    """What is kept of a tensor: it holds no memory beside its own, and nobody else writes to it.

    Example:
        >>> own_copy(torch.rand(100, 64)[:, :3]).untyped_storage().nbytes()
        1200
    """
    return part.detach().clone(memory_format=torch.contiguous_format)
