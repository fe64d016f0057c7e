"""Find the model a person means; refuse what is not safe or not whole, before TensorFlow starts.

MODEL is a reference model's name, a folder with `model.toml` and `model.py`, a `.keras`, a `.h5`
or a SavedModel. Knows references, weights and digests. Building is `edgekit.loading`'s.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from edgekit import registry, shelf, tokenizing
from edgekit.errors import ModelError, UsageError
from edgekit.files import digest_json, sha256_file, sha256_tree
from edgekit.modelfile import read_model_toml, read_variants
from edgekit.spec import ModelSpec, Scalar

Kind = Literal["folder", "keras", "h5", "savedmodel", "file"]

# A `.keras` is a zip: what it may unpack to, so that a small file cannot fill the memory.
MAX_MODEL_BYTES = 4 * 1024**3

WEIGHTS = ".weights.h5"

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_FILE_KINDS: dict[str, Kind] = {".keras": "keras", ".h5": "h5", ".hdf5": "h5"}

# SavedModel operators that reach outside the model: files, processes, Python.
# (SaveV2 and MatchingFiles are left out: every SavedModel has them, outside its signatures.)
_UNSAFE_OPS = ("PyFunc", "EagerPyFunc", "PyFuncStateless", "ReadFile", "WriteFile", "PrintV2")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model that was found, not yet built.

    Attributes:
        name: Short name, used for the artifact folder.
        kind: What it is on disk.
        path: The folder or file.
        spec: From `model.toml`; None for a model that comes without one.
        parameters: Overrides of `[parameters]`.
        trusted: Whether the user vouches for code inside the file (Lambda layers).
        tokenizer: Reference of the tokenizer that was trained with the weights; "" for none.
    """

    name: str
    kind: Kind
    path: Path
    spec: ModelSpec | None
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    trusted: bool = False
    tokenizer: str = ""

    @property
    def needs_tokenizer(self) -> bool:
        """Whether an input takes tokens of a tokenizer that comes with the weights."""
        inputs = self.spec.inputs if self.spec else ()
        return any(entry.tokenizer == tokenizing.WORDPIECE for entry in inputs)

    def with_tokenizer(self, reference: str) -> ModelSource:
        """The same model, its inputs naming the tokenizer that its weights were trained with."""
        assert self.spec is not None
        inputs = tuple(
            replace(entry, tokenizer=reference)
            if entry.tokenizer == tokenizing.WORDPIECE
            else entry
            for entry in self.spec.inputs
        )
        return replace(self, spec=replace(self.spec, inputs=inputs), tokenizer=reference)

    def digest(self) -> str:
        """Content of everything that decides what is built, weights apart.

        A model folder's checkpoints, card and pictures don't count: only its code and its TOML.
        """
        if self.kind == "folder":
            code = {
                path.relative_to(self.path).as_posix(): sha256_file(path)
                for path in sorted([*self.path.rglob("*.py"), self.path / "model.toml"])
            }
            about: dict[str, Any] = {"code": code, "parameters": dict(self.parameters)}
            return digest_json(about | ({"tokenizer": self.tokenizer} if self.tokenizer else {}))
        return sha256_tree(self.path)

    def weights_for(self, dataset: str) -> Path:
        """The checkpoint trained on `dataset` that lies in the model folder.

        Raises:
            ModelError: There is none; the message says which there are.
        """
        path = self.weights_place(dataset)
        if not path.is_file():
            names = sorted(self.checkpoints())
            hint = f"edgekit train {self.name} --dataset {dataset}, or give --weights PATH"
            if relative := self._relative_with(dataset):
                hint = f"{relative}, which has weights for {dataset}; or {hint}"
            raise ModelError(
                f"{self.name} has no weights trained on {dataset!r}",
                f"there are weights for: {', '.join(names) or 'no data set'}",
                hint=hint,
            )
        return path

    def _relative_with(self, dataset: str) -> str:
        """Name of the first model of the same folder that has a checkpoint for `dataset`, or ""."""
        for path in sorted(self.path.glob(f"*{dataset}{WEIGHTS}")):
            variant, _, trained_on = path.name.removesuffix(WEIGHTS).rpartition(".")
            if trained_on == dataset:
                return f"{self.path.name}-{variant}" if variant else self.path.name
        return ""

    def weights_place(self, dataset: str) -> Path:
        """Where in the model folder the checkpoint trained on `dataset` belongs."""
        return self.path / f"{self._prefix}{dataset}{WEIGHTS}"

    def checkpoints(self) -> dict[str, Path]:
        """Data set → checkpoint in the model folder, of this variant."""
        found = {
            path.name.removesuffix(WEIGHTS): path for path in sorted(self.path.glob(f"*{WEIGHTS}"))
        }
        # Only a variant's name may hold a dot: "v3-small.glyphs".
        return {
            name.removeprefix(self._prefix): path
            for name, path in found.items()
            if name.startswith(self._prefix) and "." not in name.removeprefix(self._prefix)
        }

    @property
    def _prefix(self) -> str:
        variant = self.spec.variant if self.spec else ""
        return f"{variant}." if variant else ""

    def to_json(self) -> dict[str, Any]:
        """What another process needs to find the same model."""
        return {
            "reference": str(self.path),
            "parameters": dict(self.parameters),
            "trusted": self.trusted,
            "variant": self.spec.variant if self.spec else "",
            "tokenizer": self.tokenizer,
        }


