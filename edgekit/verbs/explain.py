"""`edgekit explain`: which layer of a file loses accuracy, and what in its graph invites it.

Finds the artifact's model, weights and data again; the work itself is `edgekit.quantization`'s.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.artifact import GOLDEN_REFERENCE, Artifact, is_artifact
from edgekit.errors import ArtifactError, ModelError, UsageError
from edgekit.exporters.base import FILE, KERAS
from edgekit.exporters.worker import Preparation
from edgekit.models import ModelSource, known_models, resolve_model, tokenizer_beside
from edgekit.plan import CONDITIONED, REWRITTEN
from edgekit.process import Child
from edgekit.progress import Progress, Report, silent
from edgekit.quantization.calibration import SPLIT
from edgekit.quantization.explain.explaining import FileToExplain, explain_file
from edgekit.quantization.explain.explanation import Explanation
from edgekit.quantization.explain.reading import TARGETS
from edgekit.quantization.lint.finding import Finding
from edgekit.quantization.rewrite.applied import Applied
from edgekit.quantization.worker import ENTRY, lint_request, rewrite_request
from edgekit.spec import Scalar
from edgekit.tokenizing import has_file

if TYPE_CHECKING:
    from edgekit.datasets import Dataset

SAMPLES = 32
_LINTED = 4  # samples whose ranges the linter looks at
_FILES, _FLOAT = (".tflite", ".onnx", ".xml"), ("fp32", "fp16")


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """What a person asks for.

    Attributes:
        what: An artifact's folder or model file; or a model, by name or path.
        model: The model an artifact was made from, if its name alone does not lead there.
        dataset: Name of a data set.
        data: A user's own data.
        weights: A user's own weights.
        samples: How many samples to compare.
        parameters: Overrides of `[parameters]`, as at the export.
        trust_model: Allow code inside the model file.
        fix: Rewrite a model's graph, too, and say what that did.
    """

    what: str
    model: str | None = None
    dataset: str | None = None
    data: Path | None = None
    weights: Path | None = None
    samples: int = SAMPLES
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    trust_model: bool = False
    fix: bool = False


def explain(request: ExplainRequest, *, report: Report = silent) -> Explanation:
    """Compare an artifact's layers with its float source and lint that; or lint a model.

    Raises:
        ArtifactError: Not an artifact, damaged, or a float one.
        UsageError: The artifact's model is not known by name; unknown model, target or data set.
        ModelError: The model cannot be built, or is not the one the artifact was made from.
        DataError: Data that cannot be used.
        RuntimeFault: The runtime failed on the file.
    """
    artifact = artifact_at(request.what)
    if artifact is None:
        return _lint_model(request, report)
    _refuse_unexplainable(artifact)
    return _explain_artifact(artifact, request, report)


def means_artifact(what: str) -> bool:
    """Whether `explain` takes a path for an artifact's (or refuses it as one), not for a model."""
    path = Path(what).expanduser()
    return is_artifact(path) or path.suffix in _FILES


def artifact_at(what: str) -> Artifact | None:
    """The artifact a path means; None where it means a model.

    Raises:
        ArtifactError: A model file that is no artifact's, or a damaged artifact.
        UsageError: A folder of artifacts.
    """
    path = Path(what).expanduser()
    if is_artifact(path):
        return Artifact.open(path)
    if path.is_file() and path.suffix in _FILES:
        if is_artifact(path.parent):
            artifact = Artifact.open(path.parent)
            if path.name == artifact.manifest.model_file:
                return artifact
        raise ArtifactError(
            f"{path}: a file without a manifest, so nothing says what it was made from",
            hint="edgekit export MODEL makes artifacts, which can be explained",
        )
    if path.is_dir() and what not in known_models():
        inside = sorted(entry.name for entry in path.iterdir() if is_artifact(entry))
        if inside:
            first = next((n for n in inside if not set(n.split("-")) & set(_FLOAT)), inside[0])
            raise UsageError(
                f"{path} holds {len(inside)} artifacts: {', '.join(inside[:6])}",
                hint=f"edgekit explain {path / first}",
            )
    if path.suffix in _FILES:
        raise ArtifactError(f"{path}: no such file", hint="edgekit export MODEL makes artifacts")
    return None


