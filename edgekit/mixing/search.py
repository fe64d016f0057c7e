"""The search for one artifact: rank, search, prove at the gate, time; or say what was reached.

It ends near its deadline: after a first candidate nothing is begun that is not expected to end
before.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.datasets import Drawn
from edgekit.errors import EdgekitError, GateError
from edgekit.exporters.base import FileGraph
from edgekit.files import emptied
from edgekit.metrics import METRICS
from edgekit.mixing.trials import Trials
from edgekit.mixing.workshop import Workshop
from edgekit.parity import told_apart
from edgekit.plan import Step
from edgekit.process import Child, ChildCrashed, ChildFailed
from edgekit.progress import Progress
from edgekit.quantization.mixed.costing import Cost, measure_cost
from edgekit.quantization.mixed.drawing import SearchDraw, draw_search
from edgekit.quantization.mixed.layers import Mixed
from edgekit.quantization.mixed.searching import Searched, first_guess, ranked, search_prefix
from edgekit.quantization.mixed.worker import ENTRY
from edgekit.spec import InputSpec
from edgekit.transports.local import LocalTransport

MOST_ATTEMPTS = 3  # at the gate, beyond the plain file's

_RANKING_PART = 0.35  # of the time there is
_CANDIDATES = 14  # how many should fit into the time there is
_COSTING_S = 6.0  # kept back for timing the file
_LEAST_S = 3.0  # below that nothing is begun


@dataclass(frozen=True, slots=True)
class Rescue:
    """How an artifact was saved.

    Attributes:
        mixed: What was kept, and the search.
        cost: What it costs; None where it could not be timed.
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


