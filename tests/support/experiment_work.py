"""Work that jobs of the tests do; functions of a module, so that other processes find them."""

import os
import time
from pathlib import Path


def add(context, *, name, amount, needs=()):
    """Leave a line for each call, so that a test can count them."""
    with open(context.out / "calls.txt", "a") as file:
        file.write(f"{name} {os.getpid()}\n")
    return {"value": amount}


def leave(context, *, distances, name):
    """Leave a matrix and a prediction."""
    for file in (context.out / distances, context.out / "predictions" / name / "b.npy"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("something")
    return add(context, name=name, amount=1)


def keep(context, *, run, folder):
    """Go on with the files of a run and a data set, whatever is in them."""
    files = (
        context.out / run / "best.safetensors",
        *(context.out / folder / n for n in ("dataset.json", "points/1.npy")),
    )
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text(str(file))
    return {"value": [file.read_text() for file in files]}


def fail(context, *, text):
    raise ValueError(text)


def fail_in(context, *, run):
    raise ValueError(f"{run} holds no network")


def wait_for(context, *, file, name):
    """End when a file is there: by then another process must have made it."""
    (context.out / f"{name}.here").touch()
    for _ in range(2000):
        if (context.out / file).exists():
            return {"found": True}
        time.sleep(0.05)
    raise ValueError(f"no {file} in 100 seconds")


def sleep_once(context, *, name):
    """The first call never ends; a later one does."""
    marker = Path(context.out / f"{name}.begun")
    if not marker.exists():
        marker.touch()
        time.sleep(600)
    return {"second": True}


def threads(context, *, name):
    import torch

    return {"threads": torch.get_num_threads(), "processes": context.processes}


def sleep_with_pid(context, *, name):
    """Tell the process, and never end."""
    (context.out / f"{name}.pid").write_text(str(os.getpid()))
    time.sleep(600)
