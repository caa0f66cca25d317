"""What would make the names of two sets match, where none do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

_TRIED = 1000  # targets that may be the first prediction's


def hint_at_names(predictions: Sequence[str], targets: Sequence[str]) -> str:
    """A sentence with a space before it; nothing where no simple change makes each name of a side one of the other.

    Example:
        >>> hint_at_names(["a_pred", "b_pred"], ["a", "b", "c"])
        " They would match without '_pred' after each prediction's name."
        >>> hint_at_names(["S00"], ["s00"])
        ' They would match but for capital letters.'
    """
    if not predictions or not targets:
        return ""
    if _fit(str.casefold, predictions, targets):
        return " They would match but for capital letters."
    if affixes := _find_affixes(predictions, targets):
        return f" They would match without {' and '.join(affixes)}."
    if _fit(_last_part, predictions, targets):
        return " They would match by the last part of each path: give both sides the same folders."
    for names, what in ((predictions, "predictions"), (targets, "targets")):
        if all(name.isdecimal() for name in names) and len(predictions) == len(targets):
            return (
                f" If the {what} are an array in the order of the other side's names, make an array of that side, too."
            )
    return ""


def _find_affixes(predictions: Sequence[str], targets: Sequence[str]) -> list[str]:
    """What is before or after all names of a side, if the rest of each prediction's name is that of a target."""
    known, first = set(targets), predictions[0]
    for target in sorted(targets)[:_TRIED]:
        common = SequenceMatcher(None, first, target, autojunk=False).find_longest_match()
        before, after = first[: common.a], first[common.a + common.size :]
        start, end = target[: common.b], target[common.b + common.size :]
        fits = all(
            name.startswith(before)
            and name.endswith(after)
            and start + name[len(before) : len(name) - len(after)] + end in known
            for name in predictions
        )
        if common.size and fits:
            sides = ((before, after, "prediction"), (start, end, "target"))
            affixes = [(affix, where, whose) for b, a, whose in sides for affix, where in ((b, "before"), (a, "after"))]
            return [f"{affix!r} {where} each {whose}'s name" for affix, where, whose in affixes if affix]
    return []


def _fit(change: Callable[[str], str], predictions: Sequence[str], targets: Sequence[str]) -> bool:
    """Whether all names of a side, once changed, are among the other's, and still differ."""
    ours, theirs = set(map(change, predictions)), set(map(change, targets))
    return len(ours) == len(predictions) and len(theirs) == len(targets) and (ours <= theirs or theirs <= ours)


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]
