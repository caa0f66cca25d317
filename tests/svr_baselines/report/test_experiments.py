"""Damaged folders of experiments and result files: one line that names the file and the fault."""

import json

import pytest

from svr_baselines.report import read_results


def change(file, **fields):
    document = json.loads(file.read_text())
    file.write_text(json.dumps(document | fields))


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"schema": 2}, "no results of an experiment in schema 1"),
        ({"kind": "other"}, "no results of an experiment in schema 1"),
        ({"rows": [3]}, r"'rows\[0\]': expected `object`, got `int`"),
        ({"rows": {}}, "'rows': expected `array`, got `object`"),
        ({"rows": [{"x": []}]}, r"'rows\[0\]\[...\]': expected"),
        ({"verdicts": [{"holds": "yes"}]}, r"'verdicts\[0\].holds': expected `bool \| null`, got `str`"),
        ({"verdicts": [{"rho": "x"}]}, "rho': expected `float"),
        ({"table": {"columns": ["a"], "rows": [["b", "c"]]}}, "rows of 1 cells"),
        ({"figures": [{}]}, "missing required field `file`"),
        ({"title": 3}, "'title': expected `str"),
    ],
)
def test_damaged_results(experiment, fields, fault):
    change(experiment / "results.json", **fields)
    with pytest.raises(ValueError, match=fault) as error:
        read_results([experiment])
    assert str(error.value).startswith(f"{experiment / 'results.json'}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["", "[]", "[" * 100_000, '{"schema": 1'])
def test_no_json(experiment, content):
    (experiment / "results.json").write_text(content)
    with pytest.raises(ValueError, match=r"results\.json"):
        read_results([experiment])


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"labels": {}}, "do not fit"),
        ({"labels": {"0000": 99}}, "from 0 to"),
        ({"labels": {"0000": True}}, "expected `int`, got `bool`"),
        ({"clusters": [{"medoid": "0000", "size": 40}]}, "'labels' must hold clusters from 0 to 0"),
        ({"clusters": [3]}, "expected `object`, got `int`"),
        ({"clusters": []}, "from 0 to -1"),
    ],
)
def test_damaged_clusters(experiment, fields, fault):
    file = experiment / "scores" / "S8I8.json"
    change(file, **fields)
    with pytest.raises(ValueError, match=fault) as error:
        read_results([file])
    assert str(error.value).startswith(f"{file}: ")


def test_of_several_seeds_the_first_is_shown(experiment):
    document = json.loads((experiment / "results.json").read_text())
    again = [{**row, "seed": 2} for row in document["rows"]]
    (experiment / "results.json").write_text(json.dumps({**document, "rows": [*document["rows"], *again]}))
    found = read_results([experiment])
    assert len(found.experiments[0].rows) == 2 * len(document["rows"])
    assert all("seed 1" in one.name for one in found.sets)


def test_folder_without_results(tmp_path):
    with pytest.raises(ValueError, match=r"is no folder of an experiment: it has no results\.json"):
        read_results([tmp_path])


def test_nothing_to_report():
    with pytest.raises(ValueError, match="one result at least"):
        read_results([])


def test_figures_outside_the_folder_are_not_read(experiment):
    secret = experiment.parent / "secret.png"
    secret.write_bytes(b"secret")
    change(experiment / "results.json", figures=[{"file": "../secret.png", "caption": "", "alt": ""}])
    assert read_results([experiment]).experiments[0].pictures[0].uri is None


def test_little_is_enough(experiment):
    (experiment / "results.json").write_text('{"schema": 1, "kind": "experiment", "experiment": "synthetic"}')
    found = read_results([experiment])
    assert found.title == "synthetic"
    assert found.sets == ()
