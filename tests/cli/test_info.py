"""`ds info`, and completion in the shell."""

import json
import os
import subprocess
import sys

import pytest
import typer
from ds_cli.app import app
from ds_command import fails, run


def test_says_what_is_there():
    result = run("info")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert any(line.split()[:2] == ["native", "yes"] for line in lines)
    assert any(line.startswith("vector instructions") for line in lines)


def test_lines_are_whole_in_a_narrow_terminal(monkeypatch):
    wide = run("info").stdout
    monkeypatch.setenv("COLUMNS", "40")
    narrow = run("info").stdout
    assert len(narrow.splitlines()) == len(wide.splitlines())


def test_json_says_the_same():
    result = run("info", "--json", "-")
    document = json.loads(result.stdout)
    assert {part["name"] for part in document["extras"]} >= {"train", "report"}
    assert "native" in result.stderr


def test_json_that_can_not_be_written(tmp_path):
    assert "--json" in fails("info", "--json", tmp_path / "no" / "info.json")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands_and_options(shell):
    """As the script of `ds --install-completion` asks."""

    def complete(line):
        words = line.split(" ")
        asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)} if shell == "bash" else {}
        asked |= {"_TYPER_COMPLETE_ARGS": line}
        if shell == "fish":
            asked |= {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        environment = {**os.environ, "_DS_COMPLETE": f"complete_{shell}", **asked}
        main = "from ds_cli.app import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", main], env=environment, capture_output=True, text=True, check=False
        )
        return done.stdout

    assert "compare" in complete("ds co")
    assert "--target" in complete("ds eval --t")


def test_every_command_and_option_has_help():
    def walk(command, path):
        assert command.help, path
        for parameter in command.params:
            assert getattr(parameter, "help", None), (path, parameter.name)
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, f"{path} {name}")

    walk(typer.main.get_command(app), "ds")
