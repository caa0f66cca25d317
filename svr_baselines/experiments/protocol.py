"""How the networks of an experiment are trained and scored: as published, or in minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from svr_baselines.training.presets import QUICK_OPTIONS

_MOST_SEEDS = 1000

PresetName = Literal["paper", "quick"]

NETWORKS = ("psgn", "foldingnet", "atlasnet-sphere", "atlasnet-25")  # of the paper, in the order of its table 1


@dataclass(frozen=True)
class Options:
    """What the user of an experiment chooses.

    Attributes:
        preset: `"quick"` or `"paper"`.
        data: Folder of meshes, or ShapeNet in its published layout; the synthetic experiment needs none.
        networks: Names of networks; `None` for those of the paper's experiment.
        seeds: Seeds of the trainings; `None` for the preset's.
        clusters: Clusters of input and output DS; `None` for the preset's.

    Raises:
        ValueError: If there is no such preset, no such number of clusters, or a network or seed is named twice.
    """

    preset: PresetName = "quick"
    data: Path | None = None
    networks: Sequence[str] | None = None
    seeds: Sequence[int] | None = None
    clusters: int | None = None

    def __post_init__(self) -> None:
        if self.preset not in get_args(PresetName):
            raise ValueError(f"Argument `preset` must be one of {get_args(PresetName)}, but got {self.preset!r}.")
        if self.clusters is not None and self.clusters < 1:
            raise ValueError(f"Argument `clusters` must be at least 1, but got {self.clusters}.")
        for name, chosen in (("networks", self.networks), ("seeds", self.seeds)):
            if chosen is not None and (not chosen or len(set(chosen)) < len(chosen)):
                raise ValueError(f"Argument `{name}` must name each once, and one at least, but got {list(chosen)}")
        for seed in self.seeds or ():
            if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
                raise ValueError(f"Argument `seeds` must be integers from 0, of 64 bits, but got {seed!r}")
        if len(self.seeds or ()) > _MOST_SEEDS:
            raise ValueError(f"Argument `seeds` must be at most {_MOST_SEEDS:,}, but got {len(self.seeds or ())}")


@dataclass(frozen=True)
class Protocol:
    """Numbers that all trainings and scores of an experiment share.

    Attributes:
        preset: Of `svr_baselines.training`, too.
        size: Pixels along each side of the images.
        points: Points of the targets of a training.
        scored_points: Points of each prediction and its truth when they are scored.
        clusters: Clusters of input and output DS.
        seeds: Seeds of the trainings.
        steps: Steps of each training, or `None` for the epochs of the preset.
        training: Values of `TrainingConfig` other than the preset's.
        network_options: Options of networks other than the preset's, by network.
        background: What shows through transparent pixels.
        differs: What differs from what was published, in sentences.
    """

    preset: PresetName
    size: int = 224
    points: int = 2500
    scored_points: int = 2500
    clusters: int = 500
    seeds: tuple[int, ...] = (1, 2, 3)
    steps: int | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    network_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    background: str = "white"
    differs: tuple[str, ...] = ()

    def training_options(self, views: int | None = None, coordinates: str = "object") -> dict[str, Any]:
        """Options of the items that a network is trained on, see `svr_baselines.data.opening.DataOptions`."""
        return self._options(self.points, views, coordinates)

    def scored_options(self, views: int | None = None, coordinates: str = "object") -> dict[str, Any]:
        """Options of the same items where they are scored: with as many points as predictions."""
        return self._options(self.scored_points, views, coordinates)

    def test_options(self) -> dict[str, Any]:
        """Options of the items that it is tested on: one picture of each shape, object-centred."""
        return self.scored_options(views=1)

    def _options(self, points: int, views: int | None, coordinates: str) -> dict[str, Any]:
        shared = {"size": self.size, "background": self.background, "coordinates": coordinates}
        return {**shared, "views": views, "points": points}


# The networks of the quick preset, with fewer points: 900, which all but the sphere can be scored at as they are.
QUICK_NETWORKS: Mapping[str, Mapping[str, Any]] = {
    name: {**QUICK_OPTIONS[name], "points": points}
    for name, points in {"psgn": 900, "foldingnet": 900, "atlasnet-sphere": 500, "atlasnet-25": 900}.items()
}

# Of the experiments on real shapes.
REAL: Mapping[str, Protocol] = {
    "paper": Protocol("paper", background="none"),
    "quick": Protocol(
        "quick",
        size=64,
        points=1000,
        scored_points=900,
        clusters=10,
        seeds=(1,),
        steps=300,
        training={"batch_size": 16},
        network_options=QUICK_NETWORKS,
        differs=(
            "Meshes of your own instead of ShapeNet's; one seed instead of three.",
            "Images of 64 pixels, not 224, over white; 1,000 points of each target in training, and 900 when scored, "
            "not 2,500.",
            "Decoders a quarter as large, with batches of 16, not 64; in bfloat16 where the hardware has it.",
            "300 steps, but three epochs at least, with one decay of the learning rate; not 120 epochs with three.",
        ),
    ),
}


def check_clusters(clusters: int, shapes: int, part: str) -> None:
    """Refuse as many clusters as there are shapes, or more.

    Raises:
        ValueError: If there are.
    """
    if shapes <= clusters:
        raise ValueError(
            f"Argument `clusters` must be less than the number of shapes, but got {clusters} for the {shapes} of the "
            f"{part} part."
        )


def choose_protocol(options: Options, protocols: Mapping[str, Protocol]) -> Protocol:
    """The protocol of a preset, with as many clusters as were asked for."""
    published, chosen = protocols["paper"], protocols[options.preset]
    clusters = chosen.clusters if options.clusters is None else options.clusters
    differs = [f"k = {clusters} instead of {published.clusters}."] if clusters != published.clusters else []
    return replace(chosen, clusters=clusters, differs=(*chosen.differs, *differs))
