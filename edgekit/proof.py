"""Assemble an artifact from a converted file and the evidence for it, or refuse it.

The last step of an export: compare, judge, copy, and write the manifest last. Does not convert and
does not run anything.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import artifact, registry
from edgekit.datasets import Drawn
from edgekit.errors import ConversionError, GateError
from edgekit.exporters.base import FileGraph
from edgekit.golden import EXTREMES, FROM_DATA
from edgekit.manifest import Manifest, Parity
from edgekit.metrics import METRICS, MetricValue, judges_vectors
from edgekit.parity import check_likeness, check_metric, check_parity, compare
from edgekit.plan import EVALUATION_SPLIT, ExportOrder, Step, tool_versions
from edgekit.quantization import calibration as calibration_rules
from edgekit.quantization.mixed.layers import Mixed
from edgekit.samples import read_samples, rows_of, write_samples
from edgekit.spec import Gate, InputSpec
from edgekit.tokenizing import tokenizer_file

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a converted file when it is about to become an artifact.

    Attributes:
        order: The export it belongs to.
        step: The conversion that made it.
        files: Folder with the model file(s).
        graph: What is in them.
        inputs: The model's inputs.
        output_names: The source model's outputs, in its order.
        proof: Inputs that both ran on: a `.npy`, or a folder.
        outputs: The artifact's outputs for them, in the order of `graph.outputs`.
        reference: The source model's outputs for them, a `.npy` or a folder.
        evaluation: The samples among them that have labels; None without data.
        calibration: What int8 was calibrated with; None for other precisions.
        cost: Parameters and multiply-adds of the source model.
        mixed: What was kept in float, and how that was found; None for a file as it was converted.
        returns: What the artifact and the source model were paid in each episode, float64 [N] each;
            None where the metric does not play.
    """

    order: ExportOrder
    step: Step
    files: Path
    graph: FileGraph
    inputs: tuple[InputSpec, ...]
    output_names: tuple[str, ...]
    proof: Path
    outputs: list[Any]
    reference: Path
    evaluation: Drawn | None
    calibration: Drawn | None
    cost: Mapping[str, int] = field(default_factory=dict)
    mixed: Mixed | None = None
    returns: tuple[Any, Any] | None = None


def write_artifact(evidence: Evidence, folder: Path) -> str:
    """Write a whole artifact into `folder`, the manifest last.

    Returns:
        A few words on what was found.

    Raises:
        GateError: Parity or metric miss a limit; the metric only where the order does not allow it.
        ConversionError: The outputs don't match the source model's.
    """
    import numpy as np

    order, step = evidence.order, evidence.step
    outputs = in_source_order(step.label, evidence.graph, evidence.outputs, evidence.output_names)
    reference = list(read_samples(evidence.reference, evidence.output_names).values())
    # Extremes lie outside the ranges int8 was calibrated for: saturating there is no difference
    # that matters, and it would hide those that do.
    first = EXTREMES if step.needs_calibration else 0
    parity = compare([a[first:] for a in outputs], [b[first:] for b in reference])
    parity = replace(parity, reference=step.chain[0])
    check_parity(step.label, step.precision, parity, reference, order.gate)
    metric, marks = _metric(evidence, outputs, reference)
    met = True
    try:
        if metric is not None:
            check_metric(step.label, order.source.name, metric, order.gate)
        else:
            check_likeness(step.label, parity, reference, order.gate)
    except GateError:
        if not order.allow_drop:
            raise
        met = False
    for path in sorted(evidence.files.iterdir()):
        shutil.copyfile(path, folder / path.name)
    if order.classes and not judges_vectors(order.metric):  # places of a vector have no names
        text = "".join(f"{name}\n" for name in order.classes)
        (folder / artifact.LABELS).write_text(text, encoding="utf-8")
    if order.source.tokenizer:
        shutil.copyfile(tokenizer_file(order.source.tokenizer), folder / artifact.TOKENIZER)
    _write_golden(evidence, outputs, reference, folder)
    if marks is not None:
        np.save(folder / artifact.GOLDEN_MARKS, marks)
    artifact.write_manifest(folder, _manifest(evidence, folder, parity, metric, met))
    drop = f", drop {metric.drop:+.2f}" if metric and metric.drop is not None else ""
    return f"max difference {parity.max_abs:.2g}{drop}"


def foreign_files(place: Path, model_file: str) -> list[str]:
    """What lies at `place` that `write_artifact` would not have written, by relative path."""
    if place.is_file() or place.is_symlink():
        return [place.name]
    stem = Path(model_file).stem
    return sorted(
        relative.as_posix()
        for relative in (path.relative_to(place) for path in place.rglob("*"))
        if relative.parts[0]
        not in (artifact.MANIFEST, artifact.LABELS, artifact.TOKENIZER, "golden")
        and not (len(relative.parts) == 1 and relative.stem == stem)
    )


