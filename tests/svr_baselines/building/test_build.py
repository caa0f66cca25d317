import errno
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from forked import context, forked_dask

from svr_baselines.building.build import SCRATCH, Part, Workers, run_build, write_file
from svr_baselines.data.manifest import Sample, read_manifest


@dataclass(frozen=True)
class Number:
    id: str


@dataclass(frozen=True)
class Maker:
    """Writes the square of each number; what else happens at 7 is up to the test."""

    out: Path
    at_seven: str = ""
    slow: float = 0.0

    def finished(self, item):
        return (self.out / f"{item.id}.txt").exists()

    def make(self, item, scratch):
        time.sleep(self.slow)
        if item.id == "7" and self.at_seven == "bad":
            raise ValueError("seven is broken.")
        if item.id == "7" and self.at_seven == "full":
            write_file(self.out / "half.txt", scratch, fill_the_disk)
        if item.id == "7" and self.at_seven == "die":
            os._exit(1)
        write_file(self.out / f"{item.id}.txt", scratch, lambda path: path.write_text(f"{int(item.id) ** 2}\n"))


def fill_the_disk(path):
    path.write_text("begun")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def rows(item):
    return [Sample(item.id, points=f"{item.id}.txt")]


def build(out, count=12, workers=None, settings=None, **maker):
    out = Path(out)
    parts = [Part(".", settings or {"kind": "squares"}, rows)]
    items = [Number(str(number)) for number in range(count)]
    return run_build(out, parts, items, Maker(out, **maker), "numbers", workers or Workers())


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_is_built_and_listed(tmp_path):
    summary = build(tmp_path / "out")
    assert (summary.built, summary.kept, summary.skipped, summary.total) == (12, 0, (), 12)
    assert sorted(tree(tmp_path / "out")) == sorted([*(f"{n}.txt" for n in range(12)), "dataset.json", "manifest.csv"])
    assert (tmp_path / "out" / "9.txt").read_text() == "81\n"
    manifest = read_manifest(tmp_path / "out")
    assert [sample.points for sample in manifest.samples][:3] == ["0.txt", "1.txt", "10.txt"]
    assert manifest.settings["kind"] == "squares"


@pytest.mark.parametrize("who", [{"processes": 2}, {"processes": 3}, {"cluster": "local:2"}], ids=str)
@pytest.mark.usefixtures("forked_workers")
def test_the_bytes_do_not_depend_on_the_workers(tmp_path, who):
    alone, together = tmp_path / "alone", tmp_path / "together"
    build(alone, at_seven="bad")
    with forked_dask():
        build(together, at_seven="bad", workers=Workers(**who))
    assert tree(together) == tree(alone)


@pytest.fixture
def asked(monkeypatch):
    """How many items were given to how many processes."""
    found = []

    def here(function, items, *, workers, **options):
        found.append((len(items), workers))
        return map(function, items)

    monkeypatch.setattr("svr_baselines.building.build.map_in_order", here)
    monkeypatch.setattr("svr_baselines.building.build.available_cores", lambda: 8)
    return found


def test_processes_start_only_where_it_takes_long(tmp_path, monkeypatch, asked):
    build(tmp_path / "short", count=400, workers=Workers(None))
    build(tmp_path / "given", count=400, workers=Workers(3))
    monkeypatch.setattr("svr_baselines.building.build._START_SECONDS", 0.05)
    build(tmp_path / "long", count=40, slow=0.02, workers=Workers(None))
    assert asked[:2] == [(0, 0), (400, 3)]
    left, processes = asked[2]
    assert 30 < left < 40  # the first take as long as processes do to start
    assert processes == 8


def test_a_run_that_an_item_has_ended_goes_on_in_processes(tmp_path, asked):
    with pytest.raises(OSError, match="No space left"):
        build(tmp_path, at_seven="full")
    build(tmp_path, workers=Workers(None))
    assert asked[1] == (5, 5)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"`out` must be a folder that can be made, but got '.*file/out': Not a dir"):
        build(tmp_path / "file" / "out")


def test_a_bad_item_is_named_and_the_rest_is_built(tmp_path):
    summary = build(tmp_path, at_seven="bad")
    (bad,) = summary.skipped
    assert (bad.name, bad.reason, summary.built) == ("7", "seven is broken", 11)
    manifest = read_manifest(tmp_path)
    assert manifest.skipped == (bad,)
    assert "7" not in {sample.id for sample in manifest.samples}


def test_a_bad_item_that_was_mended_is_built(tmp_path):
    build(tmp_path / "out", at_seven="bad")
    summary = build(tmp_path / "out")
    assert (summary.built, summary.kept, summary.skipped) == (1, 11, ())
    build(tmp_path / "other")
    assert tree(tmp_path / "out") == tree(tmp_path / "other")


@pytest.mark.usefixtures("forked_workers")
def test_an_item_that_ends_its_process_is_skipped(tmp_path):
    summary = build(tmp_path, at_seven="die", workers=Workers(2))
    (bad,) = summary.skipped
    assert bad.name == "7"
    assert "the process that built it was ended" in bad.reason
    assert summary.built == 11


def test_a_full_disk_ends_it_and_costs_nothing(tmp_path):
    with pytest.raises(OSError, match=r"No space left.* What is built stays"):
        build(tmp_path / "out", at_seven="full")
    assert sorted(tree(tmp_path / "out")) == sorted([*(f"{n}.txt" for n in range(7)), f"{SCRATCH}/settings.json"])
    assert build(tmp_path / "out").kept == 7
    build(tmp_path / "other")
    assert tree(tmp_path / "out") == tree(tmp_path / "other")


