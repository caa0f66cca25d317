"""What this installation can do, and what it lacks: versions, processors, backends, optional packages, plug-ins."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires

import psutil
import torch
from packaging.requirements import Requirement

from ds_metrics import list_metrics
from ds_metrics._native import _core
from ds_metrics._plugins import BROKEN
from ds_metrics.pairwise import backends
from svr_baselines.networks import list_networks
from svr_baselines.parallel import available_cores
from svr_baselines.rendering import backends as renderers
from svr_baselines.versions import package_version

OWN = "dispersion-score"
EXTRAS = {  # and what a user has of them; the others are for work on this package
    "train": "ds train, predict, experiment and demo",
    "report": "ds report",
    "cluster": "--cluster: distances on Dask",
    "ot": "exact earth mover's distance of clouds of different sizes",
    "ablation": "other clusterings: agglomerative, affinity propagation",
    "paper": "the paper's own solver, scikit-learn-extra: Python 3.10 or 3.11 with numpy 1",
}
_INSTEAD = {"lightning-fabric": "lightning"}  # which has it inside


@dataclass(frozen=True)
class Part:
    """Something that may be missing.

    Attributes:
        name: What it is.
        note: Its version, or what it is for.
        lack: Why it can't be used, as the end of a sentence; ``None`` if it can be.
    """

    name: str
    note: str
    lack: str | None = None


@dataclass(frozen=True)
class Environment:
    """What there is.

    Attributes:
        machine: Name and value of what computes: Python, cores, threads, memory, vector instructions, GPUs.
        packages: This package and those that it can't do without, with their versions.
        pairwise: Backends of distances, see `ds_metrics.pairwise`.
        renderers: What draws pictures of meshes.
        extras: Optional parts, as named in ``pip install 'dispersion-score[NAME]'``.
        plugins: Metrics and networks of other packages.
    """

    machine: dict[str, str]
    packages: list[Part]
    pairwise: list[Part]
    renderers: list[Part]
    extras: list[Part]
    plugins: list[Part]


def describe_environment() -> Environment:
    """Look at what is installed here and at what it runs on.

    Example:
        >>> describe_environment().pairwise[0]
        Part(name='native', note='C++, on the CPU', lack=None)
    """
    return Environment(
        machine=_machine(),
        packages=[_package(found) for found in (Requirement(OWN), *_requirements())],
        pairwise=_pairwise(),
        renderers=_renderers(),
        extras=[Part(name, what, lack_of_extra(name)) for name, what in EXTRAS.items()],
        plugins=_plugins(),
    )


def lack_of_extra(name: str) -> str | None:
    """What an extra lacks here and how to get it, as the end of a sentence; ``None`` if it lacks nothing.

    Example:
        >>> lack_of_extra("train")  # where it is installed
    """
    missing = [_spelt(wanted) for wanted in _requirements(name) if _package(wanted).lack is not None]
    return f"needs {', '.join(missing)}: pip install '{OWN}[{name}]'" if missing else None


def _machine() -> dict[str, str]:
    memory = psutil.virtual_memory()
    gpus = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    cuda = torch.version.cuda or torch.version.hip
    none = f"none that torch can use (torch is built for {f'CUDA {cuda}' if cuda else 'the CPU alone'})"
    return {
        "Python": f"{platform.python_version()}, {sys.executable}",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "cores": f"{available_cores()} of {os.cpu_count()}",
        "threads": f"{torch.get_num_threads()} (OMP_NUM_THREADS sets them)",
        "memory": f"{memory.available / 1e9:.0f} GB free of {memory.total / 1e9:.0f} GB",
        "vector instructions": ", ".join(_core.supported_isas()),
        "GPU": ", ".join(f"{gpu.name}, {gpu.total_memory / 1e9:.0f} GB" for gpu in gpus) or none,
    }


def _pairwise() -> list[Part]:
    notes = {
        "native": "C++, on the CPU",
        "triton": "on a CUDA or ROCm GPU",
        "kaolin": "on a CUDA GPU",
        "torch": "anywhere; slow",
    }
    return [_part(name, note, _lack_of_backend(name)) for name, note in notes.items()]


def _part(name: str, note: str, lack: str | None) -> Part:
    """Of Kaolin with its version, which is that of what is imported: it need not be installed as a package."""
    if name == "kaolin":
        version = getattr(sys.modules.get(name), "__version__", None) or package_version(name)
        note = f"{version}, {note}" if version else note
    return Part(name, note, lack)


def _lack_of_backend(name: str) -> str | None:
    if name not in backends.ON_CUDA:
        return backends.lack(name, torch.device("cpu"))
    lack = backends.lack(name, torch.device("cuda"))  # without a GPU too: is what would use it installed?
    return lack or (None if torch.cuda.is_available() else "is installed, but there is no GPU")


def _renderers() -> list[Part]:
    notes = {"embree": "on the CPU", "kaolin": "on a CUDA GPU"}
    return [_part(name, note, renderers.lack(name)) for name, note in notes.items()]


def _plugins() -> list[Part]:
    found = []
    for kind, known in (("metric", list_metrics()), ("network", list_networks())):
        for info in (info for info in known if info.provider != OWN):
            broken = info.description.startswith(BROKEN)
            found.append(Part(info.name, f"{kind} of {info.provider}", info.description if broken else None))
    return found


def _requirements(extra: str = "") -> list[Requirement]:
    """What this package requires here; with ``extra``, what that adds."""
    try:
        wanted = [Requirement(text) for text in requires(OWN) or []]
    except PackageNotFoundError:  # run from a source tree that was never installed
        return []
    applies = [found for found in wanted if found.marker is None or found.marker.evaluate({"extra": extra})]
    return applies if not extra else [found for found in applies if "extra" in str(found.marker)]


def _package(wanted: Requirement) -> Part:
    found = package_version(wanted.name) or package_version(_INSTEAD.get(wanted.name, wanted.name)) or ""
    fits = found and wanted.specifier.contains(found, prereleases=True)
    return Part(wanted.name, found, None if fits else f"needs {_spelt(wanted)}: pip install '{_spelt(wanted)}'")


def _spelt(wanted: Requirement) -> str:
    return f"{wanted.name}{wanted.specifier}"
