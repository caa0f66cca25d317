"""Pieces of the page as HTML. Every text from a file passes `text`."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from svr_baselines.report.experiments import Experiment, Picture, Table, Verdict
from svr_baselines.report.sets import ReportSet

NONE = "&ndash;"
_WIDTH, _HEIGHT = 150, 16  # of the drawn interval, in pixels
_HALVES = re.compile("[\ud800-\udfff]")
_MARKS = {True: ("holds", "✓", "Holds"), False: ("fails", "✗", "Does not hold"), None: ("open", "?", "Undecided")}


def text(value: Any) -> str:
    """Any text as HTML that shows it; what is no Unicode, such as bytes of names, becomes question marks.

    Example:
        >>> text("<script>&")
        '&lt;script&gt;&amp;'
    """
    return html.escape(_HALVES.sub("\ufffd", str(value)))


def script_json(document: Any) -> str:
    r"""JSON that can stand in a script element: no text in it can end that.

    Example:
        >>> script_json("</script>")
        '"\\u003c/script>"'
    """
    # Keys keep their order, numbers are written as Python does: equal documents give equal bytes.
    return json.dumps(document, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def verdicts_html(experiments: Sequence[Experiment]) -> str:
    """The verdicts of all experiments."""
    parts = []
    for experiment in experiments:
        heading = f"<h3>{text(experiment.title)}</h3>" if len(experiments) > 1 else ""
        claim = f'<p class="claim">{text(experiment.claim)}</p>' if experiment.claim else ""
        items = "".join(map(_verdict, experiment.verdicts)) or "<li>This experiment tests no claim.</li>"
        parts.append(f'{heading}{claim}<ul class="verdicts">{items}</ul>')
    return "".join(parts)


def _verdict(verdict: Verdict) -> str:
    kind, mark, word = _MARKS[verdict.holds]
    values = {"&rho;": verdict.rho, "p": verdict.p, "n": verdict.n}
    numbers = [f"{name} = {value:.3g}" for name, value in values.items() if value is not None]
    details = f'<p class="numbers">{", ".join(numbers).replace("-", "&minus;")}</p>' if numbers else ""
    return (
        f'<li class="{kind}"><p class="stamp"><span aria-hidden="true">{mark}</span> {word}</p>'
        f"<div><p><strong>{text(verdict.claim)}</strong></p><p>{text(verdict.sentence)}</p>{details}</div></li>"
    )


def scores_html(sets: Sequence[ReportSet]) -> str:
    """The table of scores, one row a set, intervals drawn to one scale."""
    tops = [1.0]
    for one in sets:
        interval = one.result.normalized_interval
        tops += [value for value in (one.result.normalized, interval and interval.high) if value]
    heads = ("set", "N", "k", "Dispersion Score", "share of the truth&rsquo;s DS", "Chamfer distance")
    rows = [_score_row(one, max(tops)) for one in sets]
    return table_html(heads, rows, "", "scores")


def _score_row(one: ReportSet, top: float) -> list[str]:
    result = one.result
    score = f"{result.dispersion:.4g}{_interval(result.interval)}"
    share = NONE
    if result.normalized is not None:
        drawn = _whisker(result.normalized, result.normalized_interval, top)
        share = f"{drawn}{result.normalized:.3g}{_interval(result.normalized_interval)}"
    chamfer = NONE if result.chamfer is None else f"{result.chamfer:.4g}"
    conditions = result.conditions
    return [text(one.name), f"{conditions.n_samples:,}", f"{conditions.n_clusters:,}", score, share, chamfer]


def _interval(interval: Any) -> str:
    return "" if interval is None else f' <span class="interval">{interval.low:.3g} to {interval.high:.3g}</span>'


def _whisker(value: float, interval: Any, top: float) -> str:
    """A dot between 0, a recital, and 1, the truth, with its interval; the numbers beside say the same."""

    def x(at: float) -> str:
        return f"{5 + at / top * (_WIDTH - 10):.1f}"

    middle = _HEIGHT / 2
    line = ""
    if interval is not None:
        line = f'<line class="whisker" x1="{x(interval.low)}" x2="{x(interval.high)}" y1="{middle}" y2="{middle}"/>'
    ticks = "".join(f'<line class="tick" x1="{x(at)}" x2="{x(at)}" y1="2" y2="{_HEIGHT - 2}"/>' for at in (0, 1))
    return (
        f'<svg class="share" width="{_WIDTH}" height="{_HEIGHT}" aria-hidden="true">'
        f'<line class="axis" x1="{x(0)}" x2="{x(max(top, 1))}" y1="{middle}" y2="{middle}"/>{ticks}{line}'
        f'<circle cx="{x(value)}" cy="{middle}" r="4"/></svg>'
    )


def table_html(heads: Iterable[str], rows: Iterable[Sequence[str]], caption: str, kind: str = "") -> str:
    """A table of cells that are HTML already; the first of a row is its head."""
    head = "".join(f'<th scope="col">{cell}</th>' for cell in heads)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    title = f"<caption>{caption}</caption>" if caption else ""
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="Table"><table class="{kind}">{title}'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def experiment_html(experiment: Experiment) -> str:
    """An experiment's table and figures, what its preset changes, and its trainings."""
    parts = [f"<h2>{text(experiment.title)}</h2>"]
    if experiment.table is not None:
        parts.append(_plain_table(experiment.table))
    parts += map(_figure, experiment.pictures)
    if experiment.preset or experiment.preset_changes:
        changes = "".join(f"<li>{text(change)}</li>" for change in experiment.preset_changes)
        preset = f"preset “{text(experiment.preset)}”"
        told = f"What the {preset} changes of the protocol:</p><ul>{changes}</ul>" if changes else f"The {preset}.</p>"
        parts.append(f'<div class="preset"><p>{told}</div>')
    if experiment.rows:
        parts.append(f"<details><summary>All {len(experiment.rows)} rows</summary>{_rows(experiment.rows)}</details>")
    if experiment.provenance:
        shown = text(json.dumps(experiment.provenance, indent=2))
        parts.append(
            f'<details><summary>Provenance</summary><pre tabindex="0" role="group" aria-label="Provenance">'
            f"{shown}</pre></details>"
        )
    return f"<section>{''.join(parts)}</section>"


def _plain_table(table: Table) -> str:
    rows = [[text(cell) for cell in row] for row in table.rows]
    return table_html(map(text, table.columns), rows, text(table.caption))


def _figure(picture: Picture) -> str:
    if picture.uri is None:
        return f'<p class="missing">The figure {text(picture.file)} is missing: {text(picture.caption)}</p>'
    return (
        f'<figure><img src="{picture.uri}" alt="{text(picture.alt)}">'
        f"<figcaption>{text(picture.caption)}</figcaption></figure>"
    )


def _rows(rows: Sequence[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in columns] for row in rows]
    return table_html([text(name.replace("_", " ")) for name in columns], cells, "")


def _cell(value: Any) -> str:
    if value is None:
        return NONE
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.4g}"
    return text(value)
