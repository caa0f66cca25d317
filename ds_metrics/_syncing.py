"""Distributed training: which ranks share the work, and what an error leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch.distributed as dist
from torchmetrics import Metric

from ds_metrics.pairwise import Ranks


class RecoveringMetric(Metric):
    """A metric that goes on after an error of ``compute`` with what this rank had, and takes more.

    torchmetrics' own would stay synchronised, and refuse every further call.
    """

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
