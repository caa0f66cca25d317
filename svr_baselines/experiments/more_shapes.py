"""Section 5.4 of the paper: the same shapes in the axes of the object (OC), or in those of the camera (VC)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from svr_baselines.experiments import figures
from svr_baselines.experiments.plan import Conclusion, Plan, Row, choose_networks, make_arm, make_reference, scores_of
from svr_baselines.experiments.protocol import NETWORKS, REAL, Options, choose_protocol
from svr_baselines.experiments.real_data import plan_data
from svr_baselines.experiments.tables import coordinates_table
from svr_baselines.experiments.verdict import judge

AROUND = 180.0  # pictures are taken from all around
COORDINATES = {"OC": "object", "VC": "viewer"}
REFERENCES = ("oracle-nn", "retrieval", "clustering")

_CLAIM = (
    "More dispersed training shapes push networks to reconstruction: in viewer-centred axes, where training shapes are "
    "more dispersed, their output DS is higher."
)


def plan(options: Options) -> Plan:
    """Plan the experiment."""
    protocol = choose_protocol(options, REAL)
    data = plan_data(options, protocol, [AROUND], views=1, layout_will_do=True)
    sets = data.seen_within(AROUND)
    arms = [
        make_arm(
            protocol,
            series="coordinates",
            step=step,
            x=float(place),
            network=network,
            seed=seed,
            train=sets,
            test=sets,
            needs=data.needs,
            views=1,
            coordinates=coordinates,
            image_group="OC",
        )
        for network in choose_networks(options, NETWORKS)
        for seed in options.seeds or protocol.seeds
        for place, (step, coordinates) in enumerate(COORDINATES.items())
    ]
    references = [make_reference(protocol, method, sets, data.needs) for method in REFERENCES]
    title = "The same shapes, object-centred and viewer-centred"
    return Plan("more-shapes", title, _CLAIM, protocol, tuple(arms), conclude, tuple(references))


def conclude(plan: Plan, rows: tuple[Row, ...], load: Callable[[str], Any]) -> Conclusion:
    """Test the claim, and draw table 1 and figure 6 of the paper."""
    shapes, output, chamfer = (scores_of(rows, score) for score in ("shape_ds", "output_ds", "cd"))
    images = next(iter(scores_of(rows, "image_ds").values()))[0]
    verdicts = (
        judge(
            "More dispersed training shapes push networks to reconstruction.",
            shapes,
            output,
            "rises",
            names=("DS of training shapes", "output DS"),
            flat={"DS of training images": images},
        ),
        judge(
            "Viewer-centred networks reconstruct better, too.",
            shapes,
            chamfer,
            "falls",
            names=("DS of training shapes", "CD"),
        ),
    )
    return Conclusion(rows, coordinates_table(plan, rows), verdicts, (figures.draw_coordinates(rows),))
