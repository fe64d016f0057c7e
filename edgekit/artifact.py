"""What an artifact is: a folder with a model file, what proves it, and a manifest written last.

    build/mobilenet/tflite-int8/
      model.tflite   labels.txt   golden/   manifest.json

Reads, checks and writes that folder. Does not convert, run or judge. The manifest holds no time and
no path: the same inputs give the same bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import ArtifactError
from edgekit.files import canonical_json, inside, sha256_file, write_atomic
from edgekit.spec import DTYPES, InputSpec
from edgekit.tensor import TensorInfo

MANIFEST = "manifest.json"
LABELS = "labels.txt"
GOLDEN_INPUTS = "golden/inputs"
GOLDEN_OUTPUTS = "golden/outputs"
GOLDEN_REFERENCE = "golden/reference"

# History: 1 (0.1.0) the first.
FORMAT = 1

TARGETS = ("tflite", "onnx", "openvino")
PRECISIONS = ("fp32", "fp16", "dynamic", "int8")
IO = ("native", "float", "int8", "uint8")

_MOST_VALUES = 2**31  # of one sample
_WORDS = (
    "key", "model", "target", "precision", "io", "runtime", "model_file", "activation",
)  # fmt: skip
_MAX_MANIFEST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Parity:
    """How far an artifact's outputs are from its reference's, on the same inputs.

    Attributes:
        max_abs: Largest absolute difference of any output value, in output units.
        top1_agreement: Share of samples with the same highest output, 0–1.
        samples: Samples compared.
        reference: What it was compared with.
    """

    max_abs: float
    top1_agreement: float
    samples: int
    reference: str = "keras"

    def to_json(self) -> dict[str, Any]:
        # Six significant digits: enough to judge by, stable in a diff.
        return {
            **asdict(self),
            "max_abs": float(f"{self.max_abs:.6g}"),
            "top1_agreement": round(self.top1_agreement, 6),
        }


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that is known about an artifact.

    Attributes:
        key: Digest of all that went into it; equal keys mean nothing has to be converted again.
        model: Name of the model.
        dataset: Name of the data set of calibration and metric; None without one.
        target: One of `TARGETS`, or a plug-in's.
        precision: One of `PRECISIONS`.
        io: One of `IO`: what the inputs and outputs of an int8 file are.
        chain: Conversion steps from the source on, e.g. ["keras", "onnx-fp32", "openvino-fp32"].
        runtime: Runtime the proof was made in.
        model_file: Name of the file to load.
        files: Relative path → {"sha256", "bytes"} of every file but the manifest.
        inputs: Tensors the file takes.
        outputs: Tensors the file gives.
        activation: What the app applies to the output: "softmax", "sigmoid" or "".
        preprocessing: One entry per input: how a picture becomes the tensor.
        ops: Operator name → count, read from the file.
        dtypes: Tensor dtype → count, read from the file.
        calibration: {"dataset", "split", "count", "digest"}; None if nothing was calibrated.
        evaluation: The same of the samples behind the metric; None without data.
        parity: Difference from the source model.
        metric: `MetricValue.to_json()`; None without labelled data.
        tools: Package → version that took part.
    """

    key: str
    model: str
    dataset: str | None
    target: str
    precision: str
    io: str
    chain: tuple[str, ...]
    runtime: str
    model_file: str
    files: Mapping[str, Mapping[str, Any]]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    activation: str
    preprocessing: tuple[InputSpec, ...]
    ops: Mapping[str, int]
    dtypes: Mapping[str, int]
    calibration: Mapping[str, Any] | None
    evaluation: Mapping[str, Any] | None
    parity: Parity
    metric: Mapping[str, Any] | None
    tools: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "format": FORMAT,
            "chain": list(self.chain),
            "inputs": [tensor.to_json() for tensor in self.inputs],
            "outputs": [tensor.to_json() for tensor in self.outputs],
            "preprocessing": [entry.to_json() for entry in self.preprocessing],
            "parity": self.parity.to_json(),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Manifest:
        """Parse; a missing or unknown key raises KeyError or TypeError."""
        fields = {key: value for key, value in data.items() if key != "format"}
        return Manifest(
            **{
                **fields,
                "model_file": str(data["model_file"]),
                "chain": tuple(data["chain"]),
                "files": {name: _file_entry(entry) for name, entry in data["files"].items()},
                "inputs": tuple(
                    TensorInfo.from_json(entry, ArtifactError) for entry in data["inputs"]
                ),
                "outputs": tuple(
                    TensorInfo.from_json(entry, ArtifactError) for entry in data["outputs"]
                ),
                "preprocessing": tuple(
                    InputSpec.from_json(entry) for entry in data["preprocessing"]
                ),
                "parity": Parity(**data["parity"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact on disk whose files match its manifest.

    Attributes:
        path: The folder.
        manifest: What it says of itself.
    """

    path: Path
    manifest: Manifest

    @staticmethod
    def open(path: Path) -> Artifact:
        """Read an artifact and verify the digest of every file.

        Raises:
            ArtifactError: Not an artifact, another format, or a file that is missing, changed or
                outside the folder.
        """
        artifact = Artifact(path, _read_manifest(path))
        files = artifact.manifest.files
        if artifact.manifest.model_file not in files:
            raise ArtifactError(
                f"{path / MANIFEST}: model_file {artifact.manifest.model_file!r} is not among "
                "the files that were proven",
                hint="export it again",
            )
        for relative, entry in files.items():
            _check_file(path, relative, entry)
        return artifact

    @property
    def model_path(self) -> Path:
        """The file a runtime loads."""
        return self.path / self.manifest.model_file

    @property
    def target(self) -> str:
        return self.manifest.target

    @property
    def precision(self) -> str:
        return self.manifest.precision

    @property
    def label(self) -> str:
        """Short name for tables: "tflite-int8", or "tflite-int8-uint8" with integer I/O."""
        return artifact_label(self.manifest.target, self.manifest.precision, self.manifest.io)

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in output order; empty if the artifact has none."""
        if LABELS not in self.manifest.files:
            return ()
        return tuple((self.path / LABELS).read_text(encoding="utf-8").splitlines())

    @property
    def bytes(self) -> int:
        """Size of the model itself: what an app has to carry."""
        stem = Path(self.manifest.model_file).stem
        return sum(
            int(entry["bytes"])
            for relative, entry in self.manifest.files.items()
            if Path(relative).stem == stem and "/" not in relative
        )

    @property
    def sha256(self) -> str:
        """Digest of the model file."""
        return str(self.manifest.files[self.manifest.model_file]["sha256"])


def artifact_label(target: str, precision: str, io: str) -> str:
    """Folder name of an artifact."""
    return f"{target}-{precision}" + ("" if io == "native" else f"-{io}")


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """`Manifest.files` for what lies in `folder` now."""
    return {
        path.relative_to(folder).as_posix(): {
            "sha256": sha256_file(path),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json`; the last file of an artifact."""
    write_atomic(folder / MANIFEST, canonical_json(manifest.to_json()))


def is_artifact(path: Path) -> bool:
    """Whether `path` looks like an artifact folder. Nothing is verified."""
    return (path / MANIFEST).is_file()


def _read_manifest(path: Path) -> Manifest:
    file = path / MANIFEST
    try:
        if file.stat().st_size > _MAX_MANIFEST_BYTES:
            raise ArtifactError(
                f"{file}: {file.stat().st_size:,} bytes",
                limit=f"{_MAX_MANIFEST_BYTES:,} bytes for a manifest",
            )
        data = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ArtifactError(
            f"{path}: not an artifact (no {MANIFEST})",
            hint="edgekit export MODEL makes artifacts under build/",
        ) from None
    except (ValueError, RecursionError) as error:  # also numbers too long to be read
        raise ArtifactError(f"{file}: not valid JSON: {error}", hint="export it again") from error
    found = data.get("format") if isinstance(data, dict) else None
    if found != FORMAT:
        raise ArtifactError(
            f"{file}: format {found!r}; this edgekit reads format {FORMAT}",
            hint="export it again, or use the edgekit that wrote it",
        )
    try:
        manifest = Manifest.from_json(data)
        _check_values(manifest)
    except (ArtifactError, KeyError, TypeError, ValueError, AttributeError) as error:
        what = error.message if isinstance(error, ArtifactError) else _named(error)
        raise ArtifactError(f"{file}: damaged manifest: {what}", hint="export it again") from error
    return manifest


def _check_values(manifest: Manifest) -> None:
    """Whoever reads a manifest prints its words and computes with its figures: bound both.

    Raises:
        ValueError: A value of another type, or beyond what an export writes.
    """
    words = [getattr(manifest, name) for name in _WORDS]
    words += [*manifest.chain, manifest.dataset or "", *manifest.ops, *manifest.dtypes]
    for word in words:
        if not isinstance(word, str) or len(word) > 500 or not word.isprintable():
            raise ValueError(f"{str(word)[:40]!r} is no name")
    for name in ("inputs", "outputs", "preprocessing"):
        if not getattr(manifest, name):
            raise ValueError(f"no {name}")
    for spec in manifest.preprocessing:
        _check_input(spec)
    _check_number(manifest.parity.max_abs, 0, math.inf)
    _check_number(manifest.parity.top1_agreement, 0, 1)
    if manifest.metric is not None:
        _check_metric(dict(manifest.metric))
    for samples in (manifest.calibration, manifest.evaluation):
        if samples is not None:
            dict(samples)


def _check_input(spec: InputSpec) -> None:
    sizes = [size for size in spec.shape if isinstance(size, int) and size > 0]
    if len(sizes) != len(spec.shape) or math.prod(sizes) > _MOST_VALUES:
        raise ValueError(f"an input of the shape {list(spec.shape)}")
    if spec.dtype not in DTYPES or spec.resize not in ("", "bilinear"):
        raise ValueError(f"an input of {spec.dtype!r}, resized by {spec.resize!r}")


def _check_metric(metric: dict[str, Any]) -> None:
    if not isinstance(metric["name"], str):
        raise TypeError("a metric without a name")
    _check_number(metric["samples"], 1, _MOST_VALUES)
    _check_number(metric["value"], 0, 100)
    for name in ("reference", "drop"):
        if metric.get(name) is not None:
            _check_number(metric[name], -100, 100)
    for name in ("ci95", "drop_ci95"):
        if metric.get(name) is not None:
            low, high = metric[name]
            _check_number(low, -100, 100)
            _check_number(high, -100, 100)


def _check_number(value: Any, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{str(value)[:40]!r} is no number")
    if not low <= value <= high or math.isinf(value):
        raise ValueError(f"{value:.4g} is outside {low:g}…{high:g}")


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _file_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"sha256": str(entry["sha256"]), "bytes": int(entry["bytes"])}


def _check_file(folder: Path, relative: str, entry: Mapping[str, Any]) -> None:
    try:
        file = inside(folder, relative)
        size = file.stat().st_size
        damaged = size != entry["bytes"] or sha256_file(file) != entry["sha256"]
    except ValueError as error:
        raise ArtifactError(f"{folder}: {error}", hint="don't use this artifact") from error
    except FileNotFoundError:
        raise ArtifactError(f"{folder}: {relative} is missing", hint="export it again") from None
    except IsADirectoryError:
        raise ArtifactError(f"{folder}: {relative} is a folder", hint="export it again") from None
    if damaged:
        raise ArtifactError(
            f"{folder}: {relative}: sha256 differs from the manifest's",
            hint="the file was changed after it was proven; export it again",
        )
