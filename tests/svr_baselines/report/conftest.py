"""A small experiment, made by hand: furniture that three networks predict, from all of it to one shape a class."""

import json
import shutil

import numpy as np
import pytest
from report_files import CLASSES, SIDE, write_result

from svr_baselines.data import make_shapes
from svr_baselines.data.manifest import Manifest, Sample, write_manifest


@pytest.fixture(scope="session")
def furniture():
    return make_shapes(8, points=300)


@pytest.fixture(scope="session")
def finished(furniture, tmp_path_factory):
    """The folder of an experiment with two scored sets; one name in it would be a script."""
    folder = tmp_path_factory.mktemp("experiment")
    truth = np.stack(furniture.clouds)
    recited = truth[np.arange(len(truth)) // 8 * 8]
    (folder / "scores").mkdir()
    (folder / "figures").mkdir()
    rows = []
    for step, predictions in (("S8I8", truth + np.float32(0.01)), ("S1I8", recited)):
        run = folder / "runs" / step
        run.mkdir(parents=True)
        np.save(run / "predictions.npy", predictions)
        np.save(run / "targets.npy", truth)
        np.save(run / "inputs.npy", np.full((len(truth), SIDE, SIDE, 3), 200, dtype=np.uint8))
        ids = ["<script>alert(1)</script>", *furniture.names[1:]]
        samples = tuple(Sample(name, category=kind) for name, kind in zip(ids, furniture.categories, strict=True))
        write_manifest(run, Manifest(samples, {"kind": "predictions", "array": "predictions.npy"}))
        scores = write_result(folder / "scores" / f"{step}.json", run / "predictions.npy", run / "targets.npy", folder)
        rows.append({"series": "shapes", "step": step, "x": 1.0, "network": "psgn", "seed": 1, "output_ds": scores})
        rows[-1]["result"] = f"scores/{step}.json"
    rows.append({**rows[0], "step": "S2I8", "output_ds": None, "result": None})
    (folder / "figures" / "figure-4.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    document = {
        "schema": 1,
        "kind": "experiment",
        "experiment": "synthetic",
        "title": "Synthetic <b>shapes</b>",
        "preset": "quick",
        "preset_changes": ["pictures of 64 pixels"],
        "claim": "More dispersed images, less dispersed predictions.",
        "rows": rows,
        "table": {"columns": ["network", "DS"], "rows": [["psgn", "3.1 ± 0.1"]], "caption": "Table 1"},
        "verdicts": [
            {"claim": "It falls", "holds": True, "sentence": "It does.", "rho": -0.97, "p": 1e-4, "n": 8},
            {"claim": "It rises", "holds": False, "sentence": "It does not.", "rho": None, "p": None, "n": 8},
            {"claim": "It stays", "holds": None, "sentence": "Too few.", "rho": None, "p": None, "n": None},
        ],
        "figures": [
            {"file": "figures/figure-4.png", "caption": "Figure 4", "alt": "A line that falls"},
            {"file": "figures/gone.png", "caption": "Figure 3", "alt": "Matrices"},
        ],
        "provenance": {"seeds": [1]},
    }
    (folder / "results.json").write_text(json.dumps(document))
    assert len(set(furniture.categories)) == CLASSES
    return folder


@pytest.fixture
def experiment(finished, tmp_path):
    """A copy of it, to be changed."""
    return shutil.copytree(finished, tmp_path / "experiment")
