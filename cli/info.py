"""`ds info`."""

from __future__ import annotations

from dataclasses import asdict

from ds_cli.reading import say
from ds_cli.writing import check_json, write_json
from rich.console import Console

from svr_baselines.environment import Part, describe_environment


def run(*, json: str | None) -> None:
    """Look, print, and write what was asked for."""
    check_json(json)
    found = describe_environment()
    write_json(asdict(found), json)  # before anything is shown, as it may fail
    console = Console(stderr=json == "-")
    for name, value in found.machine.items():
        say(console, f"{name:<22}{value}")
    sections = {
        "packages": found.packages,
        "distances": found.pairwise,
        "renderers": found.renderers,
        "extras": found.extras,
        "plug-ins": found.plugins,
    }
    for title, parts in sections.items():
        for line in [title, *map(_line, parts)] if parts else ():
            say(console, line)


def _line(part: Part) -> str:
    """One that can be pasted into a bug report: no table, which a narrow terminal would fold."""
    notes = [note for note in (part.note, part.lack) if note]
    return f"  {part.name:<20}{'no' if part.lack else 'yes':<5}{'; '.join(notes)}"
