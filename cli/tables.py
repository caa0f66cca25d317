"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ds_cli.reading import say
from ds_cli.terminal import printable
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ds_metrics import MetricInfo, list_metrics
from ds_metrics.clustering import Interval
from ds_metrics.measure import Measure
from svr_baselines.comparison import Comparison, Difference
from svr_baselines.curves import SetCurve
from svr_baselines.evaluation import Evaluation
from svr_baselines.intervals import Bounds
from svr_baselines.measures import Recited
from svr_baselines.normalized import NormalizedScore, differ_in_size
from svr_baselines.results import Result, estimator_text, points_text

NONE = "-"
NARROWEST = 12  # characters of the names in a table


def print_metrics() -> None:
    """One row a registered metric."""
    columns = (Column(title, no_wrap=True) for title in ("name, alias", "needs also"))  # beside predictions
    table = Table(*columns, Column("what it measures", min_width=24), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for info in list_metrics():
        needs = ["targets"] * info.needs_target + ["train"] * info.needs_train
        needs += sorted({name.partition("_")[2] for name in info.inputs})
        if info.samples != "clouds":
            needs = [f"of {info.samples}"]
        by = "" if info.provider == "dispersion-score" else f" (from {info.provider})"
        table.add_row(
            as_cell(", ".join([info.name, *info.aliases])), as_cell(", ".join(needs)), as_cell(info.description + by)
        )
    console = Console()
    console.print(table, soft_wrap=not console.is_terminal)


def print_scores(evaluation: Evaluation, console: Console) -> None:
    """One row a score, and below what it takes to read the Dispersion Score; `ds metrics` describes the others."""
    interval = evaluation.interval
    normalized = None if evaluation.dispersion is None else evaluation.dispersion.normalized
    titles = [] if interval is None else [f"{100 * interval.level:.4g} % interval"]
    table = Table("metric", "score", *titles, "better", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))

    def add(name: str, value: str, bounds: Interval | Bounds | None, better: str) -> None:
        table.add_row(as_cell(name), value, *[_interval(bounds) for _ in titles], better)

    for info in evaluation.metrics:
        dispersed = info.name == "dispersion-score"
        value = f"{evaluation.scores[info.name]:.6g}"
        add(info.name, value, interval if dispersed else None, _better(info))
        if dispersed and normalized is not None:
            score = NONE if normalized.score is None else f"{normalized.score:.4g}"
            add("DS / truth's DS", score, normalized.interval, "near 1")
    _print_whole(table, console)
    for line in _notes(evaluation):
        say(console, line)


def _notes(evaluation: Evaluation) -> Iterable[str]:
    if evaluation.dispersion is not None:
        yield f"Dispersion Score: {_settings(evaluation.provenance)}"
        if (normalized := evaluation.dispersion.normalized) is not None:
            yield _of_truth(normalized)
        if evaluation.dispersion.no_interval is not None:
            yield f"no confidence interval: {evaluation.dispersion.no_interval}"
    if evaluation.recited is not None:
        yield _recited(evaluation.recited)
    yield _samples(evaluation.provenance)
    if sizes := evaluation.provenance.get("sizes"):
        yield from _of_size(sizes)
    pairs = evaluation.provenance.get("pairs", {})
    if conventions := [f"{name}: {said}" for name, options in pairs.items() if (said := _convention(name, options))]:
        yield "; ".join(conventions)


def print_comparison(comparison: Comparison, console: Console) -> None:
    """One row a result file, with its difference to the first; under each value its confidence interval."""
    results = comparison.results
    caption = _intervals_caption(results)
    titles = "result", "N", "k", "DS", "difference", "DS / truth's", "CD"
    table = Table(*titles, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=caption)
    for result, difference in zip(results, comparison.differences, strict=True):
        table.add_row(as_cell(result.name), *_compared(result, None if result is results[0] else difference))
    _print_whole(table, console)


def print_curves(curves: Iterable[SetCurve], console: Console) -> None:
    """One row a curve, with its knee."""
    table = Table("set", "N", "points", "knee: k", "DS there", "found by")
    for curve in curves:
        samples, points = str(curve.conditions.n_samples), curve.conditions.points
        knee, method, score = str(curve.curve.knee), curve.curve.knee_method, f"{curve.score_at_knee:.5g}"
        table.add_row(as_cell(curve.name), samples, as_cell(points), knee, score, as_cell(method))
    _print_whole(table, console)


