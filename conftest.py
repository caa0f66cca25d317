"""What pytest leaves out; no test is timed or left to chance, Ctrl-C is heard, workers of pytest-xdist share cores."""

import os
import signal

import pytest
from hypothesis import settings

collect_ignore = ["ds_metrics/pairwise/triton.py"]  # can't be imported without Triton, and has no examples

settings.register_profile("untimed", deadline=None)  # on a busy machine an example may take long
settings.load_profile("untimed")

# A job in the background of a script is started deaf to Ctrl-C, and so would be the processes that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Before torch is imported, here and in the processes that tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    share = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, share)))

import torch  # noqa: E402

torch.manual_seed(0)  # for what tests draw as they are collected


@pytest.fixture(autouse=True)
def _seeded():
    """Every test draws the same numbers in every run."""
    torch.manual_seed(0)