class Search:
    """Of one artifact.

    Args:
        workshop: The export.
        step: The conversion whose file missed the gate.
        results: Of the export's tasks.
        refusal: What the gate said.
        times: Seconds that the export took until now, and when the search has to end.
    """

    def __init__(
        self,
        workshop: Workshop,
        step: Step,
        results: Mapping[str, Any],
        refusal: GateError,
        times: tuple[float, float],
    ) -> None:
        assert refusal.drop is not None
        self._workshop, self._step, self._results = workshop, step, results
        self._refusal, self._plain_drop = refusal, refusal.drop
        self._spent, self._deadline = times
        self._start = time.monotonic()
        self._limit = workshop.order.gate.max_drop
        # Noise may grow further, the metric cannot fall further.
        self._most_drop = METRICS[workshop.order.metric].scale.widest
        self._evaluation: Drawn = results["evaluation"]
        self._ranking: list[int] = []
        self._plain_noise = 0.0
        self._candidates = 0
        self._gated: list[tuple[int, float]] = []

    def find(self) -> tuple[Path, Rescue]:
        """Search, prove, publish and time.

        Raises:
            GateError: Nothing met the limit in time.
        """
        if self._left() < _LEAST_S:
            why = "no time was left to search layers to keep in float"
            raise self._hopeless(why, longer=True)
        try:
            with Child(ENTRY, environment=self._workshop.environment) as child:
                return self._find(child)
        except (ChildCrashed, ChildFailed) as error:
            reason = f"keeping layers in float failed: {error.message}"
            raise self._hopeless(reason, *error.details) from error

    def _find(self, child: Child) -> tuple[Path, Rescue]:
        drawn = self._draw()
        graph = self._results[f"convert:{self._step.label}"]
        outputs = self._results["prepare"]["outputs"]
        names = [spec.name for spec in self._specs], list(outputs)
        trials = Trials(self._workshop, child, self._step, graph, names)
        if drawn is None:
            raise self._hopeless("the data set has no samples left to search with")
        if len(trials.layers) < 2:
            raise self._hopeless("the file has no layers to choose from")
        trials.take(drawn, self._left() / _CANDIDATES)
        searched = self._search(trials)
        place, mixed = self._prove(trials, drawn, searched)
        return place, Rescue(mixed, self._cost(trials, place), time.monotonic() - self._start)

    def _draw(self) -> SearchDraw | None:
        order = self._workshop.order
        assert order.dataset is not None
        specs = self._specs
        return draw_search(order.dataset, order.calibration_samples, specs, self._workshop.report)

    @property
    def _specs(self) -> list[InputSpec]:
        return [InputSpec.from_json(entry) for entry in self._results["prepare"]["inputs"]]

    # -- the search --------------------------------------------------------------------------------

    def _search(self, trials: Trials) -> Searched:
        total = len(trials.layers)
        self._say(f"ranking {total} layers", done=0)
        noise = trials.noise(_RANKING_PART * self._left())
        self._ranking = ranked(noise, [layer.share for layer in trials.layers])
        self._say(f"ranking {total} layers")
        self._plain_noise = trials.run(())[1]
        return search_prefix(
            total - 1,
            first_guess(noise, self._ranking, self._limit / self._plain_drop),
            lambda count: self._candidate(trials, count),
            self._limit,
            lambda: self._left() > trials.longest + self._gate_s(trials) + _COSTING_S,
        )

    def _candidate(self, trials: Trials, count: int) -> float:
        """The drop that a file with the first `count` layers of the ranking is expected to have.

        The larger of two estimates: what the search's samples lose, and the plain file's loss at
        the gate less what the noise of the outputs has become less. Few samples flip, so the first
        is coarse; the second is smooth, and knows nothing of labels.
        """
        lost, noise = trials.run(self._ranking[:count])
        scaled = self._plain_drop * noise / self._plain_noise if self._plain_noise else 0.0
        drop = min(self._most_drop, scaled if lost is None else max(lost, scaled))
        self._candidates += 1
        self._say(f"{count} of {len(trials.layers)} layers in float", f"drop about {drop:.2f}")
        return drop

    # -- the gate ----------------------------------------------------------------------------------

    def _prove(self, trials: Trials, drawn: SearchDraw, searched: Searched) -> tuple[Path, Mixed]:
        most, count = len(trials.layers) - 1, searched.count
        while count is not None:
            name = f"{self._step.label}-mixed"
            kept = sorted(self._ranking[:count])
            graph = trials.write(kept, emptied(self._workshop.scratch / "files" / name))
            mixed = self._mixed(trials, drawn, kept)
            try:
                return self._publish(graph, name, mixed), mixed
            except GateError as error:
                if error.drop is None:
                    raise
                self._gated.append((count, error.drop))
            more = min(most, max(count + 1, count * 3 // 2))
            again = more > count and len(self._gated) < MOST_ATTEMPTS
            if again and self._left() <= self._gate_s(trials):
                raise self._refused(len(trials.layers), searched, longer=True)
            count = more if again else None
        # At the gate nothing is left to try; before it, the search may have ended for want of time.
        longer = not self._gated and not searched.complete
        raise self._refused(len(trials.layers), searched, longer=longer)

    def _publish(self, graph: FileGraph, name: str, mixed: Mixed) -> Path:
        results = self._results
        proof, trace = results["proof"], results["prepare"]
        outputs = self._workshop.run(self._step, graph, proof, trace, name)
        given = [results[task] for task in ("reference", "prepare", "evaluation", "calibration")]
        return self._workshop.publish(self._step, graph, outputs, *given, name=name, mixed=mixed)

    def _mixed(self, trials: Trials, drawn: SearchDraw, kept: list[int]) -> Mixed:
        dataset = self._workshop.order.dataset
        assert dataset is not None
        return Mixed(
            kept=tuple(trials.layers[layer] for layer in kept),
            layers=len(trials.layers),
            candidates=self._candidates,
            attempts=len(self._gated) + 2,
            samples={
                "dataset": dataset.name,
                "split": drawn.split,
                "count": trials.count,
                "digest": drawn.drawn.digest,
            },
        )

    # -- time --------------------------------------------------------------------------------------

    def _left(self) -> float:
        return self._deadline - time.monotonic()

    def _gate_s(self, trials: Trials) -> float:
        """What running and judging a file at the gate will take."""
        return trials.longest * max(1.0, self._evaluation.count / trials.count)

    def _cost(self, trials: Trials, place: Path) -> Cost | None:
        """Timed against the plain file and the float file of this target."""
        exporter, scratch = self._step.exporter, self._workshop.scratch
        files = {
            "mixed": place / exporter.model_file,
            "int8": scratch / "files" / self._step.label / exporter.model_file,
        }
        for folder in (scratch / "files", self._workshop.order.out):
            plain = folder / f"{exporter.target}-fp32" / exporter.model_file
            if plain.is_file():
                files.setdefault("fp32", plain)
        self._say("timing", done=0)
        try:
            cost = measure_cost(
                LocalTransport(),
                exporter.runtime,
                files,
                trials.one_sample(),
                seconds=max(1.0, self._left()),
            )
        except EdgekitError as error:  # the artifact is there and proven
            self._say("timing", f"failed: {error.message}")
            return None
        self._say("timing", str(cost))
        return cost

    # -- words -------------------------------------------------------------------------------------

    def _say(self, what: str, note: str = "", *, done: int = 1) -> None:
        self._workshop.report(Progress(f"{self._step.label}: {what}", done, 1, note))

    def _hopeless(self, why: str, *details: str, longer: bool = False) -> GateError:
        given = (*self._refusal.details, why, *details, self._time())
        return self._error(self._refusal.message, *given, longer=longer)

    def _refused(self, layers: int, searched: Searched, *, longer: bool) -> GateError:
        """What was reached; `longer`: whether there was more to try, had there been time."""
        tried = [(one.count, one.drop) for one in searched.tried]
        count, drop = min(self._gated or tried, key=lambda entry: entry[1])
        order = self._workshop.order
        given, limit = told_apart(drop, self._limit)
        if self._gated:
            loses = f"still loses {given}"
            judged = f"by the gate's samples, by which the plain file loses {self._plain_drop:.2f}"
        else:
            loses = f"would still lose about {given}"
            judged = (
                "an estimate by the search's samples; by the gate's, which are others, the plain "
                f"file loses {self._plain_drop:.2f}"
            )
        what = METRICS[order.metric].scale.of(order.metric)
        ended = "time ran out" if longer else "nothing useful was left to try"
        return self._error(
            f"{order.source.name} {self._step.label} {loses} {what} with "
            f"{count} of {layers} layers in float; the limit is {limit}",
            judged,
            f"{self._candidates} candidates, {len(self._gated)} files at the gate; {ended}",
            self._time(),
            longer=longer,
        )

    def _time(self) -> str:
        budget = self._workshop.order.budget_s
        return (
            f"of the budget of {budget:.0f} s the export itself took {self._spent:.0f} s, "
            f"the search {time.monotonic() - self._start:.0f} s"
        )

    def _error(self, message: str, *details: str, longer: bool) -> GateError:
        error = GateError(
            message,
            *details,
            limit=self._refusal.limit,
            hint=f"{'a longer --budget; ' if longer else ''}-p fp16 or -p dynamic, which lose "
            "less; or --allow-drop, which keeps the plain file",
        )
        error.drop = self._refusal.drop
        return error
