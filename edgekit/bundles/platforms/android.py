"""Android: a Gradle library module in Kotlin over LiteRT and ONNX Runtime, and a small app.

The project lies in `android_project/`, as it is but for its name. Only the runtimes that the
artifacts need are asked for. All but four files of the library are plain Kotlin, for any JVM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bundles.contents import Contents
from edgekit.bundles.platforms.base import Platform, refuse_dtypes
from edgekit.errors import UsageError

_PROJECT = Path(__file__).parent / "android_project"
_SOURCES = "library/src/main/kotlin/edgekit/bundle_name"
_DTYPES = ("uint8", "int8", "int16", "int32", "int64", "float32")
# Words of Kotlin and Java: no package, since the build makes classes of both in it.
_WORDS = """
abstract as assert boolean break byte case catch char class const continue default do double else
enum extends false final finally float for fun goto if implements import in instanceof int
interface is long native new null object package private protected public return short static
strictfp super switch synchronized this throw throws transient true try typealias typeof val var
void volatile when while
"""


@dataclass(frozen=True, slots=True)
class _Runtime:
    """What runs a target's files: its object in Kotlin, and the package to ask for."""

    kotlin: str
    dependency: str


_RUNTIMES = {
    "tflite": _Runtime("LiteRt", "com.google.ai.edge.litert:litert:1.4.1"),
    "onnx": _Runtime("Ort", "com.microsoft.onnxruntime:onnxruntime-android:1.30.0"),
}


class AndroidPlatform(Platform):
    """A Gradle library module."""

    name = "android"
    targets = tuple(_RUNTIMES)

    def check_name(self, name: str) -> None:
        if _package(name) in _WORDS.split():
            raise UsageError(
                f"{name} is a word of Kotlin or Java, so it names no package",
                hint=f"--name {name}-model",
            )

    def write(self, folder: Path, contents: Contents, contract: Mapping[str, Any]) -> None:
        refuse_dtypes(contract, "Kotlin", _DTYPES)
        package = _package(contents.name)
        needed = [_RUNTIMES[target] for target in _targets(contents)]
        words = {
            "RUNTIME_DEPENDENCIES": "\n".join(
                f'    implementation("{one.dependency}")' for one in needed
            ),
            "bundle_name": package,
            "BUNDLE_TITLE": contents.name,
            "BUNDLE_VERSION": contents.version,
        }
        unused = {f"{one.kotlin}.kt" for one in _RUNTIMES.values() if one not in needed}
        for source in sorted(path for path in _PROJECT.rglob("*") if path.is_file()):
            if source.name not in unused:
                place = source.relative_to(_PROJECT).as_posix()
                _write(folder, place, source.read_text(encoding="utf-8"), words)
        _write(folder, f"{_SOURCES}/Runtimes.kt", "\n".join(_runtimes_kt(contents)) + "\n", words)


def _targets(contents: Contents) -> list[str]:
    return sorted({one.target for one in contents.artifacts})


def _package(name: str) -> str:
    return name.replace("-", "_")


def _write(folder: Path, place: str, text: str, words: Mapping[str, str]) -> None:
    for word, said in words.items():
        place, text = place.replace(word, said), text.replace(word, said)
    target = folder / place
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8", newline="\n")


def _runtimes_kt(contents: Contents) -> Iterator[str]:
    yield "package edgekit.bundle_name"
    yield ""
    yield "/** Target → what runs its files: what the artifacts of this bundle need. */"
    yield "val RUNTIMES: Map<String, Runtime> = mapOf("
    for target in _targets(contents):
        yield f'    "{target}" to {_RUNTIMES[target].kotlin},'
    yield ")"
