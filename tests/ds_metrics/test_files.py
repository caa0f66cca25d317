import errno
import os

import numpy as np
import pytest

from ds_metrics._files import atomic_write, claim_folder, create_array, lock_folder, write_at


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old")

    def fail():
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_good_write_replaces_it_with_ordinary_permissions(tmp_path):
    path, plain = tmp_path / "result.json", tmp_path / "plain"
    plain.write_text("")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_claim_that_fails_is_given_back(tmp_path):
    folder = tmp_path / "made" / "here"
    with pytest.raises(KeyError), claim_folder(folder, "working in"):
        raise KeyError
    with claim_folder(folder, "working in") as lock:
        pass
    with pytest.raises(OSError, match="another process is working in"):
        lock_folder(folder, "working in")  # it outlives the block
    os.close(lock)
    os.close(lock_folder(folder, "working in"))


def test_bytes_land_where_they_are_to(tmp_path, monkeypatch):
    """Also where the system writes a part of them at a time."""
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, position: pwrite(descriptor, data[:2], position))
    (tmp_path / "file").write_bytes(b"0123456789")
    descriptor = os.open(tmp_path / "file", os.O_RDWR)
    write_at(descriptor, b"abcde", 3)
    os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"012abcde89"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError("1000 requested and 24 written"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_one_kind_of_error_whatever_the_writer_says(tmp_path, error):
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.txt'"), atomic_write(tmp_path / "a.txt"):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_the_space_of_an_array_is_reserved(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        create_array(tmp_path / "a.npy", np.dtype("<f4"), (2, 3))


def test_what_is_no_regular_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "null").symlink_to("/dev/null")
    for name in ("pipe", "folder", "null"):
        with (
            pytest.raises(ValueError, match=f"{name} can't be written, as there is something else"),
            atomic_write(tmp_path / name),
        ):
            pytest.fail("the work must not begin")
    assert len(list(tmp_path.iterdir())) == 3