def tokenizer_beside(weights: Path) -> Path:
    """Where the tokenizer that was trained with a checkpoint lies."""
    return weights.with_name(weights.name.removesuffix(WEIGHTS) + tokenizing.SUFFIX)


def known_models() -> dict[str, tuple[Path, str]]:
    """Every name of a reference model → its folder and variant ("" for the folder's own model).

    A folder wins over another one's variant of the same name.
    """
    folders = shelf.model_folders()
    known = {
        f"{name}-{variant}": (folder, variant)
        for name, folder in folders.items()
        for variant in read_variants(folder / "model.toml")
    }
    return dict(sorted({**known, **{name: (path, "") for name, path in folders.items()}}.items()))


def resolve_model(
    reference: str,
    *,
    parameters: Mapping[str, Scalar] | None = None,
    trusted: bool = False,
    variant: str = "",
    tokenizer: str = "",
) -> ModelSource:
    """Find a model by name or path and check that it is what it claims to be.

    Args:
        reference: Name of a reference model, or path of a folder, `.keras`, `.h5` or SavedModel.
        parameters: Overrides of `[parameters]` in `model.toml`.
        trusted: Allow code inside the file (Lambda layers, Python ops).
        variant: Of a model folder given by path. `<folder>-<variant>` means the same.
        tokenizer: Reference of the one that its inputs' text goes through, where weights have one.

    Raises:
        UsageError: No such name; the message says what was probably meant.
        ModelError: The path is missing, damaged, not a model, or holds code.
    """
    source = _resolve(reference, dict(parameters or {}), trusted, variant)
    return source.with_tokenizer(tokenizer) if tokenizer else source


def _resolve(
    reference: str, overrides: dict[str, Scalar], trusted: bool, variant: str
) -> ModelSource:
    path = Path(reference).expanduser()
    if not reference:
        raise UsageError("MODEL is empty", hint="edgekit models lists the models by name")
    spelled_as_path = path.suffix in _FILE_KINDS or path.name != reference
    # A known name wins over a folder of that name; write ./name to mean the folder.
    known = known_models()
    if spelled_as_path or (path.exists() and reference not in known):
        return _from_path(path.resolve(), overrides, trusted, variant)
    folder, variant = known[registry.resolve(reference, known, what="model")]
    spec = read_model_toml(folder / "model.toml", overrides, variant)
    return ModelSource(spec.name, "folder", folder, spec, overrides, trusted)


def _from_path(
    path: Path, parameters: dict[str, Scalar], trusted: bool, variant: str
) -> ModelSource:
    if not path.exists() and not variant:
        path, variant = _split_variant(path)
    if not path.exists():
        raise ModelError(
            f"{path}: no such file or folder", hint="edgekit models lists the models by name"
        )
    if path.is_dir() and (path / "model.toml").is_file():
        if not (path / "model.py").is_file():
            raise ModelError(f"{path}: model.toml is there, model.py is missing")
        spec = read_model_toml(path / "model.toml", parameters, variant)
        return ModelSource(spec.name, "folder", path, spec, parameters, trusted)
    if parameters:
        raise UsageError(f"{path}: parameters can be set for model folders only")
    kind = _kind_of(path)
    if not trusted:
        _refuse_code(path, kind)
    elif kind == "keras":
        _read_keras_config(path)
    name = re.sub(r"[^\w.-]+", "-", path.stem).strip("-.") or "model"
    return ModelSource(name, kind, path, None, {}, trusted)


