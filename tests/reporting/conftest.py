"""Runs made up for reports: every figure is chosen, so that a test knows what has to be shown."""

from __future__ import annotations

import hashlib
import random

import pytest

from edgekit.measure import Measurement, Placement
from edgekit.run import Contender, Run, Turn

EVIL = "<script>alert(1)</script>"
ENVIRONMENT = {"cpu_model": "test processor", "cpu_governor": None, "temperature_c": None}


def contender(label="tflite-int8", *, model="mobilenet", top1=98.0, spread=0.5, **fields):
    """A contender with a metric of `top1` ± `spread` points; `top1=None` for none."""
    target, _, precision = label.partition("-")
    metric = None
    if top1 is not None:
        metric = {
            "name": "top1",
            "samples": 2000,
            "value": top1,
            "ci95": [top1 - spread, top1 + spread],
            "reference": 98.5,
            "drop": 98.5 - top1,
            "drop_ci95": [97.9 - top1, 98.9 - top1],
        }
    parity = {
        "max_abs": 0.5,
        "top1_agreement": 0.999,
        "samples": 2000,
        "reference": "keras",
        "snr_db": 28.5,
    }
    values = {
        "name": f"{model} {label}",
        "model": model,
        "target": target,
        "precision": precision,
        "sha256": hashlib.sha256(f"{model} {label}".encode()).hexdigest(),
        "bytes": 669_288,
        "path": "build",
        "runtime": "litert",
        "delegate": None,
        "threads": 1,
        "metric": metric,
        "parity": parity,
        "cost": {"parameters": 456_324},
    }
    return Contender(**{**values, **fields})


def measurement(ms, *, calls=80, noise=0.02, seed=0, **fields):
    """One process with calls of about `ms` of CPU time, and 5 % more of wall time."""
    chance = random.Random(seed)
    cpu = tuple(int(1e6 * ms * (1 + noise * chance.uniform(-1, 1))) for _ in range(calls))
    values = {
        "samples_ns": tuple(int(1.05 * call) for call in cpu),
        "call_ns": tuple(int(1.2 * call) for call in cpu),
        "cpu_ns": cpu,
        "blocks": (5,) * (calls // 5),
        "warmup_ns": (int(3e6 * ms),) * 3,
        "load_ns": int(50e6 * ms),
        "first_ns": int(9e6 * ms),
        "peak_rss_bytes": 50_000_000,
        "placement": Placement(66, 64, 2, {"XNNPACK": 64, "CPU": 2}, "DELEGATE nodes", {"CAST": 2}),
        "environment": {**ENVIRONMENT, "threads": 1},
    }
    return Measurement(**{**values, **fields})


def run_of(named, *, rounds=10, command="profile", noise=0.02, **fields):
    """A run.

    Args:
        named: Contenders, each with its milliseconds; a function of the round for a drift.
        rounds: Fresh processes of each.
        command: One of `edgekit.run.COMMANDS`.
        noise: Of calls, as a share.
        fields: Of `Run`.
    """
    chance = random.Random(7)
    turns = []
    for number in range(rounds):
        for index, ms in enumerate(ms for _, ms in named):
            level = ms(number) if callable(ms) else ms * (1 + noise * chance.uniform(-1, 1))
            made = measurement(level, noise=noise, seed=1000 * index + number)
            turns.append(Turn(index, number, index, 0, 60.0 * number + index, made))
    values = {
        "key": "0" * 64,
        "command": command,
        "device": "local-cpu",
        "started": "2026-11-21T23:17:28Z",
        "rules": {"rounds": rounds, "seconds": 0.3},
        "environment": ENVIRONMENT,
        "contenders": tuple(one for one, _ in named),
        "turns": tuple(turns),
        "passes": {},
    }
    return Run(**{**values, **fields})


@pytest.fixture(scope="session")
def make():
    """The functions above, which a test module cannot import."""

    class Make:
        evil = EVIL
        contender = staticmethod(contender)
        measurement = staticmethod(measurement)
        run = staticmethod(run_of)

    return Make


@pytest.fixture(scope="session")
def usual(make):
    """Three contenders; one is faster and more accurate than another beyond doubt."""
    named = [
        (make.contender("tflite-int8", top1=98.0), 0.3),
        (make.contender("onnx-fp32", top1=98.2), 0.5),
        (make.contender("openvino-int4", top1=90.0), 0.9),
    ]
    return make.run(named)


@pytest.fixture(scope="session")
def complete(make):
    """A run with every pass, evil names and things that are not known."""
    evil = make.evil
    plain = make.contender("tflite-int8")
    named = [
        (plain, 0.3),
        (make.contender("onnx-fp32", model=evil, name=f"{evil} onnx-fp32", runtime=evil), 0.5),
        (make.contender("openvino-int8", model="名前", name="名前 $x$ _a_ | b", top1=None), 0.7),
    ]
    ops = [
        {"name": evil, "kind": evil, "calls": 20, "ms": 0.2, "share": 0.5},
        *(
            {"name": f"op{n}", "kind": f"kind{n}", "calls": 20, "ms": 0.01, "share": 0.5 / 14}
            for n in range(14)
        ),
    ]
    sizes = {"peak_rss_bytes": 2, "anonymous_bytes": 1, "file_bytes": 1, "shared_bytes": None}
    steps = [
        {"step": step, "rss_bytes": None if step == "import" else 30_000_000, **sizes}
        for step in ("start", "import", "load", "first", "calls")
    ]
    phase = {"median_ms": 0.2, "ci95_ms": [0.1, 0.3]}
    passes = {
        "ops": {
            "ops": ops,
            "calls": 20,
            "total_ms": 0.34,
            "call_ms": 0.4,
            "resolution_ms": 0.001,
            "evidence": evil,
        },
        "memory": {"steps": steps, "calls": 20, "model_bytes": None, "evidence": "smaps"},
        "phases": {
            "phases": dict.fromkeys(("preprocess", "inference", "postprocess"), phase),
            "steps": {"preprocess": ["resize"], "postprocess": []},
            "sample": evil,
            "processes": 7,
            "repetitions": 20,
            "evidence": "edgekit's own code",
        },
        "energy": {"unavailable": evil},
    }
    return make.run(
        named,
        environment={**ENVIRONMENT, "cpu_model": evil, evil: {"nested": [1, None]}},
        device=evil,
        passes={plain.name: passes},
    )
