"""What commands share: options, and how they fail."""

from __future__ import annotations

import functools
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_type_hints

import typer
from ds_cli.terminal import printable
from typer.core import TyperGroup
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


def _stdout(json: str | None) -> str | None:
    """What is stdout by its name on the system is ``-``, or it would be replaced by a file."""
    return "-" if json in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1") else json


Json = Annotated[
    str | None, typer.Option(metavar="FILE|-", callback=_stdout, help="Write all of it as JSON; - is stdout.")
]
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
    "extractor": "features",
    "processes": "workers",
    "azimuth_ranges": "azimuth_range",
    "centre": "azimuth_centre",
}
# How torch's allocators begin, which raise a `RuntimeError`.
_NO_MEMORY = re.compile(r"not enough memory|can't allocate memory|out of memory|invalid buffer size", re.IGNORECASE)


def check_paths(*paths: Path | None) -> None:
    """Find out before the heavy imports that nothing is there."""
    for path in paths:
        if path is None or path.is_dir():
            continue
        if not path.exists():
            raise FileNotFoundError(f"No file or folder at {path}.")
        from svr_baselines.documents import check_regular

        check_regular(path)


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Bad input ends with one line on stderr and exit code 2, and so does a lack of memory.

    Only bugs show a traceback.
    """

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            with _said_by_library():
                command(*args, **kwargs)
        except (ValueError, OSError, OverflowError) as error:
            _fail(_name_option(str(error), command), error)
        except RecursionError as error:
            _fail("a file is nested too deeply", error)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not _NO_MEMORY.search(str(error)):
                raise
            _fail(" ".join(f"not enough memory: {error}".split()).rstrip(": "), error)
        except KeyboardInterrupt as interrupt:
            typer.echo(printable(f"ds: interrupted{f'; {interrupt}' if str(interrupt) else ''}"), err=True)
            raise typer.Exit(130) from interrupt

    return run


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(printable(f"ds: {record.getMessage()}"), err=True)


@contextmanager
def _said_by_library() -> Iterator[None]:
    """Show what the library says on the way, such as of damaged files, as lines on stderr."""
    logger, handler = logging.getLogger("ds_metrics"), _Handler()
    propagated = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated


class OneLineGroup(TyperGroup):
    """Commands of which a wrong option or argument, too, ends with one line on stderr and exit code 2."""

    def main(self, *args: Any, standalone_mode: bool = True, **settings: Any) -> Any:
        """As of `typer.core.TyperGroup`."""
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **settings)
        try:
            sys.exit(super().main(*args, standalone_mode=False, **settings))
        except Exception as error:  # by what it has: where its class is found depends on the version
            if not hasattr(error, "format_message"):
                raise
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()  # type: ignore[attr-defined]
            else:
                path = getattr(getattr(error, "ctx", None), "command_path", "ds")
                text = error.format_message().rstrip(".")
                typer.echo(printable(f"ds: {text}; see {path} --help"), err=True)
            sys.exit(2)


def _fail(text: str, error: BaseException) -> NoReturn:
    typer.echo(f"ds: {printable(text)}", err=True)
    raise typer.Exit(2) from error


def _name_option(text: str, command: Callable[..., None]) -> str:
    """An error with the argument of the library that it begins with called as the command's option."""
    if (found := re.match(r"Argument `(\w+)`", text)) is None:
        return text
    name = _OPTIONS.get(found[1], found[1])
    hint = get_type_hints(command, include_extras=True).get(name)
    if not any(isinstance(given, OptionInfo) for given in getattr(hint, "__metadata__", ())):
        return text
    return f"Option --{name.replace('_', '-')}{text[found.end() :]}"