def _split_variant(path: Path) -> tuple[Path, str]:
    """`models/mobilenet-v3-small` → the folder `models/mobilenet` and its variant, if it is one."""
    parts = path.name.split("-")
    for at in range(len(parts) - 1, 0, -1):
        folder, variant = path.with_name("-".join(parts[:at])), "-".join(parts[at:])
        if variant in read_variants(folder / "model.toml"):
            return folder, variant
    return path, ""


def _kind_of(path: Path) -> Kind:
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return "savedmodel"
        raise ModelError(
            f"{path}: neither a model folder nor a SavedModel",
            hint="a model folder holds model.toml and model.py, a SavedModel saved_model.pb",
        )
    with path.open("rb") as stream:
        head = stream.read(8)
    if head.startswith(b"PK"):
        return "keras"
    if head == _HDF5_SIGNATURE:
        return "h5"
    wanted = {"keras": "a Keras archive", "h5": "an HDF5 file"}
    kind = _FILE_KINDS.get(path.suffix)
    if kind:
        raise ModelError(f"{path}: not {wanted[kind]} (damaged, or something else by that name)")
    raise ModelError(f"{path}: not a model", hint="a .keras, a .h5, a SavedModel or a model folder")


def _refuse_code(path: Path, kind: Kind) -> None:
    """Models are untrusted: refuse what would run code from inside the file."""
    if kind == "savedmodel":
        _refuse_unsafe_ops(path)
        return
    config = _read_keras_config(path) if kind == "keras" else _read_h5_config(path)
    lambdas = sorted(_lambda_layers(config))
    if lambdas:
        raise ModelError(
            f"{path}: holds Lambda layers, which are arbitrary code: {', '.join(lambdas)}",
            hint="replace them by layers, or add --trust-model if you wrote this file",
        )


def _read_keras_config(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(entry.file_size for entry in archive.infolist())
            if total > MAX_MODEL_BYTES:
                raise ModelError(
                    f"{path}: unpacks to {total:,} bytes",
                    limit=f"{MAX_MODEL_BYTES:,} bytes for a model file",
                )
            damaged = archive.testzip()
            if damaged:
                raise ModelError(f"{path}: damaged: {damaged} fails its checksum")
            return json.loads(archive.read("config.json"))
    except KeyError:
        raise ModelError(f"{path}: a zip archive without config.json, not a Keras model") from None
    # RuntimeError: encrypted, or compressed in a way Python does not know, or nested too deeply.
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{path}: truncated or damaged: {error}", hint="save the model again"
        ) from error


def _read_h5_config(path: Path) -> Any:
    try:
        import h5py
    except ImportError:
        from edgekit.errors import MissingExtraError

        raise MissingExtraError("h5py", "export", f"reading {path.name}") from None
    try:
        with h5py.File(path, "r") as file:
            config = file.attrs.get("model_config")
            weights_only = config is None and ("layer_names" in file.attrs or "layers" in file)
    except OSError as error:
        raise ModelError(
            f"{path}: truncated or damaged HDF5: {error}", hint="save the model again"
        ) from error
    if config is None:
        what = "weights without an architecture" if weights_only else "HDF5, but not a Keras model"
        raise ModelError(
            f"{path}: {what}",
            hint="model.save('model.keras') keeps both; for weights alone: "
            "edgekit export MODEL --weights PATH",
        )
    try:
        return json.loads(config)
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{path}: its model_config is not JSON: {error}") from error


def _lambda_layers(config: Any) -> set[str]:
    """Names of Lambda layers (and of anything else that carries marshalled code) at any depth."""
    found: set[str] = set()
    todo = [config]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            if item.get("class_name") in ("Lambda", "__lambda__"):
                inner = item.get("config")
                name = inner.get("name") if isinstance(inner, dict) else None
                found.add(str(name or item.get("name") or "lambda"))
            todo += item.values()
        elif isinstance(item, list):
            todo += item
    return found


def _refuse_unsafe_ops(path: Path) -> None:
    data = (path / "saved_model.pb").read_bytes()
    unsafe = [
        name
        for name in _UNSAFE_OPS
        # NodeDef.op is field 2, a string: tag 0x12, its length, its bytes.
        if bytes([0x12, len(name)]) + name.encode() in data
    ]
    if unsafe:
        raise ModelError(
            f"{path}: holds operators that reach outside the model: {', '.join(unsafe)}",
            hint="add --trust-model if you wrote this model",
        )
