"""Section 5.3 of the paper: pictures from wider and wider ranges of viewpoints, of the same shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from svr_baselines.building.renders import RANGES
from svr_baselines.experiments import figures
from svr_baselines.experiments.plan import Conclusion, Plan, Row, choose_networks, make_arm, scores_of
from svr_baselines.experiments.protocol import REAL, Options, choose_protocol
from svr_baselines.experiments.real_data import plan_data
from svr_baselines.experiments.tables import scores_table
from svr_baselines.experiments.verdict import judge

_TESTED = 90.0  # all networks see test images of this range
_CLAIM = (
    "More dispersed training images push networks to recognition: their output DS falls, while the Chamfer distance "
    "improves."
)


def plan(options: Options) -> Plan:
    """Plan the experiment."""
    protocol = choose_protocol(options, REAL)
    data = plan_data(options, protocol, RANGES, views=1, layout_will_do=False)
    arms = [
        make_arm(
            protocol,
            series="range of azimuths",
            step=f"{azimuth:g}°",
            group=f"azimuth-{azimuth:g}",
            x=azimuth,
            network=network,
            seed=seed,
            train=data.seen_within(azimuth),
            test=data.seen_within(_TESTED),
            needs=data.needs,
        )
        for azimuth in RANGES
        for network in choose_networks(options, ["atlasnet-sphere"])
        for seed in options.seeds or protocol.seeds
    ]
    return Plan("more-images", "Pictures from wider and wider ranges", _CLAIM, protocol, tuple(arms), conclude)


def conclude(plan: Plan, rows: tuple[Row, ...], load: Callable[[str], Any]) -> Conclusion:
    """Test the claim, and that of the Chamfer distance, and draw figure 5 of the paper."""
    images, output, chamfer = (scores_of(rows, score) for score in ("image_ds", "output_ds", "cd"))
    shapes = next(iter(scores_of(rows, "shape_ds").values()))[0]
    verdicts = (
        judge(
            "More dispersed training images push networks to recognition.",
            images,
            output,
            "falls",
            names=("DS of training images", "output DS"),
            flat={"DS of training shapes": shapes},
        ),
        judge(
            "The Chamfer distance hides it: it improves all the same.",
            images,
            chamfer,
            "falls",
            names=("DS of training images", "CD"),
        ),
    )
    panels = ("image_ds", "shape_ds", "output_ds", "cd")
    shown = (
        "As figure 5 of the paper: input and output DS, and CD, of trainings on pictures from wider and wider "
        "ranges of azimuths, all tested on ± 90 degrees. The dashed line is the ground truth."
    )
    drawing = figures.draw_panels(rows, panels, "range of azimuths, ± degrees", "figure-5", shown)
    caption = f"Scores at k = {plan.protocol.clusters}; DS of shapes and predictions, and CD, x 0.001."
    return Conclusion(rows, scores_table(rows, caption), verdicts, (drawing,))