def build_slowly(out, processes):
    os.setsid()
    build(out, count=400, slow=0.01, workers=Workers(processes))


@pytest.fixture
def start():
    """Start a slow build in a process of its own, the leader of a group with its workers."""
    processes = []

    def run(out, workers):
        processes.append(context().Process(target=build_slowly, args=(out, workers)))
        processes[-1].start()
        return processes[-1]

    yield run
    for process in processes:
        kill(process)


def kill(process):
    if process.is_alive():
        os.killpg(process.pid, signal.SIGKILL)
    process.join()


def wait_for(path, process):
    while not path.exists():
        assert process.is_alive()
        time.sleep(0.01)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_build_goes_on(start, tmp_path, processes):
    out = tmp_path / "out"
    process = start(out, processes)
    wait_for(out / "20.txt", process)
    kill(process)
    assert process.exitcode == -signal.SIGKILL
    assert not (out / "manifest.csv").exists()
    summary = build(out, count=400)
    assert summary.kept >= 20
    assert summary.kept + summary.built == 400
    build(tmp_path / "other", count=400)
    assert tree(out) == tree(tmp_path / "other")


def test_progress_counts_what_was_there(tmp_path):
    told = []
    build(tmp_path, at_seven="bad")
    build(tmp_path, workers=Workers(progress=lambda *state: told.append(state)))
    assert told == [(12, 12)]


def test_other_settings_are_refused(tmp_path):
    build(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(
        ValueError, match=r"was built with other settings: kind 'squares', not 'cubes', size None, not 3"
    ):
        build(tmp_path, settings={"kind": "cubes", "size": 3})
    assert tree(tmp_path) == before


def test_other_settings_are_refused_of_an_unfinished_build(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        build(tmp_path, at_seven="full")
    with pytest.raises(ValueError, match="was built with other settings"):
        build(tmp_path, settings={"kind": "cubes"})


def test_leftovers_of_a_killed_run_go(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        build(tmp_path / "out", at_seven="full")
    (tmp_path / "out" / SCRATCH / ".7-x.txt").write_text("hal")
    build(tmp_path / "out")
    build(tmp_path / "other")
    assert tree(tmp_path / "out") == tree(tmp_path / "other")


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_description_is_named(tmp_path, content):
    build(tmp_path)
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(ValueError, match=r"dataset\.json: (not a readable JSON file|expected an object)"):
        build(tmp_path)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match="must be empty or hold a build to go on with"):
        build(tmp_path)
    assert tree(tmp_path) == {"thesis.tex": b""}


def test_shapes_that_are_gone_are_refused(tmp_path):
    build(tmp_path)
    with pytest.raises(ValueError, match=r"holds 2 shapes that are not among the meshes now, such as '10'"):
        build(tmp_path, count=10)


def test_shapes_that_have_come_are_built(tmp_path):
    build(tmp_path / "out", count=10)
    assert build(tmp_path / "out").kept == 10
    build(tmp_path / "other")
    assert tree(tmp_path / "out") == tree(tmp_path / "other")


def test_nothing_good_is_an_error(tmp_path):
    out = tmp_path
    parts = [Part(".", {}, rows)]
    with pytest.raises(ValueError, match=r"1 of 1 numbers cannot be read: 7: seven is broken"):
        run_build(out, parts, [Number("7")], Maker(out, "bad"), "numbers", Workers())


def test_two_processes_at_once_are_refused(start, tmp_path):
    wait_for(tmp_path / "0.txt", start(tmp_path, 1))
    with pytest.raises(OSError, match="another process is building"):
        build(tmp_path)


@pytest.mark.parametrize("processes", [0, -1, 1.5, True])
def test_processes_are_counted_from_one(processes):
    with pytest.raises(ValueError, match="`processes` must be an integer of at least 1"):
        Workers(processes)


def test_a_damaged_file_alone_is_built_again_and_said(tmp_path, caplog):
    build(tmp_path / "out")
    before = tree(tmp_path / "out")
    (tmp_path / "out" / "3.txt").write_text("8\n")
    summary = build(tmp_path / "out")
    assert (summary.built, summary.kept) == (1, 11)
    assert tree(tmp_path / "out") == before
    assert caplog.messages == [
        f"{tmp_path / 'out'} is damaged: 1 of its files, such as 3.txt, are built again",
    ]


def test_damage_of_an_unfinished_build(tmp_path, caplog):
    out = tmp_path / "out"
    with pytest.raises(OSError, match="No space left"):
        build(out, at_seven="full")
    (out / "3.txt").write_text("")
    with (out / SCRATCH / "settings.json").open("a") as notes:
        notes.write('\n["4.tx')  # of a killed process
    assert build(out).kept == 6
    build(tmp_path / "other")
    assert tree(out) == tree(tmp_path / "other")
    assert len(caplog.messages) == 1


def test_files_without_checksums_are_not_trusted(tmp_path, caplog):
    """Those of an earlier version."""
    build(tmp_path)
    before = tree(tmp_path)
    document = json.loads((tmp_path / "dataset.json").read_text())
    del document["checksums"]
    (tmp_path / "dataset.json").write_text(json.dumps(document))
    assert build(tmp_path).built == 12
    assert tree(tmp_path) == before
    assert caplog.messages == [f"{tmp_path} was built without checksums: its files are built again"]
