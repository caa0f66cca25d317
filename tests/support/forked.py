"""Processes that start with the imports done: a server imports once, and forks what is asked for.

A process of `multiprocessing`'s "spawn" first imports torch and torchmetrics, for seconds. One of "forkserver" is a
process of its own as well, gets its work pickled as well, and shares nothing with the process that asked for it.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path

PRELOADED = ["pytest", "ds_metrics", "svr_baselines.building", "svr_baselines.training", "distributed"]


def context(method="forkserver"):
    """The context of these processes, with the server started; called like `multiprocessing.get_context`."""
    forkserver.set_forkserver_preload(PRELOADED)
    forkserver.ensure_running()
    return multiprocessing.get_context("forkserver")


def run_script(script, *arguments):
    """Like `subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True)`."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = (Path(folder, name) for name in ("out", "err"))
        process = context().Process(
            target=_run, args=(str(script), list(map(str, arguments)), dict(os.environ), os.getcwd(), out, err)
        )
        process.start()
        process.join()
        done = subprocess.CompletedProcess(
            [script, *arguments], process.exitcode, out.read_text("utf-8"), err.read_text("utf-8")
        )
        process.close()
    return done


def _run(script, arguments, environment, folder, out, err):
    for stream, path in ((sys.stdout, out), (sys.stderr, err)):
        stream.flush()
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream.fileno())
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path(script).parent))
    runpy.run_path(script, run_name="__main__")


@contextmanager
def forked_dask():
    """Workers of Dask's local clusters that start in here fork as well."""
    import dask
    import distributed  # noqa: F401  its defaults must be there before, or they go with what is set here

    context()
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        yield
