"""Runs to keep."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest

from edgekit.measure import Measurement, Placement
from edgekit.run import Contender, Run, Turn, run_key
from edgekit.store import Store


@pytest.fixture
def make_turn():
    """Make a turn with noisy samples; keyword arguments replace fields of its measurement."""

    def make(contender=0, number=0, *, calls=20, position=0, **fields):
        chance = random.Random(1000 * contender + number)

        def series(mean):
            return tuple(int(chance.gauss(mean, mean / 20)) for _ in range(calls))

        values = {
            "samples_ns": series(900_000 + 100_000 * contender),
            "call_ns": series(1_000_000),
            "cpu_ns": series(800_000),
            "blocks": (calls // 2, calls - calls // 2),
            "warmup_ns": series(1_200_000),
            "load_ns": 40_000_000,
            "first_ns": 5_000_000,
            "peak_rss_bytes": 31 * 2**20,
            "placement": Placement(66, 66, 1, {"XNNPACK": 66}, "delegates of the interpreter"),
            "environment": {"cpu_model": "Testing 9000", "temperature_c": None},
            **fields,
        }
        return Turn(contender, number, position, 1, 0.25 * number, Measurement(**values))

    return make


@pytest.fixture
def make_run():
    """Make a run of two contenders without turns; keyword arguments replace its fields."""

    def make(model="mobilenet", precisions=("fp32", "int8"), **fields):
        contenders = tuple(
            Contender(
                name=f"{model} tflite-{precision}",
                model=model,
                target="tflite",
                precision=precision,
                sha256=f"{index:x}" * 64,
                bytes=2_614_000,
                path=f"build/{model}/tflite-{precision}",
                runtime="litert",
                delegate=None,
                threads=1,
                metric={
                    "name": "top1",
                    "samples": 2016,
                    "value": 71.8,
                    "ci95": [70.0, 73.5],
                    "reference": None,
                    "drop": None,
                    "drop_ci95": None,
                },
            )
            for index, precision in enumerate(precisions, start=10)
        )
        rules = {"rounds": 7, "seed": 0}
        values = {
            "key": run_key("profile", "local-cpu", rules, contenders),
            "command": "profile",
            "device": "local-cpu",
            "started": "2026-11-21T23:17:28Z",
            "rules": rules,
            "environment": {"cpu_model": "Testing 9000", "cpu_governor": None, "affinity": [0, 1]},
            "contenders": contenders,
            **fields,
        }
        return Run(**values)

    return make


@pytest.fixture
def place(tmp_path):
    return tmp_path / "user" / "measurements.sqlite"


@pytest.fixture
def store(place):
    with Store.open(place) as store:
        yield store


@pytest.fixture
def sql():
    """Speak to a file behind the store's back: rows of a statement, which is committed."""

    def execute(place, statement, *values):
        with closing(sqlite3.connect(place)) as database, database:
            return database.execute(statement, values).fetchall()

    return execute
