"""Python: a wheel with the model, what belongs to it, and edgekit's own code for both ends.

The wheel needs numpy and one runtime; no edgekit and no TensorFlow. edgekit's modules go into it
as they are, under a name of the package's own, so that pictures, texts and answers are made by the
code that the model was trained and proven with. The same inputs give the same bytes.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import keyword
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit import __version__
from edgekit.bundles.contents import CONTENTS, Contents, Entry
from edgekit.bundles.platforms.base import Platform
from edgekit.errors import UsageError
from edgekit.files import zip_bytes

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGED = "edgekit.bundles.packaged"
_VENDORED = "_edgekit"
# What runs a target's files, as in edgekit's own extras.
_RUNTIMES = {
    "tflite": "ai-edge-litert>=2.1,<3",
    "onnx": "onnxruntime>=1.23,<2",
    "openvino": "openvino>=2025.3",
}
# Modules that the wheel or its user may need.
_TAKEN = (
    "ai_edge_litert", "numpy", "onnxruntime", "openvino", "pil", "pillow", "pip", "setuptools",
    "tensorflow", "tokenizers", "wheel",
)  # fmt: skip
_FOR_INPUT = {
    "picture": ("pillow>=11,<14",),
    "text": ("tokenizers>=0.21,<1",),
}


class PythonPlatform(Platform):
    """A wheel."""

    name = "python"
    targets = ("tflite", "onnx", "openvino")
    has_tokenizers = True

    def check_name(self, name: str) -> None:
        package = name.replace("-", "_")
        taken = {*sys.stdlib_module_names, *_TAKEN}
        if keyword.iskeyword(package) or package in taken:
            raise UsageError(
                f"--name {name}: Python has {package} already: a word of it, a module, or what the "
                "package itself needs",
                hint=f"--name {name}-model",
            )

    def write(self, folder: Path, contents: Contents, contract: Mapping[str, Any]) -> None:
        package = contents.name.replace("-", "_")
        files = {f"{package}/data/{name}": data for name, data in _data(folder)}
        held = replace(
            contents,
            files={
                name.removeprefix(f"{package}/data/"): Entry(
                    hashlib.sha256(data).hexdigest(), len(data)
                )
                for name, data in files.items()
            },
        )
        files[f"{package}/data/{CONTENTS}"] = held.text().encode()
        files |= {name: text.encode() for name, text in _sources(package).items()}
        needs = _needs(contents, contract)
        wheel = _wheel(package, contents, files, needs)
        name = f"{package}-{contents.version}-py3-none-any.whl"
        (folder / "dist").mkdir()
        (folder / "dist" / name).write_bytes(wheel)
        guide = _GUIDE.format(
            name=contents.name,
            package=package,
            wheel=name,
            needs=", ".join(needs),
            **_examples(package, contract["inputs"]),
        )
        (folder / "README.md").write_text(guide, encoding="utf-8", newline="\n")


_GUIDE = """\
# {name}: Python

```console
$ python -m pip install dist/{wheel}
$ python -m {package} --check
{sample}```

```python
from {package} import Model

model = Model()
for found in model.predict({example}):
    print(found.label, found.score, found.box)
```

`Model.predict` takes what its docstring says: a file, or an array as a camera gives it.
`--check` runs the golden cases: preprocessing to the bit, outputs within 5 % of their spread.
Every file that is loaded is compared with its digest first. It needs {needs}.

`edgekit verify .` looks at every file of this bundle; with `--key` it says who signed it.
`contract.json` says what happens before and after the model, `golden/` proves it in any language,
`bom.cdx.json` is the bill of materials.
"""


def _examples(package: str, inputs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What to give `predict`, and a line for the shell where a file or text can be given there."""
    if len(inputs) > 1:
        arrays = ", ".join(f'"{one["name"]}": array' for one in inputs)
        return {"example": f"{{{arrays}}}", "sample": ""}
    kind = inputs[0]["kind"]
    example = {"picture": '"cat.jpg"', "text": '"some text"', "sound": '"sound.wav"'}.get(kind)
    word = {"picture": "cat.jpg", "text": '"some text"', "sound": "sound.wav"}.get(kind, "…")
    return {"example": example or "array", "sample": f"$ python -m {package} {word}\n"}


def _data(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _needs(contents: Contents, contract: Mapping[str, Any]) -> list[str]:
    needs = ["numpy>=1.26,<3"]
    first, *others = contract["inputs"]
    if not others and first.get("tokenizer") != "bytes":  # several inputs are given as arrays
        needs += _FOR_INPUT.get(first["kind"], ())
    # The first artifact's runtime; others are asked for by who chooses their artifact.
    return [*needs, _RUNTIMES[contents.artifacts[0].target]]


def _sources(package: str) -> dict[str, str]:
    """Path in the wheel → source, of the package's modules and all of edgekit's they import."""
    found: dict[str, str] = {}
    todo = [f"{_PACKAGED}.{path.stem}" for path in (_ROOT / "bundles/packaged").glob("*.py")]
    seen: set[str] = set()
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        seen.add(module)
        file = _file(module)
        source = file.read_text(encoding="utf-8")
        # A package of edgekit's is there to hold modules; what it offers itself is not needed.
        is_package = file.name == "__init__.py"
        own = module == _PACKAGED or module.startswith(f"{_PACKAGED}.")
        if is_package and not own:
            source = '"""A part of edgekit."""\n'
        else:
            todo += _imported(source)
        todo += [module.rpartition(".")[0]] if "." in module else []
        if own:
            source = source.replace(_PACKAGED, package).replace("PACKAGE", package)
        found[_place(module, package, is_package=is_package)] = _renamed(source, package)
    return found


def _imported(source: str) -> Iterator[str]:
    """Modules of edgekit that a source imports, wherever it does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "edgekit":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if _is_module(inner) else str(node.module)


def _is_module(module: str) -> bool:
    place = _ROOT.parent / Path(*module.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def _file(module: str) -> Path:
    place = _ROOT.parent / Path(*module.split("."))
    package = place / "__init__.py"
    return package if package.is_file() else place.with_suffix(".py")


def _place(module: str, package: str, *, is_package: bool) -> str:
    if module == _PACKAGED or module.startswith(f"{_PACKAGED}."):
        parts = [package, *module.removeprefix(_PACKAGED).split(".")[1:]]
    else:
        parts = [package, _VENDORED, *module.split(".")[1:]]
    return "/".join([*parts, "__init__.py"] if is_package else parts) + (
        "" if is_package else ".py"
    )


def _renamed(source: str, package: str) -> str:
    return re.sub(
        r"^(\s*from )edgekit(?=[. ])", rf"\1{package}.{_VENDORED}", source, flags=re.MULTILINE
    )


def _wheel(package: str, contents: Contents, files: Mapping[str, bytes], needs: list[str]) -> bytes:
    info = f"{package}-{contents.version}.dist-info"
    licence = f"License-Expression: {contents.licence}\n" if contents.licence else ""
    metadata = (
        "Metadata-Version: 2.4\n"
        f"Name: {contents.name}\nVersion: {contents.version}\n"
        f"Summary: {contents.model}, a model with what belongs to it\n{licence}"
        "Requires-Python: >=3.11\n" + "".join(f"Requires-Dist: {need}\n" for need in needs)
    )
    wheel = (
        f"Wheel-Version: 1.0\nGenerator: edgekit {__version__}\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n"
    )
    everything = {
        **files,
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": wheel.encode(),
    }
    record = "".join(
        f"{name},sha256={_url_digest(data)},{len(data)}\n"
        for name, data in sorted(everything.items())
    )
    everything[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return zip_bytes(everything)


def _url_digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
