"""Shapes kept on disk: the same as in memory, read once, resumed after a kill."""

import errno
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from ds_metrics.functional import dispersion_score
from svr_baselines import parallel
from svr_baselines.data import read_shapes, reader, spool
from svr_baselines.data.spool import Spool
from svr_baselines.inputs import as_clouds

CUBE = """v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 1\nf 1 2 3\nf 1 3 4\n"""


@pytest.fixture
def folder(tmp_path):
    """Meshes, clouds of both precisions and of odd sizes, and a bad file."""
    root = tmp_path / "shapes"
    (root / "a").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(6):
        (root / f"a/{k}.obj").write_text(CUBE.replace("1 1 0", f"1 {k + 1} 0"))
        np.save(root / f"b{k}.npy", rng.random((3 + k, 3)).astype(np.float32 if k % 2 else np.float64))
    (root / "bad.npy").write_bytes(b"nothing")
    return root


def same(kept, read):
    assert (kept.names, kept.kinds, kept.skipped, kept.settings) == (
        read.names,
        read.kinds,
        read.skipped,
        read.settings,
    )
    assert kept.content_hash == read.content_hash
    for a, b in zip(kept.clouds, read.clouds, strict=True):
        assert a.dtype == b.dtype
        assert a.flags.writeable
        np.testing.assert_array_equal(a, b)


def count_reads(monkeypatch):
    names, attempt = [], reader._attempt
    monkeypatch.setattr(reader, "_attempt", lambda *args: names.append(args[-1]) or attempt(*args))
    return names


def test_same_as_in_memory_and_read_once(folder, tmp_path, monkeypatch):
    options = {"points": 11, "skip_bad": True}
    expected = read_shapes(folder, **options)
    told, names = [], count_reads(monkeypatch)
    same(read_shapes(folder, **options, store=tmp_path, progress=lambda *counts: told.append(counts)), expected)
    assert names == sorted(names)
    assert len(names) == 13
    assert told == [(k, 13) for k in range(1, 14)]
    same(read_shapes(folder, **options, store=tmp_path), expected)
    assert len(names) == 13
    with pytest.raises(ValueError, match=r"1 of 13 shapes cannot be read: bad\.npy"):
        read_shapes(folder, points=11, store=tmp_path)
    assert len(names) == 13
    # Other settings and other files are another set.
    same(
        read_shapes(folder, points=11, seed=1, skip_bad=True, store=tmp_path),
        read_shapes(folder, 11, seed=1, skip_bad=True),
    )
    assert len(names) == 39
    kept = read_shapes(folder, **options, store=tmp_path, side="target")
    assert kept.content_hash != expected.content_hash
    assert len(names) == 52
    names.clear()
    os.utime(folder / "b0.npy", ns=(1, 1))
    read_shapes(folder, **options, store=tmp_path)
    assert len(names) == 13


def test_clouds_of_one_size_are_one_array(folder, tmp_path):
    shapes = read_shapes(folder / "a", points=7, store=tmp_path)
    batch = as_clouds(shapes)
    assert batch.shape == (6, 7, 3)
    assert batch.data_ptr() == shapes.clouds[0].ctypes.data
    assert dispersion_score(batch, 2) == dispersion_score(as_clouds(read_shapes(folder / "a", points=7)), 2)


@pytest.mark.usefixtures("forked_workers")
def test_processes_give_the_same(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "_FILES_PER_WORKER", 3)
    monkeypatch.setattr(reader, "_FILES_PER_TASK", 2)
    monkeypatch.setattr(parallel, "_PER_WORKER", 1)
    options = {"points": 5, "skip_bad": True}
    same(read_shapes(folder, **options, store=tmp_path, workers=2), read_shapes(folder, **options))


