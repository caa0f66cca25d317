"""Matrices on disk: over the budget, resumed after a kill or Ctrl-C, refused where that would go wrong."""

import errno
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from ds_metrics.pairwise import blocks, nearest_clouds, pairwise_distance, report_progress, store
from ds_metrics.pairwise.store import DiskMatrix
from ds_metrics.pairwise.tiles import TilePlan


def clouds(n=40, points=30, seed=0):
    return torch.rand(n, points, 3, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr("ds_metrics.pairwise.tiles._LARGEST_EDGE", 7)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("DS_CACHE_DIR", str(tmp_path))
    return tmp_path / "pairwise"


def count_tiles(monkeypatch):
    """Tiles computed from now on."""
    from ds_metrics.pairwise import engine

    computed = []

    def counted(tile, *args):
        computed.append(tile.index)
        return blocks.tile_distances(tile, *args)

    monkeypatch.setattr(engine, "tile_distances", counted)
    return computed


@pytest.mark.parametrize("other", [None, clouds(23, seed=1)])
def test_same_bits_on_disk(tmp_path, small_tiles, other):
    expected = pairwise_distance(clouds(), other)
    stored = pairwise_distance(clouds(), other, store=tmp_path)
    assert torch.equal(stored, expected)
    (folder,) = tmp_path.iterdir()
    np.testing.assert_array_equal(np.load(folder / "distances.npy", mmap_mode="r"), expected.numpy())


def test_over_the_budget_goes_to_disk_and_leaves_nothing_behind(cache, monkeypatch):
    opened = []
    open_matrix = DiskMatrix.open.__func__
    monkeypatch.setattr(DiskMatrix, "open", classmethod(lambda *args: opened.append(args[1]) or open_matrix(*args)))
    expected = pairwise_distance(clouds())
    assert not opened
    matrix = pairwise_distance(clouds(), memory_budget=4 * 40 * 40)
    assert opened == [cache]
    assert torch.equal(matrix, expected)
    assert list(cache.iterdir()) == []


def test_changes_to_the_result_stay_out_of_the_file(tmp_path):
    matrix = pairwise_distance(clouds(), store=tmp_path)
    expected = matrix.clone()
    matrix.fill_(7)
    assert torch.equal(pairwise_distance(clouds(), store=tmp_path), expected)


def test_a_finished_matrix_comes_back_and_other_data_gets_its_own(tmp_path, monkeypatch, small_tiles):
    computed = count_tiles(monkeypatch)
    first = pairwise_distance(clouds(), store=tmp_path)
    assert computed
    computed.clear()
    assert torch.equal(pairwise_distance(clouds(), store=tmp_path), first)
    assert not computed
    for change in ({"squared": False}, {"backend": "torch"}, {"x": clouds(seed=2)}, {"x": clouds().double()}):
        pairwise_distance(**{"x": clouds(), "store": tmp_path, **change})
        assert len(computed) == 21
        computed.clear()
    assert len(list(tmp_path.iterdir())) == 5


def test_interrupt_keeps_the_finished_tiles_and_says_where(tmp_path, monkeypatch, small_tiles):
    def interrupt(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    message = r"of 780 distances are kept in .*; the same call goes on there"
    with pytest.raises(KeyboardInterrupt, match=message), report_progress(interrupt):
        pairwise_distance(clouds(), store=tmp_path)
    computed, told = count_tiles(monkeypatch), []
    with report_progress(lambda done, total: told.append(done)):
        resumed = pairwise_distance(clouds(), store=tmp_path)
    assert 0 < len(computed) < 21
    assert told[0] > 300
    assert told[-1] == 780
    assert torch.equal(resumed, pairwise_distance(clouds()))


SLOW_RUN = """
import sys, time, torch
from ds_metrics.pairwise import blocks, engine, pairwise_distance, store, tiles
tiles._LARGEST_EDGE, store._COMMIT_SECONDS = 7, 0.0
def slowly(tile, *args):
    print(tile.index, flush=True)
    time.sleep(0.02)
    return blocks.tile_distances(tile, *args)
engine.tile_distances = slowly
x = torch.rand(40, 30, 3, generator=torch.Generator().manual_seed(0))
pairwise_distance(x, store=sys.argv[1])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_process_resumes_to_the_same_bits(tmp_path, number, monkeypatch, small_tiles):
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_RUN, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if int(line) == 8:
            os.kill(process.pid, number)
            break
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == -number
    if number == signal.SIGINT:
        assert "the same call goes on there" in stderr
    computed = count_tiles(monkeypatch)
    resumed = pairwise_distance(clouds(), store=tmp_path)
    assert computed
    assert computed[0] >= 8
    assert torch.equal(resumed, pairwise_distance(clouds()))


def test_resumes_with_the_tiles_it_was_begun_with(tmp_path, monkeypatch, small_tiles):
    def interrupt(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), report_progress(interrupt):
        pairwise_distance(clouds(), store=tmp_path)
    monkeypatch.setattr("ds_metrics.pairwise.tiles._LARGEST_EDGE", 13)
    assert torch.equal(pairwise_distance(clouds(), store=tmp_path), pairwise_distance(clouds()))


def edit_record(folder, **changes):
    record = json.loads((folder / "record.json").read_text())
    record["plan"] |= changes
    (folder / "record.json").write_text(json.dumps(record, indent=2))


def overwrite(file, position, data):
    with file.open("r+b") as opened:
        opened.seek(position if position >= 0 else file.stat().st_size + position)
        opened.write(data)


DAMAGES = {
    "record": lambda folder: (folder / "record.json").write_text('{"key": '),
    "nested record": lambda folder: (folder / "record.json").write_text("[" * 100_000),
    "record of numbers": lambda folder: (folder / "record.json").write_text("9" * 10_000),
    "bytes for a record": lambda folder: (folder / "record.json").write_bytes(b"\xff\xfe"),
    "edge 0": lambda folder: edit_record(folder, edge=0),
    "edge -1": lambda folder: edit_record(folder, edge=-1),
    "edge true": lambda folder: edit_record(folder, edge=True),
    "huge edge": lambda folder: edit_record(folder, edge=10**30),
    "more rows": lambda folder: edit_record(folder, n_rows=10**12),
    "not symmetric": lambda folder: edit_record(folder, symmetric=False),
    "short matrix": lambda folder: os.truncate(folder / "distances.npy", 1000),
    "short finished": lambda folder: os.truncate(folder / "finished", 3),
    "matrix of zeros": lambda folder: overwrite(folder / "distances.npy", -6400, bytes(6400)),
    "no matrix": lambda folder: (folder / "distances.npy").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_store_is_computed_anew_and_said(tmp_path, damage, small_tiles, caplog):
    expected = pairwise_distance(clouds(), store=tmp_path).clone()
    (folder,) = tmp_path.iterdir()
    DAMAGES[damage](folder)
    assert torch.equal(pairwise_distance(clouds(), store=tmp_path), expected)
    assert json.loads((folder / "record.json").read_text())["key"]["distance"] == "chamfer"
    (line,) = caplog.messages
    assert re.fullmatch(rf"{re.escape(str(folder))} is damaged: .* distances are computed again", line)
    assert torch.equal(pairwise_distance(clouds(), store=tmp_path), expected)
    assert len(caplog.messages) == 1


def test_a_folder_without_a_record_or_with_a_pipe_for_it_is_filled(tmp_path, small_tiles):
    expected = pairwise_distance(clouds(), store=tmp_path).clone()
    (folder,) = tmp_path.iterdir()
    (folder / "record.json").unlink()
    assert torch.equal(pairwise_distance(clouds(), store=tmp_path), expected)
    for name in ("record.json", "distances.npy", "finished"):
        (folder / name).unlink()
        os.mkfifo(folder / name)
        assert torch.equal(pairwise_distance(clouds(), store=tmp_path), expected)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_damaged_tile_alone_is_computed_again(tmp_path, monkeypatch, small_tiles, caplog, mirrored):
    """Either half of a symmetric matrix: tile 2 is rows 0 to 6, columns 14 to 20."""
    expected = pairwise_distance(clouds(), store=tmp_path).clone()
    (folder,) = tmp_path.iterdir()
    entry = 15 * 40 + 3 if mirrored else 3 * 40 + 15
    overwrite(folder / "distances.npy", -4 * 1600 + 4 * entry, b"\x00")
    computed = count_tiles(monkeypatch)
    assert torch.equal(pairwise_distance(clouds(), store=tmp_path), expected)
    assert computed == [2]
    assert caplog.messages == [f"{folder} is damaged: 1 of 21 tiles of distances are computed again"]


def test_tiles_marked_finished_that_are_not(tmp_path, monkeypatch, small_tiles):
    def interrupt(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), report_progress(interrupt):
        pairwise_distance(clouds(), store=tmp_path)
    (folder,) = tmp_path.iterdir()
    sums = np.fromfile(folder / "finished", dtype="<u4")
    sums[sums == 0] = 1
    sums.tofile(folder / "finished")
    assert torch.equal(pairwise_distance(clouds(), store=tmp_path), pairwise_distance(clouds()))


def test_a_damaged_header_is_written_again(tmp_path, small_tiles):
    expected = pairwise_distance(clouds(), store=tmp_path).clone()
    (folder,) = tmp_path.iterdir()
    overwrite(folder / "distances.npy", 0, b"\x00\x00")
    assert torch.equal(pairwise_distance(clouds(), store=tmp_path), expected)
    np.testing.assert_array_equal(np.load(folder / "distances.npy"), expected.numpy())


def test_a_store_of_nearest_candidates_is_checked(tmp_path, caplog):
    samples, candidates = clouds(30), clouds(5, seed=1)
    expected = nearest_clouds(samples, candidates, store=tmp_path)
    (folder,) = tmp_path.iterdir()
    overwrite(folder / "distances.npy", -8 * 7, b"\x00\x00\x80")
    again = nearest_clouds(samples, candidates, store=tmp_path)
    np.testing.assert_array_equal(again.candidate, expected.candidate)
    np.testing.assert_array_equal(again.distance, expected.distance)
    assert len(caplog.messages) == 1


def test_two_runs_at_one_matrix_are_refused(tmp_path):
    plan, key = TilePlan(4, 4, 2, symmetric=True), {"x": "1"}
    with DiskMatrix.open(tmp_path, key, plan), pytest.raises(OSError, match="another process is computing"):
        DiskMatrix.open(tmp_path, key, plan)
    with DiskMatrix.open(tmp_path, key, plan) as matrix:
        assert not matrix.finished.any()


def test_a_disk_too_small_is_found_before_the_work(tmp_path, monkeypatch):
    computed = count_tiles(monkeypatch)

    def full(descriptor, offset, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"take 6.53e-06 GB on disk, but .* has .* GB free; name another folder"):
        pairwise_distance(clouds(), store=tmp_path)
    assert not computed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP])
def test_file_systems_without_locks_or_reservations(tmp_path, monkeypatch, number):
    def refuse(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    monkeypatch.setattr(fcntl, "flock", refuse)
    assert torch.equal(pairwise_distance(clouds(), store=tmp_path), pairwise_distance(clouds()))


def test_a_file_that_can_not_have_its_size_is_no_store(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "truncate", refuse)
    with pytest.raises(OSError, match="Invalid argument"):
        pairwise_distance(clouds(), store=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_unwritable_store(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        pairwise_distance(clouds(), store=tmp_path / "file")


def test_tiles_are_recorded_only_once_written(tmp_path, monkeypatch):
    plan, key = TilePlan(4, 4, 2, symmetric=True), {"x": "1"}
    tile = next(plan.tiles())
    with DiskMatrix.open(tmp_path, key, plan) as matrix:
        matrix.put(tile, np.ones((2, 2), dtype=np.float32))
        assert not any((matrix.folder / "finished").read_bytes())
        monkeypatch.setattr(store, "_COMMIT_SECONDS", 0.0)
        time.sleep(0.01)
        matrix.put(tile, np.ones((2, 2), dtype=np.float32))
        assert any((matrix.folder / "finished").read_bytes())
