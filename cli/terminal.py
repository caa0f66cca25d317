"""Text from outside, such as names of files, as it may be shown on a terminal."""

from __future__ import annotations

import re

# Control characters of both sets, what turns the direction of a line or ends one, and half of a surrogate pair, which
# stands for a byte of a file's name that is no UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""The text on one line, with whatever steers a terminal written out as Python does.

    Example:
        >>> print(printable("a\x1b[31m\nb"))
        a\x1b[31m\nb
    """
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def drawable(text: str) -> str:
    r"""As `printable`, for pictures, where text between two dollars would be a formula.

    Example:
        >>> print(drawable("a$b$"))
        a\$b\$
    """
    return printable(text).replace("$", r"\$")
