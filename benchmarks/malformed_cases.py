"""The cases of `malformed.py`: for each command, lines with one fault, and what the message must name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from malformed_files import BODIES, Files, edits, glb, npy, png

HUGE = "1000000000000"
RANGE = "1:99999999999"


@dataclass(frozen=True)
class Case:
    """A malformed command line.

    Attributes:
        command: Which of the commands, such as `"build points"`.
        arguments: All of the line.
        names: The message names one of these.
    """

    command: str
    arguments: tuple[str, ...]
    names: tuple[str, ...]


def make_cases(files: Files) -> list[Case]:
    """All cases, command by command."""
    makers = (_eval, _eval_files, _eval_images, _compare, _curve, _report, _experiment_folders, _build, _build_files)
    makers += (_train, _train_files, _predict, _recall, _experiment, _others)
    return [case for maker in makers for case in maker(files)]


def case(command: str, *arguments: object, names: object) -> Case:
    """A case; `names` is a name or several."""
    several = names if isinstance(names, (list, tuple)) else [names]
    return Case(command, (*command.split(), *map(str, arguments)), tuple(map(str, several)))


def _options(command: str, good: Sequence[object], bad: dict[str, Sequence[str]]) -> Iterator[Case]:
    """One case for each value of each option; values of several words are as many arguments."""
    for option, values in bad.items():
        for value in values:
            yield case(command, *good, option, *value.split(" "), names=_names(option, value))


def _names(option: str, value: str) -> list[str]:
    """The option, or the file that it names; of an option with one meaning everywhere, the library's name."""
    names = {"--networks": "network", "--azimuth-range": "`azimuth`"}
    return [option, *([value] if "/" in value else []), *([names[option]] if option in names else [])]


def _eval(files: Files) -> Iterator[Case]:
    good = files / "good.npy"
    shared = {
        "--clusters": ["0", "-1", "13", HUGE, "9" * 5000, "1.5", "x", "", RANGE],
        "--points": [HUGE, "9" * 5000, "0", "-1", "x", "1e12"],
        "--normalize": ["x", ""],
        "--seed": ["-1", "x", "1.5"],
        "--solver": ["x", ""],
        "--estimator": ["x"],
        "--confidence": ["0", "1", "2", "nan", "x"],
        "--memory": ["1e30", "0", "-1", "x", "9" * 400, "9" * 400 + "TB", "nan"],
        "--cluster": ["local:0", "local:1000000", "local:" + "9" * 5000, "local:x", "nowhere", ""],
        "--metric": ["x", "", "[red]x", "\x1b[31mx"],
        "--json": [
            *map(str, (files / "none/a.json", files.root, files.pipe(".json"), files.socket(), good)),
            "/dev/full",
        ],
        "--plots": [str(good), str(files.pipe()), "/dev/null"],
        "--store": [str(good), str(files.pipe()), "/dev/null/a"],
        "--target": [str(files / "none.npy"), *map(str, files.specials(".npy"))],
        "--nonsense": ["1"],
    }
    yield from _options("eval", [good], shared)
    yield case("eval", good, "--train", files.pipe(".npy"), "--metric", "all", names="pipe")
    for special in files.specials(".npy"):
        yield case("eval", special, names=special)
    for name in ("nothing.npy", "line\nfeed.npy", "\x1b[31mred.npy", "[bold]x[/bold].npy", "a" * 5000, "\0", "\udcff"):
        shown = (name[:10] if len(name) > 100 else "PREDICTIONS", ".npy", "\\x00", "\\xff", "udcff", "null")
        yield case("eval", name, names=shown)
    yield case("eval", names=["PREDICTIONS"])
    yield case("eval", good, "--images", files / "pictures", names=["PREDICTIONS"])
    yield case("eval", good, "--common", names=["--common"])
    yield case("eval", good, "--size", "8", names=["--size"])


