"""Make what chains begin with: the traced model rewritten, conditioned, or both.

Knows requests to the TensorFlow process and folders. Does not decide who starts from what
(`edgekit.plan`) and does not convert.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.datasets import Drawn
from edgekit.errors import ConversionError
from edgekit.plan import AS_IS, Start, Step
from edgekit.process import ChildCrashed, ChildFailed
from edgekit.progress import Progress, Report
from edgekit.quantization.rewrite.applied import Applied
from edgekit.quantization.worker import rewrite_request
from edgekit.ranges.limits import unmeasured

Ask = Callable[[dict[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A trace that steps start from.

    Attributes:
        folder: Of the trace.
        start: What it is. Where no rewrite applied, it is less than was planned.
        ranges: How ranges of what is made from it are chosen.
        applied: Rewrites that were tried and applied somewhere, dropped ones included.
    """

    folder: Path
    start: Start
    ranges: str
    applied: tuple[Applied, ...] = ()


class Starts:
    """All that the steps of an export start from.

    Args:
        trace: Folder of the source's trace.
        folder: Where others go.
        model: Name of the model.
        ranges: How ranges shall be chosen, one of `edgekit.ranges.limits.ASKABLE`; conditioning
            measures what "auto" is for its graph.
        ask: The TensorFlow process.
        report: Told about progress.
    """

    def __init__(
        self, trace: Path, folder: Path, *, model: str, ranges: str, ask: Ask, report: Report
    ) -> None:
        self._folder = folder
        self._model = model
        self._ask = ask
        self._report = report
        self._ranges = ranges
        self._made = {AS_IS: Prepared(trace, AS_IS, unmeasured(ranges))}

    def make(self, start: Start, calibration: Drawn) -> Prepared:
        """Make one; what it is made from is there.

        Raises:
            ConversionError: TensorFlow refuses a node, or its process crashed.
        """
        if start not in self._made:
            self._folder.mkdir(exist_ok=True)
            make = self._condition if start.conditioned else self._rewrite
            self._made[start] = make(start, calibration)
        return self._made[start]

    def source(self, step: Step) -> Path:
        """The folder a step converts from, if it starts a chain."""
        return self._made[step.start].folder

    def ranges(self, step: Step) -> str:
        """How a step chooses ranges, one of `edgekit.ranges.limits.METHODS`."""
        return self._made[step.start].ranges

    def chain(self, step: Step) -> tuple[str, ...]:
        """A step's chain as it came to be: without a rewriting that found nothing to rewrite."""
        real = self._made[step.start].start
        planned, made = f"-{step.start.label}", "" if real == AS_IS else f"-{real.label}"
        rest = step.chain[len(step.start.links) :]
        named = (n.removesuffix(planned) + made if n.endswith(planned) else n for n in rest)
        return (*real.links, *named)

    def _rewrite(self, start: Start, calibration: Drawn) -> Prepared:
        task = f"rewriting {self._model}"
        folder = self._folder / start.label
        self._report(Progress(task, 0, 1))
        source = self._made[AS_IS]
        request = rewrite_request(source.folder, calibration.inputs, folder)
        answer = self._asked("rewriting", "--no-fix", request)
        applied = tuple(Applied.from_json(entry) for entry in answer["applied"])
        self._report(Progress(task, 1, 1, "; ".join(map(str, applied)) or "nothing to rewrite"))
        if all(entry.problem for entry in applied):
            return Prepared(source.folder, AS_IS, source.ranges, applied)
        return Prepared(folder, start, source.ranges, applied)

    def _condition(self, start: Start, calibration: Drawn) -> Prepared:
        before = self._made[replace(start, conditioned=False)]
        real = replace(before.start, conditioned=True)
        if real in self._made:
            return self._made[real]  # nothing was rewritten, and the other is there already
        task = f"conditioning {self._model}"
        folder = self._folder / real.label
        self._report(Progress(task, 0, 1))
        answer = self._asked(
            "conditioning",
            "--no-condition",
            {
                "do": "condition",
                "source": str(before.folder),
                "calibration": str(calibration.folder),
                "destination": str(folder),
                "ranges": self._ranges,
            },
        )
        found = "{rounded} kernels rounded, {corrected} biases corrected, ranges {ranges}".format(
            **answer
        )
        self._report(Progress(task, 1, 1, found))
        made = Prepared(folder, real, answer["ranges"])
        self._made[real] = made
        return made

    def _asked(self, what: str, option: str, request: dict[str, Any]) -> Mapping[str, Any]:
        try:
            return self._ask(request)
        except (ChildCrashed, ChildFailed, ConversionError) as error:
            raise ConversionError(
                f"{what} failed: {error.message}",
                *error.details,
                hint=error.hint or f"{option} leaves it out",
            ) from error
