"""Measure contenders side by side, round by round.

A round chooses one core and starts a fresh process of every contender on it, in random order, each
with its model loaded and warmed up; then they compute in turns, in random order, a block of a few
calls each. So what the machine does meanwhile falls on all alike, what a process happens to get
(memory layout, caches) is drawn anew in every round, and any two contenders can be compared pair by
pair. Everything random is drawn from the seed and the round's number: a run that was ended is gone
on with as it would have been.

Knows jobs and transports. Keeps nothing and compares nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from edgekit.job import Job
from edgekit.run import Turn
from edgekit.transports.base import Transport
from edgekit.transports.session import Session

# A block is short, so that two blocks meet the same machine, and long enough for the first call of
# it, which finds the other's data in the caches, to be left out.
BLOCK_S = 0.01
BLOCK_CALLS = 2
_LEAST_BLOCKS = 3

# Calls that nobody times, between the last load and the first block.
_AWAKE_S = 0.02

# After a block, the worker threads of a runtime spin for some milliseconds, in case there is more.
_SPIN_S = 0.005


@dataclass(frozen=True, slots=True)
class RoundRules:
    """How a round goes.

    Attributes:
        seconds: Timed calls of each contender.
        warmup: Untimed calls of each, besides the first.
        cooldown_s: Pause before the round.
        seed: Of cores and orders.
    """

    seconds: float
    warmup: int = 20
    cooldown_s: float = 0.0
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "seconds": self.seconds,
            "warmup_calls": self.warmup,
            "cooldown_s": self.cooldown_s,
            "seed": self.seed,
            "block_s": BLOCK_S,
            "block_calls": BLOCK_CALLS,
        }


def measure_round(
    transport: Transport,
    jobs: Sequence[Job],
    number: int,
    *,
    rules: RoundRules,
    cores: Sequence[int] | None,
    since: float,
) -> list[Turn]:
    """Measure every contender once.

    Args:
        transport: The way to the device.
        jobs: Action "measure", one per contender; core and warm-up are filled in here.
        number: Of the round, counted from 0.
        rules: How it goes.
        cores: Cores of the device to choose from; None where it does not say.
        since: `time.monotonic()` when the run began.

    Returns:
        One turn per contender, in their order.

    Raises:
        EdgekitError: As `Transport.session`.
    """
    placed, order, chance = jobs_of_round(jobs, number, rules, cores)
    if rules.cooldown_s:
        time.sleep(rules.cooldown_s)
    started = round(time.monotonic() - since, 3)
    with ExitStack() as stack:
        sessions: dict[int, Session] = {
            index: stack.enter_context(transport.session(placed[index])) for index in order
        }
        for index in chance.sample(order, len(order)):
            sessions[index].work(_AWAKE_S)  # the first has waited for the others to load
        spins = any(job.threads > 1 for job in jobs)
        take_turns(sessions, rules.seconds, chance, spins=spins)
        return [
            Turn(
                contender=index,
                round=number,
                position=order.index(index),
                cpu=placed[index].cpu,
                started_s=started,
                measurement=sessions[index].measurement(),
            )
            for index in range(len(jobs))
        ]


def jobs_of_round(
    jobs: Sequence[Job], number: int, rules: RoundRules, cores: Sequence[int] | None
) -> tuple[list[Job], list[int], random.Random]:
    """What is drawn for a round: the jobs with their core, the order to start them in, and chance.

    Args:
        jobs: One per contender.
        number: Of the round, counted from 0.
        rules: Their seed and warm-up count.
        cores: To choose from; None where the device does not say.
    """
    chance = random.Random(f"{rules.seed}/{number}")
    core = chance.choice(cores) if cores else None
    # Who starts last computes a little faster for the whole round. So each order is followed by its
    # reverse: over an even number of rounds it falls on all alike.
    pair = random.Random(f"{rules.seed}/orders/{number // 2}")
    order = pair.sample(range(len(jobs)), len(jobs))
    if number % 2:
        order.reverse()
    # Several threads need several cores: only a single one is pinned.
    placed = [
        replace(
            job,
            cpu=core if job.threads == 1 else None,
            timing=replace(job.timing, warmup_calls=rules.warmup),
        )
        for job in jobs
    ]
    return placed, order, chance


def take_turns(
    sessions: Mapping[int, Session],
    seconds: float,
    chance: random.Random,
    *,
    spins: bool,
    work_s: float = 0.0,
) -> None:
    """Blocks of all sessions in random order, until `seconds` for each are over.

    Every session gets the same number of blocks, at least three.

    Args:
        sessions: By contender.
        seconds: For each.
        chance: For the orders.
        spins: Whether worker threads have to be waited for after a block.
        work_s: Seconds of calls after each block that are not timed.
    """
    end = time.monotonic() + seconds * len(sessions)
    done = 0
    while done < _LEAST_BLOCKS or time.monotonic() < end:
        for index in chance.sample(list(sessions), len(sessions)):
            if spins:
                time.sleep(_SPIN_S)
            sessions[index].block(BLOCK_S, BLOCK_CALLS)
            if work_s:
                sessions[index].work(work_s)
        done += 1
