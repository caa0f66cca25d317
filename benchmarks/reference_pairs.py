"""References of the measures of pairs, see `reference_values`."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from reference_values import (
    DENSITY,
    FEWER,
    KAOLIN,
    MESH,
    NEIGHBOURS,
    OCCUPANCY,
    POINTFLOW,
    PYTORCH3D,
    P,
    Q,
    Reference,
    nearest,
    numbers,
)

from ds_metrics import functional as own

LOSS = PYTORCH3D.format("pytorch3d/loss/chamfer.py")


def references() -> list[Reference]:
    """Of nearest points, transport, surfaces and volumes."""
    return [*chamfer_and_f_score(), *hausdorff(), *density_aware(), *transport(), *surfaces(), *volumes()]


def kaolin(which: str) -> torch.Tensor:
    """Clouds of Kaolin's documentation and tests."""
    clouds = {
        "p1": "8.8977 4.1709 1.2839 8.5640 7.7767 9.4214 0.5431 6.4495 11.4914 3.2126 8.0865 3.1018",
        "p2": "6.9340 6.1152 3.4435 0.1032 9.8181 11.3350 11.4006 2.2154 7.9589 4.2586 1.4133 7.2606",
        "near": "9.4863 4.2249 0.1712 8.1783 8.5310 8.5119 -0.0020699 6.4429 12.3 3.8386 8.3585 4.7662",
        "three": "8.8914 4.1788 1.2176 8.5291 7.5513 9.5412 3.7831 6.0182 4.1208 "
        "0.4010 6.4602 11.5183 3.2977 8.0325 3.1180 2.4987 5.8763 3.1987",
    }
    return torch.tensor([float(number) for number in clouds[which].split()]).reshape(2, -1, 3)


def chamfer_and_f_score() -> list[Reference]:
    name, fscore = "chamfer-distance", "f-score"
    said = KAOLIN.format("kaolin/metrics/pointcloud.py") + "'s docstring"
    tested = KAOLIN.format("tests/python/kaolin/metrics/test_pointcloud.py") + "'s tests"
    cd = partial(own.chamfer_distance, kaolin("p1"), kaolin("p2"))
    hits = partial(own.f_score, kaolin("p1"))
    more = partial(hits, kaolin("three"), 0.2, kaolin_recall=True)
    ours = partial(own.chamfer_distance, P, Q)
    return [
        Reference(name, "example", cd, (72.5838, 151.0809), said),
        Reference(name, "w1 = 1.3, w2 = 0.8", partial(cd, 1.3, 0.8), (71.4303, 150.8620), tested),
        Reference(name, "not squared", partial(cd, squared=False), (11.1704, 17.1130), tested, within=1e-5),
        Reference(name, "10 points, 10", ours, 0.013910453021526336, f"{LOSS}'s `chamfer_distance`"),
        Reference(fscore, "radius 1", partial(hits, kaolin("near"), 1), (0.0, 0.5), said),
        Reference(fscore, "radius 1.5", partial(hits, kaolin("near"), 1.5), (1.0, 0.5), said),
        Reference(fscore, "`kaolin_recall`; 2 points, 3", more, (0.4, 0.8), tested),
    ]


def hausdorff() -> list[Reference]:
    name, ours = "hausdorff-distance", partial(own.hausdorff_distance, P, Q)

    def directed(x: torch.Tensor, y: torch.Tensor) -> float:
        from scipy.spatial.distance import directed_hausdorff

        return directed_hausdorff(x[0].double(), y[0].double())[0]

    def both() -> float:
        return max(directed(P, Q), directed(Q, P))

    def percentile() -> float:
        return max(np.percentile(nearest(*pair), 90) for pair in ((P[0], Q[0]), (Q[0], P[0])))

    square, largest = 0.016259968280792236, f"{LOSS}'s `chamfer_distance`, maximum over points"
    return [
        Reference(name, "10 points, 10", ours, both, "scipy's `directed_hausdorff`, larger of both"),
        Reference(name, "`directed`", partial(ours, True), partial(directed, P, Q), "scipy's `directed_hausdorff`"),
        Reference(name, "90 %", partial(ours, False, 90), percentile, f"{NEIGHBOURS}, larger of both", ("sklearn",)),
        Reference(name, "value squared", lambda: ours() ** 2, square, largest),
    ]


