"""The page: one HTML file that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from svr_baselines.comparison import describe, find_mismatches
from svr_baselines.report.experiments import Experiment
from svr_baselines.report.markup import experiment_html, scores_html, script_json, text, verdicts_html
from svr_baselines.report.requirements import require
from svr_baselines.report.sets import ReportSet

SCRIPTS = ("decode.js", "clouds.js", "gallery.js", "matrix.js", "charts.js", "samples.js", "page.js")
_ASSETS = files("svr_baselines.report") / "assets"


def render_page(
    title: str,
    experiments: Sequence[Experiment],
    sets: Sequence[ReportSet],
    details: Sequence[Mapping[str, Any]],
    notes: Sequence[str] = (),
) -> str:
    """The whole page.

    Args:
        title: Its title.
        experiments: What experiments found, in the order in which they are shown.
        sets: All scored sets.
        details: Of the first of them, what is shown in detail.
        notes: What was left out, and why.

    Raises:
        ValueError: If plotly is not installed.
    """
    pieces = {
        "title": text(title),
        "summary": _summary(experiments, sets),
        "verdicts": _section("verdicts", "Verdicts", verdicts_html(experiments)) if experiments else "",
        "scores": _section("scores", "Scores", _scores(sets)) if sets else "",
        "experiments": "".join(map(experiment_html, experiments)),
        "notes": "".join(f'<p class="missing">{text(note)}</p>' for note in notes),
        "options": "".join(f'<option value="{i}">{text(one["name"])}</option>' for i, one in enumerate(details)),
        "hidden": "" if details else "hidden",
        "css": asset("report.css"),
        "plotly": plotly_source() if details else "",
        "script": "\n".join(map(asset, SCRIPTS)),
        "data": "\n".join(
            f'<script type="application/json" id="set-{i}">{script_json(one)}</script>' for i, one in enumerate(details)
        ),
    }
    return fill(asset("report.html"), pieces)


def fill(template: str, pieces: Mapping[str, str]) -> str:
    """Put pieces in the places that a template names, all at once: what is put in is not searched again.

    Example:
        >>> fill("<p>{{a}} {{b}}</p>", {"a": "{{b}}", "b": "2"})
        '<p>{{b}} 2</p>'
    """
    return re.sub(r"\{\{(\w+)\}\}", lambda match: pieces[match[1]], template)


def asset(name: str) -> str:
    """A file of the page's own."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def plotly_source() -> str:
    """Plotly's script, as the package plotly brings it along (MIT).

    Raises:
        ValueError: If plotly is not installed.
    """
    offline = require("plotly.offline", "plotly", "the report")
    source: str = offline.get_plotlyjs()
    return source.replace("</script", "<\\/script")


def _section(name: str, heading: str, content: str) -> str:
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{heading}</h2>{content}</section>'


def _summary(experiments: Sequence[Experiment], sets: Sequence[ReportSet]) -> str:
    shapes = sum(one.result.conditions.n_samples for one in sets)
    kept = f"{len(sets)} scored {'set' if len(sets) == 1 else 'sets'}, {shapes:,} samples" if sets else ""
    names = ", ".join(text(experiment.name) for experiment in experiments)
    return " · ".join(filter(None, (f"experiment {names}" if names else "", kept)))


def _scores(sets: Sequence[ReportSet]) -> str:
    explained = (
        "<p>The Dispersion Score is the mean distance of the samples to the medoid of their cluster. A share of 0 is a "
        "recital of k shapes, a share of 1 is as dispersed as the ground truth. Smaller and grey: confidence "
        "intervals.</p>"
    )
    mismatches = find_mismatches({one.name: one.result.conditions for one in sets})
    warning = ""
    if mismatches:
        warning = f'<p class="missing">Beware: {text(describe(mismatches, sets[0].name))}.</p>'
    return f"{explained}{scores_html(sets)}{warning}"
