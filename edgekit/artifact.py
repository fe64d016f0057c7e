"""What an artifact is: a folder with a model file, what proves it, and a manifest written last.

    build/mobilenet/tflite-int8/
      model.tflite   labels.txt   golden/   manifest.json

Reads, checks and writes that folder. Does not convert, run or judge. The manifest holds no time and
no path: the same inputs give the same bytes.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import ArtifactError
from edgekit.fields import Fields, is_name
from edgekit.files import canonical_json, inside, sha256_file, write_atomic
from edgekit.metrics import METRICS, MetricValue
from edgekit.spec import DTYPES, InputSpec
from edgekit.tensor import TensorInfo

MANIFEST = "manifest.json"
LABELS = "labels.txt"
GOLDEN_INPUTS = "golden/inputs"
GOLDEN_OUTPUTS = "golden/outputs"
GOLDEN_REFERENCE = "golden/reference"

# History: 1 (0.1.0) the first. 2: `preprocessing` says tokenizer and rate of text and sound.
FORMAT = 2

TARGETS = ("tflite", "onnx", "openvino")
PRECISIONS = ("fp32", "fp16", "dynamic", "int8")
IO = ("native", "float", "int8", "uint8")

# What runtimes take and give; a model's own inputs are of `DTYPES`.
_TENSOR_DTYPES = (*DTYPES, "bool", "int16", "uint16", "uint32", "uint64", "float64")
_SPLITS = ("train", "validation", "test")
_MOST_TENSORS = 256
_MOST_FILES = 4096
_MOST_COUNT = 10**9

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

    @staticmethod
    def from_json(data: Any) -> Parity:
        """Check and rebuild; raises ArtifactError."""
        fields = Fields(data, "parity", ArtifactError)
        parity = Parity(
            max_abs=fields.number("max_abs", high=sys.float_info.max),
            top1_agreement=fields.number("top1_agreement", high=1.0),
            samples=fields.integer("samples", high=_MOST_COUNT),
            reference=fields.name("reference"),
        )
        fields.done()
        return parity


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
    def from_json(data: Any) -> Manifest:
        """Check and rebuild.

        Raises:
            ArtifactError: A key is missing, unknown, of the wrong type or out of bounds.
        """
        fields = Fields(data, "manifest", ArtifactError)
        fields.integer("format", FORMAT, low=FORMAT, high=FORMAT)
        manifest = Manifest(
            key=fields.name("key"),
            model=fields.name("model"),
            dataset=fields.optional_name("dataset"),
            target=_plain(fields, "target", fields.name("target")),
            precision=fields.text("precision", choices=PRECISIONS),
            io=fields.text("io", choices=IO),
            chain=tuple(_plain(fields, "chain", s) for s in fields.items("chain", most=16)),
            runtime=_plain(fields, "runtime", fields.name("runtime")),
            model_file=fields.text("model_file", longest=1024),
            files=_files(fields),
            inputs=_tensors(fields, "inputs"),
            outputs=_tensors(fields, "outputs"),
            activation=fields.text("activation", choices=("", "softmax", "sigmoid")),
            preprocessing=tuple(
                InputSpec.from_json(entry, ArtifactError)
                for entry in fields.items("preprocessing", least=1, most=_MOST_TENSORS)
            ),
            ops=fields.counts("ops", most=_MOST_FILES, high=_MOST_COUNT),
            dtypes=fields.counts("dtypes", most=_MOST_FILES, high=_MOST_COUNT),
            calibration=_samples(fields, "calibration"),
            evaluation=_samples(fields, "evaluation"),
            parity=Parity.from_json(fields.mapping("parity")),
            metric=_metric(fields),
            tools=_tools(fields),
        )
        fields.done()
        return manifest


def _plain(fields: Fields, key: str, value: Any) -> str:
    """A registered name or a label, which may stand in a path."""
    if not isinstance(value, str) or not re.fullmatch(r"\w[\w.+-]{0,99}", value):
        raise fields.fail(key, f"{str(value)[:40]!r} is no name")
    return value


def _tensors(fields: Fields, key: str) -> tuple[TensorInfo, ...]:
    entries = fields.items(key, least=1, most=_MOST_TENSORS)
    tensors = tuple(TensorInfo.from_json(entry, ArtifactError) for entry in entries)
    for tensor in tensors:
        if not is_name(tensor.name) or tensor.dtype not in _TENSOR_DTYPES:
            raise fields.fail(key, f"no tensor: {tensor.name[:40]!r} of {tensor.dtype!r}")
    return tensors


def _files(fields: Fields) -> dict[str, dict[str, Any]]:
    listed, names = fields.entries("files", most=_MOST_FILES)
    files = {}
    for relative in names:
        entry = listed.table(relative)
        sha256, size = entry.name("sha256"), entry.integer("bytes", high=2**50)
        files[relative] = {"sha256": sha256, "bytes": size}
        entry.done()
    return files


def _samples(fields: Fields, key: str) -> dict[str, Any] | None:
    if not fields.has(key):
        return fields.optional_mapping(key)
    entry = fields.table(key)
    samples = {
        "dataset": entry.optional_name("dataset"),
        "split": entry.text("split", choices=_SPLITS),
        "count": entry.integer("count", high=_MOST_COUNT),
        "digest": entry.name("digest"),
    }
    entry.done()
    return samples


def _metric(fields: Fields) -> dict[str, Any] | None:
    data = fields.optional_mapping("metric")
    if data is not None:
        value = MetricValue.from_json(data)
        if value.name not in METRICS:
            raise fields.fail("metric", f"{value.name!r:.40} is not one of {', '.join(METRICS)}")
        if value.reference is None or value.drop is None or value.drop_ci95 is None:
            raise fields.fail("metric", "reference, drop and drop_ci95 are needed")
    return data


def _tools(fields: Fields) -> dict[str, str]:
    tools, packages = fields.entries("tools", {}, most=_MOST_FILES)
    return {package: tools.name(package) for package in packages}


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
                f"{path / MANIFEST}: model_file {artifact.manifest.model_file!r:.80} is not among "
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
        try:
            return tuple((self.path / LABELS).read_text(encoding="utf-8").splitlines())
        except UnicodeDecodeError as error:
            raise ArtifactError(
                f"{self.path / LABELS}: not UTF-8 text", hint="export it again"
            ) from error

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
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ArtifactError(f"{file}: not valid JSON: {error}", hint="export it again") from error
    except ValueError as error:  # Python reads no integer of more than 4,300 digits
        raise ArtifactError(
            f"{file}: damaged manifest: a number of thousands of digits", hint="export it again"
        ) from error
    found = data.get("format") if isinstance(data, dict) else FORMAT
    if type(found) is not int or found != FORMAT:
        raise ArtifactError(
            f"{file}: format {found!r:.40}; this edgekit reads format {FORMAT}",
            hint="export it again, or use the edgekit that wrote it",
        )
    try:
        return Manifest.from_json(data)
    except ArtifactError as error:
        raise ArtifactError(
            f"{file}: damaged manifest: {error.message.removeprefix('manifest: ')}",
            hint="export it again",
        ) from error


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
