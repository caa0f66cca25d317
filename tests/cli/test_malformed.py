"""What comes from outside and is no good: sizes, files that are none, names that steer terminals, lack of memory."""

import json
import os
import stat

import numpy as np
import pytest
import typer
from ds_cli.options import one_line_errors
from ds_cli.reading import parse_numbers
from ds_cli.terminal import printable
from ds_command import fails, run

HUGE = 10**12


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--points", HUGE),
        ("--memory", "1e30"),
        ("--memory", "9" * 400),
        ("--cluster", "local:1000000"),
        ("--clusters", HUGE),
        ("--clusters", "9" * 5000),
    ],
)
def test_absurd_sizes_of_eval(array, option, value):
    message = fails("eval", array, option, value)
    assert option in message or "clusters" in message
    assert len(message) < 300


@pytest.mark.parametrize("value", ["1:99999999999", f"1:{HUGE}", "9" * 5000])
def test_absurd_ranges(array, tmp_path, value):
    assert "--clusters must be ascending numbers" in fails("curve", array, "--clusters", value)
    assert "--views must be numbers" in fails("eval", "--images", tmp_path, "--views", value)
    assert parse_numbers(value) == []


@pytest.mark.parametrize("option", ["--size", "--samples", "--count", "--points"])
def test_absurd_sizes_of_builds(tmp_path, option):
    assert f"Option {option} must be at most" in fails("build", "synthetic", tmp_path / "out", option, HUGE)
    assert not (tmp_path / "out").exists()


def test_sizes_that_memory_has_no_room_for(tmp_path, monkeypatch):
    monkeypatch.setattr("ds_metrics.pairwise.memory.free_memory", lambda: 10**6)
    message = fails("build", "synthetic", tmp_path / "out", "--size", 4000)
    assert "Option --views is too large" in message or "Option --size is too large" in message


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        np.exceptions.AxisError(3, 2),
        OverflowError("too large"),
        RecursionError("deep"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory: you tried\nto allocate"),
    ],
)
def test_errors_of_input_are_one_line(error, capsys):
    @one_line_errors
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as end:
        command()
    assert end.value.exit_code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ds: ")
    assert err.count("\n") == 1


def test_bugs_keep_their_traceback():
    @one_line_errors
    def command() -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        command()


def test_options_that_typer_refuses_are_one_line(array):
    assert "'--points'" in fails("eval", array, "--points", "0")
    assert "--nonsense" in fails("eval", array, "--nonsense")
    assert "No such command" in fails("nonsense")
    assert run().exit_code == 2  # which shows the help


@pytest.mark.parametrize("suffix", [".npy", ".json"])
def test_inputs_that_are_no_files(tmp_path, array, suffix):
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    for name, kind in (("pipe", "a pipe"), ("zero", "a character device")):
        file = tmp_path / f"{name}{suffix}"
        for line in (["eval", file], ["curve", file], ["compare", file, file], ["report", file]):
            assert f"must be a regular file, but is {kind}" in fails(*line)
        assert kind in fails("eval", array, "--target", file)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".xyz", ".ply", ".obj", ".glb"])
def test_folders_that_hold_what_is_no_file(tmp_path, clouds, suffix):
    np.save(tmp_path / "good.npy", clouds[0])
    os.mkfifo(tmp_path / f"pipe{suffix}")
    assert f"pipe{suffix}: must be a regular file, but is a pipe" in fails("eval", tmp_path)


def test_outputs_that_are_no_files(tmp_path, array):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "null.png").symlink_to("/dev/null")
    for name in ("pipe.png", "null.png"):
        assert "--json must name a file" in fails("eval", array, "--json", tmp_path / name)
        assert "--out must name a file" in fails("curve", array, "--out", tmp_path / name)
    assert stat.S_ISFIFO((tmp_path / "pipe.png").stat().st_mode)


def test_streams_of_the_system_stay_what_they_are(array):
    result = run("eval", array, "--clusters", 2, "--json", "/dev/null")
    assert result.exit_code == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    result = run("eval", array, "--clusters", 2, "--json", "/dev/stdout")
    assert json.loads(result.stdout)["schema"] == 2
    assert os.path.islink("/dev/stdout")


