"""Tiles as tasks of a real Dask cluster of worker processes."""

import logging
import os
import re
import signal
import sys
import threading

import pytest
import torch
from forked import forked_dask

from ds_metrics.pairwise import open_cluster, pairwise_distance, report_progress

dask = pytest.importorskip("dask", reason="needs Dask: pip install 'dispersion-score[cluster]'")
distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'dispersion-score[cluster]'")

pytestmark = pytest.mark.filterwarnings("ignore")  # Dask's own


def clouds(n=60, points=40, seed=0):
    return torch.rand(n, points, 3, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr("ds_metrics.pairwise.tiles._LARGEST_EDGE", 9)


@pytest.fixture(scope="module")
def scheduler():
    """Its address."""
    with forked_dask(), open_cluster("local:2") as address:
        yield address


def test_local_workers_give_the_same_bits():
    assert torch.equal(pairwise_distance(clouds(), cluster="local:2"), pairwise_distance(clouds()))


@pytest.mark.parametrize("other", [None, clouds(25, seed=1), clouds(25, seed=1).double()])
def test_cluster_by_its_address_gives_the_same_bits(scheduler, other):
    told = []
    with report_progress(lambda done, total: told.append((done, total))):
        matrix = pairwise_distance(clouds(), other, squared=False, cluster=scheduler)
    assert torch.equal(matrix, pairwise_distance(clouds(), other, squared=False))
    pairs = 60 * 59 // 2 if other is None else 60 * 25
    assert told[-1] == (pairs, pairs)


def test_worker_killed_during_the_run(scheduler, caplog, capfd):
    """It takes finished and running tiles and half of the clouds with it; one line says so."""
    logger = logging.getLogger("distributed")
    before = logger.level, [list(handler.filters) for handler in logger.handlers]
    client = distributed.Client(scheduler)
    victim = sorted(client.run(os.getpid).values())[0]
    killed = []

    def kill(done, total):
        if done > total / 4 and not killed:
            killed.append(os.kill(victim, signal.SIGKILL))

    with report_progress(kill):
        matrix = pairwise_distance(clouds(), cluster=scheduler)
    assert killed
    assert victim not in client.run(os.getpid).values()
    client.close()
    assert torch.equal(matrix, pairwise_distance(clouds()))
    said = [record.getMessage() for record in caplog.records if record.name == "ds_metrics"]
    assert len(said) == 1
    assert re.fullmatch(r"worker tcp://\S+ of the cluster is gone; what it was at is sent to the others", said[0])
    assert capfd.readouterr().err == ""
    assert (logger.level, [list(handler.filters) for handler in logger.handlers]) == before


def test_interrupted_cluster_run_resumes(scheduler, tmp_path):
    def interrupt(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="are kept in"), report_progress(interrupt):
        pairwise_distance(clouds(), store=tmp_path, cluster=scheduler)
    told = []
    with report_progress(lambda done, total: told.append(done)):
        matrix = pairwise_distance(clouds(), store=tmp_path, cluster=scheduler)
    assert told[0] > 60 * 59 / 4
    assert torch.equal(matrix, pairwise_distance(clouds()))


def test_errors_of_workers_come_back(scheduler):
    with pytest.raises(ValueError, match=r"distances fit float32, but samples \d+ and \d+ are"):
        pairwise_distance(clouds() * 1e30, cluster=scheduler)


class DieAtTiles(distributed.WorkerPlugin):
    def setup(self, worker):
        from ds_metrics.pairwise import cluster

        cluster.compute_tile = lambda *args: os._exit(1)


@pytest.mark.parametrize("most_losses", [1, 10])
def test_tiles_that_kill_their_workers_end_the_run(tmp_path, monkeypatch, most_losses):
    monkeypatch.setattr("ds_metrics.pairwise.cluster._MOST_LOSSES", most_losses)
    with (
        forked_dask(),
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        open_cluster("local:1") as address,
        distributed.Client(address) as client,
    ):
        client.register_plugin(DieAtTiles())
        with pytest.raises(ChildProcessError, match=r"was lost over samples .* do they have memory enough"):
            pairwise_distance(clouds(), store=tmp_path, cluster=address)


@pytest.mark.parametrize("cluster", ["local:0", "local:", "nowhere", "bar://x:1", "tcp://host", "tcp://host:x"])
def test_refuses_what_is_no_cluster(cluster):
    threads = set(threading.enumerate())
    with pytest.raises(ValueError, match="`cluster` must be 'local:N' or the address of a Dask scheduler"):
        pairwise_distance(clouds(), cluster=cluster)
    assert set(threading.enumerate()) <= threads  # no client that was half made


def test_nothing_at_the_address(monkeypatch):
    monkeypatch.setattr("ds_metrics.pairwise.cluster._CONNECT_SECONDS", 0.2)
    with pytest.raises(ValueError, match="`cluster` must be"):
        pairwise_distance(clouds(), cluster="tcp://127.0.0.1:1")


def test_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "distributed")
    monkeypatch.setattr(sys, "meta_path", [])
    with pytest.raises(ValueError, match=r"pip install 'dispersion-score\[cluster\]'"):
        pairwise_distance(clouds(), cluster="local:2")


@pytest.mark.filterwarnings("always")
def test_two_local_clusters_at_once_take_no_port_from_each_other(recwarn):
    with forked_dask(), open_cluster("local:1") as one, open_cluster("local:1") as other:
        assert one != other
    assert not [warning for warning in recwarn if "already in use" in str(warning.message)]


def test_processes_that_do_not_end_in_order_cost_no_result(monkeypatch):
    close = distributed.LocalCluster.close

    def stumble(self, timeout=None):
        close(self, timeout)
        raise AssertionError("can only join a started process")

    monkeypatch.setattr(distributed.LocalCluster, "close", stumble)
    with forked_dask(), pytest.warns(RuntimeWarning, match="not end .* in order: .*can only join a started process"):
        matrix = pairwise_distance(clouds(), cluster="local:1")
    assert torch.equal(matrix, pairwise_distance(clouds()))