def _eval_files(files: Files) -> Iterator[Case]:
    bodies = {
        ".npy": [npy((10**12, 100, 3)), npy((10**18, 10**18, 3)), npy((6, 60, 3)), npy((6, 60), "|O"), npy((-1, 5, 3))],
        ".npz": [b"PK\x03\x04" + b"\0" * 40, (files / "good.npy").read_bytes()],
        ".ply": [
            b"ply\nformat ascii 1.0\nelement vertex 1000000000000\nproperty float x\nproperty float y\n"
            b"property float z\nend_header\n0 0 0\n",
            b"ply\nformat binary_little_endian 1.0\nelement vertex 1000000000000\nproperty float x\n"
            b"property float y\nproperty float z\nend_header\n" + b"\0" * 12,
            b"ply\nformat binary_little_endian 1.0\nelement face 1000000000000\nproperty list uchar int "
            b"vertex_indices\nend_header\n" + b"\3" * 13,
            b"ply\nformat ascii 1.0\nelement vertex " + b"9" * 5000 + b"\nproperty float x\nend_header\n0\n",
        ],
        ".obj": [b"f 1 2 99999999999999999999\n", b"v 0 0 0\nf " + b"1 " * 100_000, b"v 1e999 0 0\nf 1 1 1\n"],
        ".off": [b"OFF\n1000000000000 1000000000000 0\n0 0 0\n", b"OFF\n" + b"9" * 5000 + b" 1 0\n"],
        ".stl": [b"\0" * 80 + b"\xff\xff\xff\xff" + b"\0" * 50, b"solid x\nfacet normal\n"],
        ".glb": [glb(2**40), glb(36, 10**12), glb(36, -1), b"glTF\x02\0\0\0\xff\xff\xff\xff"],
        ".xyz": [b"1 2\n", b"1 2 x\n", b"\0" * 100],
    }
    for suffix, several in bodies.items():
        for body in [*several, BODIES["empty"], BODIES["binary"]]:
            bad = files.folder("clouds", **{f"a{suffix}": body})
            yield case("eval", bad, names=f"a{suffix}")
            if suffix == ".npy":
                bad = files.file(suffix, body)
                yield case("eval", bad, names=bad)
    for body in BODIES.values():
        bad = files.file(".json", body)
        yield case("eval", bad, names=bad)
    for suffix in (".npy", ".ply", ".xyz", ".glb"):
        bad = files.folder("clouds")
        files.pipe(suffix, bad)
        yield case("eval", bad, names=f"pipe{suffix}")
    bad = files.folder("clouds")
    files.link("/dev/zero", ".obj", bad)
    yield case("eval", bad, names="link.obj")
    folders = [files.folder() for _ in range(2)]
    for folder in folders:
        for number in range(12):
            (folder / f"f{number}").mkdir()
            for other in range(12):
                (folder / f"f{number}" / f"l{other}").symlink_to(folder / f"f{other}")
    (folders[0] / "f0" / "x.npy").write_bytes(b"")
    for folder in folders:
        yield case("eval", folder, names=folder)
    for suffix in (".npy", ".obj", ".png"):
        only = files.folder()
        for number in range(5):
            files.pipe(f"-{number}{suffix}", only)
        yield case("eval", only, names=["pipe-0", only])
    deep = files.folder()
    before = os.open(".", os.O_RDONLY)
    os.chdir(deep)
    for _ in range(20):  # longer than a path may be
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
    os.fchdir(before)
    os.close(before)
    yield case("eval", deep, names=deep)
    named = files.folder("clouds", **{"\x1b[31mred\nline [bold].npy": b"junk"})
    yield case("eval", named, names="red")


