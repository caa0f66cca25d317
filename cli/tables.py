"""Tables on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Column, Table

from ds_metrics import MetricInfo, list_metrics
from svr_baselines.evaluation import Evaluation


def print_metrics() -> None:
    """One row a registered metric."""
    table = Table(Column("name", no_wrap=True), Column("alias", no_wrap=True), "needs", "what it measures", "from")
    for info in list_metrics():
        needs = "predictions, targets" if info.needs_target else "predictions"
        table.add_row(info.name, ", ".join(info.aliases), needs, info.description, info.provider)
    Console().print(table)


def print_scores(evaluation: Evaluation, console: Console) -> None:
    """One row a score, with what it takes to read it."""
    table = Table("metric", "score", "better", "how")
    for info in evaluation.metrics:
        value = evaluation.scores[info.name]
        table.add_row(info.name, f"{value:.6g}", _better(info), _how(info, evaluation))
    console.print(table)
    samples = evaluation.provenance["n_samples"]
    points = evaluation.provenance["points"]
    count = str(points["min"]) if points["min"] == points["max"] else f"{points['min']} to {points['max']}"
    console.print(f"{samples} shapes of {count} points")


def _better(info: MetricInfo) -> str:
    higher = getattr(info.factory, "higher_is_better", None)
    return {True: "higher", False: "lower", None: "-"}[higher]


def _how(info: MetricInfo, evaluation: Evaluation) -> str:
    if info.name == "dispersion-score":
        settings = evaluation.provenance["dispersion"]
        return (
            f"k = {settings['n_clusters']}, {settings['n_clusters_chosen']}; "
            f"{settings['solver']}, seed {settings['seed']}"
        )
    return info.description
