"""The pass "memory": resident memory of this process, step by step; see `edgekit.passes`.

Linux tells all of it in /proc/self/status, macOS the highest value only, others nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from edgekit.agent.tree import Tree, kibibytes

_KEYS = {
    "rss_bytes": "VmRSS",
    # VmHWM, not ru_maxrss: the latter starts at the parent's size after a fork.
    "peak_rss_bytes": "VmHWM",
    "anonymous_bytes": "RssAnon",
    "file_bytes": "RssFile",
    "shared_bytes": "RssShmem",
}


def resident(tree: Tree) -> dict[str, int | None]:
    """Resident memory now, in bytes, by the keys of a step; None where the system is silent."""
    told = tree.entries("proc/self/status")
    found = {key: kibibytes(told.get(name)) for key, name in _KEYS.items()}
    if sys.platform == "darwin" and found["peak_rss_bytes"] is None:
        import resource

        found["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found


def step(name: str, tree: Tree) -> dict[str, Any]:
    """One entry of the document."""
    return {"step": name, **resident(tree)}


def evidence(tree: Tree) -> str:
    """Where `resident` reads."""
    if tree.exists("proc/self/status"):
        return "/proc/self/status of one fresh process"
    return "getrusage of one fresh process" if sys.platform == "darwin" else "the system is silent"


def model_bytes(model: Path) -> int:
    """Size of a model file, with the weights that OpenVINO keeps beside it."""
    weights = model.with_suffix(".bin")
    size = model.stat().st_size
    if model.suffix == ".xml" and weights.is_file():
        size += weights.stat().st_size
    return size
