import os

import pytest

from svr_baselines.training.logs import COLUMNS, TABLE, EpochLog, format_row, open_log, print_line, read_log

FULL = dict.fromkeys(COLUMNS, 0.5) | {"epoch": 1, "step": 3}


def test_rows_come_back_to_the_bit(tmp_path):
    rows = [FULL | {"epoch": epoch, "step": 3 * epoch, "loss": 1 / (epoch + 2)} for epoch in (1, 2)]
    rows[1] = {name: rows[1][name] for name in ("epoch", "step", "learning_rate", "loss", "seconds")}
    with open_log(tmp_path, 0, tensorboard=False) as log:
        for row in rows:
            log.add(row)
    assert read_log(tmp_path) == rows
    lines = (tmp_path / TABLE).read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[2] == f"2,6,0.5,{1 / 4!r},,,,,0.5,"


def test_rows_after_the_checkpoint_are_dropped(tmp_path):
    with open_log(tmp_path, 0, tensorboard=False) as log:
        for epoch in range(1, 5):
            log.add(FULL | {"epoch": epoch})
    with (tmp_path / TABLE).open("a") as file:
        file.write("5,15,0.00")  # a killed process
    with open_log(tmp_path, 2, tensorboard=False) as log:
        log.add(FULL | {"epoch": 3, "loss": 9.0})
    assert [(row["epoch"], row["loss"]) for row in read_log(tmp_path)] == [(1, 0.5), (2, 0.5), (3, 9.0)]
    EpochLog(tmp_path, 0, tensorboard=False).close()
    assert read_log(tmp_path) == []


def test_tables_of_others_are_refused(tmp_path):
    (tmp_path / TABLE).write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"log.csv: expected the columns epoch, step"):
        EpochLog(tmp_path, 3, tensorboard=False)


def test_tensorboard_gets_the_values(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with open_log(tmp_path, 0, tensorboard=True) as log:
        for epoch in (1, 2, 3):
            log.add(FULL | {"epoch": epoch, "loss": float(epoch)})
    with open_log(tmp_path, 1, tensorboard=True) as log:  # resumed after epoch 1: the later ones are replaced
        log.add(FULL | {"epoch": 2, "loss": 20.0})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 1.0), (2, 20.0)]


def test_without_tensorboard(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    EpochLog(tmp_path, 0).close()
    assert not (tmp_path / "tensorboard").exists()
    with pytest.raises(ValueError, match=r"TensorBoard can't be imported .*: pip install tensorboard"):
        EpochLog(tmp_path, 0, tensorboard=True)


def test_lines_go_to_stderr(capsys):
    print_line(format_row(FULL, 4))
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "epoch 1/4  loss 0.500000  CD 0.500000  DS 0.500000, 50 % of the truth  rate 0.5  1.0 s\n"


@pytest.mark.parametrize("cell", ["", "nan", "inf", "one", "-3", "1e400"])
def test_rows_that_were_edited_are_dropped(tmp_path, cell):
    write(tmp_path / "log.csv", f"{cell},3,0.5,0.5,,,,,0.5,")
    assert read_log(tmp_path) == []


def write(path, row):
    path.write_text(",".join(COLUMNS) + f"\n{row}\n")


def test_what_is_no_table_is_named(tmp_path):
    for text in (b"\xff\xfe", b'"' + b"a" * 200_000, b"a,b"):
        (tmp_path / "log.csv").write_bytes(text)
        with pytest.raises(ValueError, match=r"log.csv"):
            read_log(tmp_path)
    (tmp_path / "log.csv").unlink()
    os.mkfifo(tmp_path / "log.csv")
    with pytest.raises(ValueError, match=r"log.csv must be a regular file, but is a pipe"):
        read_log(tmp_path)