def _refuse_unexplainable(artifact: Artifact) -> None:
    if artifact.manifest.chain[0] == FILE or artifact.manifest.parity.reference != KERAS:
        raise ArtifactError(
            f"{artifact.path}: made by `edgekit quantize` from a file; explain compares with "
            "Keras models"
        )
    if artifact.precision in _FLOAT:
        raise ArtifactError(
            f"{artifact.path}: a {artifact.target} file in {artifact.precision}: nothing in it was "
            "quantized, so there is nothing to explain",
            f"its outputs differ from the source model's by {artifact.manifest.parity.max_abs:.2g} "
            "at most",
            hint=f"edgekit explain {artifact.manifest.model} says what would make int8 hard",
        )
    if artifact.target not in TARGETS:
        raise UsageError(
            f"{artifact.path}: layers of {artifact.target} files cannot be read",
            hint=f"targets whose layers can be: {', '.join(TARGETS)}",
        )


# -- an artifact -----------------------------------------------------------------------------------


def _explain_artifact(artifact: Artifact, request: ExplainRequest, report: Report) -> Explanation:
    from edgekit.datasets.of_artifact import keep_tokenizer
    from edgekit.feeding import encode

    manifest = artifact.manifest
    keep_tokenizer(artifact)
    source = _source_of(artifact, request)
    with tempfile.TemporaryDirectory(prefix="edgekit-explain-") as place:
        scratch = Path(place)
        (scratch / "layers").mkdir()
        samples, count, drawn_from = _samples_for(artifact, request, scratch, report)
        file = FileToExplain(
            target=artifact.target,
            model=artifact.model_path.resolve(),
            conditioned=CONDITIONED in manifest.chain,
            rewritten=REWRITTEN in manifest.chain,
            encoded=encode(samples, manifest.inputs, scratch),
            inputs=tuple(tensor.name for tensor in manifest.inputs),
            samples=samples,
            source_inputs=tuple(spec.name for spec in manifest.preprocessing),
            count=count,
            golden=_golden(artifact),
        )
        preparation = _preparation(artifact, source, request, scratch / "trace")
        found = explain_file(file, preparation, scratch / "layers", report)
    return Explanation(
        artifact=artifact,
        model=manifest.model,
        samples=count,
        drawn_from=drawn_from,
        layers=found.layers,
        unmatched=found.unmatched,
        left_out=found.left_out,
        apart=found.apart,
        findings=tuple(Finding.from_json(entry) for entry in found.findings),
    )


def _source_of(artifact: Artifact, request: ExplainRequest) -> ModelSource:
    name = artifact.manifest.model
    if request.model is None and name not in known_models():
        raise UsageError(
            f"{artifact.path} was made from {name!r}, which is no reference model",
            hint="--model PATH says where that model is",
        )
    source = resolve_model(
        request.model or name, parameters=request.parameters, trusted=request.trust_model
    )
    if not source.needs_tokenizer:
        return source
    used = [spec.tokenizer for spec in artifact.manifest.preprocessing]
    return source.with_tokenizer(next((one for one in used if has_file(one)), used[0]))


def _preparation(
    artifact: Artifact, source: ModelSource, request: ExplainRequest, folder: Path
) -> Preparation:
    first = artifact.manifest.preprocessing[0]
    own = source.spec is None and len(artifact.manifest.preprocessing) == 1
    return Preparation(
        model=source.to_json(),
        weights=_weights(source, request, artifact.manifest.dataset),
        classes=len(artifact.labels) or None,
        folder=folder,
        input_shape=first.shape if own else None,
        input_range=first.range if own else None,
    )


def _weights(source: ModelSource, request: ExplainRequest, dataset: str | None) -> Path | None:
    """The checkpoint to load: given, or that of the data set; of the first, for a user's own."""
    if request.weights is not None:
        if not request.weights.is_file():
            raise ModelError(f"{request.weights}: no such weights file")
        return request.weights
    if source.spec is None:
        return None
    there = source.checkpoints()
    if dataset not in there:
        dataset = next(iter(source.spec.datasets), dataset)
    return source.weights_for(dataset or "")


def _samples_for(
    artifact: Artifact, request: ExplainRequest, scratch: Path, report: Report
) -> tuple[Path, int, str]:
    """Samples like those of the calibration: where they lie, how many, and what they are."""
    from edgekit.datasets import draw

    dataset = _dataset_for(artifact, request)
    if dataset is None:
        return _golden_samples(artifact, request.samples, scratch)
    split, specs = _split(dataset), artifact.manifest.preprocessing
    drawn = draw(dataset, split, max(2, request.samples), specs, report=report)
    return drawn.inputs, drawn.count, f"{dataset.name}, {split} split"


