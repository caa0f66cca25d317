import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svr_baselines.training import TrainingConfig, load_config, preset, presets, read_config, write_config

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN = TEXTS | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False)
OPTIONS = st.dictionaries(
    TEXTS, PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(TEXTS, PLAIN, max_size=2), max_size=3
)
CONFIGS = st.builds(
    TrainingConfig,
    network=TEXTS.filter(bool),
    network_options=OPTIONS,
    epochs=st.integers(10, 1000),
    learning_rate=st.floats(1e-9, 10),
    decays=st.lists(st.integers(1, 9), unique=True).map(lambda numbers: tuple(sorted(numbers))),
    clip=st.none() | st.floats(1e-3, 10),
    seed=st.integers(-5, 10**9),
    precision=st.sampled_from(["32-true", "bf16-mixed", "64-true"]),
    devices=st.just("auto") | st.integers(1, 8),
    data_workers=st.none() | st.integers(0, 8),
    validation_samples=st.just(0) | st.integers(51, 1000),
)


def test_quick_batches_follow_the_set():
    assert [preset("quick", "psgn", samples=count).batch_size for count in (20, 255, 256, 5000)] == [8, 8, 32, 32]
    assert preset("quick", "psgn", samples=5000, batch_size=5).batch_size == 5
    assert preset("paper", "psgn", samples=20).batch_size == 64


@pytest.mark.parametrize("suffix", [".json", ".toml"])
@given(config=CONFIGS)
def test_round_trip(config, suffix, tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / f"run{suffix}"
    write_config(path, config)
    assert read_config(path) == config


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"network": ""}, "`network` must be a name"),
        ({"epochs": 0}, "`epochs` must be an integer of at least 1, but got 0"),
        ({"batch_size": 2.0}, "`batch_size` must be an integer"),
        ({"passes": 0}, "`passes`"),
        ({"learning_rate": 0}, "`learning_rate` must be a positive number, but got 0"),
        ({"learning_rate": float("nan")}, "`learning_rate`"),
        ({"decay_factor": "0.1"}, "`decay_factor`"),
        ({"decays": (5, 3)}, r"`decays` must be increasing numbers of epochs below `epochs` \(120\), but got \(5, 3\)"),
        ({"decays": (5, 5)}, "`decays`"),
        ({"decays": (0,)}, "`decays`"),
        ({"decays": (120,)}, "`decays`"),
        ({"decays": 5}, "`decays`"),
        ({"epochs": 100}, r"`decays` must be .* \(100\)"),
        ({"clip": -1.0}, "`clip` must be a positive number or None"),
        ({"seed": True}, "`seed` must be an integer"),
        ({"precision": "16"}, "`precision` must be one of"),
        ({"epochs": 10**12}, "`epochs` must be at most 1,000,000, but got 1000000000000"),
        ({"passes": 10**12}, "`passes` must be at most 1,000,000"),
        ({"batch_size": 10**12}, "`batch_size` must be at most 1,000,000"),
        ({"learning_rate": 10**400}, "`learning_rate` must be a positive number"),
        ({"clip": float("inf")}, "`clip` must be a positive number or None, but got inf"),
        ({"devices": 0}, "`devices` must be 'auto' or an integer of at least 1, but got 0"),
        ({"devices": "two"}, "`devices`"),
        ({"nodes": 0}, "`nodes`"),
        ({"data_workers": -1}, "`data_workers`"),
        ({"validation_samples": -1}, "`validation_samples`"),
        ({"validation_samples": 50}, "`clusters` must be below the 50 of `validation_samples`, but got 50"),
        ({"network_options": {"a": {1, 2}}}, "`network_options` must be ready for JSON"),
        ({"network_options": 3}, "`network_options` must be options by name"),
    ],
)
def test_refuses(changes, text):
    with pytest.raises(ValueError, match=text):
        TrainingConfig(**{"network": "psgn", **changes})


def test_paper_preset_is_the_protocol():
    config = preset("paper", "psgn")
    assert (config.epochs, config.batch_size, config.learning_rate) == (120, 64, 1e-3)
    assert config.precision == "32-true"
    rates = [config.rate(epoch) for epoch in range(120)]
    expected = [1e-3] * 90 + [1e-4] * 20 + [1e-5] * 5 + [1e-6] * 5
    assert rates == pytest.approx(expected, rel=1e-12)


