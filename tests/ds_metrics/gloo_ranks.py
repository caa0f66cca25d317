"""Processes that are ranks of a gloo group, and how clouds are shared among them."""

import socket

import torch.distributed as dist
import torch.multiprocessing as mp
from forked import context

from ds_metrics.pairwise import tiles

# Batch sizes of each rank, 7 in all.
SHARES = {
    "one rank": [[3, 4]],
    "uneven": [[3, 1, 2], [1]],
    "a rank without data": [[4, 3], []],
    "three ranks": [[2], [1, 3], [1]],
    "three ranks, the first without data": [[], [1, 1], [5]],
}


def spawn(function, size, *args):
    """What ``function(rank, size, port, out, *args)`` leaves in ``out[rank]``, of each rank."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with context().Manager() as manager:
        out = manager.dict()
        mp.start_processes(function, args=(size, port, out, *args), nprocs=size, start_method="forkserver")
        return [out[rank] for rank in range(size)]


def begin(rank, size, port):
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=size)
    tiles._LARGEST_EDGE = 2  # so that there are tiles for every rank


def batches(shares, rank):
    """Where each batch of a rank starts and stops."""
    start = sum(map(sum, shares[:rank]))
    for count in shares[rank]:
        yield slice(start, start + count)
        start += count
