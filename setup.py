"""Build of the native core; everything else about the package is in pyproject.toml."""

import os
import sys
from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension
from setuptools import find_packages, setup

SOURCES = Path("ds_metrics/_native")

# DS_SANITIZE=1 builds the core as `make sanitized` tests it. Python's own -fwrapv would hide overflows.
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"] if os.environ.get("DS_SANITIZE") else []
DEBUG = ["-O1", "-g1", "-fno-wrapv", "-fno-omit-frame-pointer", "-D_GLIBCXX_ASSERTIONS"] if SANITIZE else []

core = Pybind11Extension(
    "ds_metrics._native._core",
    sources=sorted(str(path) for path in SOURCES.glob("*.cpp")),
    depends=sorted(str(path) for path in SOURCES.glob("*.hpp")),
    cxx_std=17,
    # Without contraction of a*b+c the same operations give the same bits on every instruction set.
    extra_compile_args=[
        *("-O3", "-ffp-contract=off", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-psabi"),
        *(SANITIZE + DEBUG),
    ],
    extra_link_args=[*(["-pthread"] if sys.platform == "linux" else []), *SANITIZE],
)

ParallelCompile().install()
setup(
    packages=[*find_packages(include=["ds_metrics*", "svr_baselines*"]), "ds_cli"],
    ext_modules=[core],
)