def _eval_images(files: Files) -> Iterator[Case]:
    good = "--images", files / "pictures", "--clusters", "2"
    pixels = *good, "--features", "pixels"
    yield from _options(
        "eval",
        pixels,
        {
            "--size": ["1000000", HUGE, "0", "x", "9" * 5000],
            "--crop": ["0", "1000000", HUGE, "x"],
            "--views": ["x", "-1", RANGE, f"0:{HUGE}", "9" * 5000, "1:0"],
            "--background": ["x", "#12", "\x1b[31m"],
            "--device": ["x", "cuda:99", "mps"],
            "--clusters": ["7", HUGE],
            "--points": ["5"],
        },
    )
    yield from _options("eval", good, {"--size": ["1000000", "16000"], "--features": ["x", "[red]"]})
    yield from _options("eval", good, {"--pooling": ["x"], "--weights": ["x", *map(str, files.specials(".pth"))]})
    weights = [files / "weights.pth", files.file(".pth", b"junk"), files.file(".safetensors", b"junk")]
    weights += [
        files.file(".safetensors", b"\xff" * 8 + b"{}"),
        files.file(".pth", b""),
        files.file(".pth", b"\x80\x02"),
    ]
    for bad in weights:
        yield case("eval", *good, "--weights", bad, names=[bad.name, "--weights"])
    for body in (png(60_000, 60_000), png(60, 60), png(0, 5), b"", b"junk", png(2**31 - 1, 2**31 - 1)):
        yield case("eval", "--images", files.folder("pictures", **{"a.png": body}), *pixels[2:], names="a.png")
    bad = files.folder("pictures")
    files.pipe(".png", bad)
    yield case("eval", "--images", bad, *pixels[2:], names="pipe.png")
    for body in (npy((10**12, 8, 8, 3), "|u1"), npy((4, 2**40, 2**40, 3), "|u1"), npy((4, 8, 8, 3), "|O")):
        bad = files.file(".npy", body)
        yield case("eval", "--images", bad, *pixels[2:], names=bad)
    for special in files.specials(".npy"):
        yield case("eval", "--images", special, *pixels[2:], names=special)


_RESULT = (
    "schema",
    "scores",
    "scores.dispersion-score",
    "dispersion.interval.low",
    "dispersion.interval.n_resamples",
    "provenance",
    "provenance.n_samples",
    "provenance.points",
    "provenance.points.min",
    "provenance.predictions",
    "provenance.predictions.normalization",
    "provenance.dispersion",
    "provenance.dispersion.n_clusters",
    "provenance.dispersion.distance",
    "provenance.dispersion.convention",
    "provenance.dispersion.solver",
    "provenance.dispersion.estimator",
    "provenance.dispersion.n_clusters_chosen",
)
_CURVE = tuple(f"provenance.dispersion.curve.{name}" for name in ("n_clusters", "scores", "knee", "knee_method"))
_SHAPES = (
    "labels",
    "clusters",
    "clusters.0.medoid",
    "clusters.0.size",
    "provenance.predictions.source",
    "provenance.predictions.read_with",
    "provenance.predictions.sha256",
)


def _compare(files: Files) -> Iterator[Case]:
    good = files / "given.json"
    document = json.loads(good.read_text())
    for key, body in edits(document, _RESULT):
        bad = files.file(".json", body)
        yield case("compare", good, bad, names=[key, bad])
    for body in [*BODIES.values(), b"\xef\xbb\xbf" + good.read_bytes()]:
        bad = files.file(".json", body)
        yield case("compare", good, bad, names=bad)
    for special in files.specials(".json"):
        yield case("compare", good, special, names=special)
    yield case("compare", good, files / "none.json", names="none.json")
    yield case("compare", good, names=["two results", "RESULTS"])
    yield case("compare", good, files / "knee.json", "--json", files.pipe(), names=["--json", "knee.json"])
    yield case("compare", good, good, "--json", files.pipe(), names="--json")


def _curve(files: Files) -> Iterator[Case]:
    good = files / "good.npy"
    knee = json.loads((files / "knee.json").read_text())
    for key, body in edits(knee, _CURVE):
        bad = files.file(".json", body)
        yield case("curve", bad, names=[key, bad])
    for body in islice(BODIES.values(), 6):
        bad = files.file(".json", body)
        yield case("curve", bad, names=bad)
    for special in files.specials(".json") + files.specials(".npy"):
        yield case("curve", special, names=special)
    bad_values = {
        "--clusters": [RANGE, f"1:{HUGE}", HUGE, "0", "x", "2,1", "1,1", "1:2:3", "9" * 5000, "1:13"],
        "--points": [HUGE, "0"],
        "--memory": ["1e30", "9" * 400],
        "--cluster": ["local:1000000", "local:0"],
        "--solver": ["x"],
        "--out": [
            "x.txt",
            "x",
            str(files / "none/x.png"),
            str(files.pipe(".png")),
            str(files.link("/dev/null", ".png")),
        ],
        "--json": [str(files.pipe()), str(files.socket())],
        "--store": [str(files.pipe())],
    }
    yield from _options("curve", [good], bad_values)
    yield case("curve", files / "given.json", names="given.json")


