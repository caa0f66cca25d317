"""What an error under distributed training leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torchmetrics import Metric


class RecoveringMetric(Metric):
    """A metric that goes on after an error of ``compute`` with what this rank had, and takes more.

    torchmetrics' own would stay synchronised, and refuse every further call.
    """

    @contextmanager
    def sync_context(self, *args: Any, should_unsync: bool = True, **kwargs: Any) -> Iterator[None]:
        """As that of `torchmetrics.Metric`, but that it ends on errors, too."""
        self.sync(*args, **kwargs)
        try:
            yield
        finally:
            self.unsync(should_unsync=self._is_synced and should_unsync)
