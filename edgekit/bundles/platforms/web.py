"""The web: an app as static files, which works on a phone and without a network.

Plain modules of JavaScript, no build step. The model runs in LiteRT.js or onnxruntime-web, by the
code that also measures browsers as devices (`edgekit.transports.web`). Only the runtime that an
artifact needs goes in. The same inputs give the same bytes.
"""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgekit.bundles.contents import Contents
from edgekit.bundles.contract import PICTURE, SOUND, TEXT
from edgekit.bundles.platforms.base import Platform
from edgekit.errors import UsageError
from edgekit.files import canonical_json, digest_json, sha256_file

_APP = Path(__file__).resolve().parent / "webapp"
_COMPUTE = "app/compute"
_RELEASE = "release.js"
_KEY = "app/key.js"
# Of the page that measures: the model's worker, and what that imports.
_MODULES = (
    "worker.js", "computing.js", "litert.js", "ort.js", "tensors.js", "timing.js", "sha256.js",
)  # fmt: skip
# Target → runtime, and what of it computes in wasm with one thread: threads need headers that
# static servers don't send. LiteRT.js has one build for browsers without relaxed SIMD.
_RUNTIMES = {
    "tflite": (
        "litert-js",
        (
            "index.js", "wasm-utils.js",
            "wasm/litert_wasm_internal.js", "wasm/litert_wasm_internal.wasm",
            "wasm/litert_wasm_compat_internal.js", "wasm/litert_wasm_compat_internal.wasm",
        ),
    ),
    "onnx": (
        "onnxruntime-web",
        ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"),
    ),
}  # fmt: skip
_LICENCE = "LICENCE.txt"
# What LiteRT.js takes and gives: the others are refused by it when a model is loaded.
_LITERT_DTYPES = frozenset({"float32", "int32", "uint8", "bool"})


class WebPlatform(Platform):
    """A progressive web app."""

    name = "web"
    targets = ("tflite", "onnx")

    def pin(self, folder: Path, public: str) -> None:
        place = folder / _KEY
        place.parent.mkdir(parents=True, exist_ok=True)
        _write(
            place,
            "// The public key of who must have signed this app's bundle.\n"
            f"self.KEY = {json.dumps(public)};\n",
        )

    def write(self, folder: Path, contents: Contents, contract: Mapping[str, Any]) -> None:
        from edgekit.transports.web.files import runtime_versions

        _check(contents, contract)
        runtime_versions()  # says how to get them where they are not here
        words = {
            "@TITLE@": html.escape(contents.model),
            "@TASK@": html.escape(contents.task.replace("-", " ")),
            "@NAME@": contents.name,
        }
        for source, name in _files({one.target for one in contents.artifacts}):
            target = folder / name
            if name == _KEY and target.is_file():  # pinned
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if name in ("index.html", "README.md"):
                text = source.read_text(encoding="utf-8")
                for word, said in words.items():
                    text = text.replace(word, said)
                target.write_text(text, encoding="utf-8", newline="\n")
            else:
                shutil.copyfile(source, target)
        _write(folder / "app.webmanifest", canonical_json(_manifest(contents)))
        _write(folder / _RELEASE, f'self.RELEASE = "{_release(folder, contents)}";\n')


def _check(contents: Contents, contract: Mapping[str, Any]) -> None:
    inputs = contract["inputs"]
    kinds = [spec["kind"] for spec in inputs]
    if kinds not in ([PICTURE], [SOUND], [TEXT]):
        raise UsageError(
            f"{contents.model} takes {', '.join(kinds)}; the app for the web takes one picture, "
            "sound or text",
            hint="--platform python takes all kinds",
        )
    for held in contents.artifacts:
        if held.target != "tflite":
            continue
        tensors = contract["artifacts"][held.label]
        for tensor in (*tensors["inputs"], *tensors["outputs"]):
            if tensor["dtype"] not in _LITERT_DTYPES:
                raise UsageError(
                    f"{held.label}: LiteRT.js takes no {tensor['dtype']} for {tensor['name']}",
                    hint="export with --io native or float: int8 inside is no obstacle",
                )


def _files(targets: set[str]) -> Iterator[tuple[Path, str]]:
    """Source and path in the bundle of every file that is copied."""
    from edgekit.transports.web.files import PAGE, RUNTIMES

    for path in sorted(_APP.rglob("*")):
        if path.is_file():
            yield path, path.relative_to(_APP).as_posix()
    for name in _MODULES:
        yield PAGE / name, f"{_COMPUTE}/{name}"
    for target in sorted(targets):
        runtime, names = _RUNTIMES[target]
        for name in (*names, _LICENCE):
            yield RUNTIMES / runtime / name, f"{_COMPUTE}/runtimes/{runtime}/{name}"


def _manifest(contents: Contents) -> dict[str, Any]:
    """What a phone needs to put the app on its home screen."""
    return {
        "name": contents.model,
        "short_name": contents.model[:12],
        "description": contents.task.replace("-", " "),
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#f6f7fb",
        "theme_color": "#2b4fd0",
        "icons": [
            {"src": "app/icon.svg", "sizes": "any", "type": "image/svg+xml"},
            {"src": "app/icon-192.png", "sizes": "192x192", "type": "image/png"},
            {"src": "app/icon-512.png", "sizes": "512x512", "type": "image/png"},
        ],
    }


def _release(folder: Path, contents: Contents) -> str:
    """Changes when any file does."""
    digests = {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    facts = {key: value for key, value in contents.to_json().items() if key != "files"}
    return digest_json({**facts, "digests": digests})


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
