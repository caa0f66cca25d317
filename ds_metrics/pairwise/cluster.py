"""The tiles of a matrix as tasks of a Dask cluster: the workers compute, this process puts together."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ds_metrics._files import say
from ds_metrics.clouds import PackedClouds
from ds_metrics.pairwise.backends import load_backend
from ds_metrics.pairwise.blocks import Blocks, tile_distances
from ds_metrics.pairwise.costs import pairs_per_call, points_per_pair
from ds_metrics.pairwise.tiles import Tile

_TILES_IN_FLIGHT = 4  # for each thread of the cluster: enough that none waits, few enough to bound the memory here
_CONNECT_SECONDS = 10
_RETRY_SECONDS = 0.5
_MOST_WORKERS = 1024  # on this machine
_ENVIRONMENT = "distributed.nanny.pre-spawn-environ"  # of processes that we start
_QUIET_WORKERS = {"DASK_LOGGING__DISTRIBUTED": "critical"}
_MOST_LOSSES = 10  # of one tile: more dead workers than that are no accident

_Block = tuple[NDArray[Any], NDArray[np.int64]]  # points and lengths: plain buffers, which Dask sends without a copy


@contextmanager
def connect(cluster: str) -> Iterator[Any]:
    """A client of the Dask scheduler at an address, or of ``"local:N"``: N worker processes on this machine.

    Raises:
        ValueError: If Dask is not installed, the text is neither, or nothing answers at the address.
    """
    with open_cluster(cluster) as address:
        import distributed

        with _quiet_dask():
            try:
                client = distributed.Client(address, timeout=_CONNECT_SECONDS)
            except (OSError, ValueError) as error:
                raise _no_cluster(cluster, str(error)) from error
            with client:
                yield client


@contextmanager
def _quiet_dask() -> Iterator[None]:
    """Keep Dask's own handlers silent: it logs pages for each worker that dies, which `WorkerWatch` says in a line.

    What the user has set up for these loggers beyond is left as it is.
    """
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]
    handlers = {handler for name in names for handler in logging.getLogger(name).handlers}
    silence = _Silence()  # one of our own, as blocks are nested
    for handler in handlers:
        handler.addFilter(silence)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(silence)


class _Silence(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return False


@contextmanager
def open_cluster(cluster: str) -> Iterator[str]:
    """The address of a cluster that several matrices share: ``"local:N"`` starts its processes once, and ends them.

    Whatever takes ``cluster=`` takes the address; given ``"local:N"`` itself, each matrix starts processes of its own.
    The address of a scheduler is returned as it is, and nothing is asked of it.

    Raises:
        ValueError: If Dask is not installed, or the text is neither.
    """
    check_cluster(cluster)
    if not cluster.startswith("local:"):
        yield cluster
        return
    import dask
    import distributed

    workers = _worker_count(cluster)
    threads = max(1, torch.get_num_threads() // workers)
    # On any free port, for this machine alone: two clusters at once would both ask for Dask's own.
    pages = {"dashboard_address": "127.0.0.1:0"}
    with _quiet_dask():
        environment = {**dask.config.get(_ENVIRONMENT), **_QUIET_WORKERS}
        with dask.config.set({_ENVIRONMENT: environment}):
            started = distributed.LocalCluster(
                workers, threads_per_worker=threads, dashboard_address=None, scheduler_kwargs=pages
            )
        try:
            yield started.scheduler_address
        finally:
            _end(started)


def _end(started: Any) -> None:
    """End the processes of a cluster of our own; their ends must not cost what they have computed."""
    try:
        started.close()
    except Exception as error:  # Dask asserts and times out, such as over a worker that it was just starting again
        warnings.warn(f"Dask could not end its worker processes in order: {error!r}", RuntimeWarning, stacklevel=2)


def check_cluster(cluster: str) -> None:
    """Raise ``TypeError`` or ``ValueError`` for what can't be a cluster, before there is work for it."""
    if not isinstance(cluster, str):
        raise TypeError(f"Argument `cluster` must be a string, but got {cluster!r}")
    if importlib.util.find_spec("distributed") is None:
        raise ValueError(
            "Argument `cluster` needs Dask, which is not installed: pip install 'dispersion-score[cluster]'"
        )
    if cluster.startswith("local:"):
        _worker_count(cluster)
        return
    # Asked before a client is made: one that fails over its address runs a thread on, and ends it whenever it is
    # collected. If the thread of another client or cluster that is just being started collects it, the two wait for
    # each other, and the other fails.
    from distributed.comm import get_address_host

    try:
        get_address_host(cluster)
    except ValueError as error:
        raise _no_cluster(cluster, str(error)) from error


def _worker_count(cluster: str) -> int:
    count = cluster.removeprefix("local:")
    if not count.isdecimal() or len(count) > 9 or not 1 <= int(count) <= _MOST_WORKERS:
        raise _no_cluster(cluster[:40], f"N must be at least 1, and at most {_MOST_WORKERS:,}")
    return int(count)


