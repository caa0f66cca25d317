"""What the page says: order, numbers, escapes, size, and what is missing."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from report_files import CLASSES, SIDE, decode, details_of, write_result

from ds_metrics.functional import chamfer_distance
from svr_baselines.report import read_results, write_report
from svr_baselines.report.budget import PAGE_BYTES, plan_page
from svr_baselines.report.markup import script_json, text
from svr_baselines.report.pairs import choose_ranks
from svr_baselines.report.surfaces import Surface


def write(paths, out, **options):
    missing = write_report(read_results(paths), out, **options)
    return out.read_text(encoding="utf-8"), missing


class Texts(HTMLParser):
    """Tags and texts of a page, apart from scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.attributes, self._inside = [], [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append(dict(attrs))
        self._inside = tag

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.texts.append(data)


@pytest.fixture(scope="module")
def page(finished, tmp_path_factory):
    return write([finished], tmp_path_factory.mktemp("page") / "r.html")[0]


def test_order_and_clusters(page, finished):
    details = details_of(page)
    assert [one["name"] for one in details] == ["shapes, S8I8, psgn, seed 1", "shapes, S1I8, psgn, seed 1"]
    for one, step in zip(details, ("S8I8", "S1I8"), strict=True):
        result = json.loads((finished / "scores" / f"{step}.json").read_text())
        clouds = np.load(finished / "runs" / step / "predictions.npy")
        labels, ids = np.array(list(result["labels"].values())), one["ids"]
        truth_ids = ["<script>alert(1)</script>", *(f"chair/{i:04d}" for i in range(1, 8))]
        assert set(truth_ids) <= set(ids)
        assert one["sizes"] == sorted(one["sizes"], reverse=True) == [c["size"] for c in result["clusters"]]
        assert sum(one["sizes"]) == len(ids) == 8 * CLASSES
        assert one["starts"] == [0, *np.cumsum(one["sizes"])[:-1].tolist()]
        to_medoid = decode(one["to_medoid"], np.float32)
        names = sorted(ids, key=lambda name: "chair/0000" if name.startswith("<") else name)
        for cluster, (start, size) in enumerate(zip(one["starts"], one["sizes"], strict=True)):
            inside = to_medoid[start : start + size]
            assert inside[0] == 0
            assert (np.diff(inside) >= 0).all()
            rows = [names.index(name) for name in ids[start : start + size]]
            assert set(labels[rows]) == {cluster}
            assert rows[0] == int(result["clusters"][cluster]["medoid"])
            medoid = np.broadcast_to(clouds[rows[0]], clouds[rows].shape).copy()
            expected = chamfer_distance(torch.from_numpy(clouds[rows]), torch.from_numpy(medoid))
            assert inside == pytest.approx(expected.numpy(), rel=1e-5)


def test_matrix_and_map(page):
    one = details_of(page)[0]
    count = len(one["ids"])
    values = decode(one["matrix"]["d"], np.uint16) * one["matrix"]["step"]
    assert len(values) == count * (count - 1) // 2
    # The first row is of the first cluster's medoid.
    assert values[: one["sizes"][0] - 1] == pytest.approx(
        decode(one["to_medoid"], np.float32)[1 : one["sizes"][0]], abs=one["matrix"]["step"]
    )
    assert len(decode(one["map"]["x"], np.uint16)) == len(decode(one["map"]["y"], np.uint16)) == count
    assert one["positions"] is None


def test_worst_and_median_samples(page, finished):
    one = details_of(page)[1]
    run = finished / "runs" / "S1I8"
    arrays = [torch.from_numpy(np.load(run / name)) for name in ("predictions.npy", "targets.npy")]
    chamfer = np.sort(chamfer_distance(*arrays).numpy())[::-1]
    assert [s["rank"] for s in one["samples"]["worst"]] == [1, 2, 3, 4]
    for sample in one["samples"]["worst"] + one["samples"]["median"]:
        assert sample["chamfer"] == pytest.approx(chamfer[sample["rank"] - 1])
        assert sample["image"].startswith("data:image/png;base64,")
    middle = [s["rank"] for s in one["samples"]["median"]]
    assert abs(np.mean(middle) - (len(chamfer) + 1) / 2) <= 0.5


@pytest.mark.parametrize("count", [1, 2, 5, 8, 9, 1000])
def test_no_sample_is_shown_twice(count):
    worst, median = choose_ranks(count)
    both = worst + median
    assert len(set(both)) == len(both) <= count
    assert all(0 <= rank < count for rank in both)


def test_verdicts_tables_figures(page):
    texts = " ".join(Texts(page).texts)
    assert page.index("Verdicts</h2>") < page.index("Scores</h2>")
    for word in ("Holds", "Does not hold", "Undecided", "3.1 ± 0.1", "pictures of 64 pixels", "Table 1"):
        assert word in texts
    assert re.search(r'class="holds".*?✓.*?class="fails".*?✗', page, re.DOTALL)
    images = [attributes for attributes in Texts(page).attributes if "alt" in attributes]
    assert [image["alt"] for image in images] == ["A line that falls"]
    assert images[0]["src"] == "data:image/png;base64,iVBORw0KGgo="
    assert "The figure figures/gone.png is missing" in texts


def test_names_are_escaped_everywhere(page):
    parsed = Texts(page)
    assert "b" not in parsed.tags
    assert "Synthetic <b>shapes</b>" in parsed.texts
    assert "<script>alert" not in page
    assert "\\u003cscript>alert(1)\\u003c/script>" in page


@pytest.mark.parametrize("name", ["</script><!--", "\u2028", "\udcff", '"', "é"])
def test_json_in_scripts(name):
    written = script_json([name])
    assert "<" not in written
    assert written.isascii()
    assert json.loads(written) == [name]
    for shown in (name, "\ud800"):
        text(shown).encode()


def test_nothing_is_asked_of_the_network(page):
    assert "default-src 'none'" in page
    for attributes in Texts(page).attributes:
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))


