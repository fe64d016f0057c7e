"""Measure artifacts' accuracy on the same samples, each in its own runtime, and compare them.

Every evaluation is kept in the store with what was right and wrong, so that a later one on the same
samples can be compared with it. Does not convert and does not time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.artifact import Artifact
from edgekit.errors import EdgekitError, StoreError, UsageError
from edgekit.evaluating import Evaluation, Terms, Verified, judge, terms_for, to_keep
from edgekit.measuring.contenders import Asked, distinct, expand, gather, parse
from edgekit.metrics import Metric
from edgekit.metrics.differences import MARGIN, Difference, adjusted, differ
from edgekit.progress import Progress, Report, silent
from edgekit.run import Contender
from edgekit.store import KeptEvaluation, Store

if TYPE_CHECKING:
    from edgekit.transports.connect import Device

__all__ = ["Evaluation", "Evaluations", "Pair", "evaluate", "evaluate_all"]

_KEPT = re.compile(r"eval:([1-9]\d{0,17})")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two that were judged on the same samples.

    Attributes:
        a: Name of the first; "eval:7" for an evaluation that was kept.
        b: Name of the second.
        found: What can be said about B against A.
    """

    a: str
    b: str
    found: Difference

    def to_json(self) -> dict[str, Any]:
        return {"a": self.a, "b": self.b, **self.found.to_json()}


