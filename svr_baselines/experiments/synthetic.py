"""Section 4 of the paper: a morph from a cube to a sphere, and trainings on 15 small sets of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from svr_baselines.building.subsets import image_series, shape_series, split_indices
from svr_baselines.experiments import figures, work
from svr_baselines.experiments.jobs import Job
from svr_baselines.experiments.plan import Conclusion, Plan, Row, Table, choose_networks, make_arm, scores_of
from svr_baselines.experiments.protocol import QUICK_NETWORKS, Options, Protocol, check_clusters, choose_protocol
from svr_baselines.experiments.tables import scores_table
from svr_baselines.experiments.verdict import Verdict, judge

IMAGES, SHAPES = "more dispersed images", "more dispersed shapes"
SERIES = {IMAGES: image_series(), SHAPES: shape_series()}

_FOLDER = "data/synthetic"
_TRAINED_ON = 20  # samples of a sub-trainset
_CLAIM = (
    "More dispersed training images push networks to recognition: their output DS falls. More dispersed training "
    "shapes push them to reconstruction: their output DS rises."
)
PROTOCOLS = {
    "paper": Protocol(
        "paper",
        clusters=2,
        seeds=(1,),
        training={"batch_size": 8, "epochs": 1200, "decays": (800, 1000, 1100)},
        differs=("S1I8 belongs to both series and is trained once, so 15 sets are trained on, not 16.",),
    ),
    "quick": Protocol(
        "quick",
        size=64,
        points=1000,
        clusters=2,
        steps=300,
        training={"batch_size": 8},
        network_options=QUICK_NETWORKS,
        differs=(
            "S1I8 belongs to both series and is trained once, so 15 sets are trained on, not 16.",
            "Images of 64 pixels, not 224; 1,000 points of each target in training, not 2,500.",
            "Decoders a quarter as large; 500 points of the sphere in training; bfloat16 where the hardware has it.",
            "Three seeds of 300 steps each, with one decay of the learning rate; not 3,600 steps with three decays.",
        ),
    ),
}


def plan(options: Options, series: Mapping[str, Sequence[str]] | None = None, protocol: Protocol | None = None) -> Plan:
    """Plan the experiment.

    Args:
        options: What the user chooses; it takes no data.
        series: Names of the sub-trainsets of each series; all eight unless given.
        protocol: That of the preset unless given.
    """
    if options.data is not None:
        raise ValueError(f"Argument `data`: the synthetic experiment builds its own, but got {str(options.data)!r}.")
    chosen = protocol or choose_protocol(options, PROTOCOLS)
    for part, size in (("test", len(split_indices().test)), ("train", _TRAINED_ON)):
        check_clusters(chosen.clusters, size, part)
    build = Job(
        "data/synthetic",
        work.build_synthetic_set,
        {"folder": _FOLDER, "size": chosen.size, "points": chosen.scored_points, "seed": 0},
    )
    arms = [
        make_arm(
            chosen,
            series=name,
            step=trainset,
            x=float(place),
            network=network,
            seed=seed,
            train={"folder": f"{_FOLDER}/trainsets/{trainset}"},
            test={"folder": _FOLDER},
            needs=[build],
            keep_distances=True,
        )
        for name, members in (series or SERIES).items()
        for place, trainset in enumerate(members, 1)
        for network in choose_networks(options, ["atlasnet-sphere"])
        for seed in options.seeds or chosen.seeds
    ]
    return Plan("synthetic", "A morph from a cube to a sphere", _CLAIM, chosen, tuple(arms), conclude)


def conclude(plan: Plan, rows: tuple[Row, ...], load: Callable[[str], Any]) -> Conclusion:
    """Test both halves of the claim, and draw figures 3 and 4 of the paper."""
    series = list(dict.fromkeys(row.series for row in rows))
    verdicts = tuple(_judge(rows, name) for name in series)
    drawings = (figures.draw_matrices(plan, series, load), figures.draw_synthetic(rows, series))
    return Conclusion(rows, _table(plan, rows), verdicts, drawings)


def _judge(rows: Sequence[Row], series: str) -> Verdict:
    images, shapes, outcome = (scores_of(rows, score, series) for score in ("image_ds", "shape_ds", "output_ds"))
    if series == IMAGES:
        claim = "More dispersed training images push networks to recognition."
        flat = {"DS of training shapes": next(iter(shapes.values()))[0]}
        return judge(claim, images, outcome, "falls", names=("DS of training images", "output DS"), flat=flat)
    claim = "More dispersed training shapes push networks to reconstruction."
    flat = {"DS of training images": next(iter(images.values()))[0]}
    return judge(claim, shapes, outcome, "rises", names=("DS of training shapes", "output DS"), flat=flat)


def _table(plan: Plan, rows: Sequence[Row]) -> Table:
    return scores_table(rows, f"Scores at k = {plan.protocol.clusters}; DS of shapes and predictions, and CD, x 0.001.")
