import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

PROGRAM = Path(__file__).with_name("tiny.py")


@pytest.fixture(scope="session")
def tiny():
    """The module of the network and the dataset for tests."""
    spec = importlib.util.spec_from_file_location("tiny", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # as the program
    yield
    torch.set_num_threads(before)


@pytest.fixture
def fit(tiny, tmp_path):
    """Train the tiny network for seconds; returns the summary and the lines that it told."""
    from svr_baselines.training import train

    def run(folder="run", train_set=None, validation_set=None, resume=False, progress=None, loggers=(), **changes):
        lines = []
        summary = train(
            tiny.make_config(**changes),
            tiny.Shapes() if train_set is None else train_set,
            tiny.Shapes(7, start=100) if validation_set is None else validation_set,
            tmp_path / folder,
            resume=resume,
            progress=progress,
            log=lines.append,
            tensorboard=False,
            loggers=loggers,
        )
        return summary, lines

    return run


@pytest.fixture
def start():
    """Start the program in a process of its own."""
    processes = []

    def run(out, options, launcher=()):
        command = [sys.executable, "-W", "error", *launcher, str(PROGRAM), str(out), json.dumps(options)]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
