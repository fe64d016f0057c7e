"""Measure the machine's limits, process by process, and keep them for the next time.

Every round starts a fresh process for each library and number of threads; a single thread is pinned
to a core that changes from round to round. What a kernel reached in a process is the best of its
calls there; the figure of a kernel is the median over processes, and the limit the best kernel's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from edgekit.agent import machine
from edgekit.environment import DECIDING
from edgekit.errors import EdgekitError
from edgekit.files import cache_folder, canonical_json, digest_json, write_atomic
from edgekit.process import run_in_child
from edgekit.progress import Progress, Report, silent
from edgekit.roofline.limits import FORMAT, Limits, Machine, Peak, Rate, Unavailable
from edgekit.roofline.probing.service import LIBRARIES, MEMORY
from edgekit.statistics import median, median_interval

PROCESSES = 9  # the fewest whose interval leaves out the one that was disturbed most
SECONDS = 0.08  # for each kernel in each process

# Load, temperature and the like only disturb the measuring.
_FACTS = (*(fact for fact in DECIDING if fact != "edgekit"), "affinity", "kernel")
_PACKAGES = ("numpy", "onnxruntime", "openvino", "onnx")
_THREADS = (
    "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip

_ENTRY = "edgekit.roofline.probing.service:handler"
_LONGEST_S = 300.0

_SMALLEST, _GROWTH = 2**19, 4
_USUAL_CACHE = 32 * 2**20  # where the system does not tell the size of its last cache
_FAR_LARGER, _ENOUGH, _MOST = 4, 256 * 2**20, 2**30
_MEMORY_SHARE = 8  # one part in so many of the machine's memory


# (library, kernel's kind, its name) → what each process saw.
_Seen = dict[tuple[str, str, str], list[float]]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    Attributes:
        processes: Fresh ones for each library and number of threads; six or more for 95 %.
        seconds: For each kernel in each of them.
        most_bytes: Of the largest array; None for far more than the caches hold.
    """

    processes: int = PROCESSES
    seconds: float = SECONDS
    most_bytes: int | None = None


USUAL = Effort()


def measure_machine(
    threads: Sequence[int],
    *,
    effort: Effort = USUAL,
    fresh: bool = False,
    report: Report = silent,
) -> Machine:
    """Limits of this machine, from the user's cache where the same was measured before.

    Args:
        threads: Numbers of threads.
        effort: How much to measure.
        fresh: Measure even if it is known.
        report: Told about progress.

    Raises:
        FileError: The cache cannot be written.
    """
    environment = machine.describe()
    asked = {
        "format": FORMAT,
        "environment": {key: environment.get(key) for key in _FACTS},
        "packages": {name: _version(name) for name in _PACKAGES},
        "threads": sorted(set(threads)),
        "effort": [effort.processes, effort.seconds, effort.most_bytes],
    }
    place = cache_folder() / "limits" / f"{digest_json(asked)[:16]}.json"
    known = None if fresh else _kept(place)
    if known is None:
        known = _measure(environment, sorted(set(threads)), effort, report)
        write_atomic(place, canonical_json(known.to_json()))
    # The limits are the machine's; whichever edgekit measured them, this one's runs compare.
    return replace(known, environment={**known.environment, "edgekit": environment["edgekit"]})


