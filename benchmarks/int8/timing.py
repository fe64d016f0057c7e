"""Latency of several files of one target, side by side: fresh processes, orders drawn, one core."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgekit.job import Job, Timing
from edgekit.statistics import median, median_interval
from edgekit.transports.local import LocalTransport


def side_by_side(
    jobs: Mapping[str, Job], base: str, *, rounds: int, seconds: float
) -> dict[str, dict[str, Any]]:
    """Each file's median latency in processor time, and its ratio to the base's in the same round.

    Args:
        jobs: Name of the file → a job that names model, runtime and input.
        base: The name whose latency the others are divided by.
        rounds: Fresh processes of each; one value a process is independent of the others.
        seconds: Timed calls in each process.
    """
    transport = LocalTransport()
    chance = random.Random(0)
    timing = Timing(warmup_calls=10, seconds=seconds, min_calls=5)
    found: dict[str, list[float]] = {name: [] for name in jobs}
    partitions: dict[str, int] = {}
    for _ in range(rounds):
        cpu = chance.choice(sorted(os.sched_getaffinity(0)))
        for name in chance.sample(sorted(jobs), k=len(jobs)):
            job = replace(jobs[name], action="measure", timing=timing, cpu=cpu, threads=1)
            measured = transport.run(job).measurement
            assert measured is not None
            # Processor time: what else runs on the machine is in wall time, unlike for each file.
            found[name].append(median(measured.cpu_ns) / 1e6)
            partitions[name] = measured.placement.partitions
    result = {}
    for name, values in found.items():
        ratios = [a / b for a, b in zip(values, found[base], strict=True)]
        result[name] = {
            "ms": round(median(values), 4),
            "ratio": round(median(ratios), 3),
            "ratio_ci95": [round(bound, 3) for bound in median_interval(ratios)],
            "partitions": partitions[name],
        }
    return result
