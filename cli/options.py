"""What commands share: options, and how they fail."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.models import OptionInfo

Points = Annotated[int, typer.Option(min=1, help="Points sampled on each mesh; point clouds stay as is.")]
Normalize = Annotated[
    str,
    typer.Option(metavar="auto|unit-ball|bounding-box|none", help="auto: unit ball for meshes, none for point clouds."),
]
Solver = Annotated[
    str,
    typer.Option(
        metavar="fasterpam|alternate|..", help="k-medoids by FasterPAM, by the paper's algorithm, or by another's."
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the sampling and of the solver.")]
Json = Annotated[str | None, typer.Option(metavar="FILE|-", help="Write all of it as JSON; - is stdout.")]
Store = Annotated[
    Path | None,
    typer.Option(
        help="Folder that keeps distances, points read from a folder and features: a killed run goes on there, a "
        "repeated one reuses them."
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="500MB|2GB|..",
        help="Memory for the distances; beyond, they go to disk. Half of what is free unless given.",
    ),
]
Cluster = Annotated[
    str | None, typer.Option(metavar="ADDRESS|local:N", help="Dask scheduler, or N processes on this machine.")
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Go on without shapes or images that can't be read.")]

# Arguments of the library that options have another name for.
_OPTIONS = {
    "n_clusters": "clusters",
    "k": "clusters",
    "memory_budget": "memory",
    "name": "metric",
    "image_size": "size",
}


def check_paths(*paths: Path | None) -> None:
    """Find out before the heavy imports that nothing is there."""
    for path in paths:
        if path is not None and not path.exists():
            raise FileNotFoundError(f"No file or folder at {path}.")


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Bad input ends with one line on stderr and exit code 2; only bugs show a traceback."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (ValueError, OSError) as error:
            typer.echo(f"ds: {_name_option(str(error), command)}", err=True)
            raise typer.Exit(2) from error
        except KeyboardInterrupt as interrupt:
            typer.echo(f"ds: interrupted{f'; {interrupt}' if str(interrupt) else ''}", err=True)
            raise typer.Exit(130) from interrupt

    return run


def _name_option(text: str, command: Callable[..., None]) -> str:
    """An error with the argument of the library that it begins with called as the command's option."""
    if (found := re.match(r"Argument `(\w+)`", text)) is None:
        return text
    name = _OPTIONS.get(found[1], found[1])
    hint = get_type_hints(command, include_extras=True).get(name)
    if not any(isinstance(given, OptionInfo) for given in getattr(hint, "__metadata__", ())):
        return text
    return f"Option --{name.replace('_', '-')}{text[found.end() :]}"
