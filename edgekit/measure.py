"""What was measured, as data: raw samples, where the ops ran, on what machine.

Raw samples are kept as they came, in call order. Does not measure (`edgekit.agent` does) and
summarises nothing (`edgekit.summary` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgekit.errors import DeviceError
from edgekit.fields import Fields, printable
from edgekit.statistics import quantile

MOST_CALLS = 100_000
_LONGEST_NS = 10**15  # eleven days: anything longer is a broken clock


def latency_refused(reason: str) -> DeviceError:
    """The error where no time is measured: what is asked computes elsewhere than it says."""
    return DeviceError(
        f"no latency from here: {reason}",
        hint="edgekit eval runs artifacts there; edgekit devices lists those that measure",
    )


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the ops of a model really ran.

    Attributes:
        ops: Ops of the executed graph. Runtimes fuse and split, so counts differ between them.
        delegated: Ops that ran on the delegate; 0 where the runtime has a single executor.
        partitions: Connected pieces given to the delegate.
        executors: Ops by what ran them: delegate, provider, or kernel precision.
        evidence: How this was read.
        left_out: Kind of op → how many the delegate left to others; without a delegate, how many
            computed in float.
    """

    ops: int
    delegated: int
    partitions: int
    executors: Mapping[str, int]
    evidence: str
    left_out: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        found = {**asdict(self), "executors": dict(self.executors)}
        return {**found, "left_out": dict(sorted(self.left_out.items()))}

    @staticmethod
    def from_json(data: Any) -> Placement:
        fields = Fields(data, "placement", DeviceError)
        executors = fields.mapping("executors")
        left_out = fields.optional_mapping("left_out") or {}
        for key, counts in (("executors", executors), ("left_out", left_out)):
            for name, count in counts.items():
                if type(count) is not int or count < 0:
                    raise fields.fail(key, f"{name!r} ran {count!r} ops")
        placement = Placement(
            ops=fields.integer("ops", high=10**7),
            delegated=fields.integer("delegated", high=10**7),
            partitions=fields.integer("partitions", high=10**7),
            executors=printable(executors),
            evidence=printable(fields.text("evidence")),
            left_out=printable(left_out),
        )
        fields.done()
        return placement

    def __str__(self) -> str:
        """Short form for tables: `XNNPACK 66/66`, `f32 40, i8 12`."""
        if self.delegated or self.partitions:
            names = [name for name, ops in self.executors.items() if ops == self.delegated]
            best = names[0] if names else max(self.executors, key=lambda name: self.executors[name])
            pieces = f" in {self.partitions}" if self.partitions > 1 else ""
            return f"{best} {self.delegated}/{self.ops}{pieces}"
        ranked = sorted(self.executors.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{name} {count}" for name, count in ranked)


@dataclass(frozen=True, slots=True)
class Measurement:
    """Timed calls of one artifact in one process on one device.

    Attributes:
        samples_ns: Wall time of `invoke` alone, one per timed call, in call order.
        call_ns: Wall time of the whole call: inputs set, invoke, outputs read.
        cpu_ns: CPU time of the process, all threads, during `invoke`.
        blocks: Timed calls of each block, in order: calls without a pause between them. Other
            processes had their turn between two blocks.
        warmup_ns: `invoke` before timing settled; never in statistics.
        load_ns: From the model file to a session that can be called; the import of the runtime
            is not in it.
        first_ns: The first whole call.
        peak_rss_bytes: Highest resident memory of the process; None where the system hides it.
        placement: Where the ops ran.
        environment: What the machine said about itself; a key is None where it says nothing.
    """

    samples_ns: tuple[int, ...]
    call_ns: tuple[int, ...]
    cpu_ns: tuple[int, ...]
    blocks: tuple[int, ...]
    warmup_ns: tuple[int, ...]
    load_ns: int
    first_ns: int
    peak_rss_bytes: int | None
    placement: Placement
    environment: Mapping[str, Any]

    @property
    def cost_ns(self) -> float:
        """Processor time of a call in nanoseconds, to compare files with: the lower quartile.

        With one thread that is its wall time on an idle machine. On a busy one wall time holds
        waiting for the processor, which grows with the length of a call and says nothing of the
        file. Where the system's clock of processor time is too coarse for a call, it is wall time.
        """
        return quantile(self.cpu_ns, 0.25) or quantile(self.samples_ns, 0.25)

    def to_json(self) -> dict[str, Any]:
        return {
            "samples_ns": list(self.samples_ns),
            "call_ns": list(self.call_ns),
            "cpu_ns": list(self.cpu_ns),
            "blocks": list(self.blocks),
            "warmup_ns": list(self.warmup_ns),
            "load_ns": self.load_ns,
            "first_ns": self.first_ns,
            "peak_rss_bytes": self.peak_rss_bytes,
            "placement": self.placement.to_json(),
            "environment": dict(self.environment),
        }

    @staticmethod
    def from_json(data: Any) -> Measurement:
        """Rebuild what a device sent.

        Raises:
            DeviceError: A key is missing, unknown, of the wrong type or out of bounds.
        """
        fields = Fields(data, "measurement", DeviceError)

        def series(key: str) -> tuple[int, ...]:
            return fields.integers(key, most=MOST_CALLS, low=0, high=_LONGEST_NS)

        measurement = Measurement(
            samples_ns=series("samples_ns"),
            call_ns=series("call_ns"),
            cpu_ns=series("cpu_ns"),
            blocks=fields.integers("blocks", most=MOST_CALLS, low=1, high=MOST_CALLS),
            warmup_ns=series("warmup_ns"),
            load_ns=fields.integer("load_ns", high=_LONGEST_NS),
            first_ns=fields.integer("first_ns", high=_LONGEST_NS),
            peak_rss_bytes=fields.optional_integer("peak_rss_bytes", high=2**60),
            placement=Placement.from_json(fields.mapping("placement")),
            environment=printable(fields.mapping("environment")),
        )
        fields.done()
        if not len(measurement.samples_ns) == len(measurement.call_ns) == len(measurement.cpu_ns):
            raise DeviceError("measurement: samples_ns, call_ns and cpu_ns differ in length")
        if not measurement.samples_ns:
            raise DeviceError("measurement: it holds no timed call")
        if not any(measurement.samples_ns):
            raise DeviceError("measurement: every timed call took 0 ns: no clock was running")
        if sum(measurement.blocks) != len(measurement.samples_ns):
            raise DeviceError("measurement: its blocks hold another number of calls than it has")
        return measurement
