"""How much memory the engine may take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FREE_SHARE = 0.5  # of the free memory: the rest is for the caller and for clustering

_MOST = 10**15
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def memory_bytes(budget: int | str | None) -> int:
    """A memory budget in bytes.

    Args:
        budget: Bytes, a text like ``"500MB"`` or ``"2GiB"``, or ``None`` for half of the free memory.

    Raises:
        ValueError: If it is not a positive amount of memory.

    Example:
        >>> memory_bytes("1.5GB"), memory_bytes("2 KiB")
        (1500000000, 2048)
    """
    if budget is None:
        return int(FREE_SHARE * free_memory())
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", str(budget).strip())
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None or float(match[1]) * unit < 1:
        given = repr(budget) if len(str(budget)) <= 40 else f"{str(budget)[:40]!r}.."
        raise ValueError(
            f"Argument `memory_budget` must be a number of bytes or a text like '500MB' or '2GiB', but got {given}"
        )
    if float(match[1]) * unit > _MOST:
        raise ValueError(f"Argument `memory_budget` must be at most 1000TB, but got {str(budget)[:40]!r}")
    return int(float(match[1]) * unit)


def free_memory() -> int:
    """Bytes that this process can still take: what the machine has free, or less where a control group says so."""
    import psutil

    return max(0, min([int(psutil.virtual_memory().available), *_control_group_rooms()]))


class _Files(NamedTuple):
    """What a version of control groups calls the limit, the use, and the part of the use that gives way."""

    limit: str
    used: str
    cached: str


_VERSION_1 = _Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_VERSION_2 = _Files("memory.max", "memory.current", "inactive_file")


def _control_group_rooms(root: Path = Path("/sys/fs/cgroup"), self_file: Path = Path("/proc/self/cgroup")) -> list[int]:
    """What each control group above this process leaves: batch systems and containers limit jobs so."""
    try:
        lines = self_file.read_text().splitlines()
    except OSError:
        return []
    rooms = []
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers not in ("", "memory"):
            continue
        files, base = (_VERSION_1, root / "memory") if controllers else (_VERSION_2, root)
        group = base / path.strip("/")
        rooms += [room for folder in (group, *group.parents) if (room := _room(folder, files)) is not None]
    return rooms


def _room(group: Path, files: _Files) -> int | None:
    try:
        limit = int((group / files.limit).read_text())
        used = int((group / files.used).read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such group, or one without a limit ("max")
        return None
    return limit - used + int(stat.get(files.cached, 0))
