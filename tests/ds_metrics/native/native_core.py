"""The native core under test: the package's or, with DS_NATIVE_CORE, the build in that folder.

The latter is loaded without the package and so without torch, which neither the sanitizers nor a test of a wheel
want to load. With DS_SANITIZE it must be a build with sanitizers, so that no other one is tested in its place.
"""

import importlib.util
import os
from pathlib import Path

folder = os.environ.get("DS_NATIVE_CORE")
if folder:
    [path] = Path(folder).glob("_core*.so")
    spec = importlib.util.spec_from_file_location("_core", path)
    core = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(core)
else:
    from ds_metrics._native import _core as core

if os.environ.get("DS_SANITIZE"):
    binary = Path(core.__file__).read_bytes()
    if not (b"__asan_report" in binary and b"__ubsan_handle" in binary):
        raise ImportError(f"{core.__file__} was built without sanitizers")
