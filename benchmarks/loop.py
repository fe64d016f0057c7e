"""What timing costs: edgekit's loop around a runtime that does nothing, and against two others.

`overhead`: the CPU time of the loop around calls that do nothing, and around calls that spin for
1 ms; and what an empty call seems to take. `litert_benchmark` and `benchmark_app`: the same .tflite
file, one thread, one core, in fresh processes, sides in random order; ratios are taken within each
round.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgekit.agent.timing import Series, time_calls
from edgekit.job import Job, Timing
from edgekit.statistics import median, median_interval
from edgekit.transports.local import LocalTransport

ROUNDS = 10
LIMIT = 0.01
_CALL_NS = 1_000_000
_SECONDS = 0.25
_CALLS = 300
_WARMUP = 20

_MAKE_MODEL = """\
import sys
import keras
import tensorflow as tf

keras.utils.set_random_seed(0)
model = keras.applications.MobileNetV2((224, 224, 3), weights=None)
image = keras.Input((224, 224, 3), batch_size=1)
converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, model(image)))
open(sys.argv[1], "wb").write(converter.convert())
"""
_PINNED = """\
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.execv(sys.argv[2], sys.argv[2:])
"""


class _Nothing:
    """A runtime whose calls do nothing, or spin for a while."""

    def __init__(self, spin_ns: int = 0) -> None:
        self._spin_ns = spin_ns

    def set_inputs(self, arrays: Sequence[Any]) -> None:
        """Take nothing."""

    def invoke(self) -> None:
        """Spin until the time is over."""
        if self._spin_ns:
            end = time.perf_counter_ns() + self._spin_ns
            while time.perf_counter_ns() < end:
                pass

    def get_outputs(self) -> list[Any]:
        """Give nothing."""
        return []


def run(rounds: int = ROUNDS) -> dict[str, Any]:
    """Overhead as a share of a 1 ms call, and ratios of edgekit's figures to the two tools'."""
    with tempfile.TemporaryDirectory() as name:
        model = Path(name) / "mobilenet_v2.tflite"
        subprocess.run(
            [sys.executable, "-c", _MAKE_MODEL, str(model)], check=True, capture_output=True
        )
        return {
            "benchmark": "loop",
            "limit": LIMIT,
            "rounds": rounds,
            "overhead": overhead(rounds),
            "litert_benchmark": _against("litert", _litert_benchmark, model, rounds),
            "benchmark_app": _against("openvino", _benchmark_app, model, rounds),
        }


def overhead(rounds: int) -> dict[str, Any]:
    """CPU time that the loop adds to a call, and its share of a call of 1 ms."""
    empty, shown, spinning = [], [], []
    for _ in range(rounds):
        loop_ns, series = _timed(_Nothing())
        empty.append(loop_ns)
        shown.append(median(series.samples_ns))
        loop_ns, _series = _timed(_Nothing(_CALL_NS))
        spinning.append(loop_ns)
    return {
        "loop_ns_per_empty_call": round(median(empty)),
        "ns_shown_for_an_empty_call": round(median(shown)),
        "loop_ns_per_1_ms_call": round(median(spinning)),
        "share_of_1_ms": round(median(spinning) / _CALL_NS, 6),
        "share_of_1_ms_ci95": [round(bound / _CALL_NS, 6) for bound in median_interval(spinning)],
        "share_shown": round(median(shown) / _CALL_NS, 6),
    }


def _timed(nothing: _Nothing) -> tuple[float, Series]:
    """CPU time per call that the calls themselves don't account for, in ns; and what was timed."""
    marks: list[int] = []
    series = time_calls(
        nothing,
        [],
        Timing(warmup_calls=_WARMUP, seconds=_SECONDS, min_calls=30),
        before_timed=lambda: marks.append(time.process_time_ns()),
        after_timed=lambda: marks.append(time.process_time_ns()),
    )
    return (marks[1] - marks[0] - sum(series.cpu_ns)) / len(series.cpu_ns), series


def _against(
    runtime: str, tool: Callable[[Path, int], dict[str, float]], model: Path, rounds: int
) -> dict[str, Any]:
    """Medians and minima of both sides on the same core, and the ratios edgekit / tool."""
    order = random.Random(0)
    cores = sorted(os.sched_getaffinity(0))
    found: dict[str, list[dict[str, float]]] = {"edgekit": [], "tool": []}
    for _ in range(rounds):
        core = order.choice(cores)
        for side in order.sample(sorted(found), 2):
            figures = tool(model, core) if side == "tool" else _edgekit(runtime, model, core)
            found[side].append(figures)
    ours, theirs = found["edgekit"], found["tool"]
    compared: dict[str, Any] = {}
    for key in ("median_ms", "min_ms"):
        ratios = [a[key] / b[key] for a, b in zip(ours, theirs, strict=True)]
        compared[key] = {
            "edgekit": round(median([one[key] for one in ours]), 4),
            "tool": round(median([one[key] for one in theirs]), 4),
            "ratio": round(median(ratios), 4),
            "ratio_ci95": [round(bound, 4) for bound in median_interval(ratios)],
        }
    best = min(one["min_ms"] for one in ours) / min(one["min_ms"] for one in theirs)
    return {**compared, "best_of_all_ratio": round(best, 4)}


def _edgekit(runtime: str, model: Path, core: int) -> dict[str, float]:
    job = Job(
        action="measure",
        runtime=runtime,
        model=str(model),
        cpu=core,
        timing=Timing(warmup_calls=_WARMUP, seconds=0.0, min_calls=_CALLS),
    )
    measurement = LocalTransport().run(job).measurement
    assert measurement is not None
    samples = measurement.samples_ns
    return {"median_ms": median(samples) / 1e6, "min_ms": min(samples) / 1e6}


def _litert_benchmark(model: Path, core: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "result.json"
        _pinned(
            core,
            "litert-benchmark",
            *("--model", str(model), "--num_threads", "1", "--result_json", str(place)),
            *("--num_runs", str(_CALLS), "--warmup_runs", str(_WARMUP)),
        )
        latency = json.loads(place.read_text(encoding="utf-8"))["latency"]
    return {"median_ms": float(latency["median_ms"]), "min_ms": float(latency["min_ms"])}


def _benchmark_app(model: Path, core: int) -> dict[str, float]:
    printed = _pinned(
        core,
        "benchmark_app",
        *("-m", str(model), "-d", "CPU", "-hint", "none", "-api", "sync"),
        *("-niter", str(_CALLS), "-nthreads", "1", "-nstreams", "1", "-infer_precision", "f32"),
    )
    return {
        "median_ms": _figure(r"Median:\s+([\d.]+) ms", printed),
        "min_ms": _figure(r"Min:\s+([\d.]+) ms", printed),
    }


def _pinned(core: int, tool: str, *arguments: str) -> str:
    """Run an installed tool on one core; returns what it printed."""
    program = Path(sysconfig.get_path("scripts")) / tool
    command = [sys.executable, "-c", _PINNED, str(core), str(program), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _figure(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"benchmark_app printed no {pattern!r}")
    return float(found.group(1))
