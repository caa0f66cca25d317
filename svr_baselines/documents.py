"""Documents that someone may have edited: read from regular files alone, and checked against a type as a whole."""

from __future__ import annotations

import json
import math
import re
import stat
from pathlib import Path
from typing import Any, TypeVar

import msgspec

Kind = TypeVar("Kind")


def check_regular(path: Path) -> None:
    """Refuse what is not a regular file: to read from a pipe or a device may take forever.

    Raises:
        OSError: If there is nothing, or it can't be looked at.
        ValueError: If it is something else than a regular file.

    Example:
        >>> check_regular(Path("/dev/zero"))
        Traceback (most recent call last):
        ValueError: /dev/zero must be a regular file, but is a character device
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kinds = {
            stat.S_IFDIR: "a folder",
            stat.S_IFIFO: "a pipe",
            stat.S_IFCHR: "a character device",
            stat.S_IFBLK: "a block device",
            stat.S_IFSOCK: "a socket",
        }
        raise ValueError(f"{path} must be a regular file, but is {kinds.get(stat.S_IFMT(mode), 'something else')}")


def read_document(path: Path, kind: type[Kind]) -> Kind:
    """Read a JSON file as a type, such as a dataclass or ``dict[str, int]``.

    JSON has no NaN and no infinity, and an integer is not taken for a text or a boolean. Fields that a dataclass does
    not know are ignored.

    Args:
        path: The file.
        kind: What the document must be; `msgspec <https://jcristharif.com/msgspec>`_ says which types there are, and
            how ``Annotated[int, msgspec.Meta(ge=1)]`` bounds a value.

    Raises:
        OSError: If the file can't be read.
        ValueError: If it is not a regular file, not JSON, or not of this type; the text names the file and the field.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "a.json")
        >>> _ = file.write_text('{"k": [1, 2]}')
        >>> read_document(file, dict[str, list[int]])
        {'k': [1, 2]}
    """
    check_regular(path)
    return parse_document(path.read_bytes(), kind, str(path))


def parse_document(text: str | bytes, kind: type[Kind], source: str) -> Kind:
    """As `read_document`, of a text in memory.

    Example:
        >>> parse_document('[1, "2"]', list[int], "a.json")
        Traceback (most recent call last):
        ValueError: a.json: field '[1]': expected `int`, got `str`
    """
    try:
        # By Python's own parser, as msgspec's refuses halves of surrogate pairs: bytes of file names that are no UTF-8.
        text = text if isinstance(text, str) else text.decode()
        document = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except ValueError as error:  # JSON's and Unicode's own errors are among these
        raise ValueError(f"{source} is not a JSON file: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{source} is nested too deeply") from error
    return check_document(document, kind, source)


def check_document(document: Any, kind: type[Kind], source: str) -> Kind:
    """As `read_document`, of what was parsed already: from TOML, or from the header of another file.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Header:
        ...     epoch: int
        >>> check_document({"epoch": None}, Header, "the header of a.safetensors")
        Traceback (most recent call last):
        ValueError: the header of a.safetensors: field 'epoch': expected `int`, got `null`
    """
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{source}: {_fault(str(error))}") from error
    except OverflowError as error:
        raise ValueError(f"{source} holds a number that is too large") from error
    except RecursionError as error:
        raise ValueError(f"{source} is nested too deeply") from error
    except UnicodeEncodeError as error:
        raise ValueError(f"{source} holds a text, which is no Unicode, in place of another value") from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    if math.isinf(value := float(text)):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


def _fault(text: str) -> str:
    """What msgspec says, with the place first: ``Expected `int`, got `str` - at `$.k[1]```."""
    what, _, place = text.partition(" - at `")
    what = what[:1].lower() + what[1:]
    place = re.sub(r"^\$\.?", "", place.rstrip("`"))
    return f"field {place!r}: {what}" if place else what
