"""Tables of scores, as text."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

from svr_baselines.experiments.plan import Plan, Row, Table

SCALE = 1000.0  # of scores of shapes, as the paper's tables have them


def scores_table(rows: Sequence[Row], caption: str) -> Table:
    """A line for each step and network: means over seeds, with standard deviations where there are several."""
    groups: dict[tuple[str, str], dict[int | None, Row]] = {}
    for row in rows:  # a step that belongs to two series has one line
        groups.setdefault((row.step, row.network), {})[row.seed] = row
    columns = ("step", "network", "DS of images", "DS of shapes", "output DS", "share of the truth's", "CD")
    lines = []
    for (step, network), of_seeds in groups.items():
        members = list(of_seeds.values())
        cells = (
            step,
            network,
            _mean(members[:1], lambda row: row.image_ds, 1.0, ",.0f"),
            _mean(members[:1], lambda row: row.shape_ds),
            _mean(members, lambda row: row.output_ds),
            _mean(members, lambda row: row.share, 1.0, ".0%"),
            _mean(members, lambda row: row.cd),
        )
        lines.append(cells)
    seeds = len({row.seed for row in rows if row.seed is not None})
    return _without_repeats(Table(columns, tuple(lines), f"{caption}{_over(seeds)}"))


def _over(seeds: int) -> str:
    return f" Mean and standard deviation of {seeds} seeds." if seeds > 1 else ""


def _without_repeats(table: Table) -> Table:
    """Without the column of the network where there is one; it goes into the caption. Without empty columns."""
    networks = {row[1] for row in table.rows}
    kept = [i for i in range(len(table.columns)) if any(row[i] for row in table.rows) and (i != 1 or len(networks) > 1)]
    caption = table.caption if len(networks) > 1 else f"{networks.pop()}. {table.caption}"
    rows = tuple(tuple(row[i] for i in kept) for row in table.rows)
    return Table(tuple(table.columns[i] for i in kept), rows, caption)


def coordinates_table(plan: Plan, rows: Sequence[Row]) -> Table:
    """Table 1 of the paper: output DS and CD of each network, object-centred and viewer-centred, and the references."""
    columns = ("", "DS, OC", "DS, VC", "share, OC", "share, VC", "CD, OC", "CD, VC")
    networks = list(dict.fromkeys(row.network for row in rows if row.seed is not None))
    scores: tuple[tuple[Callable[[Row], float | None], float, str], ...] = (
        (lambda row: row.output_ds, SCALE, ".2f"),
        (lambda row: row.share, 1.0, ".0%"),
        (lambda row: row.cd, SCALE, ".2f"),
    )
    lines = []
    for network in networks:
        steps = [[row for row in rows if row.network == network and row.step == step] for step in ("OC", "VC")]
        lines.append((network, *(_mean(members, *score) for score in scores for members in steps)))
    for row in rows:
        if row.seed is None:
            cells = [_mean([row], *score) for score in scores]
            lines.append((row.network, cells[0], "", cells[1], "", cells[2], ""))
    truth = _mean([rows[0]], lambda row: row.truth_ds)
    lines.append(("ground truth", truth, truth, "", "", "", ""))
    seeds = len({row.seed for row in rows if row.seed is not None})
    caption = (
        f"As table 1 of the paper: output DS at k = {plan.protocol.clusters} and CD, x 0.001.{_over(seeds)} oracle-nn, "
        "retrieval and clustering are pure recognition."
    )
    return Table(columns, tuple(lines), caption)


def _mean(rows: Iterable[Row], score: Callable[[Row], float | None], scale: float = SCALE, form: str = ".2f") -> str:
    values = [value * scale for row in rows if (value := score(row)) is not None]
    if not values:
        return ""
    text = format(statistics.fmean(values), form)
    return text if len(values) == 1 else f"{text} ± {format(statistics.stdev(values), form)}"
