"""What is known of an artifact: its manifest, typed and checked field by field.

Knows JSON. Does not read or write files: `edgekit.artifact` does.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from edgekit.errors import ArtifactError
from edgekit.fields import Fields, is_name
from edgekit.metrics import METRICS, MetricValue
from edgekit.ranges.audit import Audit
from edgekit.spec import DTYPES, InputSpec
from edgekit.tensor import TensorInfo

# History: 1 (0.1.0) the first. 2: `cost`; `preprocessing` says tokenizer and rate. 3: `calibration`
# may say the classes of its samples and how ranges were found; `gate`, `kept` and `search`.
FORMAT = 3
OLDEST_FORMAT = 2

TARGETS = ("tflite", "onnx", "openvino")
PRECISIONS = ("fp32", "fp16", "dynamic", "int4", "int8", "16x8")
IO = ("native", "float", "int8", "uint8")

# What runtimes take and give; a model's own inputs are of `DTYPES`.
_TENSOR_DTYPES = (*DTYPES, "bool", "int16", "uint16", "uint32", "uint64", "float64")
_SPLITS = ("train", "validation", "test")
_MOST_TENSORS = 256
_MOST_FILES = 4096
_MOST_COUNT = 10**9


@dataclass(frozen=True, slots=True)
class Parity:
    """How far an artifact's outputs are from its reference's, on the same inputs.

    Attributes:
        max_abs: Largest absolute difference of any output value, in output units.
        top1_agreement: Share of samples with the same highest output, 0–1; of a detector, with
            the same class of the highest score.
        samples: Samples compared.
        reference: What it was compared with: "keras", or "file".
        snr_db: Power of the reference over power of the difference, in decibels, of the output
            where it is least; None where it was not measured.
    """

    max_abs: float
    top1_agreement: float
    samples: int
    reference: str = "keras"
    snr_db: float | None = None

    def to_json(self) -> dict[str, Any]:
        # Six significant digits: enough to judge by, stable in a diff.
        return {
            **asdict(self),
            "max_abs": float(f"{self.max_abs:.6g}"),
            "top1_agreement": round(self.top1_agreement, 6),
            "snr_db": None if self.snr_db is None else round(self.snr_db, 3),
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
            snr_db=fields.optional_number("snr_db", low=-1000.0, high=1000.0),
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
        calibration: {"dataset", "split", "count", "digest"}, with labels "classes" (how many the
            samples are of), and where edgekit found the ranges "ranges" (`Audit.to_json()`); None
            if nothing was calibrated.
        evaluation: The first four of the samples behind the metric; None without data.
        parity: Difference from the source model.
        metric: `MetricValue.to_json()`; None without labelled data.
        cost: "parameters" and "multiply_adds" of the source model, for one sample.
        tools: Package → version that took part.
        gate: {"max_drop", "met"}: the limit on the metric's drop, and whether the file keeps it.
            Of a file made from another without labels, {"min_snr_db", "min_agreement", "met"}.
            None without either.
        kept: Layers of an int8 file that were kept in float (docs/mixed.md), each {"name", "op",
            "ops", "share", "dtype"}.
        search: How they were found: {"layers", "candidates", "attempts", "samples"}; None where
            none were kept.
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
    cost: Mapping[str, int] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    gate: Mapping[str, Any] | None = None
    kept: Sequence[Mapping[str, Any]] = ()
    search: Mapping[str, Any] | None = None

    @property
    def shown_precision(self) -> str:
        """For tables: "int8", or "int8, 3 layers float32"."""
        if not self.kept:
            return self.precision
        count = len(self.kept)
        return f"{self.precision}, {count} layer{'s' * (count > 1)} {self.kept[0]['dtype']}"

    def to_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "format": FORMAT,
            "chain": list(self.chain),
            "inputs": [tensor.to_json() for tensor in self.inputs],
            "outputs": [tensor.to_json() for tensor in self.outputs],
            "preprocessing": [entry.to_json() for entry in self.preprocessing],
            "parity": self.parity.to_json(),
            "kept": [dict(entry) for entry in self.kept],
        }

    @staticmethod
    def from_json(data: Any) -> Manifest:
        """Check and rebuild.

        Raises:
            ArtifactError: A key is missing, unknown, of the wrong type or out of bounds.
        """
        fields = Fields(data, "manifest", ArtifactError)
        fields.integer("format", FORMAT, low=OLDEST_FORMAT, high=FORMAT)
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
            calibration=_samples(fields, "calibration", ranges=True),
            evaluation=_samples(fields, "evaluation"),
            parity=Parity.from_json(fields.mapping("parity")),
            metric=_metric(fields),
            cost=fields.counts("cost", most=16, high=2**60),
            tools=_tools(fields),
            gate=_gate(fields),
            kept=tuple(_kept(entry) for entry in fields.items("kept", (), most=_MOST_FILES)),
            search=_search(fields),
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


def _samples(fields: Fields, key: str, *, ranges: bool = False) -> dict[str, Any] | None:
    if not fields.has(key):
        return fields.optional_mapping(key)
    entry = fields.table(key)
    samples: dict[str, Any] = {
        "dataset": entry.optional_name("dataset"),
        "split": entry.text("split", choices=_SPLITS),
        "count": entry.integer("count", high=_MOST_COUNT),
        "digest": entry.name("digest"),
    }
    if ranges and entry.has("classes"):
        samples["classes"] = entry.integer("classes", high=_MOST_COUNT)
    if ranges and entry.has("ranges"):
        samples["ranges"] = Audit.from_fields(entry.table("ranges")).to_json()
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


def _gate(fields: Fields) -> dict[str, Any] | None:
    if not fields.has("gate"):
        return fields.optional_mapping("gate")
    entry = fields.table("gate")
    limits = ("max_drop",) if entry.has("max_drop") else ("min_snr_db", "min_agreement")
    gate: dict[str, Any] = {name: entry.number(name, high=sys.float_info.max) for name in limits}
    gate["met"] = entry.flag("met")
    entry.done()
    return gate


def _kept(data: Any) -> dict[str, Any]:
    entry = Fields(data, "kept", ArtifactError)
    kept = {
        "name": entry.name("name", longest=4096),
        "op": entry.name("op"),
        "ops": entry.integer("ops", high=_MOST_COUNT),
        "share": entry.number("share", high=1.0),
        "dtype": entry.text("dtype", choices=_TENSOR_DTYPES),
    }
    entry.done()
    return kept


def _search(fields: Fields) -> dict[str, Any] | None:
    if not fields.has("search"):
        return fields.optional_mapping("search")
    entry = fields.table("search")
    counts = ("layers", "candidates", "attempts")
    found: dict[str, Any] = {name: entry.integer(name, high=_MOST_COUNT) for name in counts}
    found["samples"] = _samples(entry, "samples")
    entry.done()
    return found


def _tools(fields: Fields) -> dict[str, str]:
    tools, packages = fields.entries("tools", {}, most=_MOST_FILES)
    return {package: tools.name(package) for package in packages}
