"""How often `edgekit compare` is wrong: live comparisons whose truth is known.

`same`: one file against itself, by three runtimes, beside a busy neighbour, with the field's habit
(50 calls of A, then 50 of B) on the same file. `delayed`: every call of B takes 1, 3 or 5 % longer
(`benchmarks.compare.delayed`). `threads`: both again with two threads, by wall time. `loop`: what
timing costs (`benchmarks.loop`). Tries that were made are kept; a run that was ended goes on.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import loop
from benchmarks.compare.delayed import PER_MILLE, RUNTIMES, installed, name_of
from benchmarks.compare.trying import busy_neighbour, habit, live
from edgekit.artifact import Artifact
from edgekit.job import Job
from edgekit.measuring.contenders import Asked, gather, job_of
from edgekit.statistics import median, wilson
from edgekit.transports.connect import find_profile
from edgekit.verbs.export import ExportRequest, export

PLACE = Path("build") / "benchmarks" / "compare"
ALPHA = 0.05
MODEL = "mobilenet"

# Part → tries of each runtime and their budget in seconds; the second column is `--quick`.
TRIES = {
    "same": (40, 10.0, 1, 3.0),
    "delayed": (5, 30.0, 0, 3.0),
    "threads": (6, 10.0, 1, 3.0),
    "threads_delayed": (2, 30.0, 0, 3.0),
}
# A power is claimed for this delay; the others show how it depends on the delay, in less time.
_CLAIMED = 0.03
_OTHERS_S = 20.0
_LOOP_ROUNDS = 10


def run(*, quick: bool = False, fresh: bool = False, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """False alarms, power, bias and coverage, each with its count and interval.

    Args:
        quick: A few short tries: whether all of it works, no rates to rely on.
        fresh: Forget the tries of an earlier run.
        only: Parts to run: same, delayed, threads, threads_delayed, loop.
    """
    place = PLACE / ("quick" if quick else "whole")
    place.mkdir(parents=True, exist_ok=True)
    if fresh:
        for file in place.glob("*.jsonl"):
            file.unlink()
    wanted = only or (*TRIES, "loop")
    found: dict[str, Any] = {"benchmark": "compare", "alpha": ALPHA, "quick": quick}
    with busy_neighbour(), installed():
        jobs = {runtime: _job(runtime, place) for runtime in RUNTIMES}
        for part, make in _PARTS.items():
            if part in wanted:
                count, budget_s, few, short = TRIES[part]
                tries = make(jobs, few if quick else count)
                done = _carry_out(
                    place / f"{part}.jsonl", tries, short if quick else budget_s,
                    with_habit=part == "same",
                )  # fmt: skip
                found[part] = _rates(done)
    if "loop" in wanted:
        found["loop"] = loop.run(rounds=2 if quick else _LOOP_ROUNDS)
    return found


Try = dict[str, Any]


def _same(jobs: dict[str, Job], count: int) -> list[Try]:
    return [
        {"runtime": name, "delay": None, "number": n, "pair": (job, job)}
        for n in range(count)
        for name, job in jobs.items()
    ]


def _delayed(jobs: dict[str, Job], count: int) -> list[Try]:
    """So many tries of each delay by each runtime; with 0, each runtime gets a delay of its own."""
    if not count:
        shares = PER_MILLE[1:]
        return [
            _slowed(name, job, share, 0)
            for share, (name, job) in zip(shares, jobs.items(), strict=True)
        ]
    return [
        _slowed(name, job, share, n)
        for n in range(count)
        for share in PER_MILLE[1:]
        for name, job in jobs.items()
    ]


def _threads(jobs: dict[str, Job], count: int) -> list[Try]:
    return _same({name: _two(job) for name, job in jobs.items()}, count)


def _threads_delayed(jobs: dict[str, Job], count: int) -> list[Try]:
    return [_slowed(name, _two(job), 30, n) for n in range(count) for name, job in jobs.items()]


_PARTS: dict[str, Callable[[dict[str, Job], int], list[Try]]] = {
    "same": _same,
    "delayed": _delayed,
    "threads": _threads,
    "threads_delayed": _threads_delayed,
}


def _slowed(runtime: str, job: Job, per_mille: int, number: int) -> Try:
    pair = (_with(job, name_of(runtime, 0)), _with(job, name_of(runtime, per_mille)))
    return {"runtime": runtime, "delay": per_mille / 1000, "number": number, "pair": pair}


def _two(job: Job) -> Job:
    return _with(job, job.runtime, threads=2)


def _with(job: Job, runtime: str, threads: int | None = None) -> Job:
    return replace(job, runtime=runtime, threads=threads or job.threads)


def _carry_out(
    file: Path, tries: Iterable[Try], budget_s: float, *, with_habit: bool
) -> list[dict[str, Any]]:
    """Make the tries that are not in the file yet, in random order of A and B."""
    done = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    made = {(one["runtime"], one["delay"], one["number"]) for one in done}
    for number, one in enumerate(tries):
        told = {key: one[key] for key in ("runtime", "delay", "number")}
        if tuple(told.values()) in made:
            continue
        first, second = one["pair"]
        shorter = one["delay"] not in (None, _CLAIMED)
        seconds = min(budget_s, _OTHERS_S) if shorter else budget_s
        found = {**told, **live(first, second, seconds, random.getrandbits(31))}
        if with_habit:
            found["habit"] = habit(first, second)
        done.append(found)
        with file.open("a") as stream:
            stream.write(json.dumps(found) + "\n")
        print(f"{file.stem} {number + 1}: {told} {found['ratio']} {found['ci95']}", file=sys.stderr)
    return done


def _rates(done: list[dict[str, Any]]) -> dict[str, Any]:
    """By delay: how often a difference was found, how far off it was, how often it was covered."""
    found: dict[str, Any] = {}
    for delay in sorted({one["delay"] or 0.0 for one in done}):
        own = [one for one in done if (one["delay"] or 0.0) == delay]
        truth = 1.0 + delay
        covered = [one["ci95"][0] <= truth <= one["ci95"][1] for one in own]
        if delay:
            hits = [one["verdict"] == "slower" for one in own]
        else:
            hits = [one["verdict"] in ("faster", "slower") for one in own]
        errors = [100 * (one["ratio"] - truth) for one in own]
        name = f"{100 * delay:g} %" if delay else "none"
        found[name] = {
            "tries": len(own),
            ("power" if delay else "false_alarms"): _share(hits),
            "coverage": _share(covered),
            "bias_points": round(sum(errors) / len(errors), 4),
            "median_error_points": round(median([abs(error) for error in errors]), 4),
            "half_width_points": round(
                median([50 * (one["ci95"][1] - one["ci95"][0]) for one in own]), 4
            ),
            "rounds": median([one["rounds"] for one in own]),
            "seconds": median([one["seconds"] for one in own]),
            "load_1min": round(median([one["load"] for one in own]), 2),
            "of_runtimes": {
                runtime: _share([hit for hit, one in zip(hits, own, strict=True)
                                 if one["runtime"] == runtime])
                for runtime in sorted({one["runtime"] for one in own})
            },
        }  # fmt: skip
        habits = [one["habit"]["p"] < ALPHA for one in own if "habit" in one]
        if habits:
            found[name]["habit_false_alarms"] = _share(habits)
    return found


def _share(hits: list[bool]) -> dict[str, Any]:
    low, high = wilson(sum(hits), len(hits))
    return {
        "of": len(hits),
        "found": sum(hits),
        "share": round(sum(hits) / len(hits), 4),
        "ci95": [round(low, 4), round(high, 4)],
    }


def _job(runtime: str, place: Path) -> Job:
    """The reference model's int8 file for a runtime, fed a golden sample."""
    target = {"litert": "tflite", "onnxruntime": "onnx"}.get(runtime, runtime)
    made = export(
        ExportRequest(model=MODEL, targets=(target,), precisions=("int8",), out=place / "models")
    )
    artifact: Artifact = made.artifacts[0]
    ((contender, opened),) = gather([Asked(artifact.path)], find_profile("local-cpu"))
    scratch = (place / f"sample-{runtime}").resolve()
    if scratch.exists():
        shutil.rmtree(scratch)
    return job_of(contender, opened, scratch)