def ladder(most_bytes: int | None = None) -> tuple[list[int], int]:
    """Sizes to go through, rising, and from which one on no cache holds them."""
    cache = _last_cache()
    most = most_bytes or min(max(_ENOUGH, _FAR_LARGER * cache), _MOST, _physical() // _MEMORY_SHARE)
    sizes = []
    size = min(_SMALLEST, most)
    while size < most:
        sizes.append(size)
        size *= _GROWTH
    return [*sizes, most], 2 * cache


def _measure(
    environment: Mapping[str, Any], threads: Sequence[int], effort: Effort, report: Report
) -> Machine:
    libraries = {name: _version(name) or "not installed" for name in LIBRARIES}
    seen: dict[int, _Seen] = {count: {} for count in threads}
    sizes, beyond = ladder(effort.most_bytes)
    cores = environment.get("affinity") or [None]
    asked = [*(name for name in LIBRARIES if libraries[name] != "not installed"), MEMORY]
    task = "measuring the machine's limits"
    total, done = effort.processes * len(threads) * len(asked), 0
    report(Progress(task, 0, total))
    for number in range(effort.processes):
        for count in threads:
            for name in asked:
                done += 1
                report(Progress(task, done, total, name))
                if libraries.get(name, "").startswith(_FAILED):
                    continue
                core = cores[number % len(cores)] if count == 1 else None
                payload = {
                    "library": name,
                    "threads": count,
                    "cpu": core,
                    "seconds": effort.seconds,
                    "sizes": sizes,
                }
                if problem := _ask(payload, seen[count]):
                    libraries[name] = f"{_FAILED}: {problem}"
    return Machine(
        environment=environment,
        libraries=libraries,
        limits={count: _limits(count, seen[count], libraries, beyond) for count in threads},
        measured=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


_FAILED = "failed"


def _ask(payload: dict[str, Any], seen: _Seen) -> str:
    """One process; what it saw is added to `seen`. Says what went wrong, if anything."""
    library = payload["library"]
    # Memory is gone through by threads of our own.
    own = {key: str(1 if library == MEMORY else payload["threads"]) for key in _THREADS}
    try:
        answer = run_in_child(_ENTRY, payload, environment=own, timeout_s=_LONGEST_S)
    except EdgekitError as error:
        return error.message
    for rate in answer.get("rates", ()):
        key = (library, str(rate["kind"]), str(rate["name"]))
        seen.setdefault(key, []).append(float(rate["per_s"]))
    return f"{answer['missing']} is not installed" if "missing" in answer else ""


def _limits(threads: int, seen: _Seen, libraries: Mapping[str, str], beyond: int) -> Limits:
    kinds = {kind for _, kind, _ in seen}
    bandwidth = {
        size: rate
        for size in sorted(int(kind) for kind in kinds if kind.isdigit())
        if isinstance(rate := _best(seen, str(size), libraries), Rate)
    }
    from_memory = [rate for size, rate in bandwidth.items() if size >= beyond]
    return Limits(
        threads=threads,
        fp32=_best(seen, "fp32", libraries),
        int8=_best(seen, "int8", libraries),
        bandwidth=bandwidth,
        memory=from_memory[-1]
        if from_memory
        else Unavailable(f"no array of more than {beyond:,} bytes, twice the cache, was measured"),
        by_library={
            name: {
                kind: max(
                    median(rates) for (n, k, _), rates in seen.items() if (n, k) == (name, kind)
                )
                for kind in ("fp32", "int8")
                if any((n, k) == (name, kind) for n, k, _ in seen)
            }
            for name in LIBRARIES
            if any(n == name for n, _, _ in seen)
        },
    )


def _best(seen: _Seen, kind: str, libraries: Mapping[str, str]) -> Peak:
    """The kernel with the highest median."""
    found = {key: rates for key, rates in seen.items() if key[1] == kind}
    if not found:
        reasons = ", ".join(
            f"{name} {version}" if version.startswith((_FAILED, "not ")) else f"{name} has none"
            for name, version in libraries.items()
        )
        return Unavailable(f"no library with {kind} kernels: {reasons}")
    key = max(found, key=lambda entry: median(found[entry]))
    rates = found[key]
    library = "numpy" if key[0] == MEMORY else key[0]
    return Rate(
        per_s=median(rates),
        ci95=median_interval(rates),
        processes=len(rates),
        by=f"{library} {libraries[library]}, {key[2]}",
    )


def _kept(place: Path) -> Machine | None:
    """What an earlier call measured; None if there is nothing or it cannot be read."""
    try:
        return Machine.from_json(json.loads(place.read_text(encoding="utf-8")), str(place))
    except (OSError, ValueError, RecursionError, EdgekitError):
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _last_cache() -> int:
    """Bytes of the largest cache, as Linux says."""
    found = [_USUAL_CACHE // 8]
    for place in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        try:
            text = place.read_text(encoding="ascii").strip()
            found.append(int(text[:-1]) * {"K": 2**10, "M": 2**20, "G": 2**30}[text[-1]])
        except (OSError, ValueError, KeyError, IndexError):
            continue
    return max(found) if len(found) > 1 else _USUAL_CACHE


def _physical() -> int:
    """Bytes of memory of the machine."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return _MOST * _MEMORY_SHARE
