"""What all experiments share: arms that are trained and scored, rows of scores, and what is concluded from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from svr_baselines.experiments import work
from svr_baselines.experiments.jobs import Job
from svr_baselines.experiments.protocol import Options, Protocol
from svr_baselines.experiments.training_process import train_network
from svr_baselines.experiments.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DATA = "data/"  # begins the names of jobs that build data

Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Arm:
    """One set of predictions, and what it was trained on.

    Attributes:
        series: Steps that belong together, such as those of growing image dispersion.
        step: Name of the step.
        x: Where it stands in its series.
        network: Name of the network, or of a reference of pure recognition.
        seed: Seed of the training; `None` of a reference.
        score: Job that scores the predictions.
        images: Job that scores the training images.
        shapes: Job that scores the training shapes.
    """

    series: str
    step: str
    x: float
    network: str
    seed: int | None
    score: Job
    images: Job | None = None
    shapes: Job | None = None


@dataclass(frozen=True)
class Row:
    """Scores of an arm; see `Arm`. Scores of predictions are in the units of the Chamfer distance."""

    series: str
    step: str
    x: float
    network: str
    seed: int | None
    image_ds: float | None
    shape_ds: float | None
    output_ds: float
    output_ds_low: float | None
    output_ds_high: float | None
    truth_ds: float | None
    share: float | None
    cd: float
    n: int
    result: str

    def to_json(self) -> dict[str, Any]:
        """As `results.json` has it."""
        return asdict(self)


@dataclass(frozen=True)
class Table:
    """Rows of text under column heads."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str


@dataclass(frozen=True)
class Drawing:
    """A figure, with what it shows for those who see it and those who don't."""

    name: str
    figure: Figure
    caption: str
    alt: str


@dataclass(frozen=True)
class Conclusion:
    """What came of an experiment."""

    rows: tuple[Row, ...]
    table: Table
    verdicts: tuple[Verdict, ...]
    drawings: tuple[Drawing, ...]


@dataclass(frozen=True)
class Plan:
    """An experiment, ready to run.

    Attributes:
        name: Of the command.
        title: For people.
        claim: What the paper says will come of it.
        protocol: How networks are trained and scored.
        arms: What is trained and scored.
        conclude: Makes of rows what came of it. Its last argument gives an array that a job kept, by its file's name.
        references: Arms of pure recognition: in the table, not in the test.
    """

    name: str
    title: str
    claim: str
    protocol: Protocol
    arms: tuple[Arm, ...]
    conclude: Callable[[Plan, tuple[Row, ...], Callable[[str], Any]], Conclusion] = field(compare=False)
    references: tuple[Arm, ...] = ()

    def jobs(self) -> list[Job]:
        """All jobs, each once and after those that it needs."""
        found: dict[str, Job] = {}
        for arm in (*self.arms, *self.references):
            for job in filter(None, (arm.images, arm.shapes, arm.score)):
                _collect(job, found)
        return list(found.values())

    def building(self) -> list[Job]:
        """Those of the jobs that build data."""
        return [job for job in self.jobs() if job.name.startswith(DATA)]

    def rows(self, results: Results) -> tuple[Row, ...]:
        """Scores of all arms."""
        return tuple(_row(arm, results) for arm in (*self.arms, *self.references))


def scores_of(rows: Iterable[Row], score: str, series: str | None = None) -> dict[str, list[list[float]]]:
    """A score of each network, for each seed, in the order of the steps; references have none.

    Args:
        rows: Scores of arms.
        score: Name of an attribute of `Row`.
        series: The series to take; all unless given.
    """
    found: dict[str, dict[int, list[Row]]] = {}
    for row in rows:
        if row.seed is not None and series in (None, row.series):
            found.setdefault(row.network, {}).setdefault(row.seed, []).append(row)
    return {
        network: [
            [float(getattr(row, score) or 0.0) for row in sorted(members, key=lambda row: row.x)]
            for members in seeds.values()
        ]
        for network, seeds in found.items()
    }