def _no_cluster(cluster: str, reason: str) -> ValueError:
    return ValueError(
        f"Argument `cluster` must be 'local:N' or the address of a Dask scheduler, such as 'tcp://host:8786', "
        f"but got {cluster!r}: {reason}"
    )


class WorkerWatch:
    """Says in one line of each worker of a cluster that is gone."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._workers: set[str] = set()

    def count_threads(self) -> int:
        """Threads of the cluster, one at least; what is gone since the last call is said."""
        workers: dict[str, int] = self._client.nthreads()
        for lost in sorted(self._workers.difference(workers)):
            say(f"worker {lost} of the cluster is gone; what it was at is sent to the others")
        self._workers = set(workers)
        return max(1, sum(workers.values()))


class TileTasks:
    """Tiles computed as tasks by the workers of a cluster.

    A worker that dies takes the tiles it was at and the clouds it held with it; both are sent out again.

    Args:
        client: Client of the cluster.
        x: Clouds of the rows.
        y: Clouds of the columns.
        backend: Name of the backend, which runs on the CPU of the workers.
        squared: Whether nearest distances are squared before the mean.
    """

    def __init__(self, client: Any, x: Blocks, y: Blocks, backend: str, squared: bool) -> None:
        self._client = client
        self._sides = (x, y)
        self._backend = backend
        self._squared = squared
        self._sent: dict[tuple[int, range], Any] = {}
        self._losses: Counter[int] = Counter()
        self._watch = WorkerWatch(client)

    def compute(self, tiles: Iterator[Tile]) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
        """Yield every tile with its values, in the order in which they are finished.

        Raises:
            ChildProcessError: If a tile loses its worker again and again.
        """
        from distributed import KilledWorker, as_completed

        running: dict[Any, Tile] = {}
        finished = as_completed([])

        def submit(tile: Tile) -> None:
            future = self._submit(tile)
            running[future] = tile
            finished.add(future)

        for tile in islice(tiles, self._most_in_flight()):
            submit(tile)
        for future in finished:
            tile = running.pop(future)
            try:
                values = future.result()
            except CancelledError:  # its worker, or one that held clouds it needs, is gone
                self._count_loss(tile)
                submit(tile)
                continue
            except KilledWorker as error:  # Dask counts too, and gives up first where nothing else was lost
                raise _too_many_losses(tile) from error
            yield tile, values
            future.release()
            for following in islice(tiles, max(0, self._most_in_flight() - len(running))):
                submit(following)

    def _most_in_flight(self) -> int:
        return _TILES_IN_FLIGHT * self._watch.count_threads()

    def _submit(self, tile: Tile) -> Any:
        symmetric = self._sides[0] is self._sides[1]
        rows = self._send(tile, 0, tile.rows)
        columns = self._send(tile, 0 if symmetric else 1, tile.columns)
        # Keys of our own: a repeated tile must not be answered with the lost task of the same arguments.
        return self._client.submit(compute_tile, tile, rows, columns, self._backend, self._squared, pure=False)

    def _send(self, tile: Tile, side: int, block: range) -> Any:
        """The clouds of a block on some worker, sent there unless they are already."""
        sent = self._sent.get((side, block))
        if sent is None or sent.status != "finished":
            clouds = self._sides[side].clouds(block)
            buffers = clouds.points.detach().cpu().numpy(), clouds.lengths.numpy()
            sent = self._sent[side, block] = self._scatter(buffers, tile)
        return sent

    def _scatter(self, buffers: _Block, tile: Tile) -> Any:
        from distributed.comm import CommClosedError

        while True:
            try:
                return self._client.scatter([buffers], hash=False)[0]
            except (CommClosedError, asyncio.TimeoutError):  # the worker that was to get them has died, or all have
                self._count_loss(tile)
                time.sleep(_RETRY_SECONDS)

    def _count_loss(self, tile: Tile) -> None:
        self._losses[tile.index] += 1
        if self._losses[tile.index] > _MOST_LOSSES:
            raise _too_many_losses(tile)


def _too_many_losses(tile: Tile) -> ChildProcessError:
    return ChildProcessError(
        f"worker after worker of the cluster was lost over samples {tile.rows.start} to {tile.rows.stop - 1} and "
        f"{tile.columns.start} to {tile.columns.stop - 1}; do they have memory enough?"
    )


def compute_tile(tile: Tile, rows: _Block, columns: _Block, backend: str, squared: bool) -> NDArray[np.float32]:
    """The task of a worker: the distances of one tile."""
    engine = load_backend(backend)
    x = _unpack(rows)
    y = x if tile.on_diagonal else _unpack(columns)
    prepared = engine.prepare(x)
    others = prepared if tile.on_diagonal else engine.prepare(y)
    at_once = pairs_per_call(points_per_pair(x, y, backend), backend)
    return tile_distances(tile, prepared, others, at_once, engine, squared)


def _unpack(block: _Block) -> PackedClouds:
    # What arrives may be read-only, and torch warns of that.
    points, lengths = (torch.from_numpy(np.require(buffer, requirements="W")) for buffer in block)
    return PackedClouds(points, lengths)
