"""iOS: a Swift package over LiteRT, and Core ML where the bundle holds it.

The package lies in `swift_package/`, as it is but for its names. What needs no library of Apple is
a target of its own, which Swift builds on other systems, too. Golden pictures are PPM besides PNG.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.bundles.contents import (
    ARTIFACTS,
    CONTENTS,
    CONTRACT,
    GOLDEN,
    LABELS,
    WORDPIECE,
    Contents,
)
from edgekit.bundles.coreml import TARGET
from edgekit.bundles.platforms.base import Platform, refuse_dtypes
from edgekit.bundles.platforms.netpbm import write_ppm
from edgekit.errors import UsageError

_PACKAGE = Path(__file__).parent / "swift_package"
_DTYPES = ("uint8", "int8", "int32", "int64", "float32")
# What the model needs in an app; what its tests need besides.
_RESOURCES = (CONTENTS, CONTRACT, LABELS, WORDPIECE, ARTIFACTS)
_PROOFS = (GOLDEN,)
_SOURCES = ("Package.swift", "Sources", "Tests")
# Modules of Apple's, of Swift's and of this package, and its types, in small letters: a module of
# such a name would hide the other.
_MODULES = """
accelerate answer any arkit array artifact avfaudio avfoundation avkit box bundle bundleerror
checked cloudkit combine contacts contents contract coreaudio coredata coregraphics coreimage
corelocation coreml coremotion coretext corevideo cryptokit darwin data dispatch dtype fit found
foundation foundationmodels glibc golden imageio int litert mapkit metal mlcompute model
naturallanguage network observation options os packagedescription photos picture publickey
quartzcore regexbuilder runtime runtimes security self signaturekey soundanalysis speech spritekit
storekit string swift swiftdata swiftui synchronization tensor tensorflowlite testing type uikit
url vision visionkit wav wordpiece xctest
"""


class IosPlatform(Platform):
    """A Swift package."""

    name = "ios"
    targets = ("tflite", TARGET)

    def check_name(self, name: str) -> None:
        if module_name(name).lower() in _MODULES.split():
            raise UsageError(
                f"{name} is a module or type of Swift's, Apple's or LiteRT's, so it names no other",
                hint=f"--name {name}-model",
            )

    def write(self, folder: Path, contents: Contents, contract: Mapping[str, Any]) -> None:
        refuse_dtypes(contract, "Swift", _DTYPES)
        write_ppm(folder)
        words = {
            "BundleName": module_name(contents.name),
            "bundle-name": contents.name,
            "BUNDLE_VERSION": contents.version,
        }
        guide = _PACKAGE / "README.md"
        sources = sorted(path for path in _PACKAGE.rglob("*") if path.is_file())
        for source in (guide, *(one for one in sources if one != guide)):
            text = source.read_text(encoding="utf-8")
            if source.name == "Package.swift":
                text = _with_resources(text, folder)
            target = folder / _worded(source.relative_to(_PACKAGE).as_posix(), words)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_worded(text, words), encoding="utf-8", newline="\n")


def module_name(name: str) -> str:
    """A bundle's name as Swift writes modules: "yolo-640" is Yolo640."""
    return "".join(part[:1].upper() + part[1:] for part in re.split("[-_]", name))


def _worded(text: str, words: Mapping[str, str]) -> str:
    for word, said in words.items():
        text = text.replace(word, said)
    return text


def _with_resources(text: str, folder: Path) -> str:
    # `bundle.json` is written after all others.
    names = sorted({CONTENTS, *(path.name for path in folder.iterdir())})
    model = [name for name in names if name in _RESOURCES]
    proofs = [name for name in names if name in _PROOFS]
    others = [name for name in names if name not in (*model, *proofs, *_SOURCES)]
    for word, found in (("RESOURCES", model), ("PROOFS", proofs), ("OTHERS", others)):
        text = text.replace(f"BUNDLE_{word}", ", ".join(f'"{name}"' for name in found))
    return text