def test_quick_preset_goes_through_small_sets_more_often():
    few, many = (preset("quick", "psgn", samples=samples) for samples in (20, 10_000))
    assert few.passes * 3 * few.epochs == 630
    assert many.passes == 1
    assert preset("quick", "psgn", samples=20, passes=2).passes == 2


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("flags : fpu avx512_bf16 avx2", "bf16-mixed"),
        ("Features : fp asimd bf16", "bf16-mixed"),
        ("flags : fpu avx512f", "32-true"),
        (None, "32-true"),
    ],
)
def test_quick_preset_takes_the_precision_that_the_hardware_has(monkeypatch, tmp_path, flags, precision):
    (file := tmp_path / "cpuinfo").write_text(flags or "")
    monkeypatch.setattr(presets, "_CPU_INFO", file if flags else tmp_path / "none")
    assert preset("quick", "psgn", accelerator="cpu").precision == precision
    assert preset("quick", "psgn", precision="64-true").precision == "64-true"
    assert preset("paper", "psgn").precision == "32-true"
    for capability, expected in (((8, 0), "bf16-mixed"), ((7, 5), "32-true")):
        monkeypatch.setattr("torch.cuda.is_available", lambda: True)
        monkeypatch.setattr("torch.cuda.get_device_capability", lambda capability=capability: capability)
        assert preset("quick", "psgn").precision == expected
        assert preset("quick", "psgn", accelerator="cpu").precision == precision


def test_presets_scale_decays_with_epochs():
    assert preset("paper", "psgn", epochs=1200).decays == (900, 1100, 1150)
    assert preset("paper", "psgn", epochs=1).decays == ()
    assert preset("paper", "psgn", epochs=10, decays=[3]).decays == (3,)
    with pytest.raises(ValueError, match="`preset` must be one of"):
        preset("slow", "psgn")
    with pytest.raises(ValueError, match="no value 'epoch'; did you mean 'epochs'"):
        preset("paper", "psgn", epoch=3)


def test_files_may_name_a_preset(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('preset = "quick"\nnetwork = "psgn"\nseed = 2\n[network_options]\npoints = 9\n')
    config = load_config(path, seed=5)
    assert config == preset("quick", "psgn", network_options={"points": 9}, seed=5)


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("a.json", '{"network": "psgn", "epoch": 3}', "a.json: A configuration has no value 'epoch'; did you mean"),
        ("a.json", '{"epochs": 3}', "a.json: A configuration needs the value 'network'"),
        ("a.json", "[1]", "a.json: expected names and values, but got a list"),
        ("a.json", "{", "a.json: "),
        ("a.json", "[" * 100_000, "a.json: "),
        ("a.toml", "network = ", "a.toml: "),
        ("a.toml", 'network = "psgn"\nseed = 1979-05-27', "a.toml: Argument `seed`"),
        ("a.yaml", "network: psgn", "ends in .json or .toml, but got '.yaml'"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, text, error):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=error):
        read_config(path)
    with pytest.raises(ValueError, match=error):
        load_config(path)


def test_refuses_to_write_what_toml_lacks(tmp_path):
    config = TrainingConfig("psgn", {"scale": None})
    with pytest.raises(ValueError, match="'scale', which is None"):
        write_config(tmp_path / "a.toml", config)
    assert not list(tmp_path.iterdir())
    write_config(tmp_path / "a.json", config)
    assert json.loads((tmp_path / "a.json").read_text())["network_options"] == {"scale": None}
    with pytest.raises(ValueError, match=r"\.yaml"):
        write_config(tmp_path / "a.yaml", config)


def test_pipes_and_devices_are_no_configurations(tmp_path):
    os.mkfifo(tmp_path / "run.toml")
    with pytest.raises(ValueError, match=r"run.toml must be a regular file, but is a pipe"):
        read_config(tmp_path / "run.toml")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.json", "[" * 100_000),
        ("run.json", '{"network": "psgn", "network_options": ' + '{"a":' * 100_000),
        ("run.json", '["psgn"]'),
        ("run.json", '{"network": ["psgn"]}'),
        ("run.json", '{"network": "psgn", "decays": {"a": 1}}'),
        ("run.json", '{"network": "psgn", "network_options": [1]}'),
        ("run.toml", "network = 1979-05-27"),
        ("run.toml", 'network = "psgn"\nnetwork_options = {a = 1979-05-27}'),
        ("run.toml", "a" + ".a" * 5000 + " = 1"),
        ("run.toml", "network = " + "[" * 50_000),
    ],
    ids=str,
)
def test_edited_files_are_one_line_that_names_the_file(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    for read in (read_config, load_config):
        with pytest.raises(ValueError, match=f"{name}: ") as error:
            read(tmp_path / name)
        assert "\n" not in str(error.value)