def _recited(recited: Recited) -> str:
    """How many predictions are nearer to a training medoid than to their truth."""
    found = recited.found.recited
    return (
        f"{int(found.sum())} of {len(found)} predictions are nearer to one of {len(recited.medoids)} training medoids "
        "than to their ground truth; --json names them"
    )


def _samples(provenance: Mapping[str, Any]) -> str:
    """How many there are, and of what."""
    if "features" in provenance:
        of = f"images of {provenance['features']['count']} features: {provenance['dispersion']['distance']}"
        return f"{provenance['n_samples']} {of}, {provenance['predictions']['normalization']}"
    points = provenance["points"]
    of = f"{provenance['n_samples']} shapes of {points_text(points['min'], points['max'])} points"
    sides = {"predictions": provenance["predictions"], "truth": provenance["targets"]}
    how = {side: source["normalization"] for side, source in sides.items() if source is not None}
    if len(set(how.values())) > 1:
        return f"{of}, normalised: {', '.join(' '.join(item) for item in how.items())}"
    return f"{of}, normalised: {how['predictions']}"


def _of_size(sizes: Mapping[str, float]) -> Iterable[str]:
    if differ_in_size(sizes) and sizes["targets"]:
        times = float(f"{sizes['predictions'] / sizes['targets']:.3g}")
        yield f"the predictions are {times:,g} times as large as the truth"


def _convention(name: str, options: Mapping[str, Any]) -> str | None:
    """What papers differ in, of how a measure of pairs was computed; --json has the rest."""
    if name == "chamfer-distance":
        return Measure(squared=options["squared"]).convention
    if "radius" in options:
        return f"radius {options['radius']}"
    return {True: "squared", False: "not squared"}.get(options.get("squared"))


def _compared(result: Result, difference: Difference | None) -> Iterable[str]:
    yield str(result.conditions.n_samples)
    yield str(result.conditions.n_clusters)
    yield _over_interval(f"{result.dispersion:.5g}", result.interval)
    yield NONE if difference is None else _over_interval(_difference(difference), difference.interval)
    yield NONE if result.normalized is None else _over_interval(f"{result.normalized:.4g}", result.normalized_interval)
    yield NONE if result.chamfer is None else f"{result.chamfer:.5g}"


def _difference(difference: Difference) -> str:
    share = "" if difference.relative is None else f" ({difference.relative:+.1%})"
    return f"{difference.absolute:+.3g}{share}"


def _over_interval(value: str, interval: Interval | Bounds | None) -> str:
    return value if interval is None else f"{value}\n{_interval(interval)}"


def _of_truth(normalized: NormalizedScore) -> str:
    if normalized.truth is None or normalized.reason is not None:
        return f"no share of the truth's DS: {normalized.reason or NONE}"
    return f"ground truth: {normalized.truth.score:.6g} at the same settings"


def as_cell(text: str) -> Text:
    """Text from outside: in a plain string, [ ] would be markup."""
    return Text(printable(text))


def _print_whole(table: Table, console: Console) -> None:
    """Where a table is wider than the terminal, names, in the first column, are folded; numbers are never cut."""
    names, *others = table.columns
    names.overflow, names.max_width = "fold", NARROWEST
    for column in others:
        column.no_wrap = True
    least = console.measure(table, options=console.options.update(max_width=10_000)).maximum
    if least > console.width:
        table.width = least
    else:
        names.max_width = None
    console.print(table, crop=False)


def _interval(interval: Interval | Bounds | None) -> str:
    return NONE if interval is None else f"{interval.low:.3g} to {interval.high:.3g}"


def _intervals_caption(results: Iterable[Result]) -> Text | None:
    """What the intervals are; for results of several levels, each with its own."""
    levels = {result.name: result.interval.level for result in results if result.interval is not None}
    if not levels:
        return None
    if len(set(levels.values())) == 1:
        return as_cell(f"below each value, its {100 * next(iter(levels.values())):.4g} % interval")
    each = ", ".join(f"{100 * level:.4g} % for {name}" for name, level in levels.items())
    return as_cell(f"below each value, its interval: {each}; that of a difference at the level of the first")


def _better(info: MetricInfo) -> str:
    higher = getattr(info.factory, "higher_is_better", None)
    return {True: "higher", False: "lower", None: NONE}[higher]


def _settings(provenance: Mapping[str, Any]) -> str:
    settings = provenance["dispersion"]
    return (
        f"k = {settings['n_clusters']}, {settings['n_clusters_chosen']}; {settings['solver']}, "
        f"{estimator_text(settings['estimator'], settings['sample_size'])}, seed {settings['seed']}"
    )
