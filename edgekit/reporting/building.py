"""From artifacts and runs to the facts of a report.

Decides what belongs together: which artifacts are the same, which contenders can be weighed against
each other, by which clock. Reads no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgekit.artifact import Artifact
from edgekit.passes import PASSES, parse
from edgekit.reporting.comparing import faster_by
from edgekit.reporting.dominance import Faster, Point, standings
from edgekit.reporting.facts import Facts, Proven, Row, RunFacts
from edgekit.run import Contender, Run


@dataclass(frozen=True, slots=True)
class Sourced:
    """A run and which of its contenders are asked for.

    Attributes:
        run: With its turns.
        number: In the store; None from a file.
        only: Digests of the artifacts to show; None shows all.
        finished: Whether all its rounds were measured, as far as the store knows.
    """

    run: Run
    number: int | None = None
    only: frozenset[str] | None = None
    finished: bool = True


def facts_of(artifacts: Sequence[Artifact], sourced: Sequence[Sourced]) -> Facts:
    """The facts of a report.

    Args:
        artifacts: From folders; what they say goes before what a run kept of them.
        sourced: Runs, each once.

    Raises:
        ArtifactError: A metric or parity in a run is damaged.
    """
    proven: dict[tuple[str, ...], Proven] = {}
    for artifact in artifacts:
        one = Proven.of_artifact(artifact)
        proven.setdefault(_identity(one), one)
    for source in sourced:
        for contender in source.run.contenders:
            if _shown(source, contender):
                one = Proven.of_contender(contender)
                proven.setdefault(_identity(one), one)
    models = {one.model for one in proven.values()}
    prefix = f"{next(iter(models))} " if len(models) == 1 else ""
    newest_first = sorted(sourced, key=lambda source: source.run.started, reverse=True)
    # What compares contenders goes before how one of them fared over time.
    in_order = sorted(newest_first, key=lambda source: source.run.command == "sustained")
    return Facts(
        artifacts=tuple(
            replace(one, name=one.name.removeprefix(prefix)) for one in proven.values()
        ),
        runs=tuple(_run_facts(source, proven, prefix) for source in in_order),
    )


def _run_facts(source: Sourced, proven: dict[tuple[str, ...], Proven], prefix: str) -> RunFacts:
    run = source.run
    shown = [index for index, one in enumerate(run.contenders) if _shown(source, one)]
    rows = [
        Row.of(
            run.contenders[index],
            run.contenders[index].name.removeprefix(prefix),
            proven[_identity(run.contenders[index])],
            run.turns_of(index),
            _passes_of(run, index),
            sustained=run.command == "sustained",
        )
        for index in shown
    ]
    # CPU time adds up threads and misses accelerators: one such contender, and wall time decides.
    clock = "wall" if any(row.contender.by_wall for row in rows) else "cpu"
    if run.command == "sustained" or any(row.turns and not row.latency[clock] for row in rows):
        clock = "wall"
    return RunFacts(
        run=run,
        number=source.number,
        finished=source.finished,
        rows=tuple(_with_standings(rows, clock)),
        clock=clock,
        left_out=len(run.contenders) - len(rows),
    )


def _passes_of(run: Run, contender: int) -> dict[str, dict[str, Any]]:
    """Checked documents of the passes that this edgekit knows."""
    found = run.passes.get(run.contenders[contender].name, {})
    return {name: parse(name, found[name]) for name in PASSES if name in found}


def _with_standings(rows: Sequence[Row], clock: str) -> list[Row]:
    """Rows with what can be said of each, among those whose accuracy is of the same samples."""
    done = list(rows)
    faster = faster_by(rows, clock)
    for members in comparable(rows, clock):
        points = [
            Point((latency.low, latency.high), metric.scale.drop_interval(metric.ci95))
            for index in members
            if (latency := rows[index].latency[clock]) and (metric := rows[index].proven.metric)
        ]
        for index, standing in zip(
            members, standings(points, _among(members, faster)), strict=True
        ):
            done[index] = replace(
                rows[index],
                standing=replace(
                    standing,
                    dominated_by=_at(members, standing.dominated_by),
                    outpaced_by=_at(members, standing.outpaced_by),
                ),
            )
    return done


def comparable(rows: Sequence[Row], clock: str) -> list[list[int]]:
    """Indices of rows that can be weighed against each other, in groups.

    Accuracy is comparable by the same metric on the same samples. Where the digest of the samples
    is not known, artifacts of one model are taken to share them.
    """
    groups: dict[tuple[str, str, int], list[int]] = {}
    for index, row in enumerate(rows):
        metric, latency = row.proven.metric, row.latency[clock]
        if metric is not None and latency is not None and latency.covers:
            samples = row.proven.samples or f"of {row.proven.model}"
            groups.setdefault((metric.name, samples, metric.samples), []).append(index)
    return list(groups.values())


def _among(members: Sequence[int], faster: Faster) -> Faster:
    """The relation by places in `members`."""
    return lambda first, second: faster(members[first], members[second])


def _at(members: Sequence[int], index: int | None) -> int | None:
    return None if index is None else members[index]


def _shown(source: Sourced, contender: Contender) -> bool:
    return source.only is None or contender.sha256 in source.only


def _identity(one: Proven | Contender) -> tuple[str, ...]:
    # The digest is of one file; an OpenVINO model's weights lie in another.
    return one.sha256, one.model, one.target, one.precision
