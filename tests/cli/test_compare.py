"""`ds compare`: what it shows, what it refuses, and what it says of files that aren't results."""

import json
import math

import numpy as np
import pytest
from ds_command import fails, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results under equal conditions, and some that differ in one."""
    folder = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(0)
    clouds = {name: rng.random((8, 30, 3)).astype(np.float32) * size for name, size in (("a", 1), ("b", 2))}
    clouds |= {"fewer": clouds["a"][:7], "sparse": clouds["a"][:, :20]}
    for name, array in clouds.items():
        np.save(folder / f"{name}.npy", array)
    truth = ["--target", folder / "a.npy"]
    for name, options in {
        "a": truth,
        "b": [*truth, "--seed", 3],
        "fewer": [],
        "sparse": ["--normalize", "unit-ball"],
        "a-alternate": ["--solver", "alternate", "--clusters", 4, "--confidence", "none"],
        "a-sure": ["--confidence", 0.99],
    }.items():
        chosen = [] if "--clusters" in options else ["--clusters", 3]
        out = ["--json", folder / f"{name}.json"]
        result = run("eval", folder / f"{name.partition('-')[0]}.npy", *chosen, *options, *out)
        assert result.exit_code == 0, result.output
    return folder


def load(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


def test_differences_to_the_first(folder):
    result = run("compare", folder / "a.json", folder / "b.json", "--json", "-")
    assert result.exit_code == 0, result.output
    document, (a, b) = json.loads(result.stdout), (load(folder, "a"), load(folder, "b"))
    assert document["comparable"] is True
    first, second = document["results"]
    scores = [result["scores"]["dispersion-score"] for result in (a, b)]
    assert first["difference"] == {"absolute": 0, "relative": 0, "interval": None}
    assert second["difference"]["absolute"] == scores[1] - scores[0]
    assert second["difference"]["relative"] == pytest.approx(scores[1] / scores[0] - 1)
    errors = [
        result["dispersion"]["interval"][name] for result in (a, b) for name in ("standard_error", "solver_error")
    ]
    reach = 1.959964 * math.sqrt(sum(error**2 for error in errors))
    interval = second["difference"]["interval"]
    assert interval["high"] - interval["low"] == pytest.approx(2 * reach, rel=1e-5)
    assert interval["low"] + interval["high"] == pytest.approx(2 * (scores[1] - scores[0]))
    assert second["normalized"] == b["dispersion"]["normalized"]["score"]
    assert second["chamfer-distance"] == b["scores"]["chamfer-distance"]
    shown = " ".join(result.stderr.split())
    assert f"{scores[1]:.5g}" in shown
    assert f"{scores[1] - scores[0]:+.3g}" in shown
    assert f"{scores[1] / scores[0] - 1:+.1%}" in shown
    assert "95 % interval" in shown


def test_table_on_stdout_and_json_in_a_file(folder, tmp_path):
    result = run("compare", folder / "a.json", folder / "b.json", "--json", tmp_path / "c.json")
    assert "DS" in result.stdout
    assert result.stderr == ""
    assert [row["file"] for row in json.loads((tmp_path / "c.json").read_text())["results"]] == [
        str(folder / "a.json"),
        str(folder / "b.json"),
    ]


def test_all_that_differs_is_named_at_once(folder):
    files = [folder / f"{name}.json" for name in ("a", "b", "fewer", "sparse", "a-alternate")]
    message = fails("compare", *files)
    assert message.startswith(f"ds: not comparable with {files[0]}: ")
    assert f"{files[1]} (" not in message
    assert f"{files[2]} (N 7 instead of 8)" in message
    assert f"{files[3]} (points a cloud 20 instead of 30, normalisation unit-ball instead of none)" in message
    assert f"{files[4]} (k 4 instead of 3, solver alternate instead of fasterpam)" in message
    assert "`ds eval --clusters K`" in message
    assert "--force" in message
    assert "--clusters" not in fails("compare", files[0], files[2])


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("estimator", "sampled", "estimator sampled instead of exact"),
        ("distance", "emd", "distance emd, sum"),
        (
            "convention",
            "sum of the two means of nearest distances",
            "chamfer, sum of the two means of nearest",
        ),
    ],
)
def test_other_conditions(folder, tmp_path, setting, value, reason):
    document = load(folder, "a")
    document["provenance"]["dispersion"][setting] = value
    (tmp_path / "other.json").write_text(json.dumps(document))
    assert reason in fails("compare", folder / "a.json", tmp_path / "other.json")


def test_force_compares_and_warns(folder):
    files = [folder / "a.json", folder / "a-alternate.json"]
    result = run("compare", *files, "--force", "--json", "-")
    assert result.exit_code == 0
    expected = f"ds: warning: not comparable with {files[0]}: {files[1]} (k 4 instead of 3, solver alternate instead"
    assert expected in result.stderr
    document = json.loads(result.stdout)
    assert document["comparable"] is False
    assert [item["condition"] for item in document["mismatches"]] == ["n_clusters", "solver"]
    assert document["results"][1]["difference"]["interval"] is None
    assert document["results"][1]["interval"] is None


def test_levels_may_differ_and_are_named(folder):
    result = run("compare", folder / "a.json", folder / "a-sure.json")
    assert result.exit_code == 0
    caption = "".join(result.stdout.split())
    assert "95%for" in caption
    assert "99%for" in caption


def test_names_are_shown_as_they_are(folder, tmp_path):
    name = tmp_path / "a[bold]b.json"
    name.write_text((folder / "a.json").read_text())
    result = run("compare", name, folder / "a-sure.json")
    assert result.exit_code == 0, result.output
    assert "".join(result.stdout.split()).count("[bold]") == 2


def edited(folder, edit):
    document = load(folder, "a")
    edit(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "is not a JSON file"),
        ('{"schema": 2, "sco', "is not a JSON file"),
        ("\udc93\x00", "is not a JSON file"),
        ("[" * 100_000, "bad.json"),
        ("[1, 2]", "expected `object`, got `array`"),
        ('{"comparable": true, "results": []}', "it has no field 'schema'"),
        ('{"schema": 1, "scores": {}}', "schema 1, but this version of `ds` reads schema 2"),
        ('{"schema": 2}', "missing required field `scores`"),
        (lambda d: d["provenance"].pop("points"), "missing required field `points`"),
        (lambda d: d.update(provenance=3), "'provenance': expected `object`, got `int`"),
        (lambda d: d["scores"].pop("dispersion-score"), "holds no Dispersion Score, but ['chamfer-distance'"),
        (lambda d: d["scores"].update({"dispersion-score": "x"}), "expected `float`, got `str`"),
        (lambda d: d["scores"].update({"dispersion-score": True}), "expected `float`, got `bool`"),
        (lambda d: d["scores"].update({"dispersion-score": float("nan")}), "is not a JSON file"),
        (lambda d: d["scores"].update({"dispersion-score": 10**400}), "bad.json"),
        (lambda d: d["scores"].update({"dispersion-score": -1}), "must not be negative"),
        (lambda d: d["provenance"].update(n_samples=8.5), "'provenance.n_samples': expected `int`, got `float`"),
        (
            lambda d: d["dispersion"].update(interval=[0, 1]),
            "'dispersion.interval': expected `object | null`, got `array`",
        ),
        (lambda d: d["dispersion"]["interval"].pop("level"), "missing required field `level`"),
        (lambda d: d["dispersion"]["interval"].update(level=95), "'dispersion.interval.level': expected `float` < 1"),
        (lambda d: d["dispersion"]["interval"].update(low=9), "must ascend"),
        (
            lambda d: d["dispersion"]["interval"].update(solver_error=-1),
            "'dispersion.interval.solver_error': expected `float` >= 0",
        ),
    ],
)
def test_files_that_are_no_results(folder, tmp_path, content, fault):
    text = content if isinstance(content, str) else edited(folder, content)
    (tmp_path / "bad.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    message = fails("compare", folder / "a.json", tmp_path / "bad.json")
    assert str(tmp_path / "bad.json") in message
    assert fault in message


def test_files_that_cannot_be_read(folder, tmp_path):
    assert "nowhere.json" in fails("compare", folder / "a.json", tmp_path / "nowhere.json")
    assert str(tmp_path) in fails("compare", folder / "a.json", tmp_path)
    assert "takes two results at least, but got 1" in fails("compare", folder / "a.json")
    assert "--json must name a file" in fails("compare", folder / "a.json", folder / "b.json", "--json", tmp_path)