def test_equal_results_give_equal_bytes(finished, tmp_path, page):
    again, _ = write([finished], tmp_path / "again.html")
    assert again == page


def test_what_is_gone_or_has_changed_is_said(experiment, tmp_path):
    (experiment / "runs" / "S8I8" / "predictions.npy").unlink()
    changed = experiment / "runs" / "S1I8"
    np.save(changed / "targets.npy", np.load(changed / "targets.npy") + np.float32(1))
    np.save(changed / "inputs.npy", np.zeros((3, SIDE, SIDE, 3), dtype=np.uint8))
    (changed / "manifest.csv").write_text("id\n")
    page, missing = write([experiment], tmp_path / "r.html")
    gone, other = details_of(page)
    assert gone["missing"] == [
        "The shapes of runs/S8I8/predictions.npy can't be shown: there is nothing there now.",
    ]
    assert "matrix" not in gone
    medoid = json.loads((experiment / "scores" / "S8I8.json").read_text())["clusters"][0]["medoid"]
    assert gone["ids"][0] == medoid
    assert len(gone["ids"]) == 8 * CLASSES
    ids, truth, images = sorted(other["missing"])
    assert ids.startswith("Ids and categories are missing: ")
    assert images.startswith("The input images are missing: ")
    assert truth == (
        "The ground truth of runs/S1I8/targets.npy can't be shown: what is there has changed since it was scored."
    )
    assert "samples" not in other
    assert "matrix" in other
    assert other["ids"][0].isdecimal()
    assert len(missing) == 4


def test_settings_of_a_damaged_file_are_not_followed(experiment, tmp_path):
    file = experiment / "scores" / "S8I8.json"
    document = json.loads(file.read_text())
    document["provenance"]["predictions"]["read_with"]["points"] = "many"
    file.write_text(json.dumps(document))
    page, _ = write([experiment], tmp_path / "r.html")
    assert "can't be shown" in details_of(page)[0]["missing"][0]


