import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from svr_baselines.training import checkpoints, load_network, read_checkpoint
from svr_baselines.training.checkpoints import (
    Checkpoint,
    has_checkpoint,
    resume_checkpoint,
    save_best,
    save_checkpoint,
    tidy_up,
)


@pytest.fixture
def make(tiny):
    """A checkpoint of an epoch; its weights are those of the epoch's seed."""

    def checkpoint(epoch):
        torch.manual_seed(epoch)
        network = tiny.Tiny(points=8, hidden=4)
        return Checkpoint(
            config=tiny.make_config(network_options={"points": 8, "hidden": 4}),
            epoch=epoch,
            step=3 * epoch,
            metrics={"chamfer_distance": 0.5 / epoch},
            data={"train": 4},
            network=network.state_dict(),
            options=network.options,
            optimizer={"moves.weight/exp_avg": torch.full((9, 4), float(epoch))},
            best={"epoch": 1, "chamfer_distance": 0.5},
            versions={"torch": "2"},
        )

    return checkpoint


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_round_trip(make, tmp_path):
    written = make(1)
    save_checkpoint(tmp_path, written)
    read = read_checkpoint(tmp_path)
    for name in ("config", "epoch", "step", "metrics", "data", "options", "best", "versions"):
        assert getattr(read, name) == getattr(written, name)
    assert same(read.network, written.network)
    assert same(read.optimizer, written.optimizer)
    assert json.loads((tmp_path / "last.json").read_text())["sha256"] == read.sha256
    assert read_checkpoint(tmp_path / "last.safetensors").sha256 == read.sha256


def test_equal_checkpoints_have_equal_bytes(make, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save_checkpoint(tmp_path / name, make(2))
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["last.json", "last.safetensors"]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)


def test_network_is_rebuilt_in_eval_mode_without_touching_the_random_state(make, tmp_path):
    save_checkpoint(tmp_path, make(3))
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    network = load_network(tmp_path)
    assert torch.equal(torch.rand(2), expected)
    assert not network.training
    assert same(network.state_dict(), make(3).network)


@pytest.mark.parametrize("position", [4, 40, 400, -1, -200])
def test_any_damage_is_found_and_the_one_before_is_taken(make, tmp_path, position):
    save_checkpoint(tmp_path, make(1))
    save_checkpoint(tmp_path, make(2))
    path = tmp_path / "last.safetensors"
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.warns(UserWarning, match=r"last.safetensors: .* Going back to the checkpoint before it, of epoch 1"):
        assert read_checkpoint(tmp_path).epoch == 1
    with pytest.raises(ValueError, match=r"last.safetensors: "):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"torn", None])
def test_torn_files_are_found(make, tmp_path, content):
    save_checkpoint(tmp_path, make(1))
    save_checkpoint(tmp_path, make(2))
    path = tmp_path / "last.safetensors"
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    told = []
    assert read_checkpoint(tmp_path, tell=told.append).epoch == 1
    assert "damaged" in told[0]


def test_both_damaged(make, tmp_path):
    save_checkpoint(tmp_path, make(1))
    save_checkpoint(tmp_path, make(2))
    for name in ("last", "previous"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"torn")
    with pytest.raises(ValueError, match=r"previous.safetensors: the checkpoint is damaged"):
        read_checkpoint(tmp_path)


def test_a_damaged_last_never_takes_the_place_of_a_whole_previous(make, tmp_path):
    save_checkpoint(tmp_path, make(1))
    save_checkpoint(tmp_path, make(2))
    (tmp_path / "last.safetensors").write_bytes(b"torn")
    (tmp_path / ".last-killed.safetensors").write_bytes(b"half")
    tidy_up(tmp_path)
    assert not list(tmp_path.glob(".last-*"))
    save_checkpoint(tmp_path, make(3))
    (tmp_path / "last.safetensors").write_bytes(b"torn")
    assert read_checkpoint(tmp_path, tell=lambda line: None).epoch == 1
    assert (tmp_path / "damaged.safetensors").read_bytes() == b"torn"


@pytest.mark.parametrize("killed_at", range(5))
def test_a_whole_checkpoint_is_left_wherever_saving_stops(make, tmp_path, monkeypatch, killed_at):
    save_checkpoint(tmp_path, make(1))
    save_checkpoint(tmp_path, make(2))
    replace, calls = Path.replace, []

    def stop(self, target):
        if len(calls) == killed_at:
            raise KeyboardInterrupt
        calls.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stop)
    stopped = False
    try:
        save_checkpoint(tmp_path, make(3))
    except KeyboardInterrupt:
        stopped = True
    monkeypatch.undo()
    assert stopped == (killed_at < 4)
    read = read_checkpoint(tmp_path, tell=lambda line: None)
    assert read.epoch in (2, 3)
    assert same(read.network, make(read.epoch).network)


