"""What LiteRT's benchmark_model prints, read strictly: times, what a delegate took, memory.

    INFO: count=2 first=2531 curr=2793 min=2531 max=2793 avg=2662 std=131
    INFO: Inference timings in us: Init: 66002, First inference: 637079, Warmup (avg): …
    VERBOSE: Replacing 31 out of 31 node(s) with delegate (TfLiteNnapiDelegate) node, yielding 1 …
    INFO: Explicitly applied NNAPI delegate, and the model graph will be completely executed by …

The tool sums calls up and prints no list of them: of two calls, `first` and `curr` are the two.
What says nothing of itself is not guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgekit.errors import DeviceError
from edgekit.fields import printable
from edgekit.measure import Placement

LONGEST = 4 * 1024 * 1024
_MOST_LINES = 20_000
_MOST_US = 10**12
_MOST_OPS = 10**6

_COUNT = re.compile(r"\bcount=(\d+)(?: first=(\d+))? curr=(\d+)(\(all same\)| \(all same\)|\b)")
_TIMINGS = re.compile(r"\bInference timings in us: Init: (\d+), First inference: (\d+),")
_PEAK = re.compile(r"\bOverall peak memory footprint \(MB\) via periodic monitoring: ([\d.]{1,12})")
_NODES = re.compile(r"\bNumber of nodes executed: (\d+)")
_REPLACED = re.compile(
    r"\bReplacing (\d+) out of (\d+) node\(s\) with delegate \(([\w .-]{1,80})\) node, "
    r"yielding (\d+) partitions"
)
_APPLIED = re.compile(
    r"\bExplicitly applied ([\w ]{1,40}) delegate, and the model graph will be "
    r"(completely|partially) executed by the delegate(?: w/ (\d+) delegate kernels)?"
)
_NOT_APPLIED = re.compile(r"\bThough ([\w ]{1,40}) delegate is explicitly applied, the model graph")
_UNKNOWN_FLAGS = re.compile(r"\bUnconsumed cmdline flags: (.{1,200})")
_TROUBLE = re.compile(
    r"\b(?:ERROR:|Failed|failed|error:|cannot|can't|not found|denied|inaccessible)"
)


@dataclass(frozen=True, slots=True)
class Replaced:
    """Nodes that a delegate took.

    Attributes:
        name: Of the delegate: "XNNPACK", "GPU", "NNAPI", or as it calls itself.
        nodes: How many.
        of: Of how many.
        partitions: In how many pieces.
    """

    name: str
    nodes: int
    of: int
    partitions: int


@dataclass(frozen=True, slots=True)
class Output:
    """What one process of benchmark_model said.

    Attributes:
        samples_us: The timed calls: one or two, in order.
        init_us: From the model's file to a session that can be called.
        first_us: The first call.
        peak_rss_bytes: Highest resident memory, if that was asked for.
        applied: Name of the delegate that was applied explicitly.
        kernels: Pieces of the graph that it runs; None where that was not said.
        completely: Whether the whole graph is executed by it.
        replaced: What delegates took, in order.
        nodes: Of the executed graph, if a profile was asked for.
    """

    samples_us: tuple[int, ...]
    init_us: int
    first_us: int
    peak_rss_bytes: int | None
    applied: str | None
    kernels: int | None
    completely: bool
    replaced: tuple[Replaced, ...]
    nodes: int | None


def read_output(output: bytes, *, calls: int, wanted: str | None = None) -> Output:
    """Read what a process printed.

    Args:
        output: Its stdout and stderr, of anybody's making.
        calls: Timed calls that were asked for, one or two.
        wanted: Name of the delegate that was asked for, as the tool writes it.

    Raises:
        DeviceError: A delegate was applied and takes nothing, a flag was not understood, or what is
            needed is not there or not what it should be.
    """
    text = output.decode("utf-8", "replace")
    lines = [str(printable(line)) for line in text.splitlines()[:_MOST_LINES]]
    text = "\n".join(lines)
    if found := _UNKNOWN_FLAGS.search(text):
        raise DeviceError(
            f"this benchmark_model does not know {found[1]}", hint="take one of a newer LiteRT"
        )
    unused = [found[1] for found in _NOT_APPLIED.finditer(text)]
    if unused and wanted in (None, *unused):
        raise DeviceError(
            f"the {wanted or unused[0]} delegate was asked for and runs no part of the model",
            "read from: what benchmark_model says of it",
            hint="leave the delegate to the runtime, or convert the model to ops it supports",
        )
    timings = _TIMINGS.search(text)
    if timings is None:
        raise DeviceError("benchmark_model printed no timings", *_trouble(lines), hint=_hint(text))
    counts = list(_COUNT.finditer(text))
    every = list(_APPLIED.finditer(text))
    applied = next((found for found in every if found[1] == wanted), every[0] if every else None)
    peak = _PEAK.search(text)
    nodes = _NODES.search(text)
    return Output(
        samples_us=_samples(counts[-1] if counts else None, calls),
        init_us=_bounded(timings[1], _MOST_US, "Init"),
        first_us=_bounded(timings[2], _MOST_US, "First inference"),
        peak_rss_bytes=None if peak is None else _bytes(peak[1]),
        applied=applied[1] if applied else None,
        kernels=_bounded(applied[3], _MOST_OPS, "kernels") if applied and applied[3] else None,
        completely=applied is not None and applied[2] == "completely",
        replaced=tuple(
            Replaced(
                _short(each[3]),
                _bounded(each[1], _MOST_OPS, "nodes"),
                _bounded(each[2], _MOST_OPS, "nodes"),
                _bounded(each[4], _MOST_OPS, "partitions"),
            )
            for each in _REPLACED.finditer(text)
        ),
        nodes=_bounded(nodes[1], _MOST_OPS, "nodes") if nodes else None,
    )


def placement_of(output: Output) -> Placement:
    """Where the nodes of the model ran, from what benchmark_model said.

    Raises:
        DeviceError: It does not say.
    """
    if output.replaced:
        ops = output.replaced[0].of
        executors: dict[str, int] = {}
        for each in output.replaced:
            executors[each.name] = executors.get(each.name, 0) + each.nodes
        left = ops - sum(executors.values())
        if left < 0:
            raise DeviceError("benchmark_model says that delegates took more nodes than there are")
        chosen = output.applied or output.replaced[0].name
        mine = [each for each in output.replaced if each.name == _short(chosen)]
        taken = mine or output.replaced[:1]
        return Placement(
            ops=ops,
            delegated=sum(each.nodes for each in taken),
            partitions=sum(each.partitions for each in taken if each.nodes),
            executors={**executors, **({"LiteRT kernels": left} if left else {})},
            evidence="what benchmark_model's log says of nodes that were replaced",
        )
    if output.applied is not None:
        kernels = output.kernels or 1
        nodes = kernels if output.completely else output.nodes
        if nodes is None or nodes < kernels:
            raise DeviceError("benchmark_model does not say how many nodes the delegate took")
        name, left = _short(output.applied), nodes - kernels
        return Placement(
            ops=nodes,
            delegated=kernels,
            partitions=kernels,
            executors={name: kernels, **({"LiteRT kernels": left} if left else {})},
            evidence="nodes of the graph after the delegate, in benchmark_model's log",
        )
    if output.nodes is None:
        raise DeviceError("benchmark_model does not say what ran the nodes")
    return Placement(
        ops=output.nodes,
        delegated=0,
        partitions=0,
        executors={"LiteRT kernels": output.nodes},
        evidence="nodes in benchmark_model's profile; its log tells of no delegate",
    )


def _samples(found: re.Match[str] | None, calls: int) -> tuple[int, ...]:
    if found is None:
        raise DeviceError("benchmark_model printed no count of its calls")
    count = _bounded(found[1], 10**9, "count")
    if count != calls:
        raise DeviceError(f"benchmark_model timed {count} calls; {calls} were asked for")
    last = _bounded(found[3], _MOST_US, "curr")
    if count == 1:
        return (last,)
    if found[2] is not None:
        return (_bounded(found[2], _MOST_US, "first"), last)
    if "all same" in found[4]:
        return (last, last)
    raise DeviceError("benchmark_model did not say how long the first of two calls took")


def _bounded(text: str, most: int, what: str) -> int:
    value = int(text) if len(text) <= 15 and text.isascii() else -1
    if not 0 <= value <= most:
        raise DeviceError(f"benchmark_model's {what} of {text[:40]} is out of bounds")
    return value


def _bytes(mebibytes: str) -> int:
    try:
        value = float(mebibytes)
    except ValueError:
        raise DeviceError(f"benchmark_model's peak memory of {mebibytes} is no number") from None
    return int(value * 2**20)


def _short(name: str) -> str:
    for known, short in (("xnnpack", "XNNPACK"), ("gpu", "GPU"), ("nnapi", "NNAPI")):
        if known in name.lower():
            return short
    return name


def _trouble(lines: list[str]) -> list[str]:
    told = [line[:300] for line in lines if _TROUBLE.search(line)]
    return (told or [line[:300] for line in lines if line.strip()])[-3:]


def _hint(text: str) -> str:
    if "not executable" in text or "Exec format" in text or "syntax error" in text:
        return "it is built for another processor: a phone needs android_aarch64's"
    return "edgekit reads what LiteRT's android_aarch64 benchmark_model of 2020–2025 prints"
