"""Save an int8 artifact that missed its gate: search layers to keep in float, and prove the file.

The gate's samples are looked at three times at most beyond the first: every look favours a file that
happens to suit them. The search itself judges by other samples. Knows the steps of an export by
`Workshop`; does not convert, and does not choose limits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edgekit.artifact import Artifact
from edgekit.datasets import Drawn
from edgekit.errors import EdgekitError, GateError
from edgekit.exporters.base import FileGraph
from edgekit.feeding import encode, read_samples, run_samples
from edgekit.files import emptied
from edgekit.job import Job
from edgekit.metrics import score
from edgekit.plan import CALIBRATED, ExportOrder, Step
from edgekit.process import Child, ChildCrashed, ChildFailed
from edgekit.progress import Progress, Report
from edgekit.proof import in_source_order
from edgekit.quantization.condition.originals import ORIGINALS
from edgekit.quantization.mixed.costing import Cost, measure_cost
from edgekit.quantization.mixed.drawing import SearchDraw, draw_search
from edgekit.quantization.mixed.layers import Mixed, MixedLayer
from edgekit.quantization.mixed.noise import noise_power
from edgekit.quantization.mixed.searching import Searched, first_guess, ranked, search_prefix
from edgekit.quantization.mixed.worker import ENTRY, TARGETS
from edgekit.scheduling import Outcomes
from edgekit.spec import InputSpec
from edgekit.transports.local import LocalTransport

MOST_ATTEMPTS = 3  # at the gate, beyond the plain file's

_RANKED_BY = 16  # samples a layer's noise is measured on
_RANKING_PART = 0.35  # of the time there is
_CANDIDATES = 14  # how many should fit into the time there is
_FEWEST = 128  # samples that candidates are judged by
_COSTING_S = 6.0  # kept back for timing the file
_LEAST_S = 3.0  # below that nothing is begun


class Workshop(Protocol):
    """What of an export's pipeline a search uses."""

    order: ExportOrder
    scratch: Path
    report: Report
    environment: Mapping[str, str]

    def run(self, step: Step, graph: FileGraph, proof: Path, name: str = "") -> list[Any]:
        """Run a file on the gate's samples."""

    def publish(
        self,
        step: Step,
        graph: FileGraph,
        outputs: list[Any],
        *results: Any,
        name: str = "",
        mixed: Mixed | None = None,
    ) -> Path:
        """Judge a file and make it an artifact."""

    def references(self, inputs: Path, target: Path) -> dict[str, Any]:
        """Run the source model."""


@dataclass(frozen=True, slots=True)
class Rescue:
    """How an artifact was saved.

    Attributes:
        mixed: What was kept, and the search.
        cost: What it costs; None where there was no time to measure it.
        seconds: The search, gate and timing included.
    """

    mixed: Mixed
    cost: Cost | None
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return {
            "kept": self.mixed.kept_json(),
            "search": self.mixed.search_json(),
            "cost": self.cost.to_json() if self.cost else None,
            "seconds": round(self.seconds, 3),
        }


def rescue(workshop: Workshop, outcomes: Outcomes, started: float) -> Outcomes:
    """Search mixed files in place of the int8 files that missed their gate.

    Args:
        workshop: The export.
        outcomes: How its tasks ended.
        started: When it began (`time.monotonic`); its budget counts from there.

    Returns:
        The outcomes with "publish:<label>" of what was saved, and its `Rescue` as "mixed:<label>";
        what could not be saved has an error that says what was reached.
    """
    order = workshop.order
    missed = [step for step in order.plan.wanted if _missed(step, outcomes) is not None]
    if order.budget_s is None or not missed:
        return outcomes
    results, errors = dict(outcomes.results), dict(outcomes.errors)
    deadline = started + order.budget_s
    for number, step in enumerate(missed):
        refusal = _missed(step, outcomes)
        assert refusal is not None
        now = time.monotonic()
        share = (deadline - now) / (len(missed) - number)
        search = _Search(workshop, step, outcomes, refusal, (started, now, now + share))
        task = f"publish:{step.label}"
        try:
            results[task], results[f"mixed:{step.label}"] = search.find()
            del errors[task]
        except EdgekitError as error:
            errors[task] = error
    return Outcomes(results, errors, outcomes.skipped)


def is_settled(artifact: Artifact, order: ExportOrder) -> bool:
    """Whether an artifact made before is what an export with this order would leave or refuse.

    It is not where layers would be searched now, or were for another limit, or where its manifest
    would say something else of the gate.
    """
    gate, metric, limit = artifact.manifest.gate, artifact.manifest.metric, order.gate.max_drop
    if gate is None or metric is None:
        return True
    meets = metric["drop"] <= limit
    if artifact.manifest.kept and gate["max_drop"] != limit:
        return False
    if meets:
        return bool(gate["met"])
    if order.allow_drop:
        return not gate["met"]
    searchable = artifact.precision in CALIBRATED and artifact.target in TARGETS
    return order.budget_s is None or not searchable


