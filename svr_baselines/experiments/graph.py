"""A graph of jobs, worked off by any number of processes, here or elsewhere, in a folder that they share.

There is no scheduler: each process takes, in their order, the first job that is not finished, whose needs are, and
that no other process holds. A job is held by a lock that ends with the process, so what a killed one was doing is taken
up by another, or by the next call. The same command started on several machines, or once for each GPU, works together.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ds_metrics._files import lock_folder, write_text
from svr_baselines.experiments.jobs import (
    Context,
    Finished,
    Job,
    check_jobs,
    drop_damaged,
    read_finished,
    write_finished,
)
from svr_baselines.parallel import available_cores

Tell = Callable[[str], None]

_CLAIMS = "jobs/.claims"  # a folder for each job, which is what is locked; and why jobs failed
_FAILURE = "failure.txt"
_LATEST, _STOP = "latest.txt", "stop.txt"  # beside them: why the latest job failed, if it did; why all ends
# Libraries that start threads when they are imported read these.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_OWN = frozenset({"run", "name", "result"})  # arguments that are no other job's: failures are alike but for them
_POLL = 0.5  # seconds between two looks at what others are doing


@dataclass(frozen=True)
class _Task:
    jobs: tuple[Job, ...]
    context: Context
    threads: int


def run_jobs(jobs: Sequence[Job], context: Context, workers: int = 1, tell: Tell = print) -> dict[str, dict[str, Any]]:
    """Do all jobs that are not finished yet.

    A job that fails does not end the others: all that does not need it is done before the error is raised. But where
    two in a row fail for the same reason, no other is begun. The next call tries them again.

    Args:
        jobs: Each after those that it needs.
        context: What they may use; its `processes` are shared out among the workers.
        workers: Processes at work; one is this process itself. They are spawned, so a script that asks for more keeps
            its own work under ``if __name__ == "__main__"``. Each has its share of the cores.
        tell: Is told a line for each finished job.

    Returns:
        Results by the names of the jobs.

    Raises:
        OSError: If the folder can't be written.
        ValueError: If jobs were done with other settings before, or one fails; the text names it and the reason.
    """
    check_jobs(jobs)
    context.out.mkdir(parents=True, exist_ok=True)
    drop_damaged(context.out, jobs)
    left = 0
    for job in jobs:  # before any work: what was done with other settings
        left += read_finished(context.out, job) is None
        _failure_file(context.out, job).unlink(missing_ok=True)
    for name in (_LATEST, _STOP):
        (context.out / _CLAIMS / name).unlink(missing_ok=True)
    share = max(1, context.processes // workers)
    task = _Task(tuple(jobs), replace(context, processes=share), max(1, available_cores() // workers))
    with _helpers(task, min(workers, left) - 1):
        _work(task, tell)
    return _collect(jobs, context.out)


def _collect(jobs: Sequence[Job], out: Path) -> dict[str, dict[str, Any]]:
    failures = {job.name: text for job in jobs if (text := _failure(out, job)) is not None}
    if failures:
        name, text = next(iter(failures.items()))
        more = f"; {len(failures) - 1} more failed, such as {list(failures)[1]}" if len(failures) > 1 else ""
        if (out / _CLAIMS / _STOP).exists():
            more += "; no other was begun, as two in a row failed for one reason"
        raise ValueError(f"{name}: {text}{more}")
    found = {job.name: read_finished(out, job) for job in jobs}
    return {name: finished.result for name, finished in found.items() if finished is not None}


def _work(task: _Task, tell: Tell) -> None:
    """Do jobs until all are finished, have failed, or need one that has."""
    finished: set[str] = set()
    with _threads(task.threads):
        while waiting := _waiting(task.jobs, task.context.out, finished):
            if (task.context.out / _CLAIMS / _STOP).exists():
                return
            ready = [job for job in waiting if finished.issuperset(other.name for other in job.needs)]
            if not any(_attempt(job, task, finished, tell) for job in ready):
                time.sleep(_POLL)


def _waiting(jobs: Sequence[Job], out: Path, finished: set[str]) -> list[Job]:
    """Jobs that are to be done; the others are added to those that are finished, whose files are read once."""
    hopeless: set[str] = set()
    waiting = []
    for job in jobs:
        if job.name in finished:
            continue
        if _failure(out, job) is not None or any(other.name in hopeless for other in job.needs):
            hopeless.add(job.name)
        elif read_finished(out, job) is None:
            waiting.append(job)
        else:
            finished.add(job.name)
    return waiting


def _attempt(job: Job, task: _Task, finished: set[str], tell: Tell) -> bool:
    """Do a job, unless another process does or has done it. Says whether it was done here."""
    out = task.context.out
    claim = out / _CLAIMS / job.name
    claim.mkdir(parents=True, exist_ok=True)
    try:
        lock = lock_folder(claim, "working at")
    except OSError:
        return False
    try:
        if read_finished(out, job) is not None or _failure(out, job) is not None:
            return False
        begun = time.monotonic()
        try:
            result = job(task.context)
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            _fail(out, job, str(error) or type(error).__name__)
            tell(f"{job.name} failed")  # why is said at the end, once
            return True
        seconds = round(time.monotonic() - begun, 3)
        (out / _CLAIMS / _LATEST).unlink(missing_ok=True)
        write_finished(out, job, Finished(result, seconds))
    finally:
        os.close(lock)
    _waiting(task.jobs, out, finished)  # what others have finished counts, too
    tell(f"{len(finished)} of {len(task.jobs)}  {job.name}  {seconds:.1f} s")
    return True


def _fail(out: Path, job: Job, reason: str) -> None:
    """Keep why a job failed, and have all processes stop if the one before it failed for the same reason."""
    write_text(_failure_file(out, job), reason)
    for argument in _OWN & job.arguments.keys():
        reason = reason.replace(str(job.arguments[argument]), "")
    latest = out / _CLAIMS / _LATEST
    if latest.exists() and latest.read_text(encoding="utf-8") == reason:
        write_text(out / _CLAIMS / _STOP, reason)
    write_text(latest, reason)


def _failure_file(out: Path, job: Job) -> Path:
    return out / _CLAIMS / job.name / _FAILURE


def _failure(out: Path, job: Job) -> str | None:
    try:
        return _failure_file(out, job).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


@contextmanager
def _helpers(task: _Task, count: int) -> Iterator[None]:
    """Other processes at the same work. They end with the block, and with this process."""
    spawn, processes = get_context("spawn"), []
    try:
        with _environment(dict.fromkeys(_THREADS, str(task.threads))):
            for _ in range(count):
                process = spawn.Process(target=_help, args=(task, os.getpid()))
                process.start()
                processes.append(process)
        yield
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.terminate()
            process.join()


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables that processes inherit which are started in the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _help(task: _Task, parent: int) -> None:
    import signal
    import sys

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which then ends the others
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _work(task, lambda line: print(line, file=sys.stderr, flush=True))


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone, even by a kill."""
    while os.getppid() == parent:
        time.sleep(_POLL)
    os._exit(1)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Give torch a number of threads: with equally many, all workers compute the same bits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