SLOW_RUN = """
import sys, time
from svr_baselines.data import read_shapes, reader, spool
spool._COMMIT_SECONDS = 0.0
attempt = reader._attempt
def slowly(*arguments):
    print(arguments[-1], flush=True)
    time.sleep(0.02)
    return attempt(*arguments)
reader._attempt = slowly
read_shapes(sys.argv[1], points=11, skip_bad=True, store=sys.argv[2])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_process_resumes(folder, tmp_path, monkeypatch, number):
    command = [sys.executable, "-c", SLOW_RUN, str(folder), str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in process.stdout:
        if line.strip() == "b2":
            os.kill(process.pid, number)
            break
    process.communicate(timeout=60)
    assert process.returncode == -number
    names = count_reads(monkeypatch)
    same(
        read_shapes(folder, points=11, skip_bad=True, store=tmp_path),
        read_shapes(folder, points=11, skip_bad=True),
    )
    assert names[0] >= "b1"


@pytest.mark.parametrize("damage", ["half a line", "points gone", "all gone"])
def test_what_is_not_whole_is_read_again(tmp_path, damage):
    clouds = [(np.full((k + 1, 3), k, dtype=np.float32), "points") for k in range(4)]
    with Spool.open(tmp_path, "key") as kept:
        kept.extend(clouds)
    (folder,) = tmp_path.iterdir()
    if damage == "half a line":
        (folder / "shapes.jsonl").write_bytes((folder / "shapes.jsonl").read_bytes()[:-3])
    else:
        (folder / "points.bin").write_bytes(
            (folder / "points.bin").read_bytes()[: -5 if damage == "points gone" else 0]
        )
    with Spool.open(tmp_path, "key") as kept:
        assert len(kept) == (0 if damage == "all gone" else 3)
        kept.extend(clouds[len(kept) :])
        assert [cloud[0].tolist() for cloud in kept] == [cloud.tolist() for cloud, _ in clouds]


def swap_lines(folder):
    lines = (folder / "shapes.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "shapes.jsonl").write_bytes(b"".join([lines[0], lines[2], lines[1], lines[3]]))


def edit_line(folder, before, after):
    data = (folder / "shapes.jsonl").read_bytes()
    lines = data.splitlines(keepends=True)
    lines[1] = lines[1].replace(before, after)
    assert b"".join(lines) != data
    (folder / "shapes.jsonl").write_bytes(b"".join(lines))


def edit_points(folder, *position_and_data):
    with (folder / "points.bin").open("r+b") as file:
        file.seek(position_and_data[0])
        file.write(position_and_data[1])


DAMAGES = {
    "a point": (1, lambda folder: edit_points(folder, 30, b"\xff")),
    "points of zeros": (1, lambda folder: edit_points(folder, 36, bytes(72))),
    "another kind": (1, lambda folder: edit_line(folder, b'"points", "p', b'"surface", "p')),
    "fewer points": (1, lambda folder: edit_line(folder, b'"points": 2', b'"points": 1')),
    "no points": (1, lambda folder: edit_line(folder, b'"points": 2', b'"points": -2')),
    "huge number": (1, lambda folder: edit_line(folder, b'"points": 2', b'"points": ' + b"9" * 5000)),
    "half precision": (1, lambda folder: edit_line(folder, b"<f4", b"<f2")),
    "objects": (1, lambda folder: edit_line(folder, b"<f4", b"|O")),
    "no size": (1, lambda folder: edit_line(folder, b"<f4", b"|V0")),
    "no type": (1, lambda folder: edit_line(folder, b"<f4", b"(")),
    "a list": (1, lambda folder: edit_line(folder, b"{", b"[")),
    "nested": (1, lambda folder: edit_line(folder, b"2", b"[" * 100_000)),
    "checksum": (1, lambda folder: edit_line(folder, b'{"crc": "', b'{"crc": "f')),
    "order": (1, swap_lines),
    "bytes": (0, lambda folder: (folder / "shapes.jsonl").write_bytes(b"\xff\n" * 9)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_what_was_written_is_read_again_and_said(tmp_path, caplog, damage):
    clouds = [(np.full((2, 3), k + 1, dtype=np.float32), "points") for k in range(4)]
    with Spool.open(tmp_path, "key") as kept:
        kept.extend(clouds)
    (folder,) = tmp_path.iterdir()
    left, spoil = DAMAGES[damage]
    spoil(folder)
    with Spool.open(tmp_path, "key") as kept:
        assert len(kept) == left
        assert caplog.messages == [f"{folder} is damaged: its shapes from the {left + 1}. on are read again"]
        kept.extend(clouds[left:])
        assert [cloud[0].tolist() for cloud in kept] == [cloud.tolist() for cloud, _ in clouds]
    with Spool.open(tmp_path, "key") as kept:
        assert len(kept) == 4


def test_kept_within_seconds_and_by_one_process(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "_COMMIT_SECONDS", 0.0)
    with Spool.open(tmp_path, "key") as kept:
        (folder,) = tmp_path.iterdir()

        def outcomes():
            yield "bad"
            time.sleep(0.01)
            yield np.eye(3), "points"
            assert (folder / "shapes.jsonl").read_bytes().count(b"\n") == 2

        kept.extend(outcomes())
        with pytest.raises(OSError, match="another process is reading shapes into"):
            Spool.open(tmp_path, "key")
        Spool.open(tmp_path, "other").__exit__()


def test_a_full_disk_names_the_folder_and_gives_it_back(tmp_path):
    cloud = np.ones((5, 3)), "points"

    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def keep():
        with Spool.open(tmp_path, "key") as spool:
            spool.extend([cloud])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"No space left on device: .*shapes-"):
            keep()
    with Spool.open(tmp_path, "key") as spool:
        spool.extend([cloud] * (1 - len(spool)))
        assert len(list(spool)) == 1
