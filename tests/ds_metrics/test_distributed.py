"""The metrics under real distributed training: two processes, gloo, uneven shares."""

import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from ds_metrics import ChamferDistance, DispersionScore

SHARES = {"uneven": ([3, 1, 2], [1]), "one rank without data": ([4, 3], [])}


def data():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(7, 20, 3, generator=generator), torch.rand(7, 20, 3, generator=generator)


def run(rank, port, shares, out):
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    preds, target = data()
    start = sum(shares[0]) if rank else 0
    dispersion, chamfer = DispersionScore(n_clusters=2), ChamferDistance()
    for size in shares[rank]:
        dispersion.update(preds[start : start + size])
        chamfer.update(preds[start : start + size], target[start : start + size])
        start += size
    values = [dispersion.compute().item(), chamfer.compute().item() if shares[1] else None]
    out[rank] = (values, dispersion.clustering.sizes.tolist(), sum(len(p) for p in dispersion.preds_lengths))
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES.keys())
def test_two_processes_equal_one(shares):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with mp.get_context("spawn").Manager() as manager:
        out = manager.dict()
        mp.spawn(run, args=(port, shares, out), nprocs=2)
        results = [out[0], out[1]]
    preds, target = data()
    dispersion, chamfer = DispersionScore(n_clusters=2), ChamferDistance()
    dispersion.update(preds)
    chamfer.update(preds, target)
    for rank, (values, sizes, kept) in enumerate(results):
        assert values[0] == dispersion.compute().item()
        if shares[1]:
            assert values[1] == pytest.approx(chamfer.compute().item(), rel=1e-6)
        assert sizes == dispersion.clustering.sizes.tolist()
        assert kept == sum(shares[rank])
