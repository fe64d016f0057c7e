"""What a machine can do at most, as data: arithmetic and bandwidth, each with its interval.

Measures nothing. What could not be measured is a reason in words, never a zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.errors import DeviceError
from edgekit.fields import Fields, printable

# History of the document: 1 the first.
FORMAT = 1

# Arithmetic of an operation → the peak that bounds it. 16-bit arithmetic is not measured: it is
# taken to be no faster than the next one that is.
PEAK_OF = {
    "int8": "int8",
    "int16": "int8",
    "float16": "fp32",
    "float32": "fp32",
    "float64": "fp32",
}

_FASTEST = 1e18
_MOST_SIZES = 64


@dataclass(frozen=True, slots=True)
class Rate:
    """Something a second.

    Attributes:
        per_s: Median over fresh processes of the best each of them saw: operations (two a
            multiply–accumulate) or bytes.
        ci95: Its distribution-free 95 % interval; the range with fewer than six processes.
        processes: How many.
        by: Library, version and kernel that reached it.
    """

    per_s: float
    ci95: tuple[float, float]
    processes: int
    by: str

    def to_json(self) -> dict[str, Any]:
        return {
            "per_s": round(self.per_s),
            "ci95": [round(bound) for bound in self.ci95],
            "processes": self.processes,
            "by": self.by,
        }

    @staticmethod
    def from_fields(taken: Fields) -> Rate:
        rate = Rate(
            per_s=taken.number("per_s", low=1.0, high=_FASTEST),
            ci95=taken.interval("ci95", low=1.0, high=_FASTEST),
            processes=taken.integer("processes", low=1, high=10_000),
            by=printable(taken.text("by")),
        )
        taken.done()
        return rate


@dataclass(frozen=True, slots=True)
class Unavailable:
    """What could not be measured.

    Attributes:
        reason: Why, for people: "no runtime with int8 kernels is installed".
    """

    reason: str

    def to_json(self) -> dict[str, Any]:
        return {"unavailable": self.reason}

    def __str__(self) -> str:
        return f"unavailable: {self.reason}"


Peak = Rate | Unavailable


@dataclass(frozen=True, slots=True)
class Limits:
    """What a machine can do with so many threads.

    Attributes:
        threads: Threads that compute.
        fp32: Operations a second in float32.
        int8: Operations a second in 8 bits, unsigned times signed.
        bandwidth: Size in bytes of what is gone through again and again → bytes a second, sizes
            rising. What is small enough comes out of a cache.
        memory: Bytes a second of what no cache holds.
        by_library: Library → kind of kernel → best operations a second, for people.
    """

    threads: int
    fp32: Peak
    int8: Peak
    bandwidth: Mapping[int, Rate]
    memory: Peak
    by_library: Mapping[str, Mapping[str, float]]

    def peak(self, arithmetic: str) -> Peak:
        """Operations a second that bound an arithmetic of `edgekit.roofline.counting`."""
        return self.int8 if PEAK_OF[arithmetic] == "int8" else self.fp32

    def rate_of(self, size: int) -> Rate | None:
        """The best rate at which `size` bytes can be gone through again and again.

        What is smaller is never slower: the best of all sizes from this one on. None where no
        bandwidth was measured.
        """
        larger = [rate for of, rate in self.bandwidth.items() if of >= size]
        if not larger:
            last = max(self.bandwidth, default=None)
            return None if last is None else self.bandwidth[last]
        return max(larger, key=lambda rate: rate.per_s)

    @property
    def scatter(self) -> float:
        """Width of the wider of the peaks' intervals, as a part of the peak."""
        peaks = [peak for peak in (self.fp32, self.int8) if isinstance(peak, Rate)]
        return max(((one.ci95[1] - one.ci95[0]) / one.per_s for one in peaks), default=0.0)

    def to_json(self) -> dict[str, Any]:
        return {
            "threads": self.threads,
            "fp32": self.fp32.to_json(),
            "int8": self.int8.to_json(),
            "memory": self.memory.to_json(),
            "bandwidth": [
                {"bytes": size, **rate.to_json()} for size, rate in self.bandwidth.items()
            ],
            "by_library": {name: dict(kinds) for name, kinds in self.by_library.items()},
        }

    @staticmethod
    def from_json(data: Any) -> Limits:
        taken = Fields(data, "limits", DeviceError)
        bandwidth = {}
        for entry in taken.items("bandwidth", most=_MOST_SIZES):
            one = Fields(entry, "limits: bandwidth", DeviceError)
            size = one.integer("bytes", low=1, high=2**50)
            bandwidth[size] = Rate.from_fields(one)
        limits = Limits(
            threads=taken.integer("threads", low=1, high=1024),
            fp32=_peak(taken, "fp32"),
            int8=_peak(taken, "int8"),
            memory=_peak(taken, "memory"),
            bandwidth=bandwidth,
            by_library=printable(taken.mapping("by_library")),
        )
        taken.done()
        return limits


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine's limits.

    Attributes:
        environment: What it said about itself when they were measured.
        libraries: Name → version of what could be asked, or why not.
        limits: By number of threads.
        measured: When, UTC, ISO 8601.
    """

    environment: Mapping[str, Any]
    libraries: Mapping[str, str]
    limits: Mapping[int, Limits]
    measured: str

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "environment": dict(self.environment),
            "libraries": dict(self.libraries),
            "limits": [one.to_json() for one in self.limits.values()],
            "measured": self.measured,
        }

    @staticmethod
    def from_json(data: Any, where: str = "limits of the machine") -> Machine:
        """Rebuild what an earlier edgekit kept.

        Raises:
            DeviceError: Another format, or a key that is missing, unknown, of the wrong type or out
                of bounds.
        """
        taken = Fields(data, where, DeviceError)
        taken.integer("format", low=FORMAT, high=FORMAT)
        limits = [Limits.from_json(one) for one in taken.items("limits", least=1, most=1024)]
        machine = Machine(
            environment=printable(taken.mapping("environment")),
            libraries=printable(taken.mapping("libraries")),
            limits={one.threads: one for one in limits},
            measured=taken.name("measured", longest=40),
        )
        taken.done()
        return machine

    @property
    def notes(self) -> tuple[str, ...]:
        """What the processor's flags and what was seen say of each other, and where to doubt it."""
        return self._of_flags() + tuple(
            f"with {one.threads} thread{'s' * (one.threads > 1)} the processes differ by "
            f"{one.scatter:.0%}: the machine was busy; --fresh measures anew"
            for one in self.limits.values()
            if one.scatter > _SCATTER
        )

    def _of_flags(self) -> tuple[str, ...]:
        flags = set(self.environment.get("cpu_flags") or ())
        fast = sorted(flags & {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})
        limits = self.limits[min(self.limits)]
        if not (isinstance(limits.fp32, Rate) and isinstance(limits.int8, Rate)):
            return ()
        ratio = limits.int8.per_s / limits.fp32.per_s
        if fast and ratio < _EXPECTED:
            said = f"has {', '.join(fast)}, but the kernels that were asked do not use it"
            return (f"the processor {said}: 8-bit arithmetic was {ratio:.1f} times float32's",)
        said = f"has {', '.join(fast)}" if fast else "names no 8-bit dot product among its flags"
        return (f"the processor {said}; 8-bit arithmetic was {ratio:.1f} times float32's",)


# With an instruction that multiplies and adds four 8-bit pairs where float32 does one.
_EXPECTED = 2.0

# Width of an interval, as a part of the figure, that a quiet machine stays below.
_SCATTER = 0.25


def _peak(taken: Fields, key: str) -> Peak:
    inner = taken.table(key)
    if inner.has("unavailable"):
        reason = Unavailable(printable(inner.text("unavailable")))
        inner.done()
        return reason
    return Rate.from_fields(inner)
