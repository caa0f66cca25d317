"""What is written of each epoch: a line for people, ``log.csv``, and TensorBoard where it is installed."""

from __future__ import annotations

import csv
import math
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ds_metrics._files import atomic_write
from svr_baselines.documents import check_regular
from svr_baselines.training.validation import CHAMFER, DISPERSION, SHARE, TRUTH

TABLE = "log.csv"
COLUMNS = (
    "epoch",
    "step",
    "learning_rate",
    "loss",
    CHAMFER,
    DISPERSION,
    TRUTH,
    SHARE,
    "seconds",
    "validation_seconds",
)

Row = Mapping[str, float]


def print_line(line: str) -> None:
    """Print on stderr, as stdout carries results."""
    print(line, file=sys.stderr, flush=True)


class EpochLog:
    """Writes the values of each epoch into a folder, and goes on where a run is resumed.

    Args:
        folder: Folder of the run.
        epoch: Epochs done; later rows, of a run that was killed before its next checkpoint, are dropped.
        tensorboard: Whether to write for TensorBoard; `None` if it is installed.

    Raises:
        ValueError: If TensorBoard is wanted and can't be imported, or the table is not ours.
    """

    def __init__(self, folder: Path, epoch: int, tensorboard: bool | None = None) -> None:
        self._path = folder / TABLE
        _cut_table(self._path, epoch)
        self._writer = _create_writer(folder / "tensorboard", epoch, tensorboard)

    def add(self, row: Row) -> None:
        """Append the values of an epoch; those that it does not have are empty."""
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(_cells(row))
        if self._writer is not None:
            for name, value in row.items():
                if name != "epoch":
                    self._writer.add_scalar(name, value, int(row["epoch"]))
            self._writer.flush()

    def close(self) -> None:
        """Finish the files."""
        if self._writer is not None:
            self._writer.close()


@contextmanager
def open_log(folder: Path, epoch: int, tensorboard: bool | None = None) -> Iterator[EpochLog]:
    """An `EpochLog` that is closed after the block."""
    log = EpochLog(folder, epoch, tensorboard)
    try:
        yield log
    finally:
        log.close()


def format_row(row: Row, epochs: int) -> str:
    """One line for people.

    Example:
        >>> row = {"epoch": 3, "loss": 0.0123456, "learning_rate": 1e-3, "seconds": 4.21}
        >>> format_row(row | {"chamfer_distance": 0.01, "dispersion_score": 0.003, "dispersion_share": 0.5}, 30)
        'epoch 3/30  loss 0.012346  CD 0.010000  DS 0.003000, 50 % of the truth  rate 0.001  4.2 s'
        >>> format_row(row, 30)
        'epoch 3/30  loss 0.012346  rate 0.001  4.2 s'
    """
    parts = [f"epoch {int(row['epoch'])}/{epochs}", f"loss {row['loss']:.6f}"]
    if CHAMFER in row:
        parts.append(f"CD {row[CHAMFER]:.6f}")
    if DISPERSION in row:
        share = f", {row[SHARE]:.0%} of the truth".replace("%", " %") if SHARE in row else ""
        parts.append(f"DS {row[DISPERSION]:.6f}{share}")
    seconds = row["seconds"] + row.get("validation_seconds", 0.0)
    return "  ".join([*parts, f"rate {row['learning_rate']:g}", f"{seconds:.1f} s"])


def read_log(folder: Path) -> list[dict[str, float]]:
    """Rows of the table of a run, without the cells that are empty.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is not ours.
    """
    path = folder / TABLE
    check_regular(path)
    try:
        return _read_rows(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no table of a run: {error}") from error


def _read_rows(path: Path) -> list[dict[str, float]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"{path}: expected the columns {', '.join(COLUMNS)}.")
        return [values for row in reader if (values := _parse(row)) is not None]


def _parse(row: Mapping[str, Any]) -> dict[str, float] | None:
    """Values of a row; `None` of half a row, which a killed process may leave."""
    if None in row or None in row.values() or not row["seconds"]:
        return None
    try:
        values = {name: float(cell) for name, cell in row.items() if cell}
        return values if values["epoch"] >= 1 and all(map(math.isfinite, values.values())) else None
    except (ValueError, KeyError):
        return None


def _cut_table(path: Path, epoch: int) -> None:
    rows = [row for row in read_log(path.parent) if row["epoch"] <= epoch] if epoch and path.exists() else []
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_cells(row) for row in rows)


def _cells(row: Row) -> dict[str, str]:
    whole = {"epoch", "step"}
    return {name: str(int(value)) if name in whole else repr(float(value)) for name, value in row.items()}


def _create_writer(folder: Path, epoch: int, wanted: bool | None) -> Any:
    if wanted is False:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TensorBoard's own, of the packages that it uses
            from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        if wanted:
            raise ValueError(f"TensorBoard can't be imported ({error}): pip install tensorboard") from error
        return None
    make: Any = SummaryWriter
    return make(str(folder), purge_step=epoch + 1)
