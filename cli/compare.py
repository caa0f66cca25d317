"""`ds compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ds_cli.reading import say
from ds_cli.tables import print_comparison
from ds_cli.writing import check_json, write_json
from rich.console import Console

from svr_baselines.comparison import compare, describe
from svr_baselines.results import read_result


def run(files: Sequence[Path], *, force: bool, json: str | None) -> None:
    """Read, compare, print, and write what was asked for."""
    check_json(json, *files)
    comparison = compare([read_result(file) for file in files], force)
    write_json(comparison.to_json(), json)  # before anything is shown, as it may fail
    stdout, stderr = Console(), Console(stderr=True)
    print_comparison(comparison, stderr if json == "-" else stdout)
    if comparison.mismatches:
        say(stderr, f"ds: warning: {describe(comparison.mismatches, comparison.results[0].name)}")
