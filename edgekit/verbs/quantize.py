"""`edgekit quantize`: the artifacts of an export, made from a float file that somebody else made.

Chooses the file, data and limits. The work itself is `edgekit.quantizing`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import edgekit
from edgekit import registry
from edgekit.datasets import Dataset
from edgekit.errors import DataError, ModelError, UsageError
from edgekit.files import sha256_file, sha256_tree
from edgekit.making import Made, make, no_empty_folder
from edgekit.metrics import METRICS
from edgekit.metrics.detection import MeanAveragePrecision
from edgekit.models import ModelSource
from edgekit.plan import artifact_key, exporters_named, plan_for_file
from edgekit.progress import Report, silent
from edgekit.quantization.files.description import Reading, check_size
from edgekit.quantizing import RUNTIMES, FileOrder, FilePipeline
from edgekit.spec import UNLABELLED, Gate

# What each kind of file can become.
TARGETS = {".onnx": ("onnx", "openvino"), ".tflite": ("tflite",)}

_CALIBRATION = 128


@dataclass(frozen=True, slots=True)
class QuantizeRequest:
    """What a person asks for. None means edgekit's default.

    Attributes:
        file: A float `.onnx` or `.tflite`.
        data: A user's own samples, for calibration and proof.
        dataset: Name of a known data set instead.
        targets: Targets; empty for all that the file can become.
        precisions: Precisions.
        io: Input and output types of int8 files.
        reading: What the file's input expects.
        labels: Whether the labels of the data count.
        metric: How outputs are scored.
        calibration_samples: How many.
        evaluation_samples: How many.
        condition: Condition the file for what is calibrated (docs/quantize.md).
        max_drop: Points of the metric an artifact may lose.
        allow_drop: Keep an artifact that misses its gate all the same, and say so in its manifest.
        out: Folder that gets `<name>/<target>-<precision>`.
        name: Name in folders and manifests; by default the file's.
        metadata: Whether files say what they are (docs/metadata.md).
        force: Convert again even if nothing changed.
    """

    file: Path
    data: Path | None = None
    dataset: str | None = None
    targets: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("int8",)
    io: str = "native"
    reading: Reading = field(default_factory=Reading)
    labels: bool = True
    metric: str = "top1"
    calibration_samples: int | None = None
    evaluation_samples: int | None = None
    condition: bool = True
    max_drop: float | None = None
    allow_drop: bool = False
    out: Path = Path("build")
    name: str | None = None
    metadata: bool = True
    force: bool = False


def quantize(request: QuantizeRequest, *, report: Report = silent) -> Made:
    """Make every artifact asked for, or find it made already.

    Raises:
        UsageError: An option that does not fit the file.
        ModelError: The file is missing, damaged, quantized already, or not one that can be.
        DataError: Data that cannot be used, or int8 without data.
        EdgekitError: The file or the data cannot be used at all. What fails for one artifact only
            is in the result's `failures`.
    """
    order = _order(request)
    with no_empty_folder(order.out):
        return make(order, report, force=request.force, kind=FilePipeline)


def _order(request: QuantizeRequest) -> FileOrder:
    source = _source(request)
    targets = request.targets or TARGETS[source.path.suffix]
    exporters = exporters_named(targets)
    if foreign := sorted(set(exporters) - set(TARGETS[source.path.suffix])):
        raise UsageError(
            f"{source.path.suffix} files become {' or '.join(TARGETS[source.path.suffix])}, "
            f"not {foreign[0]}",
            hint="edgekit export makes every target from a Keras model",
        )
    if "fp32" in request.precisions:
        raise UsageError(
            f"{request.file} is the float32 file itself",
            hint="--precision int8, fp16 or dynamic",
        )
    plan = plan_for_file(exporters, request.precisions, request.io, condition=request.condition)
    dataset = _dataset(request)
    if dataset is None and any(step.needs_calibration for step in plan.steps):
        raise DataError(
            f"int8 of {request.file.name} needs data: its ranges come from calibration samples",
            hint="--data PATH (a folder of pictures, or an .npz)",
        )
    metric = registry.resolve(request.metric, METRICS, what="metric")
    _check_metric(metric, dataset)
    labelled = dataset is not None and bool(dataset.classes)
    gate = Gate() if labelled else UNLABELLED
    if request.max_drop is not None:
        if not labelled:
            raise UsageError(
                "--max-drop limits the loss of a metric, and without labels there is none",
                hint="leave --no-labels out, or --max-drop",
            )
        gate = replace(gate, max_drop=request.max_drop, origin="--max-drop")
    order = FileOrder(
        source=source,
        plan=plan,
        keys={},
        out=request.out / source.name,
        weights=None,
        dataset=dataset,
        classes=dataset.classes if dataset else (),
        calibration_samples=request.calibration_samples or _CALIBRATION,
        evaluation_samples=request.evaluation_samples or gate.samples,
        metric=metric,
        activation="",
        gate=gate,
        reading=_reading(request, dataset),
        allow_drop=request.allow_drop,
        metadata=request.metadata,
    )
    ingredients = _ingredients(order)
    return replace(
        order, keys={step.label: artifact_key(step, ingredients) for step in plan.wanted}
    )


def _check_metric(name: str, dataset: Dataset | None) -> None:
    """A metric scores what the labels of the data are: classes or boxes."""
    if dataset is None or not dataset.classes:
        return
    boxes = METRICS[name].task == MeanAveragePrecision.task
    if boxes != dataset.has_boxes:
        scored, given = ("boxes", "classes") if boxes else ("classes", "boxes")
        fitting = [known for known, metric in METRICS.items() if metric.task != METRICS[name].task]
        raise UsageError(
            f"{name} scores {scored}; this data has {given}",
            hint=f"--metric {fitting[0]}, or --no-labels",
        )


def _source(request: QuantizeRequest) -> ModelSource:
    path = request.file.expanduser()
    if path.suffix not in RUNTIMES:
        raise UsageError(
            f"{path}: edgekit quantizes .onnx and .tflite files",
            hint="edgekit export takes Keras models",
        )
    if not path.is_file():
        raise ModelError(f"{path}: {'a folder' if path.is_dir() else 'no such file'}")
    check_size(path)
    if request.name is not None and not re.fullmatch(r"\w[\w.-]*", request.name):
        raise UsageError(f"--name {request.name!r}: letters, digits, '_', '-' and '.' make a name")
    name = request.name or re.sub(r"[^\w.-]+", "-", path.stem).strip("-.") or "model"
    return ModelSource(name, "file", path.resolve(), None)


def _dataset(request: QuantizeRequest) -> Dataset | None:
    from edgekit.datasets.unlabelled import open_samples

    if request.data is not None and request.dataset is not None:
        raise UsageError("--dataset and --data both say what to calibrate with", hint="give one")
    reference = request.data if request.data is not None else request.dataset
    return None if reference is None else open_samples(reference, labelled=request.labels)


def _reading(request: QuantizeRequest, dataset: Dataset | None) -> Reading:
    """The range of stored floats is known: they go in as they are; so do an input's own numbers."""
    from edgekit.datasets.npz import NpzFile

    reading = request.reading
    if reading.limits is None and not (reading.mean or reading.std):
        stored = getattr(dataset, "inner", dataset)
        if isinstance(stored, NpzFile) and stored.input_names:
            found = {name: stored.limits("fi", name) for name in stored.input_names}
            return replace(reading, known={n: pair for n, pair in found.items() if pair})
        if isinstance(stored, NpzFile) and (limits := stored.limits("f")):
            return replace(reading, limits=limits)
    return reading


def _ingredients(order: FileOrder) -> dict[str, Any]:
    package = Path(edgekit.__file__).parent
    data = None
    if order.dataset is not None:
        data = {
            "fingerprint": order.dataset.fingerprint(),
            "evaluation": order.evaluation_samples,
            "metric": order.metric,
        }
    conditioning = [sha256_tree(package / "quantization" / "files")]
    conditioning += [
        sha256_file(package / "quantization" / "condition" / f"{name}.py")
        for name in ("grid", "store")
    ]
    return {
        # The code that decides bytes and figures: a change of it makes old artifacts old.
        "edgekit": [
            edgekit.__version__,
            sha256_tree(package / "exporters"),
            *(sha256_file(package / f"{name}.py") for name in ("proof", "golden")),
            *conditioning,
        ],
        "file": sha256_file(order.source.path),
        "name": order.source.name,
        "metadata": sha256_file(package / "datasets" / "recipe.py") if order.metadata else None,
        "classes": list(order.classes),
        "data": data,
        "calibration": order.calibration_samples,
        "conditioning": conditioning,
        "reading": order.reading.to_json(),
    }
