"""One try each: a live comparison as `edgekit compare` makes it, and the field's habit."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from edgekit.comparison import compare
from edgekit.job import Job, Timing
from edgekit.rounds import RoundRules, measure_round
from edgekit.run import Turn
from edgekit.statistics import median
from edgekit.transports.local import LocalTransport
from edgekit.verbs.compare import DEFAULT_MARGIN, SECONDS, plan_within

_HABIT = Timing(warmup_calls=1, seconds=0.0, min_calls=50)

# One core's worth of work, as another job on a shared machine: bursts of arithmetic and of memory.
_NEIGHBOUR = """\
import os, random, sys, time
import numpy as np
chance = random.Random(0)
a = np.ones((600, 600), np.float32)
b = np.ones(8_000_000, np.float32)
while os.getppid() == int(sys.argv[1]):  # and no longer
    end = time.monotonic() + chance.uniform(0.05, 1.5)
    while time.monotonic() < end:
        a @ a if chance.random() < 0.5 else b + b
    time.sleep(chance.uniform(0.0, 0.3))
"""


@contextmanager
def busy_neighbour() -> Iterator[None]:
    """Another process keeps about one core busy, unevenly."""
    process = subprocess.Popen(
        [sys.executable, "-c", _NEIGHBOUR, str(os.getpid())],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def live(first: Job, second: Job, budget_s: float, seed: int) -> dict[str, Any]:
    """One comparison, as `edgekit compare --budget` makes it."""
    transport, begun = LocalTransport(), time.monotonic()
    rules = RoundRules(seconds=SECONDS, seed=seed)
    cores = sorted(os.sched_getaffinity(0))
    rounds: list[list[Turn]] = []
    total = 1
    while len(rounds) < total:
        start = time.monotonic()
        rounds.append(
            measure_round(
                transport, (first, second), len(rounds), rules=rules, cores=cores, since=begun
            )
        )
        if len(rounds) == 1:
            plan = plan_within(budget_s, time.monotonic() - start)
            rules, total = replace(rules, seconds=plan.seconds), plan.rounds
    sides = [[turns[side].measurement for turns in rounds] for side in (0, 1)]
    found = compare(sides[0], sides[1], by_wall=first.threads > 1, margin=DEFAULT_MARGIN)
    return {
        **found.to_json(),
        "seconds": round(time.monotonic() - begun, 2),
        "load": os.getloadavg()[0],
    }


def habit(first: Job, second: Job) -> dict[str, Any]:
    """50 calls of A in a process, then 50 of B; "different" by Mann and Whitney's test."""
    from scipy.stats import mannwhitneyu

    transport = LocalTransport()
    found = [transport.run(replace(job, timing=_HABIT)).measurement for job in (first, second)]
    a, b = (one.samples_ns for one in found if one is not None)
    return {
        "ratio": round(median(b) / median(a), 6),
        "p": float(mannwhitneyu(a, b).pvalue),
    }
