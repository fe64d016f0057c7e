"""What is found out besides latency, as documents: memory, ops, phases, energy, placement.

Each pass has a process of its own and is never mixed with the timed rounds: a profiler, a counter
that is read and a preprocessing step all cost time. A document that cannot be had says why:
`{"unavailable": reason}`; a field that the system does not tell is None. Nothing is 0 that was not
measured.

memory
    {"steps": [{"step", "rss_bytes", "peak_rss_bytes", "anonymous_bytes", "file_bytes",
    "shared_bytes"}, ...], "calls", "model_bytes", "evidence"}

    Resident memory of the process after each of `STEPS`: "start" (interpreter, numpy, agent),
    "import" (the runtime), "load", "first" (the first call), "calls" (`calls` of them). "peak" is
    the highest so far; "file" are pages that a file backs (libraries, and a model that is mapped),
    "anonymous" all that was allocated.

ops
    {"ops": [{"name", "kind", "calls", "ms", "share"}, ...], "calls", "total_ms", "call_ms",
    "resolution_ms", "evidence"}

    Longest first. "ms" is the time of an op in one inference by the runtime's own profiler: the
    20 % trimmed mean over `calls` of them after a warm-up ("evidence" says where it is another);
    its "calls" are how often it ran in all of them. "share" is its part of "total_ms", the sum of
    all; shares add up to 1. "call_ms" is the median wall time of an inference while it was
    profiled, so that what the profiler leaves out or adds can be seen. Profilers cut off what is
    below "resolution_ms": an op that is shorter reads as 0.

phases
    {"phases": {"preprocess", "inference", "postprocess": {"median_ms", "ci95_ms"}}, "steps":
    {"preprocess": [...], "postprocess": [...]}, "sample", "processes", "repetitions", "evidence"}

    From a raw sample to an answer, in edgekit's own Python code on the host. Medians over fresh
    processes of each one's median over `repetitions`; "steps" says what was done, in order.

energy
    {"counter", "joules": {"median", "ci95"}, "idle_watts", "active_watts", "calls", "repetitions",
    "temperature_c": {"before", "after"}, "evidence"}

    Joules of one inference with idle power subtracted, median over `repetitions`; noise can make it
    negative. `calls` is the sum over all of them.

placement
    {"wanted", "ops": [{"name", "place", "kind", "executor", "taken"}, ...], "reasons": {kind:
    reason}, "evidence"}

    Not a part of a profile (`edgekit explain --device`): where each op runs, in order. "wanted" is
    what was to run them all, "taken" whether it runs this one; without a delegate, whether it is
    computed in integers. "name" is the op's in the file, or of its first output where ops have
    none, "place" its number there, None where the runtime tells none; "reasons" what the runtime
    or compiler says about those that are not taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.errors import DeviceError, UsageError
from edgekit.fields import Fields, printable

PASSES = ("memory", "ops", "phases", "energy")
ON_DEVICE = ("memory", "ops", "energy", "placement")
DEFAULT = ("memory", "ops")

STEPS = ("start", "import", "load", "first", "calls")
PHASES = ("preprocess", "inference", "postprocess")

_MOST_OPS = 100_000
_MOST_CALLS = 10**9
_LONGEST_MS = 1e12
_MOST_BYTES = 2**60
_MEMORY_KEYS = ("rss_bytes", "peak_rss_bytes", "anonymous_bytes", "file_bytes", "shared_bytes")

Document = dict[str, Any]


def unavailable(reason: str) -> Document:
    """The document of a pass that cannot be had."""
    return {"unavailable": reason}


def chosen(text: str) -> tuple[str, ...]:
    """`"memory,ops"`, `"all"` or `"none"` as names of passes, in the order of `PASSES`.

    Raises:
        UsageError: A name that is none of them.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if words in (["none"], []):
        return ()
    if words == ["all"]:
        return PASSES
    for word in words:
        if word not in PASSES:
            raise UsageError(
                f"{word!r:.40} is no pass", hint=f"all, none, or some of {','.join(PASSES)}"
            )
    return tuple(name for name in PASSES if name in words)


def typical(values: Sequence[float]) -> float:
    """20 % trimmed mean: finer than the clock's steps, as a mean is, and deaf to interruptions."""
    ordered = sorted(values)
    cut = len(ordered) // 5
    middle = ordered[cut : len(ordered) - cut]
    return math.fsum(middle) / len(middle)


@dataclass
class OpTimes:
    """One op as a profiler tells of it.

    Attributes:
        kind: What it computes.
        calls: How often it ran in all inferences.
        ms: Its milliseconds in each inference that it ran in.
    """

    kind: str
    calls: int = 0
    ms: list[float] = field(default_factory=list)


def ops_document(
    found: Mapping[str, OpTimes],
    *,
    calls: int,
    call_ms: float,
    resolution_ms: float,
    evidence: str,
) -> Document:
    """The document of the pass "ops" from what a profiler says.

    Args:
        found: By the op's name.
        calls: Inferences that were profiled.
        call_ms: Median wall time of one.
        resolution_ms: Of the profiler's clock.
        evidence: Where this was read.
    """
    each = {name: typical(op.ms) for name, op in found.items() if op.calls}
    total = math.fsum(each.values())
    if not total > 0:
        return unavailable(
            f"every op is shorter than the profiler's clock can tell ({1000 * resolution_ms:g} µs)"
        )
    ops = [
        {
            "name": name,
            "kind": found[name].kind,
            "calls": found[name].calls,
            "ms": ms,
            "share": ms / total,
        }
        for name, ms in sorted(each.items(), key=lambda item: (-item[1], item[0]))
    ]
    return {
        "ops": ops,
        "calls": calls,
        "total_ms": total,
        "call_ms": call_ms,
        "resolution_ms": resolution_ms,
        "evidence": evidence,
    }