def _report(files: Files) -> Iterator[Case]:
    good = files / "given.json"
    document = json.loads(good.read_text())
    for key, body in edits(document, _SHAPES):
        bad = files.file(".json", body)
        yield case("report", bad, names=[key, bad])
    for body in islice(BODIES.values(), 8):
        bad = files.file(".json", body)
        yield case("report", bad, names=bad)
    for special in files.specials(".json"):
        yield case("report", special, names=special)
    bad_values = {
        "--out": [
            "x.txt",
            "x",
            str(files / "none/x.html"),
            str(files.pipe(".html")),
            str(files.link("/dev/null", ".htm")),
        ],
        "--turntables": [str(good), str(files.pipe())],
        "--store": [str(good)],
    }
    yield from _options("report", [good], bad_values)
    yield case("report", good, "--turntables", "films", "--format", "x", names="format")
    yield case("report", files / "clouds", names="clouds")
    yield case("report", names="results")


_EXPERIMENT = (
    "schema",
    "kind",
    "rows.0",
    "rows.0.result",
    "verdicts.0",
    "verdicts.0.holds",
    "table.columns",
    "table.rows",
    "figures.0.file",
    "figures.0",
)


def _experiment_folders(files: Files) -> Iterator[Case]:
    document = json.loads((files / "experiment" / "results.json").read_text())
    for key, body in edits(document, _EXPERIMENT):
        if key in ("0", "result", "holds") and len(body) < len(json.dumps(document)) - 9:
            continue  # an entry less, or one without what it may lack
        yield case(
            "report", files.folder("experiment", **{"results.json": body}), names=[f"'{key}'", key, "results.json"]
        )
    for body in islice(BODIES.values(), 9):
        bad = files.folder("experiment", **{"results.json": body})
        yield case("report", bad, names=bad / "results.json")
    for body in islice(BODIES.values(), 4):
        bad = files.folder("experiment", **{"scores/a.json": body})
        yield case("report", bad, names="a.json")
    bad = files.folder("experiment", **{"results.json": None})
    (bad / "results.json").symlink_to("results.json")
    yield case("report", bad, names=bad)
    bad = files.folder("experiment", **{"results.json": None})
    files.link("/dev/zero", folder=bad).rename(bad / "results.json")
    yield case("report", bad, names="results.json")
    for target in ("a.png", "/dev/zero", "../../../good.npy"):
        bad = files.folder("experiment", **{"figures/a.png": None})
        (bad / "figures" / "a.png").symlink_to(target)
        # The page is written, and says what it lacks: here for the options beside it.
        yield case("report", bad, "--out", "x.txt", names="--out")


def _build(files: Files) -> Iterator[Case]:
    meshes, points = files / "meshes", files / "points"
    shared = {
        "--workers": ["0", "x", HUGE, "-1"],
        "--cluster": ["local:0", "local:1000000", "x", "local:x"],
        "--seed": ["-1", "x"],
    }
    sizes = ["1000000", HUGE, "9" * 30, "0", "x"]
    drawn = {"--size": sizes, "--samples": ["1000000", HUGE, "0"], "--renderer": ["x"]}
    counts = {"--points": [HUGE, "9" * 30, "0", "x", "1e12"]}
    yield from _options(
        "build synthetic", ["out"], {"--count": [HUGE, "9" * 30, "0", "x"], **counts, **drawn, **shared}
    )
    up = {"--up": ["x", ""]}
    yield from _options("build points", [meshes, "out"], {**counts, "--sampler": ["x"], **up, **shared})
    places = {"--queries": [HUGE, "9" * 30, "0", "x"], "--normalize": ["x", "bounding"]}
    yield from _options("build occupancy", [meshes, points, "out"], {**places, **up, **shared})
    views = {
        "--views": [HUGE, "9" * 30, "0", "x"],
        "--azimuth-range": ["x", "-1", "181", "nan", "1,1", "", "0,x"],
        "--elevation": ["30 20", "-91 0", "nan nan", "x y"],
        "--distance": ["1 0.5", "0 1", "inf inf", "-1 1"],
        "--azimuth-centre": ["nan", "inf", "x"],
    }
    yield from _options("build renders", [meshes, "out"], {**views, **drawn, **up, **shared})