def in_source_order(
    label: str, graph: FileGraph, outputs: list[Array], wanted: Sequence[str]
) -> list[Array]:
    """A file's outputs by name where it kept the source's names, else as they come.

    Args:
        label: Of the artifact.
        graph: What is in its file.
        outputs: In the order of `graph.outputs`.
        wanted: The source model's outputs.

    Raises:
        ConversionError: The source model has another number of outputs.
    """
    names = [tensor.name for tensor in graph.outputs]
    if set(names) != set(wanted):
        if len(names) != len(wanted):
            raise ConversionError(
                f"{label} has {len(names)} outputs, the source model {len(wanted)}"
            )
        return outputs
    return [outputs[names.index(name)] for name in wanted]


def _metric(
    evidence: Evidence, outputs: list[Array], reference: list[Array]
) -> tuple[MetricValue | None, Array | None]:
    """The artifact's figure, and what the source model made of each sample, where that is known."""
    import numpy as np

    if evidence.evaluation is None:
        return None, None
    file = evidence.evaluation.folder / "labels.npy"
    if not file.is_file():
        return None, None
    labels = np.load(file, allow_pickle=False)
    metric = METRICS[registry.resolve(evidence.order.metric, METRICS, what="metric")]
    both = [[array[EXTREMES:] for array in arrays] for arrays in (outputs, reference)]
    if evidence.returns is not None:
        both = [[paid] for paid in evidence.returns]
    judged, source = (metric.judge(arrays, labels) for arrays in both)
    marks = source.marks
    if marks is not None and marks.dtype.kind in "iu":
        marks = marks.astype(np.min_scalar_type(int(marks.max())))
    return metric.value(judged, source), marks


def _write_golden(
    evidence: Evidence, outputs: list[Array], reference: list[Array], folder: Path
) -> None:
    import numpy as np

    golden = folder / "golden"
    golden.mkdir()
    count = EXTREMES + FROM_DATA
    names = [spec.name for spec in evidence.inputs]
    inputs = read_samples(evidence.proof, names)
    write_samples(golden / "inputs", rows_of(inputs, slice(count)))
    for kind, arrays in (("outputs", outputs), ("reference", reference)):
        named = zip(evidence.output_names, arrays, strict=True)
        write_samples(golden / kind, {n: np.asarray(a, np.float32)[:count] for n, a in named})


def _manifest(
    evidence: Evidence, folder: Path, parity: Parity, metric: MetricValue | None, met: bool
) -> Manifest:
    order, step, graph, mixed = evidence.order, evidence.step, evidence.graph, evidence.mixed
    name = order.dataset.name if order.dataset else None
    return Manifest(
        key=order.keys[step.label],
        model=order.source.name,
        dataset=name,
        target=step.exporter.target,
        precision=step.precision,
        io=step.io,
        chain=step.chain,
        runtime=step.exporter.runtime,
        model_file=step.exporter.model_file,
        files=artifact.describe_files(folder),
        inputs=graph.inputs,
        outputs=graph.outputs,
        activation=order.activation,
        preprocessing=evidence.inputs,
        ops=graph.ops,
        dtypes=graph.dtypes,
        calibration=_calibration(evidence, name),
        evaluation=_samples(name, EVALUATION_SPLIT, evidence.evaluation),
        parity=parity,
        metric=metric.to_json() if metric else None,
        cost=evidence.cost,
        tools=tool_versions((*step.exporter.packages, "numpy")),
        kept=mixed.kept_json() if mixed else (),
        search=mixed.search_json() if mixed else None,
        gate=_gate(order.gate, measured=metric is not None, met=met),
    )


def _gate(gate: Gate, *, measured: bool, met: bool) -> dict[str, Any] | None:
    if measured:
        return {"max_drop": gate.max_drop, "met": met}
    if gate.min_snr_db is None or gate.min_agreement is None:
        return None
    return {"min_snr_db": gate.min_snr_db, "min_agreement": gate.min_agreement, "met": met}


def _calibration(evidence: Evidence, dataset: str | None) -> dict[str, Any] | None:
    drawn, audit = evidence.calibration, evidence.graph.audit
    found = _samples(dataset, calibration_rules.SPLIT, drawn)
    if found is None or drawn is None:
        return None
    classes = calibration_rules.classes_shown(drawn)
    found |= {"classes": classes} if classes is not None else {}
    return found | ({"ranges": audit.to_json()} if audit else {})


def _samples(dataset: str | None, split: str, drawn: Drawn | None) -> dict[str, Any] | None:
    if drawn is None:
        return None
    return {"dataset": dataset, "split": split, "count": drawn.count, "digest": drawn.digest}