def test_best_stands_by_itself(make, tmp_path):
    save_best(tmp_path, make(1))
    assert not has_checkpoint(tmp_path)
    assert resume_checkpoint(tmp_path, print) is None
    assert read_checkpoint(tmp_path, "best").epoch == 1
    with pytest.raises(FileNotFoundError, match=r"No checkpoint at .*last.safetensors"):
        read_checkpoint(tmp_path)
    with pytest.raises(ValueError, match="`which` must be 'last' or 'best', but got 'worst'"):
        read_checkpoint(tmp_path, "worst")


def test_files_of_others_are_refused(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "last.safetensors")
    with pytest.raises(ValueError, match="no checkpoint of ours"):
        read_checkpoint(tmp_path)
    torch.save({"weight": torch.zeros(2)}, tmp_path / "last.safetensors")
    with pytest.raises(ValueError, match="damaged"):
        read_checkpoint(tmp_path)


def test_weights_of_another_network_are_refused(make, tmp_path):
    from dataclasses import replace

    with pytest.raises(ValueError, match="The weights do not fit network 'tiny'"):
        replace(make(1), options={"points": 9, "hidden": 4}).build()


class Edited:
    """A checkpoint whose header or tensors are changed, with the hash that then is right."""

    def __init__(self, folder, checkpoint):
        save_checkpoint(folder, checkpoint)
        self.path = folder / "last.safetensors"
        with safe_open(self.path, "pt") as file:
            self.document = json.loads(file.metadata()["checkpoint"])
            self.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def write(self):
        self.document.pop("sha256", None)
        self.document["sha256"] = checkpoints._hash(self.document, self.tensors)
        save_file(self.tensors, self.path, {"checkpoint": json.dumps(self.document)})


FIELDS = ("schema", "epoch", "step", "metrics", "best", "data", "config", "options", "versions")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [None, [1, 2], "text", 1.5, {"a": [{}]}, -1], ids=str)
def test_headers_that_were_edited_are_one_line_even_with_the_right_hash(make, tmp_path, field, value):
    edited = Edited(tmp_path, make(1))
    if value is None:
        del edited.document[field]
    else:
        edited.document[field] = value
    edited.write()
    if value == {"a": [{}]} and field in ("data", "options", "best"):
        value = [value]
        edited.document[field] = value
        edited.write()
    with pytest.raises(ValueError, match=r"last.safetensors") as error:
        read_checkpoint(edited.path)
    assert "\n" not in str(error.value)
    assert field in str(error.value) or (field == "config" and "configuration" in str(error.value))


def test_headers_that_are_no_object_or_nested_too_deep_are_one_line(make, tmp_path):
    edited = Edited(tmp_path, make(1))
    for text in ("[]", "3", "{", "[" * 100_000, '{"sha256": 3}', "{}"):
        save_file(edited.tensors, edited.path, {"checkpoint": text})
        with pytest.raises(ValueError, match=r"last.safetensors: (no checkpoint of ours|the checkpoint is damaged)"):
            read_checkpoint(edited.path)


def test_an_edited_network_is_told_as_what_it_is(make, tmp_path):
    for change, message in (
        ({"points": []}, r"network 'tiny' can't be made with its options"),
        ({"points": 9}, r"do not fit network 'tiny': 'offsets.bias' must have shape \(27,\), but has"),
        ({"depth": 3}, r"network 'tiny' can't be made with its options: .* has no option 'depth'"),
    ):
        edited = Edited(tmp_path, make(1))
        edited.document["options"] |= change
        edited.write()
        with pytest.raises(ValueError, match=rf"^\S+last.safetensors: .*{message}"):
            load_network(edited.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("network/moves.bias"), "'moves.bias' is missing"),
        (lambda tensors: tensors.update({"network/more": torch.zeros(1)}), "it has no 'more'"),
        (lambda tensors: tensors["network/moves.bias"].fill_(torch.nan), "'moves.bias' must be finite"),
        (
            lambda tensors: tensors.update({"network/moves.bias": torch.zeros(9, dtype=torch.int64)}),
            "'moves.bias' must be torch.float32, but is torch.int64",
        ),
    ],
)
def test_edited_weights_are_named(make, tmp_path, change, message):
    edited = Edited(tmp_path, make(1))
    change(edited.tensors)
    edited.write()
    with pytest.raises(ValueError, match=f"last.safetensors: The weights do not fit network 'tiny': {message}"):
        load_network(edited.path)


def test_pipes_and_devices_are_refused(tmp_path):
    os.mkfifo(tmp_path / "last.safetensors")
    for path in (tmp_path, tmp_path / "last.safetensors"):
        with pytest.raises(ValueError, match=r"last.safetensors must be a regular file, but is a pipe"):
            read_checkpoint(path)
    with pytest.raises(ValueError, match="/dev/zero must be a regular file"):
        read_checkpoint("/dev/zero")
