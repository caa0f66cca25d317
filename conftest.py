"""What pytest leaves out, that no test is timed, and that workers of pytest-xdist share the cores."""

import os

from hypothesis import settings

collect_ignore = ["ds_metrics/pairwise/triton.py"]  # can't be imported without Triton, and has no examples

settings.register_profile("untimed", deadline=None)  # on a busy machine an example may take long
settings.load_profile("untimed")

# Before torch is imported, here and in the processes that tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    share = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, share)))
