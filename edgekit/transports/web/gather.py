"""Put the page's runtimes beside it: `python -m edgekit.transports.web.gather`, or `make web`.

Has npm install the packages of `package-lock.json` in a scratch folder, with their digests checked
and none of their scripts run, and keeps the files that a page loads. Written beside and renamed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from edgekit.errors import EdgekitError, FileError
from edgekit.transports.web.files import PACKAGES, RUNTIMES, VERSIONS

_HERE = Path(__file__).resolve().parent

# Below node_modules/ → below runtimes/.
_KEPT = {
    "@litertjs/core/dist/index.js": "litert-js/index.js",
    "@litertjs/wasm-utils/dist/index.js": "litert-js/wasm-utils.js",
    **{
        f"@litertjs/core/wasm/litert_wasm_{kind}internal.{ending}": (
            f"litert-js/wasm/litert_wasm_{kind}internal.{ending}"
        )
        for kind in ("", "compat_", "jspi_", "threaded_")
        for ending in ("js", "wasm")
    },
    **{
        f"onnxruntime-web/dist/{name}": f"onnxruntime-web/{name}"
        for name in (
            "ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm",
            "ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs",
            "ort-wasm-simd-threaded.asyncify.wasm",
        )
    },
}  # fmt: skip

# Browsers know no package names: this one is the file beside it.
_PACKAGE, _FILE = b'from "@litertjs/wasm-utils"', b'from "./wasm-utils.js"'
_SOURCE_MAP = b"\n//# sourceMappingURL="


def gather(place: Path = RUNTIMES) -> None:
    """Install the packages and keep their files in `place`.

    Raises:
        EdgekitError: npm is not there, or failed, or a package is not as it was.
        FileError: `place` cannot be written.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise EdgekitError("npm is not here", hint="apt-get install npm, or nodejs.org")
    with tempfile.TemporaryDirectory(prefix="edgekit-npm-") as scratch:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_HERE / name, scratch)
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=scratch,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise EdgekitError("npm ci failed", *done.stderr.strip().splitlines()[-4:])
        try:
            _keep(Path(scratch) / "node_modules", place)
        except OSError as error:
            raise FileError.from_os_error(error) from error


def _keep(modules: Path, place: Path) -> None:
    part = place.with_name(f"{place.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for name, kept in _KEPT.items():
        target = part / kept
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".wasm":
            shutil.copy(modules / name, target)
            continue
        text = (modules / name).read_bytes().replace(_PACKAGE, _FILE)
        # The maps are not served, and a browser's tools would ask for them.
        target.write_bytes(text.partition(_SOURCE_MAP)[0])
    if _FILE not in (part / "litert-js/index.js").read_bytes():
        raise EdgekitError("@litertjs/core imports its helpers by another name than expected")
    versions = {}
    for runtime, package in PACKAGES.items():
        about = json.loads((modules / package / "package.json").read_text(encoding="utf-8"))
        versions[package] = about["version"]
        (part / runtime / "LICENCE.txt").write_text(
            f"{package} {about['version']}: {about['license']}\n", encoding="utf-8"
        )
    (part / VERSIONS).write_text(json.dumps(versions, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(place, ignore_errors=True)
    part.rename(place)


if __name__ == "__main__":
    try:
        gather()
    except EdgekitError as error:
        raise SystemExit(error.render()) from None
