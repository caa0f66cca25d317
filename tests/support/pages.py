"""The README and the pages of the docs, and how each line of their blocks is tried."""

import argparse
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest
import typer
from ds_cli.app import app
from ds_command import run
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
_FILES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
PAGES = {page.relative_to(ROOT).as_posix(): page for page in _FILES}

# Lines that are parsed and not run, with the reason. The first that fits counts; one that fits no line fails a test.
PARSED = {
    r"ds (train|experiment|demo)\b": "minutes to hours of training",
    r"ds build synthetic synthetic/$": "half a minute at full size; the tutorial builds a smaller set, and so do tests",
    r"ds recall clustering synthetic/trainsets/S8I8 recited/": "VGG16 of 200 images; the tutorial runs its like",
    r".*--weights torchvision": "downloads weights",
    r".*--clusters 500": "needs more than 500 pictures, a minute of VGG16",
    r".*--cluster tcp:": "needs a Dask scheduler",
    r".*--format mp4": "needs PyAV",
    r".* runs/": "reads experiments, which take half an hour each",
    r"ds report .*experiment/": "reads an experiment",
    r"ds --install-completion": "writes to the shell's configuration",
}


def blocks(page):
    """Language, text and line of each block."""
    tokens = MarkdownIt().parse(PAGES[page].read_text("utf-8"))
    return [
        (token.info.strip(), token.content, token.map[0] + 1)
        for token in tokens
        if token.type in ("fence", "code_block")
    ]


def commands(text):
    """The words of each command; loops of the shell, assignments and `&` are left out."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=\S+", words[0]):
            words.pop(0)
        words = words[:-1] if words[-1:] == ["&"] else words
        if not words or words[0] in ("for", "done"):
            continue
        assert not {"|", ">", "&&", ";", "||"} & set(words), f"more of the shell than is tried: {line}"
        found.append(words)
    return found


def reason_to_parse(words):
    """Why a command is parsed only, or `None`."""
    line = " ".join(words)
    return next((pattern for pattern in PARSED if re.match(pattern, line)), None)


def try_page(page):
    """Run the blocks of a page in order, in the working directory."""
    names = {}
    for language, text, line in blocks(page):
        if language == "python":
            exec(compile("\n" * line + text, str(PAGES[page]), "exec"), names)
        elif language == "sh":
            for words in commands(text):
                try_command(words, f"{page}:{line}")


def try_command(words, place):
    """Run a command of this project, or have its own parser read it."""
    program, *arguments = words
    if program == "ds":
        if reason_to_parse(words) is not None:
            parse_ds(arguments)
            return
        arguments = [
            name for word in arguments for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
        ]
        result = run(*arguments)
        assert result.exit_code == 0, f"{place}: {shlex.join(words)}\n{result.output}\n{result.exception!r}"
    else:
        PARSERS[program](arguments)


def parse_ds(arguments):
    """Have Typer read a command line. What is eager, such as the completion, only has to be there."""
    command = typer.main.get_command(app)
    if arguments[0].startswith("-"):
        assert arguments[0] in {name for parameter in command.params for name in parameter.opts}, arguments
        return
    while hasattr(command, "commands"):
        command = command.commands[arguments[0]]
        arguments = arguments[1:]
    command.make_context(command.name, list(arguments))


def check_mention(words, place):
    """A command within a sentence, such as `ds eval --plots`: the command and its options are there."""
    if words[0] == "python" and words[1].startswith(("benchmarks/", "examples/")):
        parse_python(words[1:])
    if words[0] != "ds" or words[1:2] in ([], ["COMMAND"]):
        return
    command = typer.main.get_command(app)
    for word in words[1:]:
        if hasattr(command, "commands") and not word.startswith("-"):
            assert word in command.commands, f"{place}: {' '.join(words)}"
            command = command.commands[word]
        elif word.startswith("--"):
            known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
            assert word in {*known, "--help"}, f"{place}: {' '.join(words)}"


class Parsed(Exception):
    """A script has read its options."""


def parse_python(arguments):
    """Have a script read its options, and stop it there."""
    script, *options = arguments
    path = ROOT / script

    def read(parser, *_, **__):
        original(parser, options)
        raise Parsed

    original, known = argparse.ArgumentParser.parse_args, set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(path), *options])
        patch.syspath_prepend(path.parent)
        if "argparse" in path.read_text():
            patch.setattr(argparse.ArgumentParser, "parse_args", read)
            with pytest.raises(Parsed):
                runpy.run_path(str(path), run_name="__main__")
        else:
            command = typer.Typer()
            command.command()(runpy.run_path(str(path), run_name="example")["main"])
            typer.main.get_command(command).make_context(script, list(options))
    for name in set(sys.modules) - known:  # scripts import their neighbours by names as plain as `timing`
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == path.parent:
            del sys.modules[name]


def parse_pip(arguments):
    """The extras that a line installs must be there, and so must the folder."""
    assert arguments[0] == "install"
    for wanted in arguments[1:]:
        folder, extras = re.fullmatch(r"([\w./-]+)(?:\[([\w,]+)\])?", wanted).groups()
        known = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
        assert set((extras or "").split(",")) - {""} <= set(known), wanted
        assert folder == "av" or (ROOT / folder / "pyproject.toml").exists(), wanted


def parse_make(arguments):
    """The target must be there."""
    assert all(re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE) for target in arguments)


def parse_dask(arguments):
    """Have Dask's own parser read it."""
    pytest.importorskip("distributed")
    from distributed.cli import dask_scheduler, dask_worker

    {"scheduler": dask_scheduler, "worker": dask_worker}[arguments[0]].main.make_context("dask", list(arguments[1:]))


PARSERS = {"python": parse_python, "pip": parse_pip, "make": parse_make, "dask": parse_dask}
