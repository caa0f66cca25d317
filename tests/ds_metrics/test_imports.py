"""What importing loads: torchmetrics is the floor, see `import torchmetrics` for the modules that it brings."""

import subprocess
import sys

HEAVY = ("matplotlib", "trimesh", "torchvision", "kaolin", "triton", "kneed", "scipy", "rich", "typer")
HEAVY += ("distributed", "psutil", "sklearn", "sklearn_extra", "PIL", "safetensors")


def loaded_by(statement):
    code = f"import sys; {statement}; print(*(m for m in {HEAVY} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_metrics_load_nothing_heavy():
    assert loaded_by("import ds_metrics") <= loaded_by("import torchmetrics")


def test_help_loads_no_torch():
    code = "import sys; from ds_cli.app import app; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