@dataclass(frozen=True, slots=True)
class Evaluations:
    """What was judged together.

    Attributes:
        rows: One per artifact, in the order they were named.
        pairs: All others against one of them, or every two.
        failures: Name of an artifact that could not be judged → why.
        numbers: Of each row in the store; None where it could not be kept.
        warnings: What makes the figures doubtful.
    """

    rows: tuple[Evaluation, ...]
    pairs: tuple[Pair, ...] = ()
    failures: Mapping[str, EdgekitError] = field(default_factory=dict)
    numbers: tuple[int | None, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """One artifact's own document, or rows and pairs of several."""
        rows = [
            {**row.to_json(), "number": number}
            for row, number in zip(self.rows, self.numbers, strict=True)
        ]
        if len(rows) == 1 and not self.pairs and not self.failures:
            return {**rows[0], "warnings": list(self.warnings)}
        metric = self.rows[0].judge if self.rows else None
        return {
            "rows": rows,
            "pairs": [pair.to_json() for pair in self.pairs],
            "failures": {name: error.to_json() for name, error in self.failures.items()},
            "paired_interval": metric.paired_interval if metric else None,
            "test": metric.test if metric else None,
            "adjusted_by": "Holm",
            "warnings": list(self.warnings),
        }


def evaluate(
    path: Path,
    *,
    dataset: str | Path | None = None,
    samples: int | None = None,
    device: str = "local-cpu",
    runtime: str | None = None,
    metric: str | None = None,
    margin: float = MARGIN,
    report: Report = silent,
) -> Evaluation:
    """Run one artifact over evaluation samples and score its outputs; nothing is kept.

    Args:
        path: The artifact's folder.
        dataset: Name or path of a data set; by default the one in the manifest.
        samples: How many; by default as many as the artifact was proven on.
        device: Name or path of a device profile.
        runtime: Runtime to use; by default the device's preference.
        metric: Name in `edgekit.metrics`; by default the one in the manifest.
        margin: Points that do not matter.
        report: Told about progress.

    Raises:
        ArtifactError: The artifact is missing or damaged.
        UsageError: No data set is known for it.
        DataError: The data set has no labels, other classes, or no samples.
        DeviceError: The device is absent, not what its profile says, or lacks the runtime.
        RuntimeFault: The runtime failed, or the outputs hold NaN.
    """
    from edgekit.transports.connect import connect

    Artifact.open(path)
    reached = connect(device)
    ((contender, artifact),) = gather([Asked(path)], reached.profile, runtime=runtime)
    terms = terms_for(
        [artifact], reached, dataset=dataset, samples=samples, metric=metric, margin=margin
    )
    return judge(contender, artifact, terms, report=report).evaluation


def evaluate_all(
    asked: Sequence[Asked],
    *,
    against: str | None = None,
    every_two: bool = False,
    dataset: str | Path | None = None,
    samples: int | None = None,
    device: str = "local-cpu",
    runtime: str | None = None,
    metric: str | None = None,
    margin: float = MARGIN,
    fresh: bool = False,
    report: Report = silent,
) -> Evaluations:
    """Judge artifacts on the same samples, compare them pair by pair, and keep the figures.

    Args:
        asked: Artifacts' folders, or folders that hold some.
        against: The artifact all others are compared with, or "eval:7", an evaluation that was
            kept; by default the first.
        every_two: Compare every two instead.
        dataset: Name or path of a data set; by default the one in the manifests.
        samples: How many; by default as many as the first artifact was proven on.
        device: Name or path of a device profile.
        runtime: Runtime to use for all; by default the device's preference for each.
        metric: Name in `edgekit.metrics`; by default the one of the first's manifest.
        margin: Points that do not matter, above 0.
        fresh: Forget what a device answered in an earlier call, instead of going on with it.
        report: Told about progress.

    Returns:
        With what could be judged; an artifact that could not is among its failures.

    Raises:
        UsageError: Nothing was named, or data sets or metrics don't go together.
        ArtifactError: A path holds no artifact.
        DeviceError: The device is absent or not what its profile says.
        StoreError: There is no such evaluation, or the store cannot be read.
    """
    from edgekit.transports.connect import connect

    kept = _kept(against)
    base = parse(against) if against is not None and kept is None else None
    if base is not None and len(expand([base.path])) > 1:
        raise UsageError(
            f"--against {against}: several artifacts", hint="name one of them, or use --pairs"
        )
    if not asked:
        expand([])  # says that nothing was named
    named = [*([base] if base else []), *asked]
    folders = [replace(one, path=path) for one in named for path in expand([one.path])]
    reached = connect(device)
    opened, failures = _opened(folders, reached, runtime)
    if not opened:
        return Evaluations((), failures=failures)
    terms = terms_for(
        [artifact for _, artifact in opened],
        reached,
        dataset=dataset,
        samples=samples,
        metric=metric,
        margin=margin,
    )
    terms = replace(terms, keep=True, fresh=fresh)
    keeper = _Keeper()
    judged = _judged(opened, terms, failures, keeper, report)
    first = judged[:1]
    if base is not None and {str(folders[0].path), opened[0][0].name} & {*failures}:
        first = []  # without what --against names there is nothing to compare with
    sides: list[tuple[Verified | _Then, Verified]]
    if kept is not None:
        sides = [(_then(*kept, one, terms.metric), one) for one in judged]
    elif every_two:
        sides = [*combinations(judged, 2)]
    else:
        sides = [(a, b) for a in first for b in judged[1:]]
    rows = tuple(one.evaluation for one in judged)
    pairs = tuple(_pairs(sides, terms, report))
    warnings = [*_doubts(rows), *_fewer(rows, samples), *_forgotten(rows), *keeper.problems]
    if (every_two or against is not None) and not pairs and not failures:
        warnings.append("nothing was compared: one artifact alone")
    return Evaluations(rows, pairs, failures, tuple(keeper.numbers), tuple(warnings))


def _opened(
    asked: Sequence[Asked], device: Device, runtime: str | None
) -> tuple[list[tuple[Contender, Artifact]], dict[str, EdgekitError]]:
    """Artifacts that can be judged, each once, and why others cannot."""
    found: list[tuple[Contender, Artifact]] = []
    failures: dict[str, EdgekitError] = {}
    for one in asked:
        try:
            (entry,) = gather([one], device.profile, runtime=runtime)
        except EdgekitError as error:
            failures[str(one.path)] = error
            continue
        if entry[0] not in [known for known, _ in found]:
            found.append(entry)
    named = distinct([contender for contender, _ in found])
    return [(name, artifact) for name, (_, artifact) in zip(named, found, strict=True)], failures


def _judged(
    opened: Sequence[tuple[Contender, Artifact]],
    terms: Terms,
    failures: dict[str, EdgekitError],
    keeper: _Keeper,
    report: Report,
) -> list[Verified]:
    """What could be judged, each kept at once; what could not be goes to `failures`."""
    judged: list[Verified] = []
    task = f"evaluating {len(opened)} artifacts"
    for done, (contender, artifact) in enumerate(opened):
        if len(opened) > 1:
            report(Progress(task, done, len(opened), contender.name))
        try:
            found = judge(contender, artifact, terms, report=report)
        except EdgekitError as error:
            failures[contender.name] = error
            continue
        except KeyboardInterrupt as error:
            if judged:
                error.add_note(f"kept: {', '.join(f'eval:{one}' for one in keeper.numbers if one)}")
            raise
        judged.append(found)
        keeper.keep(found)
    if len(opened) > 1:
        report(Progress(task, len(opened), len(opened)))
    return judged


def _pairs(
    which: Sequence[tuple[Verified | _Then, Verified]], terms: Terms, report: Report
) -> list[Pair]:
    found = []
    task = "comparing them sample by sample"
    for done, (a, b) in enumerate(which):
        report(Progress(task, done, len(which)))
        found.append(differ(terms.metric, a.judged, b.judged, margin=terms.margin))
    if which:
        report(Progress(task, len(which), len(which)))
    return [Pair(a.name, b.name, one) for (a, b), one in zip(which, adjusted(found), strict=True)]


def _kept(against: str | None) -> tuple[str, KeptEvaluation] | None:
    """The evaluation in the store that is meant by `eval:NUMBER`, and that name."""
    named = _KEPT.fullmatch(against or "")
    if named is None:
        return None
    with Store.open() as store:
        return named[0], store.evaluation(int(named[1]))


@dataclass(frozen=True, slots=True)
class _Then:
    """The A of a pair that was judged before: its name, and what was right."""

    name: str
    judged: Any


def _then(name: str, kept: KeptEvaluation, now: Verified, metric: Metric) -> _Then:
    """What was judged then, to be compared with what was judged now.

    Raises:
        UsageError: By another metric, or on other samples.
    """
    import numpy as np

    row = now.evaluation
    by, where = kept.metric.get("name"), f"{kept.dataset}, {kept.split} split"
    facts = (
        f"then: {by} on {kept.samples:,} samples of {where}",
        f"now: {row.metric.name} on {row.metric.samples:,} of {row.dataset}, {row.split} split",
    )
    if by != row.metric.name:
        raise UsageError(f"{name} was judged by another metric", *facts, hint="--metric NAME")
    if kept.sample_digest != row.sample_digest or kept.samples != row.metric.samples:
        raise UsageError(
            f"{name} was judged on other samples",
            *facts,
            hint="the same --dataset and --samples, and a model with the same preprocessing",
        )
    right = kept.right()
    if right is None:
        raise UsageError(
            f"{name}: the store has no answers by {row.metric.name}, sample by sample",
            hint="name both artifacts, so that they are judged together",
        )
    return _Then(name, metric.recall(np.array(right, bool), now.labels))


class _Keeper:
    """Keeps evaluations as they are made; a store that cannot be written loses no figure."""

    def __init__(self) -> None:
        self.numbers: list[int | None] = []
        self.problems: list[str] = []

    def keep(self, one: Verified) -> None:
        """Into the store, if it takes it."""
        number = None
        if not self.problems:
            try:
                with Store.open() as store:
                    number = store.add_evaluation(to_keep(one))
            except StoreError as error:
                self.problems.append(f"not kept: {error.message}")
        self.numbers.append(number)


def _forgotten(rows: Sequence[Evaluation]) -> list[str]:
    """Says where answers of an earlier call were thrown away."""
    return [
        f"{row.contender.name}: what {row.device} had answered before was thrown away: "
        f"{row.resumed.forgotten}"
        for row in rows
        if row.resumed is not None and row.resumed.forgotten is not None
    ]


def _fewer(rows: Sequence[Evaluation], wanted: int | None) -> list[str]:
    """Says so where a data set has fewer samples than were asked for."""
    if not rows or wanted is None or rows[0].metric.samples >= wanted:
        return []
    one = rows[0]
    there = f"{one.metric.samples:,} {one.judge.samples_are} of {one.dataset}"
    return [f"{there} were judged: it has no {wanted:,} in its {one.split} split"]


def _doubts(rows: Sequence[Evaluation]) -> list[str]:
    """What makes the intervals rough."""
    metric = rows[0].judge if rows else None
    if metric is None or rows[0].metric.samples >= metric.enough:
        return []
    few = f"{rows[0].metric.samples} {metric.samples_are} are few for {metric.name}"
    return [f"{few}: its intervals are rough with fewer than {metric.enough}"]
