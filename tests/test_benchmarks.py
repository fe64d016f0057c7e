from __future__ import annotations

import json
import subprocess
import sys

from benchmarks import loop, startup
from benchmarks.__main__ import flat


def test_starting_edgekit_costs_little_more_than_click_alone():
    figures = startup.run(rounds=15)
    # CPU time: other tests run beside this one.
    assert figures["help"]["cpu"]["ratio"] <= startup.LIMIT
    assert figures["version"]["cpu"]["ratio"] <= startup.LIMIT


def test_the_timing_loop_costs_at_most_a_percent_of_a_millisecond():
    # CPU time here too.
    figures = loop.overhead(rounds=5)
    assert figures["share_of_1_ms"] <= loop.LIMIT
    assert figures["ns_shown_for_an_empty_call"] <= figures["loop_ns_per_1_ms_call"]


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
