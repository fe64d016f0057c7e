"""How near a file's latency is to the least the machine allows. Pure: knows numbers only.

The least time of an operation is the longer of computing and moving (Williams, Waterman and
Patterson 2009, doi:10.1145/1498765.1498785), taken operation by operation, since one cannot wait
for memory while another computes. What is moved within a call comes out of the smallest cache that
holds the operation's own data, for the operation before has just written it; constants come out of
what holds all constants of the file, for all of them are read between two uses of one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.roofline.counting.operation import Counted, Operation
from edgekit.roofline.limits import Limits, Rate, Unavailable

COMPUTE, MEMORY = "compute", "memory"

_MIDDLE, _LOW, _HIGH = range(3)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval."""

    value: float
    ci95: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        return {"value": round(self.value, 6), "ci95": [round(bound, 6) for bound in self.ci95]}


@dataclass(frozen=True, slots=True)
class Measured:
    """A latency to compare with.

    Attributes:
        ms: Of one call, with its interval.
        clock: "cpu" or "wall".
        processes: Fresh processes behind it.
        calls: Timed calls behind it.
        source: Where it is from: "measured now", "run 12 of 2026-…".
    """

    ms: Figure
    clock: str
    processes: int
    calls: int
    source: str

    def to_json(self) -> dict[str, Any]:
        return {
            "ms": self.ms.to_json(),
            "clock": self.clock,
            "processes": self.processes,
            "calls": self.calls,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Subject:
    """What a row is about.

    Attributes:
        name: "mobilenet tflite-int8".
        sha256: Digest of the artifact.
        counted: Its work.
        limits: Of the machine, with the threads of the measurement.
        measured: Its latency; None where there is none.
    """

    name: str
    sha256: str
    counted: Counted
    limits: Limits
    measured: Measured | None


@dataclass(frozen=True, slots=True)
class Row:
    """One artifact against the limits.

    Attributes:
        subject: What it is about.
        limit_ms: The least time of a call, or why it is unknown.
        simple_ms: The same of the whole file at once with everything out of memory: what holds if
            no cache keeps anything between two calls.
        bound: Where most of the least time goes: "compute" or "memory"; "" where it is unknown.
        bound_share: How much of it, 0–1.
        share: Least over measured time; None where either is unknown. Above 1 the limits were
            measured too low.
        warnings: What makes the row doubtful.
    """

    subject: Subject
    limit_ms: Figure | Unavailable
    simple_ms: Figure | Unavailable
    bound: str
    bound_share: float
    share: Figure | None
    warnings: tuple[str, ...]

    @property
    def attained_per_s(self) -> float | None:
        """Arithmetic operations a second that were reached."""
        measured = self.subject.measured
        return 2e3 * self.subject.counted.macs / measured.ms.value if measured else None

    def to_json(self) -> dict[str, Any]:
        counted, measured = self.subject.counted, self.subject.measured
        return {
            "name": self.subject.name,
            "sha256": self.subject.sha256,
            "threads": self.subject.limits.threads,
            "macs": counted.macs,
            "bytes": counted.bytes,
            "weight_bytes": counted.weight_bytes,
            "ops_per_byte": counted.intensity,
            "limit_ms": self.limit_ms.to_json(),
            "simple_limit_ms": self.simple_ms.to_json(),
            "bound": self.bound,
            "bound_share": round(self.bound_share, 6),
            "measured": measured.to_json() if measured else None,
            "attained_per_s": self.attained_per_s,
            "share": self.share.to_json() if self.share else None,
            "warnings": list(self.warnings),
            **counted.to_json(),
        }


def roofline_rows(subjects: Sequence[Subject]) -> tuple[Row, ...]:
    """Every subject against its limits."""
    return tuple(_row(subject) for subject in subjects)


def least_ms(counted: Counted, limits: Limits) -> Figure | Unavailable:
    """The least time of a call: the sum over the operations, in milliseconds."""
    times = _times(counted, limits)
    if isinstance(times, Unavailable):
        return times
    middle, low, high = (
        sum(max(compute[which], memory[which]) for compute, memory in times) * 1e3
        for which in (_MIDDLE, _LOW, _HIGH)
    )
    return Figure(middle, (low, high))


def simple_ms(counted: Counted, limits: Limits) -> Figure | Unavailable:
    """The roofline of the file as a whole, with every byte out of memory."""
    if isinstance(limits.memory, Unavailable):
        return limits.memory
    compute = _summed(counted.operations, limits)
    if isinstance(compute, Unavailable):
        return compute
    memory = _seconds(counted.bytes, limits.memory)
    middle, low, high = (max(pair) * 1e3 for pair in zip(compute, memory, strict=True))
    return Figure(middle, (low, high))


# The middle, the shortest and the longest time that the intervals leave open.
_Span = tuple[float, float, float]


def _row(subject: Subject) -> Row:
    counted, limits, measured = subject.counted, subject.limits, subject.measured
    limit = least_ms(counted, limits)
    warnings = [f"{count} {op}: not counted" for op, count in sorted(counted.uncounted.items())]
    share = None
    if isinstance(limit, Figure) and measured and limit.value > 0:
        (low, high), (shortest, longest) = limit.ci95, measured.ms.ci95
        share = Figure(limit.value / measured.ms.value, (low / longest, high / shortest))
        if share.value > 1:
            warnings.append(
                f"{share.value:.0%} of the limit: the limits were measured too low; measure them "
                "anew while the machine does nothing else"
            )
    bound, bound_share = _bound(counted, limits)
    return Row(
        subject=subject,
        limit_ms=limit,
        simple_ms=simple_ms(counted, limits),
        bound=bound,
        bound_share=bound_share,
        share=share,
        warnings=tuple(warnings),
    )


def _bound(counted: Counted, limits: Limits) -> tuple[str, float]:
    """Where most of the least time goes, and how much of it."""
    times = _times(counted, limits)
    if isinstance(times, Unavailable):
        return "", 0.0
    spent: Counter[str] = Counter()
    for compute, memory in times:
        longer = COMPUTE if compute[_MIDDLE] >= memory[_MIDDLE] else MEMORY
        spent[longer] += max(compute[_MIDDLE], memory[_MIDDLE])  # type: ignore[assignment]
    total = sum(spent.values())
    if not total:
        return "", 0.0
    (name, most), *_ = spent.most_common()
    return name, most / total


def _times(counted: Counted, limits: Limits) -> list[tuple[_Span, _Span]] | Unavailable:
    """Seconds of computing and of moving, per operation."""
    constants = limits.rate_of(counted.weight_bytes)
    if constants is None:
        return Unavailable("no bandwidth was measured")
    found = []
    for one in counted.operations:
        compute = _computing(one, limits)
        if isinstance(compute, Unavailable):
            return compute
        own = limits.rate_of(one.activation_bytes)
        assert own is not None  # there is a bandwidth
        parts = _seconds(one.weight_bytes, constants), _seconds(one.activation_bytes, own)
        memory = parts[0][0] + parts[1][0], parts[0][1] + parts[1][1], parts[0][2] + parts[1][2]
        found.append((compute, memory))
    return found


def _summed(operations: Sequence[Operation], limits: Limits) -> _Span | Unavailable:
    middle = low = high = 0.0
    for one in operations:
        span = _computing(one, limits)
        if isinstance(span, Unavailable):
            return span
        middle, low, high = middle + span[_MIDDLE], low + span[_LOW], high + span[_HIGH]
    return middle, low, high


def _computing(one: Operation, limits: Limits) -> _Span | Unavailable:
    if not one.macs:
        return 0.0, 0.0, 0.0
    peak = limits.peak(one.arithmetic)
    return peak if isinstance(peak, Unavailable) else _seconds(2 * one.macs, peak)


def _seconds(amount: int, rate: Rate) -> _Span:
    slowest, fastest = rate.ci95
    return amount / rate.per_s, amount / fastest, amount / slowest


def by_arithmetic(counted: Counted) -> Mapping[str, int]:
    """Multiply–accumulates by arithmetic, the most first."""
    found: Counter[str] = Counter()
    for one in counted.operations:
        if one.macs:
            found[one.arithmetic] += one.macs
    return dict(found.most_common())