def _build_files(files: Files) -> Iterator[Case]:
    meshes, points = files / "meshes", files / "points"
    commands = {"build points": [], "build occupancy": [points], "build renders": []}
    for command, between in commands.items():
        for bad in [files / "none", *files.specials()]:
            yield case(command, bad, *between, "out", names=bad)
        for bad in (meshes / "0.ply", files.pipe(), files.link("/dev/null")):
            yield case(command, meshes, *between, bad, names=[bad, "out"])
        yield case(command, meshes, *between, files / "clouds", names="clouds")
        for body in islice(BODIES.values(), 8):
            out = files.folder(None, **{".building/settings.json": body})
            yield case(command, meshes, *between, out, names=[".building", out])
        out = files.folder()
        (out / ".building").mkdir()
        files.pipe(folder=out).rename(out / ".building" / "settings.json")
        yield case(command, meshes, *between, out, names=["settings.json", out])
    for command, good in {"build points": "points", "build occupancy": "occupancy"}.items():
        between, options = commands[command], ["--points", 80] if command == "build points" else ["--queries", 100]
        document = json.loads((files / good / "dataset.json").read_text())
        for key, body in edits(document, ("settings", "counts", "counts.samples", "skipped", "schema")):
            out = files.folder(good, **{"dataset.json": body})
            yield case(command, meshes, *between, out, *options, names=[key, "dataset.json"])
        for body in (b"", b"id\n", b"\0", BODIES["binary"]):
            out = files.folder(good, **{"manifest.csv": body})
            yield case(command, meshes, *between, out, *options, names="manifest.csv")
    for mesh, body in (("a.glb", glb(2**40)), ("a.obj", b"junk"), ("a.stl", b"")):
        only = files.folder(None, **{mesh: body})
        yield case("build points", only, "out", names=mesh)
        yield case("build renders", only, "out", names=mesh)
    only = files.folder()
    files.pipe(".obj", only)
    yield case("build points", only, "out", names="pipe.obj")
    yield case("build occupancy", meshes, files.pipe(), "out", names=["POINTS", "pipe", "bad-", "folder"])


def _train(files: Files) -> Iterator[Case]:
    good = "psgn", files / "points", "out", "--images", files / "renders", "--preset", "quick", "--points", "50"
    yield from _options(
        "train",
        good,
        {
            "--epochs": ["0", "x"],
            "--batch-size": [HUGE, "0", "1"],
            "--learning-rate": ["nan", "-1", "inf", "x"],
            "--precision": ["x", ""],
            "--clip": ["nan", "-1", "x"],
            "--seed": ["-1", "x", "9" * 30],
            "--devices": ["0", "1000000", HUGE],
            "--nodes": ["0", "1000000"],
            "--accelerator": ["cuda", "x"],
            "--clusters": ["0", HUGE],
            "--preset": ["x"],
            "--validation": [str(files / "none"), str(files.pipe())],
            "--occupancy": [str(files / "none"), str(files.pipe())],
            "--views": [f"-{HUGE}", "0"],
            "--points": [HUGE, "81", "0"],
            "--coordinates": ["x"],
            "--background": ["x"],
            "--crop": ["x", "0", "1000000", HUGE],
            "--size": ["1000000", HUGE, "0"],
            "--images": [str(files / "none"), str(files.pipe())],
        },
    )
    for name in ("x", "", "\x1b[31m", "[red]"):
        yield case("train", name, files / "points", "out", names=["network", "NETWORK"])
    for bad in [files / "none", files / "clouds", *files.specials()]:
        yield case("train", "psgn", bad, "out", names=bad)
    for bad in (files / "good.npy", files.pipe()):
        yield case("train", "psgn", files / "points", bad, *good[3:], names=[bad, "OUT"])


