"""Folders that link to each other are walked once each, by names that do not change."""

import time

from svr_baselines.data.folders import find_files


def names(root):
    return list(find_files(root, (".npy",), "shapes"))


def test_links_to_each_other_take_no_time(tmp_path):
    for number in range(20):
        (tmp_path / f"f{number:02d}").mkdir()
        (tmp_path / f"f{number:02d}" / "x.npy").touch()
        for other in range(20):
            (tmp_path / f"f{number:02d}" / f"to{other}").symlink_to(tmp_path / f"f{other:02d}")
    start = time.perf_counter()
    assert names(tmp_path) == [f"f{number:02d}/x" for number in range(20)]
    assert time.perf_counter() - start < 5


def test_a_linked_folder_is_read_by_the_name_of_its_link(tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "x.npy").touch()
    root.mkdir()
    (root / "own.npy").touch()
    (root / "b").symlink_to(outside)
    (root / "c").symlink_to(outside)
    (root / "up").symlink_to(root)
    (root / "above").symlink_to(tmp_path)
    assert names(root) == ["b/deep/x", "own"]


def test_a_folder_goes_by_its_own_name_before_that_of_a_link(tmp_path):
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "x.npy").touch()
    (tmp_path / "a").symlink_to(tmp_path / "z")
    assert names(tmp_path) == ["z/x"]
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert names(tmp_path / "link") == ["x"]