def test_names_do_not_steer_the_terminal(tmp_path, clouds):
    folder = tmp_path / "\x1b[31m[bold]a\nb"
    folder.mkdir()
    assert "\\x1b[31m[bold]a\\nb" in fails("eval", folder)
    np.save(tmp_path / "\x1b[31m[bold]$x$.npy", clouds)
    files = "--out", tmp_path / "c.png", "--json", tmp_path / "c.json"
    result = run("curve", tmp_path / "\x1b[31m[bold]$x$.npy", *files)
    assert result.exit_code == 0, result.stderr
    assert "\x1b" not in result.output
    assert "[bold]" in "".join(result.output.split())
    assert "\x1b[31m" in json.loads((tmp_path / "c.json").read_text())["curves"][0]["set"]


def test_printable():
    assert printable("plain ä 漢字 [red]") == "plain ä 漢字 [red]"
    assert printable("a\r\n\x1b\x9b\u202e\udcff") == r"a\r\n\x1b\x9b\u202e\udcff"


def test_pickled_weights(tmp_path):
    pytest.importorskip("PIL")
    from PIL import Image

    for index in range(3):
        Image.new("RGB", (8, 8), (index, 0, 0)).save(tmp_path / f"{index}.png")
    for number, body in enumerate([b"\x80\x02", b"", b"junk", b"\x80\x04\x8c\x02os\x8c\x06getcwd\x93."]):
        (tmp_path / f"{number}.pth").write_bytes(body)
        result = run("eval", "--images", tmp_path, "--weights", tmp_path / f"{number}.pth")
        assert result.exit_code == 2
        assert result.stderr.startswith("ds: Option --weights")
        assert result.stderr.count("\n") == 1


def test_nothing_is_shown_where_files_fail_after_the_scores_are_there(tmp_path, array, monkeypatch):
    """Also where they fail in a way that no check before the work has seen."""
    (tmp_path / "plots" / "medoids.png").mkdir(parents=True)
    message = fails("eval", array, "--clusters", 2, "--plots", tmp_path / "plots")
    assert "medoids.png can't be written, as there is something else than a regular file" in message

    given = tmp_path / "given.json"
    assert run("eval", array, "--clusters", 2, "--json", given).exit_code == 0

    def full(*arguments):
        raise OSError(28, "No space left on device", "out")

    monkeypatch.setattr("ds_metrics._files.write_json", full)
    for line in (["eval", array], ["compare", given, given], ["curve", array, "--out", tmp_path / "c.png"], ["info"]):
        assert "No space left" in fails(*line, "--json", tmp_path / "out.json")
    monkeypatch.setattr("ds_cli.writing.atomic_write", full)
    assert "No space left" in fails("curve", array, "--out", tmp_path / "c.png")


def test_texts_that_are_no_unicode_in_documents(tmp_path, array):
    given, bad = tmp_path / "given.json", tmp_path / "bad.json"
    assert run("eval", array, "--clusters", 2, "--json", given).exit_code == 0
    document = json.loads(given.read_text())
    document["provenance"]["n_samples"] = "\udcff"
    bad.write_text(json.dumps(document))
    assert "bad.json holds a text, which is no Unicode, in place of another value" in fails("compare", given, bad)


def test_the_format_of_films_is_checked_without_films_too(tmp_path, array):
    given = tmp_path / "given.json"
    assert run("eval", array, "--clusters", 2, "--json", given).exit_code == 0
    assert "--format must be one of gif, mp4, but got 'x'" in fails("report", given, "--format", "x")


def test_outputs_do_not_replace_inputs(tmp_path, array):
    given, linked = tmp_path / "given.json", tmp_path / "linked.json"
    assert run("eval", array, "--clusters", 2, "--json", given).exit_code == 0
    linked.symlink_to(given)
    before = array.read_bytes(), given.read_bytes()
    for line, file in (
        (["eval", array], array),
        (["eval", array, "--target", array], array),
        (["eval", "--images", array, "--features", "pixels"], array),
        (["curve", array, "--out", tmp_path / "c.png"], array),
        (["compare", given, given], linked),
    ):
        assert "--json must not name what is read" in fails(*line, "--json", file)
    assert (array.read_bytes(), given.read_bytes()) == before
