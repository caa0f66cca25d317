import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from ds_metrics.functional import dispersion_score
from svr_baselines.networks.templates import icosphere
from svr_baselines.training.fabric import create_fabric
from svr_baselines.training.validation import Validation, choose_points, choose_samples


def chamfer(first, second):
    """By trees, in double precision."""
    there, _ = cKDTree(second).query(first)
    back, _ = cKDTree(first).query(second)
    return (there**2).mean() + (back**2).mean()


@pytest.fixture
def fabric(tiny):
    """One process on the CPU."""
    return create_fabric(tiny.make_config())


def measure(dataset, config, fabric, network, coordinates="object"):
    return Validation(dataset, config, coordinates, fabric, workers=0).run(network)


@pytest.fixture
def network(tiny):
    torch.manual_seed(0)
    return tiny.Tiny(points=30).train()


def test_values_are_those_of_the_definitions(tiny, fabric, network):
    dataset = tiny.Shapes(9)
    config = tiny.make_config(batch_size=4, validation_samples=5, clusters=2, validation_points=20)
    values = measure(dataset, config, fabric, network)
    assert network.training  # put back
    network.eval()
    with torch.no_grad():
        predicted = network(torch.stack([item.image for item in dataset]))
    truth = torch.stack([item.points for item in dataset])
    expected = np.mean([chamfer(p, t) for p, t in zip(predicted.numpy(), truth.numpy(), strict=True)])
    assert values["chamfer_distance"] == pytest.approx(expected, rel=1e-5)
    chosen = sorted(choose_samples(9, config))
    scores = [
        float(dispersion_score(clouds[chosen][:, choose_points(clouds.shape[1], 20)], 2))
        for clouds in (predicted, truth)
    ]
    assert values["dispersion_score"] == pytest.approx(scores[0], rel=1e-5)
    assert values["dispersion_truth"] == pytest.approx(scores[1], rel=1e-5)
    assert values["dispersion_share"] == pytest.approx(scores[0] / scores[1], rel=1e-5)


def test_values_do_not_depend_on_the_batch_size(tiny, fabric, network):
    all_values = [measure(tiny.Shapes(9), tiny.make_config(batch_size=size), fabric, network) for size in (1, 4, 20)]
    assert all_values[0] == pytest.approx(all_values[1], rel=1e-5)
    assert all_values[0] == pytest.approx(all_values[2], rel=1e-5)


def test_viewer_centred_clouds_are_turned_back_for_the_score(tiny, fabric, network):
    config = tiny.make_config(validation_points=40)
    seen = measure(tiny.Shapes(9, coordinates="viewer"), config, fabric, network, "viewer")
    straight = measure(tiny.Shapes(9), config, fabric, network)
    assert seen["dispersion_truth"] == pytest.approx(straight["dispersion_truth"], rel=1e-4)
    assert seen["chamfer_distance"] != pytest.approx(straight["chamfer_distance"], rel=1e-2)


def test_weights_in_double_give_the_values_of_those_in_float32(tiny, fabric, network):
    expected = measure(tiny.Shapes(9), tiny.make_config(), fabric, network)
    config = tiny.make_config(precision="64-true")
    values = measure(tiny.Shapes(9), config, create_fabric(config), network.double())
    assert values == pytest.approx(expected, rel=1e-5)
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize(("count", "wanted"), [(2562, 1000), (2562, 900), (2562, 2500)])
def test_points_are_drawn_evenly_from_a_template_in_any_order(count, wanted):
    """As many vertices of a sphere in each octant as draws without repetition give; its first twelve are coarse."""
    vertices = icosphere(4).vertices
    drawn = choose_points(count, wanted)
    assert len(vertices) == count
    assert len(set(drawn)) == wanted
    octants = (vertices > 0).long() @ torch.tensor([1, 2, 4])
    whole, part = (torch.bincount(chosen, minlength=8) for chosen in (octants, octants[drawn]))
    expected = whole * wanted / count
    deviation = (expected * (1 - whole / count) * (count - wanted) / (count - 1)).sqrt()
    assert ((part - expected).abs() <= 3 * deviation).all()
    nearest, _ = cKDTree(vertices[drawn]).query(vertices)
    assert nearest.max() < 4 * np.sqrt(4 * np.pi / wanted)  # no hole of four times the mean distance
    assert choose_points(count, wanted, seed=1) != drawn


def test_scores_are_left_out_on_demand(tiny, fabric, network):
    values = measure(tiny.Shapes(9), tiny.make_config(validation_samples=0), fabric, network)
    assert list(values) == ["chamfer_distance"]


def test_the_sample_is_fixed(tiny):
    config = tiny.make_config(validation_samples=20, clusters=2)
    chosen = choose_samples(100, config)
    assert chosen == choose_samples(100, tiny.make_config(validation_samples=20, clusters=2, seed=5))
    assert len(chosen) == 20
    assert chosen <= set(range(100))
    assert choose_samples(5, config) == set(range(5))
    assert choose_points(7, 7) == list(range(7))
    assert len(set(choose_points(50, 9))) == 9
    with pytest.raises(ValueError, match="`clusters` must be below the number of validation samples, 2, but got 2"):
        choose_samples(2, config)


def test_bad_predictions_name_their_samples(tiny, fabric, network):
    with torch.no_grad():
        network.offsets.bias.fill_(torch.nan)
    with pytest.raises(ValueError, match=r"Validation failed at shape-000, shape-001.*finite"):
        measure(tiny.Shapes(9), tiny.make_config(batch_size=2), fabric, network)
