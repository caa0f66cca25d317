"""Section 5.5 of the paper: more views of each shape, so more training images and, viewer-centred, more shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from svr_baselines.experiments import figures
from svr_baselines.experiments.more_shapes import AROUND
from svr_baselines.experiments.plan import Conclusion, Plan, Row, choose_networks, make_arm, scores_of
from svr_baselines.experiments.protocol import REAL, Options, choose_protocol
from svr_baselines.experiments.real_data import plan_data
from svr_baselines.experiments.tables import scores_table
from svr_baselines.experiments.verdict import judge

VIEWS = (1, 3, 6, 9, 12, 15, 18)

_CLAIM = "More views of each shape make viewer-centred networks reconstruct more: output DS rises, and CD falls."


def plan(options: Options) -> Plan:
    """Plan the experiment."""
    protocol = choose_protocol(options, REAL)
    data = plan_data(options, protocol, [AROUND], views=max(VIEWS), layout_will_do=True)
    sets = data.seen_within(AROUND)
    arms = [
        make_arm(
            protocol,
            series="views of each shape",
            step=str(views),
            group=f"views-{views:02d}",
            x=float(views),
            network=network,
            seed=seed,
            train=sets,
            test=sets,
            needs=data.needs,
            views=views,
            coordinates="viewer",
            score_inputs=False,  # of more and more samples: their DS do not compare
        )
        for views in VIEWS
        for network in choose_networks(options, ["atlasnet-sphere"])
        for seed in options.seeds or protocol.seeds
    ]
    return Plan("more-views", "More views of each shape", _CLAIM, protocol, tuple(arms), conclude)


def conclude(plan: Plan, rows: tuple[Row, ...], load: Callable[[str], Any]) -> Conclusion:
    """Test both halves of the claim, and draw figure 7 of the paper. Here images and shapes vary together."""
    views, output, chamfer = (scores_of(rows, score) for score in ("x", "output_ds", "cd"))
    verdicts = (
        judge("More views push networks to reconstruction.", views, output, "rises", names=("views", "output DS")),
        judge("More views make reconstructions better.", views, chamfer, "falls", names=("views", "CD")),
    )
    shown = (
        "As figure 7 of the paper: output DS and CD of viewer-centred trainings on more and more views of each shape. "
        "The dashed line is the ground truth."
    )
    drawing = figures.draw_panels(rows, ("output_ds", "cd"), "views of each shape", "figure-7", shown)
    caption = f"Scores at k = {plan.protocol.clusters}; DS of shapes and predictions, and CD, x 0.001."
    return Conclusion(rows, scores_table(rows, caption), verdicts, (drawing,))