def _dataset_for(artifact: Artifact, request: ExplainRequest) -> Dataset | None:
    from edgekit.datasets import open_dataset
    from edgekit.datasets.of_artifact import own_dataset

    asked = request.data if request.data is not None else request.dataset
    if asked is not None:
        return open_dataset(asked)
    try:
        return open_dataset(own_dataset(artifact))
    except UsageError:
        return None


def _split(dataset: Dataset) -> str:
    for split in (SPLIT, "validation", "test"):
        if dataset.size(split):
            return split
    return SPLIT  # drawing from it says that it is empty


def _golden_samples(artifact: Artifact, count: int, scratch: Path) -> tuple[Path, int, str]:
    """The artifact's own golden inputs, those of data: extremes lie outside calibrated ranges."""
    from edgekit.golden import EXTREMES
    from edgekit.samples import read_samples, rows_of, samples_at, write_samples

    names = [spec.name for spec in artifact.manifest.preprocessing]
    golden = samples_at(artifact.path / "golden")
    if not golden.exists():
        raise ArtifactError(
            f"{artifact.path}: no golden inputs, and no data set is known for it",
            hint="--dataset NAME or --data PATH says what to compare on",
        )
    arrays = rows_of(read_samples(golden, names), slice(EXTREMES, EXTREMES + count))
    found = min(len(array) for array in arrays.values())
    if found < 2:
        raise ArtifactError(
            f"{artifact.path}: {found} golden inputs to compare on",
            limit="at least 2",
            hint="--dataset NAME or --data PATH says what to compare on",
        )
    return write_samples(scratch / "golden", arrays), found, "its golden inputs"


def _golden(artifact: Artifact) -> Path | None:
    has = any(name.startswith(GOLDEN_REFERENCE) for name in artifact.manifest.files)
    return (artifact.path / "golden").resolve() if has else None


# -- a model ---------------------------------------------------------------------------------------


def _lint_model(request: ExplainRequest, report: Report) -> Explanation:
    from edgekit.datasets import draw, open_dataset
    from edgekit.spec import InputSpec

    if request.model is not None:
        raise UsageError("--model says what an artifact was made from", hint="name one MODEL")
    source = resolve_model(request.what, parameters=request.parameters, trusted=request.trust_model)
    named = request.dataset
    if source.spec is not None:
        named = named or next(iter(source.spec.datasets), None)
    elif named is not None:
        raise UsageError("--dataset fits reference models and model folders; use --data PATH")
    weights = _weights(source, request, named)
    if source.needs_tokenizer and weights is not None:
        from edgekit.tokenizing import keep

        source = source.with_tokenizer(keep(tokenizer_beside(weights)))
    trained = open_dataset(named) if named else None
    own = open_dataset(request.data) if request.data is not None else trained
    classes = trained.classes if trained else ()
    with tempfile.TemporaryDirectory(prefix="edgekit-explain-") as place:
        folder = Path(place) / "trace"
        preparation = Preparation(source.to_json(), weights, len(classes) or None, folder)
        with Child(ENTRY) as child:
            name = f"building and linting {source.name}"
            report(Progress(name, 0, 1))
            trace = child.call({"do": "prepare", **preparation.to_json()})
            samples, count, drawn_from = None, 0, "noise over the range of the input"
            if own is not None:
                specs = [InputSpec.from_json(entry) for entry in trace["inputs"]]
                split = _split(own)
                drawn = draw(own, split, _LINTED, specs, report=report)
                samples, count = drawn.inputs, drawn.count
                drawn_from = f"{own.name}, {split} split"
            answer = child.call(lint_request(folder, samples))
            rewritten: list[Any] = []
            if request.fix:
                place_of_it = Path(place) / "rewritten"
                rewritten = child.call(rewrite_request(folder, samples, place_of_it))["applied"]
            report(Progress(name, 1, 1))
    return Explanation(
        artifact=None,
        model=source.name,
        samples=count,
        drawn_from=drawn_from,
        findings=tuple(Finding.from_json(entry) for entry in answer["findings"]),
        rewrites=tuple(Applied.from_json(entry) for entry in rewritten),
    )