_CONFIG = {
    "network": ["3", "[]", '"x"'],
    "epochs": ["0", "-1", '"x"', "[]", "99999999999999999999"],
    "batch_size": ["0", "[]", "1.5"],
    "learning_rate": ["nan", "inf", "-1.0", '"x"'],
    "decays": ["3", '["x"]'],
    "network_options": ["3", "[]"],
    "unknown": ["3"],
}


def _train_files(files: Files) -> Iterator[Case]:
    good = "psgn", files / "points", "out", "--images", files / "renders", "--points", "50", "--size", "32"
    for key, values in _CONFIG.items():
        for value in values:
            bad = files.file(".toml", f"{key} = {value}\n".encode())
            yield case("train", *good, "--config", bad, names=[key, bad])
    for key, value in (("hidden", HUGE), ("points", HUGE), ("hidden", "[]"), ("points", "-1"), ("unknown", "1")):
        bad = files.file(".toml", f"epochs = 1\n[network_options]\n{key} = {value}\n".encode())
        yield case("train", *good, "--config", bad, names=[key, bad])
    for body in BODIES.values():
        for suffix in (".json", ".toml"):
            if body or suffix == ".json":
                bad = files.file(suffix, body)
                yield case("train", *good, "--config", bad, names=bad)
    for bad in [files / "none.toml", *files.specials(".toml"), *files.specials(".json"), files.file(".txt", b"")]:
        yield case("train", *good, "--config", bad, names=[bad, ".txt"])
    yield from _data_sets(files, "train", lambda data: ("psgn", data, "out", *good[3:]))
    yield from _shapenets(files, "train", lambda data: ("psgn", data, "out", "--points", "50", "--size", "32"))


def _data_sets(files: Files, command: str, line: object) -> Iterator[Case]:
    """Damaged manifests and the files that they name."""
    assert callable(line)
    document = json.loads((files / "points" / "dataset.json").read_text())
    for key, body in edits(document, ("schema", "settings", "counts", "counts.samples", "skipped")):
        bad = files.folder("points", **{"dataset.json": body})
        yield case(command, *line(bad), names=[key, "dataset.json"])
    for settings in ({"paths_below": 3}, {"paths_below": []}, {"paths_below": "\0"}):
        changed = json.dumps({**document, "settings": {**document["settings"], **settings}}).encode()
        yield case(command, *line(files.folder("points", **{"dataset.json": changed})), names=["paths_below"])
    for body in islice(BODIES.values(), 9):
        bad = files.folder("points", **{"dataset.json": body})
        yield case(command, *line(bad), names="dataset.json")
    table = (files / "points" / "manifest.csv").read_bytes()
    first = table.split(b"\n")[0]
    for body in (b"", b"\0", first, table.replace(b",0,", b",x,"), table + b"a,b\n", BODIES["binary"], b'"' * 10**5):
        yield case(command, *line(files.folder("points", **{"manifest.csv": body})), names=["manifest.csv", "sample"])
    bad = files.folder("points", **{"dataset.json": None})
    files.pipe(folder=bad).rename(bad / "dataset.json")
    yield case(command, *line(bad), names="dataset.json")
    for body in (npy((10**12, 3)), b"", b"junk", npy((60, 3), "|O")):
        spoiled = {f"{index}.npy": body for index in range(6)}
        yield case(command, *line(files.folder("points", **spoiled)), names=".npy")
    bad = files.folder("points", **{f"{index}.npy": None for index in range(6)})
    for index in range(6):
        files.pipe(folder=bad).rename(bad / f"{index}.npy")
    yield case(command, *line(bad), names=".npy")


