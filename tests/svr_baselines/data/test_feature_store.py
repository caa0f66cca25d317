"""Feature vectors on disk: found by content, checked, kept through a kill, written by one process."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from svr_baselines.data import feature_store, read_images
from svr_baselines.data.feature_rows import MemoryRows
from svr_baselines.data.feature_store import FeatureStore

KEY = {"network": "none", "size": 3}
DIGESTS = [bytes([k]) * 32 for k in range(6)]
ROWS = np.random.default_rng(0).random((6, 5)).astype(np.float32)


class Channels:
    """Mean and spread of each channel; counts the images that it is given."""

    image_size = 8

    def __init__(self, batch_size=4, **key):
        self.key, self.batch_size, self.seen = {"name": "channels", **key}, batch_size, []

    def __call__(self, images):
        self.seen.append(len(images))
        flat = [image.reshape(3, -1).float() for image in images]
        return torch.stack([torch.cat([image.mean(1), image.std(1)]) for image in flat])

    @property
    def count(self):
        return sum(self.seen)


@pytest.fixture
def kept(tmp_path):
    with FeatureStore.open(tmp_path, KEY) as store:
        store.append(DIGESTS, ROWS)
    (folder,) = tmp_path.iterdir()
    return folder


@pytest.fixture
def images(tmp_path):
    root = tmp_path / "images"
    root.mkdir()
    rng = np.random.default_rng(0)
    for k in range(10):
        Image.fromarray(rng.integers(0, 256, (6 + k, 9, 3), dtype=np.uint8)).save(root / f"{k:02d}.png")
    return root


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_comes_back_mapped_or_copied(tmp_path, dtype):
    rows = ROWS.astype(dtype)
    with FeatureStore.open(tmp_path, KEY) as store:
        assert DIGESTS[0] not in store
        store.append(DIGESTS[:4], rows[:4])
        store.append(DIGESTS[4:], rows[4:])
        assert DIGESTS[5] in store
    with FeatureStore.open(tmp_path, KEY) as store:
        whole, part, mixed = (store.take(digests) for digests in (DIGESTS, DIGESTS[2:5], DIGESTS[::-2] + DIGESTS[:1]))
    for taken, expected in ((whole, rows), (part, rows[2:5]), (mixed, np.concatenate([rows[::-2], rows[:1]]))):
        assert taken.dtype == dtype
        assert taken.flags.writeable
        np.testing.assert_array_equal(taken, expected)
    assert not whole.flags.owndata
    (folder,) = tmp_path.iterdir()
    assert (folder / "features.bin").stat().st_size == rows.nbytes
    assert json.loads((folder / "key.json").read_text()) == KEY


def test_a_mapped_vector_may_be_changed_without_harm(kept, tmp_path):
    with FeatureStore.open(tmp_path, KEY) as store:
        store.take(DIGESTS)[:] = 0
    with FeatureStore.open(tmp_path, KEY) as store:
        assert DIGESTS[0] in store


@pytest.mark.parametrize(
    ("file", "keep", "left"),
    [("rows.bin", -1, 5), ("rows.bin", -40, 4), ("rows.bin", 0, 0), ("features.bin", -1, 5), ("features.bin", 3, 0)],
)
def test_torn_tails_are_cut(kept, tmp_path, file, keep, left):
    (kept / file).write_bytes((kept / file).read_bytes()[:keep])
    with FeatureStore.open(tmp_path, KEY) as store:
        assert [digest in store for digest in DIGESTS] == [True] * left + [False] * (6 - left)
        store.append(DIGESTS[left:], ROWS[left:])
    with FeatureStore.open(tmp_path, KEY) as store:
        np.testing.assert_array_equal(store.take(DIGESTS), ROWS)
    assert (kept / "features.bin").stat().st_size == ROWS.nbytes


@pytest.mark.parametrize("place", [("features.bin", 2 * 20 + 7), ("rows.bin", 2 * 36 + 33), ("rows.bin", 2 * 36 + 4)])
def test_a_flipped_byte_is_found(kept, tmp_path, place):
    file, position = place
    data = bytearray((kept / file).read_bytes())
    data[position] ^= 1
    (kept / file).write_bytes(data)
    with FeatureStore.open(tmp_path, KEY) as store:
        assert [digest in store for digest in DIGESTS] == [True, True, False, True, True, True]
        store.append(DIGESTS[2:3], ROWS[2:3])
        assert DIGESTS[2] in store
    with FeatureStore.open(tmp_path, KEY) as store:
        assert all(digest in store for digest in DIGESTS)
        taken = store.take(DIGESTS)
        np.testing.assert_array_equal(taken, ROWS)
        # Back in its place, unless the record had lost its name.
        assert taken.flags.owndata == (position == 2 * 36 + 4)


def test_rows_that_changed_places_are_found(kept, tmp_path):
    (kept / "features.bin").write_bytes(ROWS[::-1].tobytes())
    with FeatureStore.open(tmp_path, KEY) as store:
        assert not any(digest in store for digest in DIGESTS)


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"width": 0, "dtype": "<f4"}', '{"width": 5, "dtype": "x"}'])
def test_without_a_layout_it_begins_anew(kept, tmp_path, text):
    (kept / "layout.json").unlink()
    if text is not None:
        (kept / "layout.json").write_text(text)
    with FeatureStore.open(tmp_path, KEY) as store:
        assert DIGESTS[0] not in store
        store.append(DIGESTS[:1], ROWS[:1])
    with FeatureStore.open(tmp_path, KEY) as store:
        np.testing.assert_array_equal(store.take(DIGESTS[:1]), ROWS[:1])


def test_other_length_or_type_is_refused(kept, tmp_path):
    for rows in (ROWS[:, :4], ROWS.astype(np.float16)):
        with (
            FeatureStore.open(tmp_path, KEY) as store,
            pytest.raises(ValueError, match="holds features of 5 float32, but the extractor gave"),
        ):
            store.append([b"x" * 32], rows[:1])


def test_kept_within_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(feature_store, "_COMMIT_SECONDS", 0.0)
    with FeatureStore.open(tmp_path, KEY) as store:
        (folder,) = tmp_path.iterdir()
        for k in range(3):
            time.sleep(0.001)
            store.append(DIGESTS[k : k + 1], ROWS[k : k + 1])
            assert (folder / "rows.bin").stat().st_size == 36 * (k + 1)


def test_one_process_at_a_time(tmp_path):
    with FeatureStore.open(tmp_path, KEY):
        with pytest.raises(OSError, match="another process is computing features into"):
            FeatureStore.open(tmp_path, KEY)
        with FeatureStore.open(tmp_path, {"other": 1}):
            pass
    with FeatureStore.open(tmp_path, KEY):
        pass


def test_a_store_that_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        FeatureStore.open(tmp_path / "file", KEY)


def test_memory_rows_are_moved_within_one_array():
    rows = MemoryRows(9)
    rows.append(DIGESTS[:2], ROWS[:2])
    rows.append(DIGESTS[2:4], ROWS[2:4])
    order = [0, 1, 0, 2, 1, 1, 3, 0]
    taken = rows.take([DIGESTS[k] for k in order])
    np.testing.assert_array_equal(taken, ROWS[order])
    assert len(taken.base) == 9


def test_a_second_reading_computes_nothing(images, tmp_path):
    expected = read_images(images, Channels())
    first, second = Channels(), Channels(batch_size=3)
    for extractor in (first, second):
        told = []
        kept = read_images(images, extractor, store=tmp_path / "s", progress=lambda *counts: told.append(counts))  # noqa: B023
        np.testing.assert_array_equal(kept.features, expected.features)
        assert not kept.features.flags.owndata
        assert kept.content_hash == expected.content_hash
        assert told[-1] == (10, 10)
    assert first.seen == [4, 4, 2]
    assert second.seen == []


def test_only_what_is_new_is_computed(images, tmp_path):
    read_images(images, Channels(), store=tmp_path)
    Image.new("RGB", (5, 5), "red").save(images / "00-more.png")
    (images / "05.png").rename(images / "zz.png")
    extractor = Channels()
    grown = read_images(images, extractor, store=tmp_path)
    assert extractor.seen == [1]
    np.testing.assert_array_equal(grown.features, read_images(images, Channels()).features)


def test_what_it_depends_on_is_computed_anew(images, tmp_path):
    read_images(images, Channels(), store=tmp_path)
    for options, key in (({"background": "none"}, {}), ({"crop": 5}, {}), ({}, {"weights": "other"})):
        extractor = Channels(**key)
        read_images(images, extractor, store=tmp_path, **options)
        assert extractor.count == 10
    extractor = Channels()
    read_images(images, extractor, store=tmp_path, background="#FFFFFF")
    assert extractor.count == 0


def test_damaged_features_are_computed_anew(images, tmp_path):
    expected = read_images(images, Channels(), store=tmp_path / "s").features.copy()
    (folder,) = (tmp_path / "s").iterdir()
    data = bytearray((folder / "features.bin").read_bytes())
    data[3 * 24 + 1] ^= 64
    (folder / "features.bin").write_bytes(data[:-1])
    extractor = Channels()
    healed = read_images(images, extractor, store=tmp_path / "s")
    assert extractor.seen == [2]
    np.testing.assert_array_equal(healed.features, expected)
    assert not healed.features.flags.owndata


def test_equal_images_share_a_row(images, tmp_path):
    for name in ("03-copy.png", "a.png"):
        (images / name).write_bytes((images / "03.png").read_bytes())
    for store in (None, tmp_path / "s"):
        extractor = Channels()
        features = read_images(images, extractor, store=store).features
        assert extractor.count == 10
        np.testing.assert_array_equal(features[3], features[4])
        np.testing.assert_array_equal(features[3], features[11])
    (folder,) = (tmp_path / "s").iterdir()
    assert (folder / "features.bin").stat().st_size == 10 * 24


def test_a_bad_image_costs_no_other(images, tmp_path):
    (images / "04.png").write_bytes(b"")
    extractor = Channels()
    with pytest.raises(ValueError, match=r"1 of 10 images cannot be read: 04\.png: the file is empty"):
        read_images(images, extractor, store=tmp_path)
    assert extractor.count == 9
    extractor = Channels()
    assert len(read_images(images, extractor, store=tmp_path, skip_bad=True)) == 9
    assert extractor.count == 0


def test_an_extractor_that_fails_costs_one_batch(images, tmp_path):
    class Failing(Channels):
        def __call__(self, images):
            if len(self.seen) == 2:
                raise RuntimeError("out of memory")
            return super().__call__(images)

    with pytest.raises(RuntimeError, match="out of memory"):
        read_images(images, Failing(batch_size=3), store=tmp_path, workers=2)
    extractor = Channels(batch_size=3)
    read_images(images, extractor, store=tmp_path)
    assert extractor.count == 4


SLOW_RUN = """
import sys, time, torch
from svr_baselines.data import feature_store, read_images
feature_store._COMMIT_SECONDS = 0.0
class Slow:
    key, image_size, batch_size = {"name": "channels"}, 8, 2
    def __call__(self, images):
        time.sleep(0.05)
        print("batch", flush=True)
        flat = [image.reshape(3, -1).float() for image in images]
        return torch.stack([torch.cat([image.mean(1), image.std(1)]) for image in flat])
read_images(sys.argv[1], Slow(), store=sys.argv[2])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_process_goes_on(images, tmp_path, number):
    command = [sys.executable, "-c", SLOW_RUN, str(images), str(tmp_path / "s")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for _ in range(4):
            assert process.stdout.readline() == "batch\n"
        os.kill(process.pid, number)
        process.communicate(timeout=60)
    assert process.returncode == -number
    extractor = Channels()
    resumed = read_images(images, extractor, store=tmp_path / "s")
    assert 2 <= extractor.count <= 4
    np.testing.assert_array_equal(resumed.features, read_images(images, Channels()).features)


def test_two_processes(images, tmp_path):
    command = [sys.executable, "-c", SLOW_RUN, str(images), str(tmp_path / "s")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "batch\n"
        with pytest.raises(OSError, match="another process is computing features into"):
            read_images(images, Channels(), store=tmp_path / "s")
        process.communicate(timeout=60)
    assert process.returncode == 0
    extractor = Channels()
    read_images(images, extractor, store=tmp_path / "s")
    assert extractor.count == 0
