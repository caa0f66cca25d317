"""A stand-in for NVIDIA Kaolin as of August 2026, built for the CPU: what our code calls of it, no more.

It greets and warns when it is imported, as Kaolin does. Its folder is for PYTHONPATH.
"""

import warnings

print("Kaolin greets")
warnings.warn("torch.jit.script is deprecated", DeprecationWarning, stacklevel=2)
warnings.warn("this will change", FutureWarning, stacklevel=2)

from . import metrics, ops, render, rep, visualize  # noqa: E402, F401

__version__ = "0.18.0"
