"""Carry out the quantization of a file that somebody else made.

The pipeline of an export with another beginning: the file is checked and described instead of built
and traced, its own runtime gives the reference, its own graph is conditioned. All else is
`edgekit.pipeline`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from edgekit.datasets import Drawn
from edgekit.errors import ConversionError, ModelError, RuntimeFault
from edgekit.exporters.base import FILE, FileGraph
from edgekit.feeding import run_samples
from edgekit.job import Job
from edgekit.pipeline import Pipeline
from edgekit.plan import CONDITIONED, ExportOrder, Step
from edgekit.process import ChildCrashed, ChildFailed
from edgekit.progress import Progress, Report
from edgekit.quantization.calibration import check_apart
from edgekit.quantization.files.description import Reading
from edgekit.quantization.files.worker import ENTRY
from edgekit.samples import write_samples
from edgekit.scheduling import Task
from edgekit.tensor import TensorInfo
from edgekit.transports.local import LocalTransport

# A float file's format → the runtime that knows best what it computes, and what it is called there.
RUNTIMES = {".onnx": ("onnxruntime", "model.onnx"), ".tflite": ("litert", "model.tflite")}

_LANE = "file"  # of what runs in the process that prepares and conditions


@dataclass(frozen=True, slots=True)
class FileOrder(ExportOrder):
    """An order whose source is a file.

    Attributes:
        reading: What a person said of its input.
    """

    reading: Reading = field(default_factory=Reading)


class FilePipeline(Pipeline):
    """From a float `.onnx` or `.tflite`."""

    entry: ClassVar[str] = ENTRY

    def __init__(self, order: ExportOrder, scratch: Path, report: Report) -> None:
        super().__init__(order, scratch, report)
        assert isinstance(order, FileOrder)
        self._reading = order.reading
        self._described: Mapping[str, Any] = {}
        self.trace = scratch / "files" / FILE  # where a step looks for its source

    def tasks(self) -> list[Task]:
        steps = self.order.plan.steps
        calibrated = any(step.needs_calibration for step in steps)
        data: tuple[str, ...] = ("evaluation",) if self.order.dataset is not None else ()
        tasks = [Task("prepare", self.prepare, lane=_LANE, vital=True)]
        if calibrated:
            tasks.append(Task("calibration", self.draw_calibration, ("prepare",), vital=True))
        if data:
            tasks.append(Task("evaluation", self.draw_evaluation, ("prepare",), vital=True))
        if calibrated and data:
            tasks.append(Task("apart", check_apart, ("calibration", "evaluation"), vital=True))
        tasks.append(Task("proof", self.write_proof_inputs, ("prepare", *data), vital=True))
        tasks.append(Task("reference", self.run_reference, ("proof",), vital=True))
        before = ("prepare", "calibration")
        if any(step.source == CONDITIONED for step in steps):
            tasks.append(Task(f"convert:{CONDITIONED}", self.condition, before, _LANE))
        for step in steps:
            made, ran = f"convert:{step.label}", f"run:{step.label}"
            drawn = ("calibration",) if step.needs_calibration else ()
            apart = ("apart",) if drawn and data else ()
            source = (f"convert:{CONDITIONED}",) if step.source == CONDITIONED else ()
            tasks += [
                Task(made, partial(self.convert, step), ("prepare", *source, *drawn)),
                Task(ran, partial(self.run, step), (made, "proof", "prepare")),
                Task(
                    f"publish:{step.label}",
                    partial(self.publish, step),
                    (made, ran, "reference", "prepare", *data, *apart, *drawn),
                ),
            ]
        return tasks

    def prepare(self) -> Mapping[str, Any]:
        name = f"reading {self.order.source.path.name}"
        self.report(Progress(name, 0, 1))
        self.trace.parent.mkdir(exist_ok=True)
        self._described = self._ask_tensorflow({"do": "prepare", **self._preparation()})
        self.report(Progress(name, 1, 1))
        return self._described

    def condition(self, _described: Mapping[str, Any], calibration: Drawn) -> Mapping[str, Any]:
        """A second file, ready for int8, beside those that are made from it."""
        name = f"conditioning {self.order.source.path.name}"
        self.report(Progress(name, 0, 1))
        request = {
            "do": "condition",
            "source": str(self.trace),
            "calibration": str(calibration.folder),
            "destination": str(self.trace.with_name(CONDITIONED)),
        }
        try:
            answer = self._ask_tensorflow(request)
        except (ChildCrashed, ChildFailed, ConversionError) as error:
            raise ConversionError(
                f"conditioning failed: {error.message}",
                *error.details,
                hint=error.hint or "--no-condition leaves it out",
            ) from error
        found = "{rounded} kernels rounded, {corrected} biases corrected".format(**answer)
        self.report(Progress(name, 1, 1, found))
        return answer

    def run_reference(self, proof: Path, folder: Path | None = None) -> Path:
        name = f"running {self.order.source.path.name}"
        self.report(Progress(name, 0, 1))
        runtime, file = RUNTIMES[self.order.source.path.suffix]
        inputs, outputs = (
            tuple(TensorInfo.from_json(entry, ConversionError) for entry in self._described[kind])
            for kind in ("takes", "gives")
        )
        scratch = self.scratch / "runs" / "file"
        scratch.mkdir(parents=True)
        job = Job(action="run", runtime=runtime, model=str(self.trace / file))
        try:
            arrays, _ = run_samples(
                LocalTransport(),
                job,
                inputs=inputs,
                outputs=outputs,
                samples=proof,
                scratch=scratch,
            )
        except RuntimeFault as error:
            raise ModelError(
                f"{self.order.source.path}: the float file itself: {error.message}",
                *error.details,
                hint="check its input range (--input-range, --mean, --std) and its weights",
            ) from error
        named = {tensor.name: array for tensor, array in zip(outputs, arrays, strict=True)}
        self.report(Progress(name, 1, 1))
        return write_samples((folder or self.scratch) / "reference", named)

    def run(
        self, step: Step, graph: FileGraph, proof: Path, trace: Mapping[str, Any], name: str = ""
    ) -> list[Any]:
        try:
            return super().run(step, graph, proof, trace, name)
        except RuntimeFault as error:
            raise RuntimeFault(
                f"{step.label}: {error.message}",
                *error.details,
                hint=error.hint or "check the data's values and the input range (--input-range)",
            ) from error

    def chain(self, step: Step) -> tuple[str, ...]:
        return step.chain

    def _preparation(self) -> dict[str, Any]:
        return {
            "file": str(self.order.source.path),
            "folder": str(self.trace),
            "reading": self._reading.to_json(),
        }
