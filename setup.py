"""Build of the native core; everything else about the package is in pyproject.toml."""

import sys
from pathlib import Path

from pybind11.setup_helpers import Pybind11Extension
from setuptools import find_packages, setup

SOURCES = Path("ds_metrics/_native")

core = Pybind11Extension(
    "ds_metrics._native._core",
    sources=sorted(str(path) for path in SOURCES.glob("*.cpp")),
    depends=sorted(str(path) for path in SOURCES.glob("*.hpp")),
    cxx_std=17,
    # Without contraction of a*b+c the same operations give the same bits on every instruction set.
    extra_compile_args=["-O3", "-ffp-contract=off", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-psabi"],
    extra_link_args=["-pthread"] if sys.platform == "linux" else [],
)

setup(
    packages=[*find_packages(include=["ds_metrics*", "svr_baselines*"]), "ds_cli"],
    ext_modules=[core],
)
