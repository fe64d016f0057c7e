"""Whether edgekit can work here: what is installed, what is missing, what is known to break.

Reads package metadata, never imports what it checks: a package that crashes on import must not
take the doctor with it. Changes nothing.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgekit import __version__, extras, shelf
from edgekit.agent.machine import describe
from edgekit.errors import install_command
from edgekit.files import cache_folder

# The agent's names (Linux's) for what low-precision kernels look for, as people know them.
_CPU_FLAGS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI",
    "avx512_vnni": "AVX512-VNNI",
    "avx512_bf16": "AVX512-BF16",
    "amx_int8": "AMX-INT8",
    "amx_bf16": "AMX-BF16",
    "asimd": "NEON",
    "asimddp": "NEON dotprod",
    "i8mm": "I8MM",
    "bf16": "BF16",
    "sve": "SVE",
}
_LOW_DISK_BYTES = 1024**3


@dataclass(frozen=True, slots=True)
class PackageState:
    """An optional package, as it is here.

    Attributes:
        package: What it is and what it enables.
        version: Installed version; None when absent.
    """

    package: extras.Package
    version: str | None

    @property
    def remedy(self) -> str:
        """The command that adds the package."""
        command = install_command(self.package.extra)
        # It pins numpy 1 and cannot share an environment with the converters.
        own = self.package.extra == "legacy"
        return f"{command}, in an environment of its own" if own else command

    def to_json(self) -> dict[str, Any]:
        return {
            "package": self.package.distribution,
            "version": self.version,
            "enables": self.package.purpose,
            "add": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class FolderState:
    """A folder that edgekit writes to.

    Attributes:
        what: What is kept there.
        path: Where; it need not exist yet.
        writable: Whether it can be written, or made.
        free_bytes: Free space on its file system.
    """

    what: str
    path: Path
    writable: bool
    free_bytes: int

    def to_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "path": str(self.path),
            "writable": self.writable,
            "free_bytes": self.free_bytes,
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What `edgekit doctor` found.

    Attributes:
        machine: Python, system and processor, by label.
        packages: Every optional package.
        folders: Every folder that is written to.
        problems: What will not work, one sentence each, with the remedy.
    """

    machine: Mapping[str, str]
    packages: tuple[PackageState, ...]
    folders: tuple[FolderState, ...]
    problems: tuple[str, ...]

    @property
    def missing(self) -> tuple[PackageState, ...]:
        """Absent packages, apart from those that need an environment of their own."""
        return tuple(
            state
            for state in self.packages
            if state.version is None and state.package.extra != "legacy"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "edgekit": __version__,
            "machine": dict(self.machine),
            "packages": [state.to_json() for state in self.packages],
            "folders": [state.to_json() for state in self.folders],
            "problems": list(self.problems),
            "complete": not self.missing and not self.problems,
        }


def diagnose() -> Diagnosis:
    """Look at this machine and this Python environment."""
    packages = tuple(PackageState(package, _version(package)) for package in extras.PACKAGES)
    folders = (
        _folder("samples and caches", cache_folder()),
        _folder("artifacts", Path.cwd() / "build"),
    )
    problems = [
        *_folder_problems(folders),
        *_outside_pins(),
        *_bad_combinations({state.package.distribution: state.version for state in packages}),
        *(str(error) for error in shelf.shelves()[1]),
    ]
    return Diagnosis(_machine(), packages, folders, tuple(problems))


def _machine() -> dict[str, str]:
    facts = describe()
    flags = facts["cpu_flags"]
    if flags is None:
        features = "unknown on this system"
    else:
        features = ", ".join(_CPU_FLAGS.get(flag, flag) for flag in flags) or "none"
    return {
        "edgekit": __version__,
        "python": f"{platform.python_version()} at {sys.executable}",
        "system": platform.platform(),
        "processor": f"{facts['cpu_model']}, {platform.machine()}, {os.cpu_count()} cores",
        "kernels for": features,
    }


def _version(package: extras.Package) -> str | None:
    try:
        return metadata.version(package.distribution)
    except metadata.PackageNotFoundError:
        pass
    # The same module under another name: tensorflow-cpu, onnxruntime-gpu.
    if find_spec(package.module) is None:
        return None
    owners = metadata.packages_distributions().get(package.module, [])
    return f"{metadata.version(owners[0])} ({owners[0]})" if owners else "unknown version"


def _folder(what: str, path: Path) -> FolderState:
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    writable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    return FolderState(what, path, writable, shutil.disk_usage(existing).free)


def _folder_problems(folders: tuple[FolderState, ...]) -> list[str]:
    problems = []
    for state in folders:
        if not state.writable:
            problems.append(f"{state.path} ({state.what}) cannot be written")
        elif state.free_bytes < _LOW_DISK_BYTES:
            free_mb = state.free_bytes / 1e6
            problems.append(f"{state.path} ({state.what}) has only {free_mb:.0f} MB left")
    return problems


def _outside_pins() -> list[str]:
    """Installed packages whose version edgekit's own metadata rules out."""
    problems = []
    try:
        requirements = metadata.requires("edgekit") or []
    except metadata.PackageNotFoundError:
        return ["edgekit itself is not installed, so its plug-ins are not found; pip install ."]
    for requirement in requirements:
        wanted, _, marker = requirement.partition(";")
        match = re.fullmatch(r"\s*([A-Za-z0-9._-]+)\s*([<>=!~][^;\[]*)", wanted)
        if match is None or "legacy" in marker:
            continue
        name, limits = match.group(1), match.group(2).strip()
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if not within(installed, limits):
            problems.append(
                f"{name} {installed} is installed, edgekit needs {limits}; "
                f"pip install '{name}{limits}'"
            )
    # The same pin stands there once for every extra that includes it.
    return list(dict.fromkeys(problems))


def within(version: str, limits: str) -> bool:
    """Whether a version keeps limits such as `>=2.21,<2.22`; other operators count as kept."""
    number = _number(version)
    for limit in limits.split(","):
        match = re.fullmatch(r"\s*(>=|<|==)\s*([0-9.]+)\s*", limit)
        if match is None:
            continue
        bound = _number(match.group(2))
        # 2.21 and 2.21.0 are one version: compare at equal length.
        width = max(len(number), len(bound))
        ours, theirs = (part + (0,) * (width - len(part)) for part in (number, bound))
        kept = {">=": ours >= theirs, "<": ours < theirs, "==": ours == theirs}[match.group(1)]
        if not kept:
            return False
    return True


def _number(version: str) -> tuple[int, ...]:
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def _bad_combinations(versions: Mapping[str, str | None]) -> list[str]:
    problems = []
    if versions.get("tflite-runtime") and not within(metadata.version("numpy"), "<2"):
        problems.append(
            "tflite-runtime crashes with numpy 2; "
            f"give it an environment of its own: {install_command('legacy')}"
        )
    if os.environ.get("TF_USE_LEGACY_KERAS", "") not in ("", "0"):
        problems.append("TF_USE_LEGACY_KERAS is set, so TensorFlow takes Keras 2; unset it")
    return problems
