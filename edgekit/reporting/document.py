"""The figures as JSON: everything on the page but the raw samples and the drawings."""

from __future__ import annotations

import math
from typing import Any

from edgekit.reporting.comparing import drifts_of, ratio
from edgekit.reporting.dominance import RULE
from edgekit.reporting.facts import Facts, Row, RunFacts

# History: 1 (0.2.0) the first.
FORMAT = 1


def to_document(facts: Facts, version: str) -> dict[str, Any]:
    """The document.

    Args:
        facts: What it says.
        version: Of the edgekit that writes it.
    """
    return {
        "format": FORMAT,
        "edgekit": version,
        "rule": RULE,
        "artifacts": [one.to_json() for one in facts.artifacts],
        "runs": [_run(one) for one in facts.runs],
    }


def _run(one: RunFacts) -> dict[str, Any]:
    run = one.run
    return {
        "number": one.number,
        "key": run.key,
        "command": run.command,
        "device": run.device,
        "started": run.started,
        "finished": one.finished,
        "rules": dict(run.rules),
        "environment": dict(run.environment),
        "rounds": run.rounds,
        "clock": one.clock,
        "left_out": one.left_out,
        "contenders": [_row(row, one) for row in one.rows],
        "drifts": _drifts(one),
    }


def _row(row: Row, one: RunFacts) -> dict[str, Any]:
    contender, summary, standing = row.contender, row.summary, row.standing
    placements = row.placements
    return {
        "name": contender.name,
        "sha256": contender.sha256,
        "runtime": contender.runtime,
        "delegate": contender.delegate,
        "threads": contender.threads,
        "processes": row.processes,
        "calls": sum(len(measured.samples_ns) for measured in row.measurements),
        "latency_ms": {
            clock: reading.to_json() if reading else None for clock, reading in row.latency.items()
        },
        "percentiles_wall_ms": {
            f"p{percent}": tail.to_json()
            for percent, tail in (summary.tails if summary else {}).items()
        },
        "phases_ms": {
            name: reading.to_json() if reading else None for name, reading in row.phases.items()
        },
        "peak_memory_mb": row.memory.to_json() if row.memory else None,
        "placement": [placement.to_json() for placement in placements] or None,
        "against": _ratios(row, one),
        "standing": {
            "judged": standing is not None,
            "dominated_by": _name(one, standing.dominated_by if standing else None),
            "outpaced_by": _name(one, standing.outpaced_by if standing else None),
        },
        "passes": {name: dict(document) for name, document in row.passes.items()},
    }


def _drifts(one: RunFacts) -> dict[str, Any] | None:
    """Of a sustained run, by contender."""
    if one.run.command != "sustained":
        return None
    shown = {row.contender.name for row in one.rows}
    return {
        name: _finite(drift.to_json())
        for name, drift in drifts_of(one.run).items()
        if name in shown
    }


def _finite(document: dict[str, Any]) -> dict[str, Any]:
    """With None for the interval of a period that has one call, which is endless."""
    endless = not all(map(math.isfinite, document["ci95"]))
    return {**document, "ci95": None} if endless else document


def _ratios(row: Row, one: RunFacts) -> dict[str, Any]:
    """This contender's latency divided by each other's, paired by rounds."""
    found = {
        other.contender.name: ratio(other, row, one.clock) for other in one.rows if other is not row
    }
    return {name: value.to_json() for name, value in found.items() if value is not None}


def _name(one: RunFacts, index: int | None) -> str | None:
    return None if index is None else one.rows[index].contender.name
