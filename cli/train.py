"""`ds train` and `ds predict`. Heavy imports wait until a command runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from ds_cli.options import check_paths, one_line_errors

if TYPE_CHECKING:
    from svr_baselines.data.opening import DataOptions

Network = Annotated[str, typer.Argument(help="psgn, foldingnet, atlasnet-sphere, atlasnet-25, occnet, or a plug-in's.")]
Data = Annotated[
    Path, typer.Argument(help="ShapeNet in its published layout, or a folder of `ds build`; also one of its trainsets.")
]
Images = Annotated[Path | None, typer.Option(help="Folder of the pictures, where they are in another than the points.")]
Views = Annotated[int | None, typer.Option(min=1, help="Pictures of each shape to take; all, or one of ShapeNet.")]
Points = Annotated[int | None, typer.Option(min=1, help="Points of each target; 2500, or 1000 of the quick preset.")]
Coordinates = Annotated[str | None, typer.Option(metavar="object|viewer", help="Axes of the targets.")]
Background = Annotated[
    str | None,
    typer.Option(metavar="white|black|#rrggbb|none", help="What shows through transparent pixels; none as the paper."),
]
Crop = Annotated[
    str | None, typer.Option(metavar="auto|none|PIXELS", help="Centre of the pictures to keep; auto: 127 of R2N2's.")
]
Size = Annotated[int | None, typer.Option(min=1, help="Pixels of the images; 224, or 64 of the quick preset.")]


@one_line_errors
def train(
    network: Network,
    data: Data,
    out: Annotated[Path, typer.Argument(help="Folder of the run: checkpoints, configuration, log.")],
    preset: Annotated[
        str, typer.Option(metavar="paper|quick", help="The paper's protocol, or minutes on a laptop.")
    ] = "paper",
    config: Annotated[
        Path | None, typer.Option(help="Configuration, .toml or .json; options given here go before it.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in OUT; begin one if there is none.")
    ] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs; the preset's.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Samples of a step, over all devices.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of Adam; falls tenfold at three epochs.")] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="32-true|bf16-mixed|64-true",
            help="Of weights and computation; 32-true, or bf16-mixed in the quick preset where the hardware has it.",
        ),
    ] = None,
    clip: Annotated[float | None, typer.Option(help="Largest norm of the gradient; none unless given.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of weights, order and points.")] = None,
    devices: Annotated[int | None, typer.Option(min=1, help="GPUs or processes a node.")] = None,
    nodes: Annotated[int | None, typer.Option(min=1, help="Machines that take part; 1 unless given.")] = None,
    accelerator: Annotated[
        str | None, typer.Option(metavar="auto|cpu|cuda", help="Where to train; a GPU if there is one.")
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(help="Data to validate on; the validation or test part of DATA unless given.")
    ] = None,
    clusters: Annotated[int | None, typer.Option(min=1, help="k of the DS of each epoch.")] = None,
    occupancy: Annotated[Path | None, typer.Option(help="Folder of `ds build occupancy`; occnet needs it.")] = None,
    images: Images = None,
    views: Views = None,
    points: Points = None,
    coordinates: Coordinates = None,
    background: Background = None,
    crop: Crop = None,
    size: Size = None,
) -> None:
    """Train a network to reconstruct shapes from single images; Chamfer distance and DS after each epoch."""
    from ds_cli.progress import progress_bar
    from ds_cli.reading import say
    from ds_cli.writing import check_folder
    from rich.console import Console

    from ds_metrics._files import write_json
    from svr_baselines.data.occupancy import OccupancyDataset
    from svr_baselines.data.opening import DataOptions, open_data
    from svr_baselines.networks import create_network, find_network
    from svr_baselines.training import load_config, train
    from svr_baselines.training import preset as make_preset
    from svr_baselines.training.checkpoints import has_checkpoint
    from svr_baselines.training.fabric import check_config
    from svr_baselines.training.runs import DATA, RunData
    from svr_baselines.training.steps import check_batches

    _check_folders(validation=validation, images=images, occupancy=occupancy)
    find_network(network)
    changes = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "precision": precision,
        "clip": clip,
        "seed": seed,
        "devices": devices,
        "nodes": nodes,
        "accelerator": accelerator,
        "clusters": clusters,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    defaults = DataOptions(size=64, points=1000) if preset == "quick" else DataOptions()
    options = _merge(defaults, views, points, coordinates, background, crop, size)
    train_set: Any = open_data(data, "train", options, images)
    validation_set = open_data(validation or data, "validation", options, None if validation else images)
    if config is None:
        chosen = make_preset(preset, network, len(train_set), **given)
    else:
        chosen = load_config(config, len(train_set), network=network, **given)
    console = Console(stderr=True)
    if (network == "occnet") != (occupancy is not None):
        raise ValueError("--occupancy goes with occnet, and occnet with it: a folder of `ds build occupancy`")
    notes = [f"left out: {line}" for line in str(train_set.missing).splitlines() if line]
    if occupancy is not None:
        train_set = OccupancyDataset(train_set, occupancy)
    check_config(chosen)
    made = create_network(network, **chosen.network_options)
    check_batches(made, chosen, len(train_set), (3, options.size, options.size))
    check_folder("OUT", out)
    if not has_checkpoint(out):  # a run that is there keeps its own, whether it goes on or is refused
        write_json(out / DATA, RunData.of(data, images, options).to_json())
        if resume:
            notes.append(f"{out} holds no run to go on with: a new one begins")

    def log(line: str) -> None:
        while notes:  # told once the training begins, as errors before it stand alone
            say(console, notes.pop(0))
        say(console, line)

    with progress_bar(console, f"training {network}", "samples") as tell:
        summary = train(
            chosen,
            train_set,
            validation_set,
            out,
            resume=resume,
            progress=tell,
            log=log,
        )
    if summary.rank == 0:
        say(Console(), f"{out}: {network}, {summary.epochs} epochs in {summary.seconds:.0f} s")


@one_line_errors
def predict(
    run: Annotated[Path, typer.Argument(help="Folder of `ds train`, or a checkpoint's file.")],
    data: Annotated[Path | None, typer.Argument(help="Data, as of `ds train`; that of the run unless given.")] = None,
    out: Annotated[Path | None, typer.Argument(help="Folder to write; RUN/predictions unless given.")] = None,
    part: Annotated[str, typer.Option(metavar="test|train|validation|all", help="Part of the data.")] = "test",
    which: Annotated[str, typer.Option(metavar="last|best", help="Checkpoint of the run.")] = "last",
    batch_size: Annotated[int, typer.Option(min=1, help="Images at once.")] = 32,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute; a GPU if there is one.")
    ] = "auto",
    images: Images = None,
    views: Views = None,
    points: Annotated[
        int | None, typer.Option(min=1, help="Points to keep of each prediction and of each target; all unless given.")
    ] = None,
    coordinates: Coordinates = None,
    background: Background = None,
    crop: Crop = None,
    size: Size = None,
) -> None:
    """Predict the shapes of a data set, in object-centred axes, ready for `ds eval`."""
    from ds_cli.progress import progress_bar
    from ds_cli.reading import say
    from rich.console import Console

    from svr_baselines.data.opening import DataOptions, open_data
    from svr_baselines.training import predict, read_checkpoint
    from svr_baselines.training.checkpoints import BEST, LAST
    from svr_baselines.training.runs import read_run_data

    check_paths(run)
    _check_folders(images=images)
    roles: dict[str, Any] = {"test": "test", "train": "train", "validation": "validation", "all": None}
    if part not in roles:
        raise ValueError(f"--part must be one of {', '.join(roles)}, but got {part!r}")
    folder = run if run.is_dir() else run.parent
    if which not in (LAST, BEST):
        raise ValueError(f"--which must be {LAST} or {BEST}, but got {which!r}")
    known = read_run_data(folder)
    if data is None and known is None:
        raise ValueError(f"DATA is missing, and {folder} does not say what the network was trained on")
    read_checkpoint(run, which, tell=lambda line: None)  # before the data are opened, as it is what is asked for
    if known is not None and images is None and known.images and data in (None, Path(known.data)):
        images = Path(known.images)
    data = data or Path(known.data)  # type: ignore[union-attr]
    options = _merge(
        DataOptions() if known is None else known.options, views, points, coordinates, background, crop, size
    )
    dataset = open_data(data, roles[part], options, images)
    place = out or folder / "predictions"
    console = Console(stderr=True)
    with progress_bar(console, f"predicting {place.name}", "samples") as tell:
        written = predict(
            run, dataset, place, which=which, points=points, batch_size=batch_size, device=device, progress=tell
        )
    say(Console(), f"{written}: {len(dataset)} shapes; ds eval {written} --target {place / 'targets.npy'}")


@one_line_errors
def recall(
    method: Annotated[
        str,
        typer.Argument(
            help="oracle-nn: the training shape nearest to the truth. retrieval: that of the nearest training image. "
            "clustering: the medoid of its cluster."
        ),
    ],
    data: Data,
    out: Annotated[Path, typer.Argument(help="Folder for the predictions.")],
    part: Annotated[str, typer.Option(metavar="test|validation", help="Part of the data to predict.")] = "test",
    clusters: Annotated[int, typer.Option(min=1, help="Clusters of the training shapes, for clustering.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Of the clustering.")] = 0,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda", help="Where images are turned into features.")
    ] = "auto",
    images: Images = None,
    views: Views = None,
    points: Points = None,
    background: Background = None,
    crop: Crop = None,
    size: Size = None,
) -> None:
    """Predict by pure recognition, without a network: the other end of the scale that DS measures."""
    from ds_cli.progress import progress_bar
    from ds_cli.reading import say
    from ds_cli.writing import check_folder
    from rich.console import Console

    from svr_baselines.data.opening import DataOptions, open_data
    from svr_baselines.recall import recall

    _check_folders(images=images)
    if part not in ("test", "validation"):
        raise ValueError(f"--part must be test or validation, but got {part!r}")
    options = _merge(DataOptions(), views, points, None, background, crop, size)
    train_set, test_set = (open_data(data, role, options, images) for role in ("train", part))  # type: ignore[arg-type]
    check_folder("OUT", out)
    with progress_bar(Console(stderr=True), f"reading for {method}", "samples") as tell:
        written = recall(
            method,  # type: ignore[arg-type]
            train_set,
            test_set,
            out,
            k=clusters,
            seed=seed,
            device=device,
            progress=tell,
        )
    say(Console(), f"{written}: {len(test_set)} shapes; ds eval {written} --target {out / 'targets.npy'}")


def _merge(
    defaults: DataOptions,
    views: int | None,
    points: int | None,
    coordinates: str | None,
    background: str | None,
    crop: str | None,
    size: int | None,
) -> DataOptions:
    """The options, where given, before the defaults."""
    given: dict[str, Any] = {"views": views, "points": points, "coordinates": coordinates}
    given |= {"background": background, "size": size}
    given = {name: value for name, value in given.items() if value is not None}
    if crop is not None:
        given["crop"] = _parse_crop(crop)
    return replace(defaults, **given)


def _check_folders(**folders: Path | None) -> None:
    """Find out that an option names a folder that is none."""
    for name, folder in folders.items():
        if folder is not None and not folder.is_dir():
            raise ValueError(f"--{name} must name a folder, but there is none at {folder}")


def _parse_crop(text: str) -> int | str | None:
    if text in ("auto", "none"):
        return "auto" if text == "auto" else None
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"--crop must be auto, none or a number of pixels, but got {text!r}")
    return int(text)
