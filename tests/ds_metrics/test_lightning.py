"""Metrics of modules that Lightning converts to half precision: values are those of a training in float32."""

import pytest
import torch
from torch.utils.data import DataLoader
from torchmetrics import MetricCollection

from ds_metrics import (
    ChamferDistance,
    DispersionScore,
    EarthMoversDistance,
    FScore,
    HausdorffDistance,
    MinimumMatchingDistance,
)

lightning = pytest.importorskip("lightning", reason="Lightning is not installed")
PAIRS = 600


def clouds(seed):
    return torch.rand(PAIRS, 16, 3, dtype=torch.float32, generator=torch.Generator().manual_seed(seed)) * 3


class Validation(lightning.LightningModule):
    """Compares clouds that no precision plugin touches, batch by batch."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.seen = None
        self.metrics = MetricCollection(
            {
                "cd": ChamferDistance(),
                "f": FScore(radius=0.5),
                "hausdorff": HausdorffDistance(),
                "emd": EarthMoversDistance(),
                "ds": DispersionScore(n_clusters=5),
                "truth": DispersionScore(n_clusters=5, of="target"),
                "mmd": MinimumMatchingDistance(),
            }
        )
        self.preds, self.target = clouds(0), clouds(1)

    def validation_step(self, batch, index):
        self.seen = self.layer.weight.dtype, torch.get_default_dtype()
        self.metrics.update(self.preds[batch], self.target[batch])
        self.log_dict(self.metrics, batch_size=1)


def validate(precision, tmp_path):
    trainer = lightning.Trainer(
        precision=precision, accelerator="cpu", logger=False, enable_progress_bar=False, default_root_dir=tmp_path
    )
    module = Validation()
    (values,) = trainer.validate(module, DataLoader(range(PAIRS), batch_size=1), verbose=False)
    return module.seen, values


@pytest.mark.filterwarnings("ignore")  # Lightning's own, of workers and devices
def test_half_precision_changes_no_value(tmp_path):
    _, expected = validate("32-true", tmp_path)
    assert len(expected) == 7
    for precision, dtype in (("bf16-true", torch.bfloat16), ("16-true", torch.float16)):
        seen, values = validate(precision, tmp_path)
        assert seen == (dtype, dtype)
        assert values == pytest.approx(expected, rel=1e-6)
