"""What is worth seeing first: a few figures, each with all that belongs to it."""

from __future__ import annotations

from edgekit.reporting import wording
from edgekit.reporting.comparing import faster_by
from edgekit.reporting.facts import Facts, Proven, Row, RunFacts
from edgekit.reporting.page import Card, Section


def in_short(facts: Facts) -> Section:
    """The first section."""
    cards: list[Card] = []
    paragraphs: list[str] = []
    # The run that measured most of them, of equals the newest: the quickest of two is no headline
    # where another run knows six.
    measured = max(facts.runs, key=_known, default=None)
    if measured is not None and not _known(measured):
        measured = None
    if measured is None and facts.runs:
        paragraphs.append(
            "No latency of fresh processes: the runs below compute without a pause, or have no "
            "finished round."
        )
    elif measured is None:
        paragraphs.append(
            "No latency: no run of these artifacts was found. edgekit profile FOLDER measures them."
        )
    else:
        cards.append(_quickest(measured))
        known, every = _known(measured), len({one.name for one in facts.artifacts})
        if known < every:
            paragraphs.append(
                f"Latencies here are of the run that measured most of them: {known} of {every}."
            )
    smallest = min(facts.artifacts, key=lambda one: one.bytes, default=None)
    if smallest is not None and smallest.bytes:
        cards.append(
            Card(
                "Smallest",
                smallest.name,
                wording.megabytes(smallest.bytes),
                "",
                (f"exactly {smallest.bytes:,} bytes", _sha(smallest)),
            )
        )
    best = _most_accurate(facts)
    if best is not None:
        cards.append(best)
    if measured is not None:
        judged = _ruled_out(measured)
        if judged is not None:
            cards.append(judged)
    return Section("short", "In short", paragraphs=tuple(paragraphs), cards=tuple(cards))


def _known(one: RunFacts) -> int:
    """Contenders whose latency a run knows."""
    return sum(row.latency[one.clock] is not None for row in one.rows)


def _quickest(one: RunFacts) -> Card:
    known = [row for row in one.rows if row.latency[one.clock] is not None]
    quickest = min(known, key=lambda row: _value(row, one.clock))
    faster = faster_by(known, one.clock)
    at = known.index(quickest)
    doubtful = [
        row.label for index, row in enumerate(known) if index != at and not faster(at, index)
    ]
    if len(known) == 1:
        sure = "the only one that was measured"
    elif doubtful:
        sure = f"not told apart from {', '.join(doubtful[:3])}" + (" …" if doubtful[3:] else "")
    else:
        sure = "faster than every other beyond doubt"
    reading = quickest.latency[one.clock]
    assert reading is not None
    return Card(
        f"Lowest latency, {wording.CLOCKS[one.clock]}",
        quickest.label,
        *wording.apart(wording.reading(reading, "ms")),
        (
            sure,
            wording.run_title(one),
            f"{wording.processes(reading.count)}, {wording.calls(quickest)}",
            wording.placement(quickest.placements),
            _sha(quickest.proven),
        ),
    )


def _most_accurate(facts: Facts) -> Card | None:
    known = [one for one in facts.artifacts if one.metric is not None]
    names = {one.metric.name for one in known if one.metric}
    samples = {(one.samples, one.metric.samples) for one in known if one.metric}
    if not known or len(names) > 1 or (len(facts.models) > 1 and len(samples) > 1):
        return None  # not the same thing: no highest one
    best = max(known, key=lambda one: one.metric.value if one.metric else 0.0)
    assert best.metric is not None
    metric = best.metric
    level = [
        one
        for one in known
        if one is not best and one.metric and one.metric.ci95[1] >= metric.ci95[0]
    ]
    sure = (
        f"its interval overlaps with {len(level)} of {len(known) - 1} others"
        if level
        else "above every other"
    )
    return Card(
        f"Highest {metric.name}",
        best.name,
        *wording.apart(wording.metric(metric)),
        (
            *((sure,) if len(known) > 1 else ()),
            wording.plural(metric.samples, "sample"),
            _sha(best),
        ),
    )


def _ruled_out(one: RunFacts) -> Card | None:
    judged = [row for row in one.rows if row.standing is not None]
    if len(judged) < 2:
        return None
    dominated = [row for row in judged if row.standing and row.standing.dominated_by is not None]
    outpaced = [row for row in judged if row.standing and row.standing.outpaced_by is not None]
    left = [row.label for row in judged if row not in dominated and row not in outpaced]
    return Card(
        "Not ruled out",
        ", ".join(left[:3]) + (" …" if left[3:] else ""),
        f"{len(left)} of {len(judged)}",
        "",
        (f"{len(dominated)} dominated", f"{len(outpaced)} outpaced"),
    )


def _value(row: Row, clock: str) -> float:
    reading = row.latency[clock]
    return reading.value if reading else float("inf")


def _sha(one: Proven) -> str:
    return f"sha256 {wording.digest(one.sha256)}"
