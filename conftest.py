"""Where tests find the plain definitions they compare with."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "tests" / "ds_metrics"))
