"""The nearest of a few clouds: what brute force finds, with few distances, resumable."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from backend_clouds import mixed

from ds_metrics.clouds import PackedClouds, pack_clouds
from ds_metrics.pairwise import assignment, native, nearest_clouds, pairwise_distance, report_progress
from ds_metrics.pairwise.assignment import search_nearest


def clouds(n, points=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    sphere = torch.randn(n, points, 3, generator=generator)
    return sphere / sphere.norm(dim=2, keepdim=True) * (torch.rand(n, 1, 3, generator=generator) + 0.1)


def check(found, x, candidates, **options):
    matrix = pairwise_distance(x, candidates, **options)
    least, index = matrix.min(dim=1).values, (matrix == matrix.min(dim=1, keepdim=True).values).int().argmax(dim=1)
    np.testing.assert_array_equal(found.candidate, index)
    np.testing.assert_array_equal(found.distance, least)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(assignment, "_LARGEST_BLOCK", 16)


@pytest.mark.parametrize("k", [1, 3, 40])
@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("backend", ["native", "torch"])
def test_equals_brute_force(k, squared, backend, small_blocks):
    x, candidates = clouds(40, points=20), clouds(k, points=25, seed=1)
    check(
        nearest_clouds(x, candidates, squared=squared, backend=backend), x, candidates, squared=squared, backend=backend
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e12])
def test_equals_brute_force_for_all_sizes_and_scales(dtype, scale, monkeypatch):
    monkeypatch.setattr(assignment, "_BOUNDED_FROM", 0)
    x, candidates = mixed(dtype=dtype, seed=1, scale=scale), mixed(dtype=dtype, seed=2, scale=scale)
    check(nearest_clouds(x, candidates), x, candidates)
    far = PackedClouds(candidates.points + 1e6 * scale, candidates.lengths)
    check(nearest_clouds(x, far), x, far)


def test_mixed_precision_and_ties(monkeypatch):
    monkeypatch.setattr(assignment, "_BOUNDED_FROM", 0)
    x = clouds(20)
    candidates = clouds(20)[[3, 5, 3, 7, 5]].double()
    found = nearest_clouds(x, candidates)
    check(found, x, candidates)
    assert found.candidate[[3, 5, 7]].tolist() == [0, 1, 3]
    assert (found.distance[[3, 5, 7]] == 0).all()


def test_most_distances_are_never_computed(monkeypatch):
    computed, distances = [], native.distances

    def counted(x, y, i, j, squared=True):
        computed.append(len(i))
        return distances(x, y, i, j, squared)

    monkeypatch.setattr(native, "distances", counted)
    nearest_clouds(clouds(200, 400), clouds(200, 400, seed=1))
    assert sum(computed) < 0.1 * 200 * 200


def test_mapped_array_and_list(tmp_path, small_blocks):
    x, candidates = clouds(50), clouds(20, seed=1)
    np.save(tmp_path / "x.npy", x.numpy())
    mapped = nearest_clouds(np.load(tmp_path / "x.npy", mmap_mode="r"), candidates)
    check(mapped, x, candidates)
    check(nearest_clouds(list(x), list(candidates)), x, candidates)


def test_no_sample_and_bad_input():
    found = nearest_clouds(torch.empty(0, 5, 3), clouds(2))
    assert found.candidate.shape == found.distance.shape == (0,)
    with pytest.raises(ValueError, match=r"`candidates` must hold 1 to .* but got 0"):
        nearest_clouds(clouds(2), [])
    with pytest.raises(ValueError, match="`candidates` must hold finite points"):
        nearest_clouds(clouds(2), clouds(2) * torch.nan)
    with pytest.raises(ValueError, match="samples 0 and 0 are"):
        nearest_clouds(clouds(2) * 1e30, clouds(2))
    with pytest.raises(ValueError, match="`backend`"):
        nearest_clouds(clouds(2), clouds(2), backend="none")


def test_search_computes_no_more_than_bounds_leave():
    table = np.array([[5.0, 1.0, 2.0, 9.0], [4.0, 4.0, 4.0, 4.0]], dtype=np.float32)
    computed = []

    def distances(i, j):
        computed.extend(zip(i.tolist(), j.tolist(), strict=True))
        return table[i, j]

    index, least = search_nearest(table.astype(float) - [[0, 0, 0.5, 0]], distances)
    assert index.tolist() == [1, 0]
    assert least.tolist() == [1, 4]
    assert [pair for pair in computed if pair[0] == 0] == [(0, 1)]
    assert len(computed) == 5


SLOW_RUN = """
import sys, time, torch
sys.path[:0] = sys.argv[2:]
from test_assignment import clouds
from ds_metrics.pairwise import assignment, store
assignment._LARGEST_BLOCK, store._COMMIT_SECONDS = 16, 0.0
nearest = assignment._Search.nearest
def slowly(self, rows):
    print(rows.start, flush=True)
    time.sleep(0.02)
    return nearest(self, rows)
assignment._Search.nearest = slowly
assignment.nearest_clouds(clouds(160), clouds(20, seed=1), store=sys.argv[1])
"""


def count_blocks(monkeypatch):
    started, nearest = [], assignment._Search.nearest
    monkeypatch.setattr(
        assignment._Search, "nearest", lambda self, rows: started.append(rows.start) or nearest(self, rows)
    )
    return started


def test_killed_process_resumes(tmp_path, monkeypatch, small_blocks):
    here = Path(__file__).parent
    command = [sys.executable, "-c", SLOW_RUN, str(tmp_path), str(here), str(here.parent)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if int(line) == 80:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    started = count_blocks(monkeypatch)
    x, candidates = clouds(160), clouds(20, seed=1)
    check(nearest_clouds(x, candidates, store=tmp_path), x, candidates)
    assert started
    assert started[0] >= 80
    started.clear()
    check(nearest_clouds(x, candidates, store=tmp_path), x, candidates)
    assert not started
    nearest_clouds(x, candidates.flip(0), store=tmp_path)
    assert len(started) == 10


def test_interrupt_says_where_it_goes_on(tmp_path, small_blocks):
    def interrupt(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="the same call goes on there"), report_progress(interrupt):
        nearest_clouds(clouds(50), clouds(20, seed=1), store=tmp_path)


def test_packed_clouds_taken():
    packed = pack_clouds([torch.rand(n, 3) for n in (3, 1, 4)])
    taken = packed.take(np.array([2, 0, 2]))
    assert taken.lengths.tolist() == [4, 3, 4]
    assert all(torch.equal(a, packed.split()[i]) for a, i in zip(taken.split(), (2, 0, 2), strict=True))
    assert len(packed.take(np.array([], dtype=np.int64)).points) == 0