def parse(name: str, data: Any) -> Document:
    """Check and rebuild the document of a pass that somebody else wrote.

    Raises:
        DeviceError: A key is missing, unknown, of the wrong type or out of bounds.
    """
    fields = Fields(data, f"pass {name}", DeviceError)
    if fields.has("unavailable"):
        document = unavailable(printable(fields.text("unavailable")))
    else:
        document = _PARSERS[name](fields)
    fields.done()
    return document


def _memory(fields: Fields) -> Document:
    steps = []
    for entry in fields.items("steps", most=len(STEPS)):
        step = Fields(entry, "pass memory: steps", DeviceError)
        steps.append(
            {
                "step": step.text("step", choices=STEPS),
                **{key: step.optional_integer(key, high=_MOST_BYTES) for key in _MEMORY_KEYS},
            }
        )
        step.done()
    if [step["step"] for step in steps] != list(STEPS):
        raise fields.fail("steps", f"expected {', '.join(STEPS)}")
    return {
        "steps": steps,
        "calls": fields.integer("calls", low=1, high=_MOST_CALLS),
        "model_bytes": fields.optional_integer("model_bytes", high=_MOST_BYTES),
        "evidence": _evidence(fields),
    }


def _ops(fields: Fields) -> Document:
    ops = []
    for entry in fields.items("ops", least=1, most=_MOST_OPS):
        op = Fields(entry, "pass ops: ops", DeviceError)
        ops.append(
            {
                "name": printable(op.text("name", longest=16_384)),
                "kind": printable(op.text("kind", longest=1024)),
                "calls": op.integer("calls", low=1, high=_MOST_CALLS),
                "ms": op.number("ms", high=_LONGEST_MS),
                "share": op.number("share", high=1.0),
            }
        )
        op.done()
    if not math.isclose(math.fsum(op["share"] for op in ops), 1.0, abs_tol=1e-6):
        raise fields.fail("ops", "shares don't add up to 1")
    return {
        "ops": ops,
        "calls": fields.integer("calls", low=1, high=_MOST_CALLS),
        "total_ms": fields.number("total_ms", high=_LONGEST_MS),
        "call_ms": fields.number("call_ms", high=_LONGEST_MS),
        "resolution_ms": fields.number("resolution_ms", high=1000.0),
        "evidence": _evidence(fields),
    }


def _phases(fields: Fields) -> Document:
    table, steps = fields.table("phases"), fields.table("steps")
    phases = {}
    for name in PHASES:
        phase = table.table(name)
        phases[name] = {
            "median_ms": phase.number("median_ms", high=_LONGEST_MS),
            "ci95_ms": list(phase.interval("ci95_ms", low=0.0, high=_LONGEST_MS)),
        }
        phase.done()
    done = {name: _texts(steps, name) for name in ("preprocess", "postprocess")}
    table.done()
    steps.done()
    return {
        "phases": phases,
        "steps": done,
        "sample": printable(fields.text("sample", longest=1024)),
        "processes": fields.integer("processes", low=1, high=10_000),
        "repetitions": fields.integer("repetitions", low=1, high=_MOST_CALLS),
        "evidence": _evidence(fields),
    }


def _energy(fields: Fields) -> Document:
    joules, heat = (
        Fields(fields.mapping(key), f"pass energy: {key}", DeviceError)
        for key in ("joules", "temperature_c")
    )
    document = {
        "counter": printable(fields.text("counter", longest=1024)),
        "joules": {
            "median": joules.number("median", low=-1e9, high=1e9),
            "ci95": list(joules.interval("ci95", low=-1e9, high=1e9)),
        },
        "idle_watts": fields.number("idle_watts", high=1e6),
        "active_watts": fields.number("active_watts", high=1e6),
        "calls": fields.integer("calls", low=1, high=_MOST_CALLS),
        "repetitions": fields.integer("repetitions", low=1, high=10_000),
        "temperature_c": {
            when: heat.optional_number(when, low=-273.15, high=1000.0)
            for when in ("before", "after")
        },
        "evidence": _evidence(fields),
    }
    joules.done()
    heat.done()
    return document


def _placement(fields: Fields) -> Document:
    ops = []
    for entry in fields.items("ops", least=1, most=_MOST_OPS):
        op = Fields(entry, "pass placement: ops", DeviceError)
        ops.append(
            {
                "name": printable(op.text("name", longest=16_384)),
                "place": op.optional_integer("place", high=_MOST_OPS),
                "kind": printable(op.text("kind", longest=1024)),
                "executor": printable(op.text("executor", longest=1024)),
                "taken": op.flag("taken"),
            }
        )
        op.done()
    reasons = fields.mapping("reasons")
    if any(not isinstance(reason, str) or len(reason) > 4096 for reason in reasons.values()):
        raise fields.fail("reasons", "expected short texts")
    return {
        "wanted": printable(fields.text("wanted", longest=1024)),
        "ops": ops,
        "reasons": printable(reasons),
        "evidence": _evidence(fields),
    }


_PARSERS: Mapping[str, Callable[[Fields], Document]] = {
    "memory": _memory,
    "ops": _ops,
    "phases": _phases,
    "energy": _energy,
    "placement": _placement,
}


def _evidence(fields: Fields) -> str:
    return str(printable(fields.text("evidence")))


def _texts(fields: Fields, key: str) -> list[str]:
    entries = fields.items(key, most=32)
    for entry in entries:
        if not isinstance(entry, str) or len(entry) > 1024:
            raise fields.fail(key, "expected a list of short texts")
    return [str(printable(entry)) for entry in entries]
