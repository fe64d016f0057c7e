"""The pass "energy": joules of an inference, by a counter of the machine; see `edgekit.passes`.

Rests and works in turn, so that what the machine draws anyway, and how that drifts, is subtracted.
Counters see the whole package or machine: other processes' work is in the figures, evenly.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from edgekit.agent.counters import Battery, EnergyCounter, Source, find_counter
from edgekit.agent.surroundings import hottest
from edgekit.agent.tree import Tree
from edgekit.passes import Document, unavailable
from edgekit.statistics import median, median_interval

T = TypeVar("T")

REPETITIONS = 8
_GAUGE_EVERY_S = 0.1


class CounterSilent(Exception):
    """A counter that was there cannot be read any more."""


@dataclass
class _Stretch:
    joules: float
    seconds: float
    calls: int = 0

    @property
    def watts(self) -> float:
        return self.joules / self.seconds


@dataclass
class Clock:
    """Time as the pass sees it; a test brings its own."""

    now: Callable[[], float] = field(default=time.perf_counter)
    sleep: Callable[[float], None] = field(default=time.sleep)


def measure_energy(
    call: Callable[[], object],
    tree: Tree,
    *,
    seconds: float,
    repetitions: int = REPETITIONS,
    clock: Clock | None = None,
) -> Document:
    """The document of the pass.

    Args:
        call: One inference.
        tree: The machine's files.
        seconds: Of each rest and of each stretch of work.
        repetitions: Pairs of both.
        clock: The real one by default.
    """
    counter = find_counter(tree)
    if isinstance(counter, str):
        return unavailable(counter)
    clock = clock or Clock()
    heat = hottest(tree)
    each, rests, works = [], [], []
    try:
        for _ in range(repetitions):
            rest = _stretch(counter, None, seconds, clock)
            work = _stretch(counter, call, seconds, clock)
            each.append((work.joules - rest.watts * work.seconds) / work.calls)
            rests.append(rest)
            works.append(work)
    except CounterSilent:
        return unavailable(f"{counter.name} fell silent during the measurement")
    if not any(one.joules for one in works):
        return unavailable(f"{counter.name} did not move in {seconds:g} s of work")
    return {
        "counter": counter.name,
        "joules": {"median": median(each), "ci95": list(median_interval(each))},
        "idle_watts": median([one.watts for one in rests]),
        "active_watts": median([one.watts for one in works]),
        "calls": sum(one.calls for one in works),
        "repetitions": repetitions,
        "temperature_c": {"before": heat, "after": hottest(tree)},
        "evidence": f"{repetitions} rests and stretches of work of {seconds:g} s in turn, in one "
        "process; idle power subtracted; other processes' work is in it",
    }


def _stretch(
    source: Source, call: Callable[[], object] | None, seconds: float, clock: Clock
) -> _Stretch:
    """Rest (no `call`) or work for some time, and the energy of it."""
    now, calls = clock.now, 0
    gauge = source if isinstance(source, Battery) else None
    watts: list[float] = []
    before = _told(source.read()) if isinstance(source, EnergyCounter) else {}
    start = now()
    gauged = start
    while True:
        if call is None:
            clock.sleep(min(seconds, _GAUGE_EVERY_S))
        else:
            call()
            calls += 1
        at = now()
        if gauge is not None and at - gauged >= _GAUGE_EVERY_S:
            watts.append(_told(gauge.watts()))
            gauged = at
        if at - start >= seconds:
            break
    if isinstance(source, EnergyCounter):
        after, elapsed = _told(source.read()), now() - start
        return _Stretch(source.joules(before, after), elapsed, calls)
    watts.append(_told(source.watts()))
    elapsed = now() - start
    return _Stretch(elapsed * sum(watts) / len(watts), elapsed, calls)


def _told(reading: T | None) -> T:
    if reading is None:
        raise CounterSilent
    return reading