def make_arm(
    protocol: Protocol,
    *,
    series: str,
    step: str,
    x: float,
    network: str,
    seed: int,
    train: Mapping[str, Any],
    test: Mapping[str, Any],
    needs: Sequence[Job],
    group: str = "",
    views: int | None = None,
    coordinates: str = "object",
    score_inputs: bool = True,
    image_group: str = "",
    keep_distances: bool = False,
) -> Arm:
    """Make the jobs of an arm: input DS of images and shapes, the training, and the scores of its predictions.

    Args:
        protocol: How to train and score.
        series: See `Arm`.
        step: Likewise.
        x: Likewise.
        network: Likewise.
        seed: Likewise.
        train: Data of the training, `folder` and `images`.
        test: Data of the test.
        needs: Jobs that build them.
        group: What tells the training data apart from those of other steps; the step unless given.
        views: Pictures of each training shape; `None` for all.
        coordinates: Axes of the training targets.
        score_inputs: Whether to score the training data, too.
        image_group: What tells the training images apart from those of other steps, where shapes differ and images do
            not; `group` unless given.
        keep_distances: Whether to keep the distances, to be drawn.
    """
    group = group or step
    options, at = protocol.training_options(views, coordinates), _at(protocol)
    run = f"{group}/{network}-{seed}"
    changes: dict[str, Any] = dict(protocol.training)
    if network in protocol.network_options:
        changes["network_options"] = dict(protocol.network_options[network])
    trained = Job(
        f"train/{run}",
        train_network,
        {"run": f"runs/{run}", "data": dict(train), "options": options, "preset": protocol.preset}
        | {"network": network, "seed": seed, "steps": protocol.steps, "changes": changes},
        tuple(needs),
    )
    score = Job(
        f"score/{at}/{run}",
        work.predict_and_score,
        {"run": f"runs/{run}", "data": dict(test), "options": protocol.test_options(), "name": run, "seed": 0}
        | {"result": f"scores/{at}/{run}.json"}
        | {"clusters": protocol.clusters, "points": protocol.scored_points}
        | {"distances": f"distances/{run}.npy" if keep_distances else None},
        (trained,),
    )
    if not score_inputs:
        return Arm(series, step, x, network, seed, score)
    images, shapes = (
        Job(
            f"{kind}/{at}/{name}",
            function,
            {"data": dict(train), "options": protocol.scored_options(views, axes), "clusters": protocol.clusters}
            | {"seed": 0, "distances": f"distances/{name}/{kind}.npy" if keep_distances else None},
            tuple(needs),
        )
        for kind, name, axes, function in (
            ("images", image_group or group, "object", work.score_images),
            ("shapes", group, coordinates, work.score_shapes),
        )
    )
    return Arm(series, step, x, network, seed, score, images, shapes)


def make_reference(protocol: Protocol, method: str, data: Mapping[str, Any], needs: Sequence[Job]) -> Arm:
    """Make the job of a reference of pure recognition, see `svr_baselines.recall`."""
    name = f"recall/{_at(protocol)}/{method}"
    job = Job(
        name,
        work.recall_and_score,
        {"method": method, "data": dict(data), "options": protocol.test_options(), "name": name}
        | {"result": f"scores/{name}.json"}
        | {"clusters": protocol.clusters, "k": protocol.clusters, "seed": 0},
        tuple(needs),
    )
    return Arm("recognition", method, 0.0, method, None, job)


def _at(protocol: Protocol) -> str:
    """Part of the names of scores: at other numbers of clusters they are others, of the same trainings."""
    return f"k{protocol.clusters}"


def _collect(job: Job, found: dict[str, Job]) -> None:
    for needed in job.needs:
        _collect(needed, found)
    if found.setdefault(job.name, job) != job:
        raise ValueError(f"Two jobs are called {job.name!r}, but differ.")


def _row(arm: Arm, results: Results) -> Row:
    score = results[arm.score.name]
    return Row(
        arm.series,
        arm.step,
        arm.x,
        arm.network,
        arm.seed,
        None if arm.images is None else results[arm.images.name]["ds"],
        None if arm.shapes is None else results[arm.shapes.name]["ds"],
        score["ds"],
        score["low"],
        score["high"],
        score["truth_ds"],
        score["share"],
        score["cd"],
        score["n"],
        score["result"],
    )


def choose_networks(options: Options, default: Sequence[str]) -> tuple[str, ...]:
    """Networks that were asked for, each once, or those of the paper's experiment.

    Raises:
        ValueError: If there is no such network, or one that needs targets of its own.
    """
    from svr_baselines.networks import find_network

    chosen = tuple(dict.fromkeys(options.networks or default))
    for network in chosen:
        try:
            find_network(network)
        except ValueError as error:
            raise ValueError(f"Argument `networks`: {error}") from error
        if network == "occnet":
            raise ValueError("Argument `networks`: occnet learns from occupancies, which experiments do not build.")
    return chosen