def _shapenets(files: Files, command: str, line: object) -> Iterator[Case]:
    """Damaged cameras of R2N2's layout."""
    assert callable(line)
    for body in (
        b"",
        b"1 2 3\n",
        b"nan 0 0 1 25\n" * 3,
        b"x y z a b\n",
        BODIES["binary"],
        b"90 30 0 0.5 25\n",
        b"9 " * 10**6,
    ):
        bad = files.folder("shapenet")
        for path in bad.glob("*/*/*/rendering/rendering_metadata.txt"):
            path.unlink()
            path.write_bytes(body)
        yield case(command, *line(bad), names="rendering_metadata.txt")
    for device in ("/dev/zero", None):
        bad = files.folder("shapenet")
        for path in list(bad.glob("*/*/*/rendering/rendering_metadata.txt")):
            path.unlink()
            if device:
                path.symlink_to(device)
            else:
                files.pipe(folder=path.parent).rename(path)
        yield case(command, *line(bad), names="rendering_metadata.txt")
    bad = files.folder("shapenet")
    for path in list(bad.glob("*/*/*/rendering/*.png")):
        path.unlink()
        path.write_bytes(png(60_000, 60_000))
    yield case(command, *line(bad), names=".png")


def _predict(files: Files) -> Iterator[Case]:
    run = files / "run"
    yield from _options(
        "predict",
        [run, files / "points", "out", "--images", files / "renders"],
        {
            "--part": ["x"],
            "--which": ["x"],
            "--batch-size": ["0", "x"],
            "--device": ["x", "cuda"],
            "--points": [HUGE, "0"],
            "--size": ["1000000", HUGE, "0"],
            "--crop": ["x", HUGE],
            "--views": ["0"],
            "--background": ["x"],
            "--images": [str(files / "none"), str(files.pipe())],
        },
    )
    for bad in [files / "none", files / "clouds", *files.specials(), *files.specials(".safetensors")]:
        yield case("predict", bad, files / "points", "out", "--images", files / "renders", names=bad)
    data = json.loads((run / "data.json").read_text())
    for key, body in edits(data, ("data", "options", "options.points", "options.size", "options.background")):
        yield case("predict", files.folder("run", **{"data.json": body}), names=[key, "data.json", "DATA", "--size"])
    for body in BODIES.values():
        yield case("predict", files.folder("run", **{"data.json": body}), names="data.json")
    bad = files.folder("run", **{"data.json": None})
    files.pipe(folder=bad).rename(bad / "data.json")
    yield case("predict", bad, names="data.json")
    for body in _checkpoints(files):
        bad = files.folder("run", **{"last.safetensors": body, "previous.safetensors": body})
        yield case("predict", bad, names=["safetensors", "checkpoint", bad])
    edited = list(_edited_checkpoints(files))
    for key, body in edited:
        bad = files.folder("run", **{"last.safetensors": body})
        yield case("predict", bad, names=[key, "network", "safetensors"])
    line = "train psgn @points BAD --images @renders --points 50 --size 32 --config @train.toml --resume"
    words = [f"{files.root}/{word[1:]}" if word[0] == "@" else word for word in line.split()]
    for key, body in [("last", b""), ("last", b"junk"), *edited[::3]]:
        bad = files.folder("run", **{"last.safetensors": body})
        yield case("train", *(bad if word == "BAD" else word for word in words[1:]), names=[key, "safetensors", bad])


def _checkpoints(files: Files) -> Iterator[bytes]:
    """Damaged ones: of the header, keys are gone or of another kind."""
    whole = (files / "run" / "last.safetensors").read_bytes()
    yield from (b"", b"junk", whole[:100], whole[:100_000], b"\xff" * 8 + b"{}", b"\2" + b"\0" * 7 + b"{}")
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    about = header["__metadata__"]
    for key in about:
        value = json.loads(about[key]) if about[key][:1] in "[{" else about[key]
        names = list(value) if isinstance(value, dict) else []
        for name in names:
            yield _header({**about, key: json.dumps({**value, name: 3 if value[name] == [] else []})})
            yield _header({**about, key: json.dumps({other: kept for other, kept in value.items() if other != name})})
        yield _header({**about, key: "[" * 100_000})
        yield _header({other: kept for other, kept in about.items() if other != key})


