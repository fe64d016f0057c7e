"""Carry out a plan: prepare, draw, convert, run, prove, publish; side by side where steps allow it.

Knows processes, folders and their order. Does not decide what to convert (`edgekit.plan`), does not
compare (`edgekit.parity`) and does not choose models or data (`edgekit.verbs.export`).

One TensorFlow process builds, traces and freezes once and converts what starts from the frozen
graph; every other conversion, and every run of a finished file, has a light process of its own. A
process that crashes takes its one step down.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from edgekit.datasets import Drawn, draw, require_scores
from edgekit.errors import ConversionError
from edgekit.exporters.base import KERAS, Conversion, FileGraph
from edgekit.exporters.worker import ENTRY, Preparation
from edgekit.feeding import run_samples
from edgekit.files import emptied, replace_folder, scratch_folder
from edgekit.finishing import finish, named_failures
from edgekit.golden import proof_inputs
from edgekit.job import Job
from edgekit.metrics import METRICS, judges_vectors
from edgekit.metrics.playing import Played
from edgekit.mixing.rescue import rescue
from edgekit.plan import EVALUATION_SPLIT, ExportOrder, Start, Step
from edgekit.playing import Episodes
from edgekit.preparing import Prepared, Starts
from edgekit.process import Child, ChildCrashed, available_cores, run_in_child
from edgekit.progress import Progress, Report
from edgekit.proof import Evidence, write_artifact
from edgekit.quantization.calibration import check_apart, draw_calibration
from edgekit.quantization.lint.finding import Finding
from edgekit.quantization.mixed.layers import Mixed
from edgekit.quantization.worker import ENTRY as TENSORFLOW_ENTRY
from edgekit.quantization.worker import lint_request
from edgekit.samples import read_samples, stored_at, write_samples
from edgekit.scheduling import Outcomes, Task, run_tasks
from edgekit.spec import InputSpec
from edgekit.transports.local import LocalTransport

_TENSORFLOW = "tensorflow"  # the lane of everything that runs in the TensorFlow process
# Converters iterate over sets of names: with a fixed seed, equal inputs give equal bytes.
_REPEATABLE = {"PYTHONHASHSEED": "0"}

LINT = "lint"  # the task whose result are the linter's findings

_STAGES = 3  # convert, run, prove

# Without these no artifact can be proven.
_VITAL = ("prepare", "calibration", "evaluation", "apart", "proof", "reference")


def run_export(order: ExportOrder, report: Report, kind: type[Pipeline] | None = None) -> Outcomes:
    """Make and publish every wanted artifact of the plan; `kind` says how, by default from Keras.

    Returns:
        Task outcomes; the task "publish:<label>" of each artifact that exists now succeeded.

    Raises:
        EdgekitError: The model or the data cannot be used at all.
    """
    started = time.monotonic()
    order.out.mkdir(parents=True, exist_ok=True)
    with scratch_folder(order.out / "artifacts") as scratch:
        pipeline = (kind or Pipeline)(order, scratch, report)
        try:
            outcomes = run_tasks(pipeline.tasks(), slots=max(2, available_cores()))
            outcomes = rescue(pipeline, outcomes, started)
        finally:
            pipeline.close()
    for name, error in outcomes.errors.items():
        if name in _VITAL:
            raise error
    return outcomes


class Pipeline:
    """From a Keras model; whoever starts from something else says how in a subclass."""

    entry: ClassVar[str] = TENSORFLOW_ENTRY  # the process that prepares and conditions

    def __init__(self, order: ExportOrder, scratch: Path, report: Report) -> None:
        self.order = order
        self.scratch = scratch
        self.report = report
        self.trace = scratch / "trace"
        # A process that is killed leaves its temporary files: they go with the scratch folder.
        temporary = scratch / "temporary"
        temporary.mkdir()
        places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
        self.environment = _REPEATABLE | places
        # A child ends with the thread that started it, and this one outlives those of the tasks.
        self._tensorflow: Child | None = Child(self.entry, environment=self.environment)
        self._lock = threading.Lock()
        self.starts = Starts(
            self.trace,
            scratch / "files",
            model=order.source.name,
            ranges=order.ranges,
            ask=self._ask_tensorflow,
            report=report,
        )
        metric = METRICS.get(order.metric)
        self.episodes: Episodes | None = None
        if isinstance(metric, Played) and order.dataset is not None:
            self.episodes = Episodes(
                metric, order.dataset, self._answer, lambda: self._trace_names()[1]
            )

    # -- what needs what ---------------------------------------------------------------------------

    def tasks(self) -> list[Task]:
        """In order of priority: what others wait for comes first."""
        order = self.order
        known = order.source.spec is not None
        inputs = () if known else ("prepare",)
        tasks = [Task("prepare", self.prepare, lane=_TENSORFLOW, vital=True)]
        if order.dataset is not None:
            if any(step.needs_calibration for step in order.plan.steps):
                tasks.append(Task("calibration", self.draw_calibration, inputs, vital=True))
            tasks.append(Task("evaluation", self.draw_evaluation, inputs, vital=True))
        data: tuple[str, ...] = ("evaluation",) if order.dataset is not None else ()
        tasks.append(Task("proof", self.write_proof_inputs, ("prepare", *data), vital=True))
        # Steps that others start from go first; of the rest those at the end of a long chain, which
        # begin late and (int8 by NNCF above all) take longest.
        sources = {step.source for step in order.plan.steps}
        ranked = sorted(
            order.plan.steps,
            key=lambda s: (s.label not in sources, -len(s.chain), not s.needs_calibration),
        )
        before = ("prepare", "calibration")
        if any(step.needs_calibration for step in order.plan.steps):
            tasks.append(Task(LINT, self.lint, before, _TENSORFLOW))
            tasks.append(Task("apart", check_apart, ("calibration", "evaluation"), vital=True))
        for start in order.plan.starts:
            needs = (*before, *(f"convert:{other.label}" for other in start.before))
            tasks.append(Task(f"convert:{start.label}", self._maker(start), needs, _TENSORFLOW))
        tasks += [self._conversion(step) for step in ranked]
        tasks.append(Task("reference", self.run_reference, ("proof",), _TENSORFLOW, vital=True))
        ready = ("proof", "prepare")
        for step in order.plan.wanted:
            converted = f"convert:{step.label}"
            tasks.append(Task(f"run:{step.label}", partial(self.run, step), (converted, *ready)))
            proven: tuple[str, ...] = (converted, f"run:{step.label}", "reference", "prepare")
            proven += data
            proven += ("apart", "calibration") if step.needs_calibration else ()
            tasks.append(Task(f"publish:{step.label}", partial(self.publish, step), proven))
        return tasks

    def _maker(self, start: Start) -> Callable[..., Prepared]:
        return lambda _trace, calibration, *_before: self.starts.make(start, calibration)

    def _conversion(self, step: Step) -> Task:
        needs: tuple[str, ...] = ("prepare",)
        if step.source != KERAS:
            needs += (f"convert:{step.source}",)
        if step.needs_calibration:
            needs += ("calibration",)
        lane = _TENSORFLOW if step.needs_tensorflow else None
        return Task(f"convert:{step.label}", partial(self.convert, step), needs, lane)

    # -- the tasks ---------------------------------------------------------------------------------

    def prepare(self) -> Mapping[str, Any]:
        name = f"building and tracing {self.order.source.name}"
        self.report(Progress(name, 0, 1))
        answer = self._ask_tensorflow({"do": "prepare", **self._preparation()})
        self.report(Progress(name, 1, 1))
        return answer

    def draw_calibration(self, trace: Mapping[str, Any] | None = None) -> Drawn:
        assert self.order.dataset is not None
        specs = self._specs(trace)
        return draw_calibration(
            self.order.dataset, self.order.calibration_samples, specs, self.report
        )

    def draw_evaluation(self, trace: Mapping[str, Any] | None = None) -> Drawn:
        assert self.order.dataset is not None
        return draw(
            self.order.dataset,
            EVALUATION_SPLIT,
            self.order.evaluation_samples,
            self._specs(trace),
            report=self.report,
        )

    def write_proof_inputs(self, trace: Mapping[str, Any], drawn: Drawn | None = None) -> Path:
        specs = _inputs(trace)
        if drawn is not None:
            self._check_classes(trace)
        data = None if drawn is None else drawn.read(specs)
        return write_samples(self.scratch / "proof", proof_inputs(specs, data))

    def lint(self, _trace: Mapping[str, Any], calibration: Drawn) -> tuple[Finding, ...]:
        """What in the float graph 8 bits will pay for; nothing waits for it."""
        request = lint_request(self.trace, calibration.inputs)
        findings = self._ask_tensorflow(request)["findings"]
        return tuple(Finding.from_json(entry) for entry in findings)

    def convert(self, step: Step, *results: Any) -> FileGraph:
        self.report(Progress(step.label, 0, _STAGES, "converting"))
        folder = self.scratch / "files" / step.label
        folder.mkdir(parents=True)
        trace = results[0]
        calibration: Drawn | None = results[-1] if step.needs_calibration else None
        conversion = Conversion(
            precision=step.precision,
            io=step.io,
            source=self.starts.source(step)
            if step.needs_tensorflow
            else folder.with_name(step.source),
            destination=folder,
            inputs=_inputs(trace),
            calibration=calibration.folder if calibration else None,
            ranges=self.starts.ranges(step),
            conditioned=step.conditioned,
        )
        request = {
            "do": "convert",
            "target": step.exporter.target,
            "conversion": conversion.to_json(),
        }
        with named_failures(step.label):
            if step.needs_tensorflow:
                answer = self._ask_tensorflow(request)
            else:
                answer = run_in_child(ENTRY, request, environment=self.environment)
        return FileGraph.from_json(answer["graph"])

    def run_reference(self, proof: Path, folder: Path | None = None) -> Path:
        """Run the source model on samples; its outputs lie in a folder, by default the scratch."""
        task = "running the source model"
        self.report(Progress(task, 0, 1))
        target = self._run_source(proof, folder or self.scratch)
        self.report(Progress(task, 1, 1))
        return target

    def _answer(self, states: Any) -> list[Any]:
        """The source model as a policy: outputs for states [n, *shape]."""
        folder = emptied(self.scratch / "answers")
        place = self._run_source(write_samples(folder / "states", {"states": states}), folder)
        return list(read_samples(place, self._trace_names()[1]).values())

    def _run_source(self, proof: Path, folder: Path) -> Path:
        names, output_names = self._trace_names()
        request: dict[str, Any] = {"do": "reference", "inputs": str(proof)}
        request["outputs"] = str(folder / "reference")
        request |= {"names": names, "output_names": output_names}
        answer = self._ask_tensorflow({**request, "preparation": self._preparation()})
        if answer["nonfinite"]:
            raise ConversionError(
                f"{self.order.source.name}: the source model itself gives "
                f"{answer['nonfinite']:,} NaN or infinite outputs",
                hint="check its input range (--input-range) and its weights",
            )
        return Path(answer["outputs"])

    def run(
        self, step: Step, graph: FileGraph, proof: Path, trace: Mapping[str, Any], name: str = ""
    ) -> list[Any]:
        self.report(Progress(step.label, 1, _STAGES, "running"))
        name = name or step.label
        scratch = emptied(self.scratch / "runs" / name)
        job = Job(
            action="run",
            runtime=step.exporter.runtime,
            model=str(self._finish(step, trace, name) / step.exporter.model_file),
        )
        outputs, _ = run_samples(
            LocalTransport(),
            job,
            inputs=graph.inputs,
            outputs=graph.outputs,
            samples=proof,
            scratch=scratch,
        )
        return outputs

    def publish(
        self, step: Step, graph: FileGraph, outputs: list[Any], *results: Any,
        name: str = "", mixed: Mixed | None = None,
    ) -> Path:  # fmt: skip
        self.report(Progress(step.label, 2, _STAGES, "proving"))
        reference, trace, *drawn = results
        evaluation: Drawn | None = drawn[0] if self.order.dataset is not None else None
        calibration: Drawn | None = drawn[-1] if step.needs_calibration else None
        folder = emptied(self.scratch / "publish" / step.label)
        kind = "finished" if self.order.metadata else "files"
        files = self.scratch / kind / (name or step.label)
        evidence = Evidence(
            order=self.order,
            step=replace(step, chain=self.chain(step)),
            files=files,
            graph=graph,
            inputs=_inputs(trace),
            output_names=tuple(trace["outputs"]),
            proof=stored_at(self.scratch / "proof"),
            outputs=outputs,
            reference=reference,
            evaluation=evaluation,
            calibration=calibration,
            cost=trace["cost"],
            mixed=mixed,
            returns=self._returns(step, graph, files, evaluation),
        )
        note = write_artifact(evidence, folder)
        place = self.order.out / step.label
        replace_folder(folder, place)
        self.report(Progress(step.label, _STAGES, _STAGES, note))
        return place

    def _returns(
        self, step: Step, graph: FileGraph, files: Path, evaluation: Drawn | None
    ) -> tuple[Any, Any] | None:
        """What the file and its source model are paid in each episode, where the metric plays."""
        import numpy as np

        if self.episodes is None or evaluation is None:
            return None
        labels = np.load(evaluation.folder / "labels.npy", allow_pickle=False)
        self.report(Progress(step.label, 2, _STAGES, f"playing {len(labels):,} episodes"))
        job = Job("measure", step.exporter.runtime, str(files / step.exporter.model_file))
        paid = self.episodes.of_file(job, graph.inputs, graph.outputs, labels)
        return paid, self.episodes.of_source(labels)

    def _finish(self, step: Step, trace: Mapping[str, Any], name: str) -> Path:
        """The folder of a file as it will be published; others may start from the one before."""
        source = self.scratch / "files" / name
        if not self.order.metadata:
            return source
        folder = emptied(self.scratch / "finished" / name)
        finish(self.order, step, _inputs(trace), (source, folder), self.environment)
        return folder

    def chain(self, step: Step) -> tuple[str, ...]:
        """A step's chain as it came to be."""
        return self.starts.chain(step)

    def _check_classes(self, trace: Mapping[str, Any]) -> None:
        dataset = self.order.dataset
        if dataset is not None and not judges_vectors(self.order.metric):
            require_scores(
                dataset,
                [shape[1:] for shape in trace["output_shapes"]],
                model=self.order.source.name,
                hint="one class per output, in the order the model was trained with",
            )

    # -- the TensorFlow process --------------------------------------------------------------------

    def _ask_tensorflow(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask the one TensorFlow process; after a crash the next request gets a new one."""
        with self._lock:
            if self._tensorflow is None:
                self._tensorflow = Child(self.entry, environment=self.environment)
            try:
                return self._tensorflow.call(request)
            except ChildCrashed:
                self._tensorflow.close()
                self._tensorflow = None
                raise

    def close(self) -> None:
        if self._tensorflow is not None:
            self._tensorflow.kill()
            self._tensorflow.close()

    def _preparation(self) -> dict[str, Any]:
        order = self.order
        return Preparation(
            model=order.source.to_json(),
            weights=order.weights,
            classes=len(order.classes) or None,
            folder=self.trace,
            input_shape=order.input_shape,
            input_range=order.input_range,
        ).to_json()

    def _trace_names(self) -> tuple[list[str], list[str]]:
        from edgekit.exporters.tracing import Trace

        trace = Trace.read(self.trace)
        return [spec.name for spec in trace.inputs], list(trace.outputs)

    def _specs(self, trace: Mapping[str, Any] | None) -> tuple[InputSpec, ...]:
        spec = self.order.source.spec
        return spec.inputs if spec else _inputs(trace or {"inputs": ()})


def _inputs(trace: Mapping[str, Any]) -> tuple[InputSpec, ...]:
    return tuple(InputSpec.from_json(entry) for entry in trace["inputs"])
