"""Pack the agent into one file, `agent.pyz`, that a device runs with its own Python.

The same sources give the same bytes: entries are sorted, stored and dated 1980. Holds the agent and
the lower modules it imports, nothing that converts.
"""

from __future__ import annotations

from pathlib import Path

from edgekit.files import write_atomic, zip_bytes

_SHIPPED = (
    "__init__.py", "errors.py", "extras.py", "fields.py", "job.py", "measure.py", "passes.py",
    "process.py", "registry.py", "statistics.py", "tensor.py",
)  # fmt: skip
_MAIN = """\
import sys
from edgekit.agent.__main__ import main
raise SystemExit(main(sys.argv[1:]))
"""
_LAUNCH = b"#!/usr/bin/env python3\n"


def bundle_bytes() -> bytes:
    """The zipapp."""
    package = Path(__file__).resolve().parent.parent
    sources = [package / name for name in _SHIPPED]
    sources += (package / "agent").rglob("*.py")
    contents = {path.relative_to(package.parent).as_posix(): path.read_bytes() for path in sources}
    # The host packs; a device has no use for it.
    del contents["edgekit/agent/bundle.py"]
    contents["__main__.py"] = _MAIN.encode()
    return _LAUNCH + zip_bytes(contents)


def write_bundle(path: Path) -> Path:
    """Write the zipapp to `path`, whole or not at all, and return it."""
    write_atomic(path, bundle_bytes())
    return path