def _missed(step: Step, outcomes: Outcomes) -> GateError | None:
    error = outcomes.errors.get(f"publish:{step.label}")
    known = isinstance(error, GateError) and error.drop is not None
    searchable = step.needs_calibration and step.exporter.target in TARGETS
    return error if known and searchable and isinstance(error, GateError) else None


class _Search:
    """Of one artifact.

    Args:
        workshop: The export.
        step: The conversion whose file missed.
        outcomes: Of the export's tasks.
        refusal: What the gate said.
        times: When the export began, when the search does, and when it has to end.
    """

    def __init__(
        self,
        workshop: Workshop,
        step: Step,
        outcomes: Outcomes,
        refusal: GateError,
        times: tuple[float, float, float],
    ) -> None:
        self.workshop, self.step, self.refusal = workshop, step, refusal
        self.began, self.start, self.deadline = times
        self.results = outcomes.results
        self.graph: FileGraph = self.results[f"convert:{step.label}"]
        self.trace: Mapping[str, Any] = self.results["prepare"]
        self.evaluation: Drawn = self.results["evaluation"]
        self.limit = workshop.order.gate.max_drop
        assert refusal.drop is not None
        self.plain_drop = refusal.drop
        self.plain_noise = 0.0
        self.folder = workshop.scratch / "mixed" / step.label
        self.name = f"{step.label}-mixed"  # of the file among the scratch files
        self.layers: tuple[MixedLayer, ...] = ()
        self.ranking: list[int] = []
        self.gated: list[tuple[int, float]] = []
        self.longest = 0.0  # of a candidate
        self.candidates = 0

    def find(self) -> tuple[Path, Rescue]:
        """Search, prove, publish and time.

        Raises:
            GateError: Nothing met the limit in time.
        """
        if self._left() < _LEAST_S:
            raise self._refused(None)
        self.folder.mkdir(parents=True)
        try:
            with Child(ENTRY, environment=self.workshop.environment) as child:
                searched = self._search(child)
                place, mixed = self._prove(child, searched)
        except (ChildCrashed, ChildFailed) as error:
            raise GateError(
                self.refusal.message,
                *self.refusal.details,
                f"keeping layers in float failed: {error.message}",
                *error.details,
                limit=self.refusal.limit,
                hint=self.refusal.hint,
            ) from error
        return place, Rescue(mixed, self._cost(place), time.monotonic() - self.start)

    # -- the search --------------------------------------------------------------------------------

    def _search(self, child: Child) -> Searched:
        report, label = self.workshop.report, self.step.label
        drawn = self._draw()
        opened = child.call(self._opening())
        self.layers = tuple(MixedLayer.from_json(entry) for entry in opened["layers"])
        if drawn is None or len(self.layers) < 2:
            raise self._refused(None)
        self.split = drawn
        self._keep_samples(child, drawn)
        task = f"{label}: ranking {len(self.layers)} layers"
        report(Progress(task, 0, 1))
        noise = self._noise(child)
        self.ranking = ranked(noise, [layer.share for layer in self.layers])
        report(Progress(task, 1, 1))
        self.plain_noise = self._run(child, 0)[1]
        wanted = self.limit / self.plain_drop if self.plain_drop > 0 else 0.0
        first = first_guess(noise, self.ranking, wanted)
        return search_prefix(
            len(self.layers) - 1,
            first,
            lambda count: self._candidate(child, count),
            self.limit,
            lambda: self._left() > self._needed(),
        )

    def _draw(self) -> SearchDraw | None:
        order = self.workshop.order
        assert order.dataset is not None
        spec = InputSpec.from_json(self.trace["inputs"][0])
        return draw_search(order.dataset, order.calibration_samples, spec, self.workshop.report)

    def _opening(self) -> dict[str, Any]:
        files = self.workshop.scratch / "files"
        model = self.step.exporter.model_file
        return {
            "do": "open",
            "target": self.step.exporter.target,
            "model": str(files / self.step.label / model),
            "source": str(files / self.step.source / model),
            "originals": [str(file) for file in sorted(files.glob(f"*/{ORIGINALS}"))],
        }

    def _keep_samples(self, child: Child, drawn: SearchDraw) -> None:
        """As many as the time is good for, evenly from all of them, and what the source gives."""
        import numpy as np

        inputs = np.load(drawn.drawn.folder / "inputs.npy", mmap_mode="r", allow_pickle=False)
        few = min(_RANKED_BY, len(inputs))
        self.samples = self.folder / "samples.npy"
        np.save(self.samples, inputs[:few])
        self.encoded = encode(self.samples, self.graph.inputs, emptied(self.folder / "trial"))
        seconds = self._try(child, (), few, compare=False)["seconds"] / few
        affordable = int(self._left() / _CANDIDATES / max(seconds, 1e-6))
        count = min(len(inputs), max(_FEWEST, affordable))
        rows = np.arange(count) * len(inputs) // count
        np.save(self.samples, inputs[rows])
        self.count = count
        self.encoded = encode(self.samples, self.graph.inputs, emptied(self.folder / "encoded"))
        labels = drawn.drawn.folder / "labels.npy"
        self.labels = np.load(labels, allow_pickle=False)[rows] if labels.is_file() else None
        several = len(self.trace["outputs"]) > 1
        self.reference = self.folder / ("reference" if several else "reference.npy")
        self.workshop.references(self.samples, self.reference)

    def _noise(self, child: Child) -> list[float]:
        """What each layer alone adds to the outputs' noise, all others in float.

        Where there is no time to try every layer alone, neighbours share what they add together.
        """
        everything = range(len(self.layers))
        begun = time.monotonic()
        quiet = self._try(child, everything, _RANKED_BY)["noise"]
        once = time.monotonic() - begun
        together = 1 + int(once * len(self.layers) / max(1e-6, _RANKING_PART * self._left()))
        noise = [0.0] * len(self.layers)
        for start in range(0, len(self.layers), together):
            block = range(start, min(start + together, len(self.layers)))
            others = [layer for layer in everything if layer not in block]
            added = max(0.0, self._try(child, others, _RANKED_BY)["noise"] - quiet)
            for layer in block:
                noise[layer] = added / len(block)
        return noise

    def _try(self, child: Child, kept: Any, count: int, *, compare: bool = True) -> dict[str, Any]:
        return child.call(
            {
                "do": "try",
                "kept": list(kept),
                "folder": str(self.folder / "tried"),
                "runtime": self.step.exporter.runtime,
                "model_file": self.step.exporter.model_file,
                "samples": str(self.encoded),
                "count": min(count, self.count) if compare else count,
                "outputs": [tensor.to_json() for tensor in self.graph.outputs],
                "reference": str(self.reference) if compare else None,
                "output_names": list(self.trace["outputs"]),
            }
        )

    def _candidate(self, child: Child, count: int) -> float:
        """The drop that a file with the first `count` layers of the ranking is expected to have.

        The larger of two estimates: what the search's samples lose, and the plain file's loss at the
        gate less what the noise of the outputs has become less. Few samples flip, so the first is
        coarse; the second is smooth, and knows nothing of labels.
        """
        begun = time.monotonic()
        lost, noise = self._run(child, count)
        scaled = self.plain_drop * noise / self.plain_noise if self.plain_noise else 0.0
        drop = scaled if lost is None else max(lost, scaled)
        self.candidates += 1
        self.longest = max(self.longest, time.monotonic() - begun)
        task = f"{self.step.label}: {count} of {len(self.layers)} layers in float"
        self.workshop.report(Progress(task, 1, 1, f"drop {drop:.2f}"))
        return drop

    def _run(self, child: Child, count: int) -> tuple[float | None, float]:
        """Points lost on the search's samples (None without labels), and the outputs' noise."""
        begun = time.monotonic()
        folder = self.folder / "candidate"
        graph = self._write(child, count, folder)
        outputs, _ = run_samples(
            LocalTransport(),
            self._job(folder),
            inputs=graph.inputs,
            outputs=graph.outputs,
            samples=self.samples,
            scratch=emptied(self.folder / "run"),
        )
        names = self.trace["outputs"]
        given = in_source_order(self.step.label, graph, outputs, names)
        reference = list(read_samples(self.reference, names).values())
        lost = None
        if self.labels is not None:
            lost = score(self.workshop.order.metric, given, self.labels, reference).drop
        self.longest = max(self.longest, time.monotonic() - begun)
        return lost, noise_power(given, reference)

    def _write(self, child: Child, count: int, folder: Path) -> FileGraph:
        emptied(folder)
        kept = sorted(self.ranking[:count])
        answer = child.call({"do": "write", "kept": kept, "folder": str(folder)})
        return FileGraph.from_json(answer["graph"])

    def _job(self, folder: Path) -> Job:
        exporter = self.step.exporter
        return Job(action="run", runtime=exporter.runtime, model=str(folder / exporter.model_file))

    # -- the gate ----------------------------------------------------------------------------------

    def _prove(self, child: Child, searched: Searched) -> tuple[Path, Mixed]:
        count = searched.count
        while count is not None:
            folder = self.workshop.scratch / "files" / self.name
            graph = self._write(child, count, folder)
            mixed = self._mixed(count)
            try:
                return self._publish(graph, mixed), mixed
            except GateError as error:
                if error.drop is None:
                    raise
                self.gated.append((count, error.drop))
            more = min(len(self.layers) - 1, max(count + 1, count * 3 // 2))
            again = len(self.gated) < MOST_ATTEMPTS and more > count
            count = more if again and self._left() > self._gate_s() else None
        raise self._refused(searched)

    def _publish(self, graph: FileGraph, mixed: Mixed) -> Path:
        results = self.results
        outputs = self.workshop.run(self.step, graph, results["proof"], self.name)
        return self.workshop.publish(
            self.step,
            graph,
            outputs,
            results["reference"],
            self.trace,
            self.evaluation,
            results["calibration"],
            name=self.name,
            mixed=mixed,
        )

    def _mixed(self, count: int) -> Mixed:
        order, drawn = self.workshop.order, self.split
        assert order.dataset is not None
        return Mixed(
            kept=tuple(self.layers[layer] for layer in sorted(self.ranking[:count])),
            layers=len(self.layers),
            candidates=self.candidates,
            attempts=len(self.gated) + 2,
            samples={
                "dataset": order.dataset.name,
                "split": drawn.split,
                "count": self.count,
                "digest": drawn.drawn.digest,
            },
        )

    # -- time --------------------------------------------------------------------------------------

    def _left(self) -> float:
        return self.deadline - time.monotonic()

    def _gate_s(self) -> float:
        """What running and judging a file at the gate will take."""
        return self.longest * max(1.0, self.evaluation.count / self.count)

    def _needed(self) -> float:
        return self.longest + self._gate_s() + _COSTING_S

    def _cost(self, place: Path) -> Cost | None:
        """Timed against the plain file and the float file of this target."""
        import numpy as np

        exporter, scratch = self.step.exporter, self.workshop.scratch
        plain = f"{exporter.target}-fp32"
        files = {
            "mixed": place / exporter.model_file,
            "int8": scratch / "files" / self.step.label / exporter.model_file,
        }
        floats = [scratch / "files" / plain, self.workshop.order.out / plain]
        for folder in floats:
            if (folder / exporter.model_file).is_file():
                files["fp32"] = folder / exporter.model_file
                break
        one = emptied(self.folder / "cost") / "sample.npy"
        np.save(one, np.load(self.samples, mmap_mode="r")[:1])
        own = encode(one, self.graph.inputs, emptied(self.folder / "cost" / "int8"))
        # A float file takes what the model takes: `samples` are in its units.
        sample = {"mixed": own, "int8": own, "fp32": one}
        task = f"{self.step.label}: timing"
        self.workshop.report(Progress(task, 0, 1))
        seconds = max(1.0, self._left())
        try:
            cost = measure_cost(LocalTransport(), exporter.runtime, files, sample, seconds=seconds)
        except EdgekitError as error:  # the artifact is there and proven
            self.workshop.report(Progress(task, 1, 1, f"failed: {error.message}"))
            return None
        self.workshop.report(Progress(task, 1, 1, str(cost)))
        return cost

    # -- words -------------------------------------------------------------------------------------

    def _refused(self, searched: Searched | None) -> GateError:
        order = self.workshop.order
        assert order.budget_s is not None
        spent = self.start - self.began
        took = f"{spent:.0f} s of the budget of {order.budget_s:.0f} s went into the plain files"
        hints = "a longer --budget; --allow-drop, which keeps the file and says so; -p fp16"
        if searched is None or not (self.gated or searched.tried):
            why = "no time was left to search layers to keep in float"
            if self._left() >= _LEAST_S:
                why = "there are no layers, or no samples, to search with"
            return self._error(self.refusal.message, *self.refusal.details, why, took, hint=hints)
        tried = [(one.count, one.drop) for one in searched.tried]
        count, drop = min(self.gated or tried, key=lambda entry: entry[1])
        total = len(self.layers)
        metric = order.metric
        message = (
            f"{order.source.name} {self.step.label} still loses {drop:.2f} points of {metric} with "
            f"{count} of {total} layers in float; the limit is {self.limit:.2f}"
        )
        judged = "the gate's samples" if self.gated else "the search's samples"
        return self._error(
            message,
            f"judged by {judged}; the plain file loses {self.plain_drop:.2f} points",
            f"{self.candidates} candidates in {time.monotonic() - self.start:.0f} s, "
            f"{len(self.gated)} of them at the gate; {took}",
            hint=hints,
        )

    def _error(self, message: str, *details: str, hint: str) -> GateError:
        error = GateError(message, *details, limit=self.refusal.limit, hint=hint)
        error.drop = self.refusal.drop
        return error