def density_aware() -> list[Reference]:
    name, few = "density-aware-chamfer-distance", "10 points, 7; alpha 10, lambda 1/2"

    def ours() -> list[torch.Tensor]:
        return [own.density_aware_chamfer_distance(P, Q, alpha) for alpha in (1000.0, 10.0)]

    # Theirs adds 1e-6 to the counts.
    uneven = partial(own.density_aware_chamfer_distance, P, FEWER, 10.0, 0.5)
    return [
        Reference(name, "alpha 1000, 10", ours, (0.8451037406921387, 0.38856810331344604), DENSITY),
        Reference(name, few, uneven, 0.3337227702140808, DENSITY, within=4e-6),
    ]


def transport() -> list[Reference]:
    name, ours = "earth-movers-distance", partial(own.earth_movers_distance, P)

    def pot(x: torch.Tensor, y: torch.Tensor, metric: str = "euclidean") -> float:
        import ot

        return ot.emd2([], [], ot.dist(x[0].double().numpy(), y[0].double().numpy(), metric))

    squares, entropic = partial(ours, Q, squared=True), partial(ours, Q, method="sinkhorn")
    of_squares, assigned = "POT's `emd2`, of squares", "scipy's `linear_sum_assignment`, mean"

    def assignment() -> float:
        from scipy.optimize import linear_sum_assignment
        from scipy.spatial.distance import cdist

        distances = cdist(P[0].double(), Q[0].double())
        return distances[linear_sum_assignment(distances)].mean()

    return [
        Reference(name, "10 points, 10", partial(ours, Q), partial(pot, P, Q), "POT's `emd2`", ("ot",)),
        Reference(name, "10 points, 7", partial(ours, FEWER), partial(pot, P, FEWER), "POT's `emd2`", ("ot",)),
        Reference(name, "squared", squares, partial(pot, P, Q, "sqeuclidean"), of_squares, ("ot",)),
        Reference(name, "Sinkhorn to 0.01", entropic, partial(pot, P, Q), "POT's `emd2`", ("ot",), within=0.01),
        Reference(name, "`pot`", partial(ours, Q, method="pot"), assignment, assigned, ("ot",)),
        Reference(name, "10 points, 10", partial(ours, Q), 0.11321717748821616, POINTFLOW.format("emd_approx")),
    ]


def surfaces() -> list[Reference]:
    normals, surface = "normal-consistency", "point-to-surface-distance"
    vectors = [torch.from_numpy(numbers(30, start).reshape(1, 10, 3)) for start in (500, 600)]
    consistency = partial(own.normal_consistency, P.double(), Q.double(), *vectors)
    distance = partial(own.point_to_surface_distance, squared=True)
    points, triangle = (
        torch.tensor([[[0.5, 0.5, 0.5]], [[3.0, 4, 5]]]),
        ([[0.0, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 1, 2]]),
    )
    theirs = KAOLIN.format("kaolin/metrics/trianglemesh.py")
    naive = PYTORCH3D.format("tests/test_point_mesh_distance.py") + "'s `_point_to_tri_distance`, mean"
    mean = partial(distance, P.double(), [MESH])
    return [
        Reference(normals, "10 points, 10", consistency, 0.4736412606065075, OCCUPANCY.format("eval_pointcloud")),
        Reference(
            normals, "2 (1 - value)", lambda: 2 * (1 - consistency()), 1.0527174787869868, f"{LOSS}'s `loss_normals`"
        ),
        Reference(
            surface,
            "squared, example",
            partial(distance, points, [triangle] * 2),
            (0.25, 41.0),
            f"{theirs}'s docstring",
        ),
        Reference(
            surface, "squared, 10 points", mean, 0.010615996621250736, f"{theirs}'s `point_to_mesh_distance`, mean"
        ),
        Reference(surface, "squared, 10 points", mean, 0.010615996621250736, naive),
    ]


def volumes() -> list[Reference]:
    pred = torch.tensor([[[[0.0, 0], [1, 1]], [[1, 1], [1, 1]]]])
    places = [torch.from_numpy(numbers(60, start).reshape(2, 30) + 0.5) for start in (1, 301)]
    iou = partial(own.occupancy_iou, *places)

    def jaccard() -> list[torch.Tensor]:
        from torchmetrics.functional.classification import binary_jaccard_index

        return [binary_jaccard_index(pred, truth >= 0.5) for pred, truth in zip(*places, strict=True)]

    said = KAOLIN.format("kaolin/metrics/voxelgrid.py") + "'s docstring"
    return [
        Reference("voxel-iou", "example", partial(own.voxel_iou, pred, torch.ones(1, 2, 2, 2)), 0.75, said),
        Reference("occupancy-iou", "30 places", iou, (0.34782609, 0.31578947), OCCUPANCY.format("compute_iou")),
        Reference("occupancy-iou", "30 places", iou, jaccard, "torchmetrics' `binary_jaccard_index`"),
    ]