def test_sources_beside_the_result_file(furniture, tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    (tmp_path / "elsewhere").mkdir()
    np.save(tmp_path / "results" / "p.npy", np.stack(furniture.clouds))
    write_result(tmp_path / "results" / "r.json", tmp_path / "results" / "p.npy", start=tmp_path / "results")
    monkeypatch.chdir(tmp_path / "elsewhere")
    (one,) = details_of(write([tmp_path / "results" / "r.json"], tmp_path / "r.html")[0])
    assert one["missing"] == []
    assert one["name"] == "r"
    assert "samples" not in one
    # The working directory goes first; where what is there is another's, the file's own folder is tried.
    np.save("p.npy", np.zeros((3, 4, 3)))
    (one,) = details_of(write([tmp_path / "results" / "r.json"], tmp_path / "r.html")[0])
    assert one["missing"] == []


def test_names_that_are_equal_are_told_apart(furniture, tmp_path):
    np.save(tmp_path / "p.npy", np.stack(furniture.clouds)[::8])
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_result(tmp_path / folder / "r.json", tmp_path / "p.npy", clusters=2)
    paths = [tmp_path / "a" / "r.json", tmp_path / "b" / "r.json", tmp_path / "b" / "r.json"]
    names = [one.name for one in read_results(paths).sets]
    assert len(set(names)) == 3


def test_all_shapes_alike(tmp_path):
    np.save(tmp_path / "p.npy", np.repeat(np.random.default_rng(0).random((1, 50, 3)), 12, axis=0))
    write_result(tmp_path / "r.json", tmp_path / "p.npy", clusters=2)
    (one,) = details_of(write([tmp_path / "r.json"], tmp_path / "r.html")[0])
    assert not decode(one["matrix"]["d"], np.uint16).any()
    assert one["matrix"]["top"] > 0


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
    folder = tmp_path_factory.mktemp("thousand")
    np.save(folder / "p.npy", np.random.default_rng(0).random((1000, 5, 3)).astype(np.float32))
    write_result(folder / "r.json", folder / "p.npy", clusters=50)
    return folder / "r.json"


@pytest.mark.parametrize("sets", [1, 3])
def test_size_at_a_thousand_shapes(sets, thousand, tmp_path, monkeypatch):
    """Clouds of 2,500 points and a map of random numbers, as real ones would take a minute."""
    rng = np.random.default_rng(0)

    def surface(_, count):
        points = rng.random((min(count, 2500), 3))
        return Surface(points, points - 0.5, 0.0123)

    monkeypatch.setattr("svr_baselines.report.details.embed", lambda matrix: rng.random((1000, 2)))
    monkeypatch.setattr("svr_baselines.report.details.find_surface", surface)
    paths = [tmp_path / f"r{i}.json" for i in range(sets)]
    for path in paths:
        path.write_bytes(thousand.read_bytes())
    page, missing = write(paths, tmp_path / "r.html")
    assert len(page.encode()) <= PAGE_BYTES
    assert missing == ()
    details = details_of(page)
    assert len(details) == sets
    assert len(decode(details[0]["members"]["clouds"][0]["p"], np.uint32)) == {1: 512, 3: 256}[sets]


def test_plan_takes_the_first_sets_that_fit():
    assert plan_page([(1000, 50)]).points == 512
    assert plan_page([(200, 2)] * 16).points == 512
    plan = plan_page([(1000, 500)] * 100)
    assert plan.points == 0
    assert 0 < plan.sets < 100


def test_left_out_sets_are_named(finished, tmp_path):
    import plotly.offline

    room = len(plotly.offline.get_plotlyjs().encode()) + 900_000
    page, missing = write([finished], tmp_path / "r.html", room=room)
    assert len(details_of(page)) == 1
    assert missing[0] == "No room for the details of 1 of 2 sets: shapes, S1I8, psgn, seed 1."
    assert missing[0] in " ".join(Texts(page).texts)
    assert "named, and medoids are drawn" in missing[1]
    assert details_of(page)[0]["members"] is None


def test_larger_sets_show_some_of_their_shapes(furniture, tmp_path, monkeypatch):
    for module in ("details", "writing"):
        monkeypatch.setattr(f"svr_baselines.report.{module}.MATRIX_SHAPES", 16)
    np.save(tmp_path / "p.npy", np.stack(furniture.clouds))
    write_result(tmp_path / "r.json", tmp_path / "p.npy")
    page, missing = write([tmp_path / "r.json"], tmp_path / "r.html")
    (one,) = details_of(page)
    shown = decode(one["positions"], np.uint32)
    assert len(shown) == 16
    assert (shown[0], shown[-1]) == (0, 39)
    assert len(decode(one["matrix"]["d"], np.uint16)) == 16 * 15 // 2
    assert missing == ("Matrix and map show 16 shapes, evenly spaced by cluster, of r.",)


def test_no_half_written_page(finished, tmp_path, monkeypatch):
    out = tmp_path / "r.html"
    out.write_text("before")
    monkeypatch.setattr("svr_baselines.report.writing.render_page", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write([finished], out)
    assert out.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["r.html"]


def test_an_experiment_that_kept_no_scores(experiment, tmp_path):
    for file in (experiment / "scores").iterdir():
        file.unlink()
    page, missing = write([experiment], tmp_path / "r.html")
    assert missing == ("Synthetic <b>shapes</b>: its results scores/S8I8.json, scores/S1I8.json are gone.",)
    assert missing[0] in " ".join(Texts(page).texts)
    assert details_of(page) == []
    assert "Does not hold" in page
    assert len(page) < 100_000  # Plotly is left out


def test_a_set_that_is_larger_than_planned_is_left_out(finished, tmp_path, monkeypatch):
    from svr_baselines.report import writing

    describe = writing.describe_set

    def swell(one, *rest):
        return describe(one, *rest) | ({"filler": "A" * PAGE_BYTES} if "S1I8" in one.name else {})

    monkeypatch.setattr(writing, "describe_set", swell)
    page, missing = write([finished], tmp_path / "r.html")
    assert len(page.encode()) <= PAGE_BYTES
    assert len(details_of(page)) == 1
    assert missing == ("No room for the details of 1 of 2 sets: shapes, S1I8, psgn, seed 1.",)
