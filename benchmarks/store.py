"""The store under two processes that write at once, and what a round costs.

`together` starts real processes on one new store: two write rounds as fast as they can, a third
reads. Each reports what it wrote; afterwards all of it has to be there. `cost` is of one round as a
large `profile` makes it: 12 turns of 30 blocks and 3,000 calls.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from edgekit.measure import Measurement, Placement
from edgekit.run import Contender, Run, Turn, run_key
from edgekit.statistics import median, quantile
from edgekit.store import Store

_ROUNDS_A_RUN = 50
_CHECKOUT = Path(__file__).parent.parent


def run(*, quick: bool = False) -> dict[str, Any]:
    """All figures."""
    return {
        "benchmark": "store",
        "together": together(5.0 if quick else 60.0),
        "cost": cost(rounds=5 if quick else 15),
    }


def together(seconds: float) -> dict[str, Any]:
    """Two writers and a reader for some seconds, and whether everything is there."""
    with tempfile.TemporaryDirectory(prefix="edgekit-bench-") as folder:
        place = Path(folder) / "measurements.sqlite"
        roles = ("writer-1", "writer-2", "reader")
        command = [sys.executable, "-m", "benchmarks.store", str(place), str(seconds)]
        children = [
            subprocess.Popen([*command, role], cwd=_CHECKOUT, stdout=subprocess.PIPE, text=True)
            for role in roles
        ]
        told = dict(zip(roles, [child.communicate()[0] for child in children], strict=True))
        failed = [role for role, child in zip(roles, children, strict=True) if child.returncode]
        reports = {role: json.loads(text) for role, text in told.items() if role not in failed}
        writers = [reports[role] for role in roles[:2] if role in reports]
        waits = [wait for one in writers for wait in one["waits_ms"]]
        return {
            "seconds": seconds,
            "failed": failed,
            "rounds_written": sum(one["rounds"] for one in writers),
            "turns_written": sum(one["turns"] for one in writers),
            **_found(place, sum(one["sum_ns"] for one in writers)),
            "reads": reports.get("reader", {}).get("reads"),
            "wait_ms": {
                "median": median(waits),
                "p99": quantile(waits, 0.99),
                "longest": max(waits),
            },
            "megabytes": place.stat().st_size / 1e6,
        }


def cost(rounds: int) -> dict[str, Any]:
    """Milliseconds to keep and to load rounds of 12 turns, and bytes they take."""
    chance = random.Random(1)
    asked = synthetic_run("cost", contenders=12)
    turns = [
        [synthetic_turn(chance, place, at, blocks=30, calls=3000) for place in range(12)]
        for at in range(rounds)
    ]
    as_json = sum(len(json.dumps(turn.to_json())) for one in turns for turn in one)
    with tempfile.TemporaryDirectory(prefix="edgekit-bench-") as folder:
        place = Path(folder) / "measurements.sqlite"
        with Store.open(place) as store:
            number = store.begin(asked)
            kept = [_milliseconds(store.add_round, number, one) for one in turns]
            store.finish(number)
            loaded = _milliseconds(store.load, number)
            listed = _milliseconds(store.find)
        size = place.stat().st_size
    return {
        "rounds": rounds,
        "turns_a_round": 12,
        "calls_a_turn": 3000,
        "add_round_ms": {"median": median(kept), "longest": max(kept)},
        "load_ms": loaded,
        "find_ms": listed,
        "megabytes": size / 1e6,
        "megabytes_as_json": as_json / 1e6,
        "bytes_a_sample": size / (rounds * 12 * 3000 * 3),
    }


def synthetic_run(name: str, contenders: int = 2) -> Run:
    """A run without turns, with a key of its own."""
    those = tuple(
        Contender(
            name=f"{name} tflite-{place}",
            model=name,
            target="tflite",
            precision="int8",
            sha256=f"{place:064x}",
            bytes=2_614_000,
            path=f"build/{name}/{place}",
            runtime="litert",
            delegate=None,
            threads=1,
        )
        for place in range(contenders)
    )
    rules = {"rounds": 15, "name": name}
    return Run(
        key=run_key("profile", "local-cpu", rules, those),
        command="profile",
        device="local-cpu",
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        rules=rules,
        environment={"cpu_model": "synthetic"},
        contenders=those,
    )


def synthetic_turn(
    chance: random.Random, contender: int, number: int, *, blocks: int, calls: int
) -> Turn:
    """A turn whose samples scatter by 5 %, as those of a call of a millisecond do."""

    def series(mean: float) -> tuple[int, ...]:
        return tuple(int(mean * chance.lognormvariate(0, 0.05)) for _ in range(calls))

    measurement = Measurement(
        samples_ns=series(1e6),
        call_ns=series(1.02e6),
        cpu_ns=series(0.99e6),
        blocks=(calls // blocks,) * blocks,
        warmup_ns=(1_200_000,) * 20,
        load_ns=40_000_000,
        first_ns=5_000_000,
        peak_rss_bytes=31 * 2**20,
        placement=Placement(66, 66, 1, {"XNNPACK": 66}, "delegates of the interpreter"),
        environment={"cpu_model": "synthetic", "affinity": [0], "load_1min": 0.5},
    )
    return Turn(contender, number, contender, 0, float(number), measurement)


def write(place: Path, seconds: float, name: str) -> dict[str, Any]:
    """Keep small rounds as fast as it goes; what was kept, and how long each took."""
    chance = random.Random(name)
    deadline = time.monotonic() + seconds
    waits: list[float] = []
    rounds = turns = total = runs = 0
    with Store.open(place) as store:
        while time.monotonic() < deadline:
            number = store.begin(synthetic_run(f"{name} {runs}"))
            for at in range(_ROUNDS_A_RUN):
                one = [synthetic_turn(chance, who, at, blocks=3, calls=30) for who in (0, 1)]
                waits.append(_milliseconds(store.add_round, number, one))
                rounds, turns = rounds + 1, turns + len(one)
                total += sum(sum(turn.measurement.samples_ns) for turn in one)
            store.finish(number)
            runs += 1
    return {"rounds": rounds, "turns": turns, "sum_ns": total, "waits_ms": waits}


def read(place: Path, seconds: float) -> dict[str, int]:
    """Find and load the newest run again and again, at least once if there is one in a minute."""
    begin = time.monotonic()
    reads = 0
    with Store.open(place) as store:
        while time.monotonic() < begin + (seconds if reads else max(seconds, 60.0)):
            for stored in store.find(finished=None, limit=1):
                store.load(stored.number)
                reads += 1
            time.sleep(0.05)
    return {"reads": reads}


def _found(place: Path, expected_ns: int) -> dict[str, Any]:
    rounds = turns = total = 0
    with Store.open(place) as store:
        for stored in store.find(finished=None):
            loaded = store.load(stored.number)
            rounds, turns = rounds + loaded.rounds, turns + len(loaded.turns)
            total += sum(sum(turn.measurement.samples_ns) for turn in loaded.turns)
    return {"rounds_found": rounds, "turns_found": turns, "same_samples": total == expected_ns}


def _milliseconds(call: Any, *arguments: Any) -> float:
    start = time.perf_counter_ns()
    call(*arguments)
    return (time.perf_counter_ns() - start) / 1e6


if __name__ == "__main__":
    where, limit, role = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    print(json.dumps(read(where, limit) if role == "reader" else write(where, limit, role)))
