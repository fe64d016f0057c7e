from __future__ import annotations

import json
import subprocess
import sys

from benchmarks import startup
from benchmarks.__main__ import flat


def test_starting_edgekit_costs_little_more_than_click_alone():
    figures = startup.run(rounds=15)
    # CPU time: other tests run beside this one.
    assert figures["help"]["cpu"]["ratio"] <= startup.LIMIT
    assert figures["version"]["cpu"]["ratio"] <= startup.LIMIT


def test_nested_figures_print_one_a_line_and_raw_samples_stay_in_the_json():
    figures = {"a": {"b": 1, "c": {"d": [1.0, 2.0]}}, "samples": list(range(100))}
    assert flat(figures) == {"a.b": 1, "a.c.d": [1.0, 2.0]}


def test_an_unknown_benchmark_is_a_usage_error():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nonsense"], capture_output=True, check=False
    )
    assert done.returncode == 2


def test_json_is_one_document_on_stdout():
    code = (
        "from benchmarks import __main__, startup; import functools;"
        "startup.run = functools.partial(startup.run, rounds=1); __main__.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "startup", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["benchmark"] == "startup"
