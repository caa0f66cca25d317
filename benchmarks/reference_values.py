"""Values of the measures beside those of public references, on the same inputs.

A reference is a library, which computes its value here, or code or documentation elsewhere, whose value is cited:
what it says, or what it gave for the inputs below. Those are made of integers, so that they are the same everywhere.
The references are in `reference_pairs` and `reference_sets`; `python benchmarks/measures.py --references` prints all
as the table of docs/checked-values.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

KAOLIN = "[Kaolin](https://github.com/NVIDIAGameWorks/kaolin/tree/d52da9f/{})"
PYTORCH3D = "[PyTorch3D](https://github.com/facebookresearch/pytorch3d/tree/9381c40/{})"
POINTFLOW = "[PointFlow](https://github.com/stevenygd/PointFlow/blob/26e8c26/metrics/evaluation_metrics.py)'s `{}`"
OCCUPANCY = "[Occupancy Networks](https://github.com/autonomousvision/occupancy_networks/tree/406f794/im2mesh)' `{}`"
COPYING = "[data-copying](https://github.com/casey-meehan/data-copying/blob/a0ba2db/data_copying_tests.py)'s `Zu`"
DENSITY = (
    "[its authors'](https://github.com/wutong16/Density_aware_Chamfer_Distance/blob/3025c42/utils_v2/model_utils.py)"
    " `calc_dcd`"
)
NEIGHBOURS = "scikit-learn's neighbours"


@dataclass(frozen=True)
class Reference:
    """One comparison.

    Attributes:
        measure: Name that `ds metrics` has for it.
        case: What is computed.
        ours: Computes this package's value or values.
        theirs: Computes theirs, or is what they say or gave.
        source: Whose.
        packages: What computing theirs needs.
        within: Relative difference that is none: that of float32, or of the digits that are cited.
    """

    measure: str
    case: str
    ours: Any
    theirs: Any
    source: str
    packages: tuple[str, ...] = ()
    within: float = 2e-6

    @property
    def missing(self) -> list[str]:
        """Packages that are not installed."""
        return [name for name in self.packages if find_spec(name) is None]

    def values(self) -> tuple[np.ndarray, np.ndarray]:
        """Ours and theirs, one-dimensional."""
        theirs = self.theirs() if callable(self.theirs) else self.theirs
        return _flat(self.ours()), _flat(theirs)

    def row(self) -> list[str]:
        """Of the table."""
        ours, theirs = self.values()
        texts = [", ".join(f"{value:.6g}" for value in values) for values in (ours, theirs)]
        return [f"`{self.measure}`", self.case, *texts, f"{np.abs(ours - theirs).max():.1g}", self.source]


def _flat(values: Any) -> np.ndarray:
    parts = values if isinstance(values, (list, tuple)) else [values]
    return np.hstack([np.asarray(part, dtype=np.float64) for part in parts]).reshape(-1)


def references() -> list[Reference]:
    """All comparisons."""
    import reference_pairs
    import reference_sets

    return [*reference_pairs.references(), *reference_sets.references()]


def table() -> Iterator[str]:
    """All that can be compared here, in Markdown."""
    yield "| measure | case | ours | theirs | difference | theirs is |"
    yield "|---|---|---|---|---|---|"
    for reference in references():
        if not reference.missing:
            yield "| " + " | ".join(reference.row()) + " |"


def numbers(count: int, start: int) -> np.ndarray:
    """Numbers from -1/2 to 1/2 without an order, exact in float32: fifth powers modulo a prime."""
    return (np.arange(start, start + count, dtype=np.int64) ** 5 % 1009) / 1024 - 0.5


def clouds(n: int, start: int, points: int = 10) -> torch.Tensor:
    """Boxes of various proportions full of points, in the ball of radius 1/2."""
    shapes = numbers(n * points * 3, start).reshape(n, points, 3) / 2
    index = np.arange(n)
    sides = np.stack([np.ones(n), (1 + index % 4) / 4, (1 + index % 2) / 2], axis=1)
    return torch.from_numpy(shapes * sides[:, None]).float()


def features(n: int, start: int) -> np.ndarray:
    """Vectors of four numbers."""
    return numbers(4 * n, start).reshape(n, 4)


def nearest(x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """Distance of each point to the nearest of another cloud, in double precision by scikit-learn."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=1).fit(y.double().numpy()).kneighbors(x.double().numpy())[0][:, 0]


GENERATED, REFERENCE = clouds(8, 1), clouds(6, 241)
P, Q, FEWER = GENERATED[:1], REFERENCE[:1], REFERENCE[1:2, :7]
FAKE, REAL, TRAIN = features(12, 1), features(9, 101), features(15, 201)
MESH = numbers(18, 700).reshape(6, 3), np.array([[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]])
