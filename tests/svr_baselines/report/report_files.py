"""Result files as `ds eval` writes them, and pages read back."""

import base64
import json
import os
import re
from pathlib import Path

import numpy as np

from svr_baselines.data import pair_shapes, read_shapes
from svr_baselines.dispersion import Scoring
from svr_baselines.evaluation import evaluate

CLASSES = 5
SIDE = 16  # pixels of an input image


def write_result(file, predictions, targets=None, start=None, clusters="knee"):
    """Score as `ds eval` does, with sources relative to the folder ``start``; the Dispersion Score."""
    before = Path.cwd()
    os.chdir(start or before)
    try:
        shapes, truth = (None if p is None else read_shapes(_relative(p, start)) for p in (predictions, targets))
        if truth is not None:
            shapes, truth = pair_shapes(shapes, truth)
        evaluation = evaluate(shapes, truth, scoring=Scoring(n_clusters=clusters))
    finally:
        os.chdir(before)
    file.write_text(json.dumps(evaluation.to_json(shapes.names)))
    return evaluation.scores["dispersion-score"]


def _relative(path, start):
    return path if start is None else Path(path).relative_to(start)


def details_of(page):
    """The sets of a page, as its scripts read them."""
    found = re.findall(r'<script type="application/json" id="set-\d+">(.*?)</script>', page, re.DOTALL)
    return [json.loads(text) for text in found]


def decode(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype=np.dtype(dtype).newbyteorder("<"))