def _edited_checkpoints(files: Files) -> Iterator[tuple[str, bytes]]:
    """With a hash that is right: whole files, in which a value of the header is gone or of another kind."""
    from safetensors import safe_open
    from safetensors.torch import save

    from svr_baselines.training.checkpoints import _hash

    with safe_open(files / "run" / "last.safetensors", "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        document = json.loads(file.metadata()["checkpoint"])
    del document["sha256"]
    keys = "schema", "epoch", "step", "metrics", "data", "data.train", "config", "config.network", "options"
    for key, body in edits(document, keys):
        changed = json.loads(body)
        changed["sha256"] = _hash(changed, tensors)
        yield key, save(tensors, {"checkpoint": json.dumps(changed, sort_keys=True)})


def _header(about: dict[str, str]) -> bytes:
    """A file without a tensor."""
    text = json.dumps({"__metadata__": about}).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _recall(files: Files) -> Iterator[Case]:
    good = "oracle-nn", files / "points", "out", "--images", files / "renders", "--points", "50"
    yield from _options(
        "recall",
        good,
        {
            "--part": ["x"],
            "--seed": ["-1", "x"],
            "--points": [HUGE, "81", "0"],
            "--size": ["1000000", HUGE, "0"],
            "--crop": ["x", HUGE],
            "--views": ["0"],
            "--background": ["x"],
            "--images": [str(files / "none"), str(files.pipe())],
        },
    )
    clustering = "clustering", *good[1:]
    yield from _options("recall", clustering, {"--clusters": ["0", HUGE, "7"]})
    yield from _options("recall", ["retrieval", *good[1:]], {"--device": ["x", "cuda"]})
    yield case("recall", "x", *good[1:], names=["method", "METHOD"])
    for bad in [files / "none", files / "clouds", *files.specials()]:
        yield case("recall", "oracle-nn", bad, "out", names=bad)
    for bad in (files / "good.npy", files.pipe()):
        yield case("recall", "oracle-nn", files / "points", bad, *good[3:], names=[bad, "OUT", "out"])
    yield from islice(_data_sets(files, "recall", lambda data: ("oracle-nn", data, "out", *good[3:])), 0, None, 3)
    yield from _shapenets(files, "recall", lambda data: ("oracle-nn", data, "out", "--points", "50", "--size", "32"))


def _experiment(files: Files) -> Iterator[Case]:
    good = "synthetic", "--out", "out"
    yield from _options(
        "experiment",
        good,
        {
            "--preset": ["x", ""],
            "--networks": ["x", "", "psgn,psgn", "psgn,"],
            "--seeds": [RANGE, f"1:{HUGE}", "x", "", "1,1", "-1", "9" * 5000],
            "--clusters": ["0", HUGE, "100000"],
            "--workers": ["0", HUGE, "x"],
            "--accelerator": ["x", "cuda"],
            "--devices": ["0", "1000000", "x"],
            "--out": [str(files / "good.npy"), str(files.pipe()), "/dev/null/a"],
        },
    )
    for bad in [files / "none", files / "clouds", *files.specials()]:
        yield case("experiment", "more-shapes", "--out", "out", "--data", bad, names=[bad, "--data"])
    yield case("experiment", "x", "--out", "out", names=["name", "NAME", "experiment"])
    yield case("experiment", names=["NAME", "synthetic"])


def _others(files: Files) -> Iterator[Case]:
    yield from _options("demo", [], {"--out": [str(files / "good.npy"), str(files.pipe())], "--seed": ["-1", "x"]})
    yield from _options("info", [], {"--json": [str(files.pipe()), str(files / "none/a"), str(files.root)]})
    yield from _options("metrics", [], {"--nonsense": ["1"]})
    yield case("info", "x", names="argument")
    yield Case("ds", ("nonsense",), ("nonsense",))
    yield Case("ds", ("--nonsense",), ("--nonsense",))
    yield Case("ds", ("build", "nonsense"), ("nonsense",))
