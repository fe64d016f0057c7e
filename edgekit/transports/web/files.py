"""Which files a page may ask for, by name; nothing else is ever opened.

The page's own files are part of edgekit. Its runtimes are npm packages of fixed versions that
`make web` (`gather.py`) puts beside them; without them a browser is no device.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from edgekit.errors import DeviceError

_HERE = Path(__file__).resolve().parent
PAGE = _HERE / "page"
RUNTIMES = _HERE / "runtimes"
VERSIONS = "versions.json"

# The folder of each runtime below `runtimes/`, which is also the name of its package's versions.
PACKAGES = {"litert-js": "@litertjs/core", "onnxruntime-web": "onnxruntime-web"}

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
}


def served_files() -> dict[str, Path]:
    """Every file that may be asked for, by the name the page knows it by."""
    found = {"": PAGE / "index.html"}
    for folder, prefix in ((PAGE, ""), (RUNTIMES, "runtimes/")):
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix in TYPES:
                found[prefix + path.relative_to(folder).as_posix()] = path
    return found


def runtime_versions() -> Mapping[str, str]:
    """Versions of the page's runtimes by edgekit's name for them.

    Raises:
        DeviceError: They are not here.
    """
    try:
        held = json.loads((RUNTIMES / VERSIONS).read_text(encoding="utf-8"))
        return {name: str(held[package]) for name, package in PACKAGES.items()}
    except (OSError, ValueError, KeyError, TypeError):
        raise DeviceError(
            "the page's runtimes (LiteRT.js, onnxruntime-web) are not installed",
            hint=f"{sys.executable} -m edgekit.transports.web.gather, which needs npm",
        ) from None
