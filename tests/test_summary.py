"""Figures over fresh processes: what counts, and which figure needs how much."""

from __future__ import annotations

import pytest

from edgekit.summary import CALLS_NEEDED, ENOUGH_PROCESSES, summarise


def test_each_process_counts_once_however_many_calls_it_made(measured):
    busy = measured(9.0, calls=5000)
    assert summarise([*measured(1.0, 2.0), *busy]).median_ms == 2.0


def test_seven_processes_give_a_true_interval_of_the_median(measured):
    figures = summarise(measured(1, 2, 3, 4, 5, 6, 7))
    assert (figures.median_ms, figures.ci95_ms) == (4.0, (1.0, 7.0))
    assert (figures.cpu_median_ms, figures.cpu_ci95_ms) == (2.0, (0.5, 3.5))


def test_warm_up_first_call_and_load_stay_out_of_the_median(measured):
    figures = summarise(measured(2.0))
    assert figures.median_ms == 2.0
    assert figures.call_median_ms == 4.0
    assert figures.cpu_median_ms == 1.0
    assert figures.load_ms == 20.0
    assert figures.first_ms == 200.0
    assert figures.warmup_ms == 1e6


@pytest.mark.parametrize(("percent", "needed"), [(90, 64), (95, 130), (99, 662)])
def test_a_percentile_needs_enough_calls_in_every_process(measured, percent, needed):
    assert CALLS_NEEDED[percent] == needed
    tail = summarise(measured(1.0, 2.0, calls=needed)).tails[percent]
    assert (tail.ms, tail.ci95_ms) == (1.5, (1.0, 2.0))
    few = [*measured(1.0, calls=needed), *measured(2.0, calls=needed - 1)]
    assert percent not in summarise(few).tails


def test_a_percentile_that_is_not_known_is_null_and_not_zero(measured):
    document = summarise(measured(1.0, calls=10)).to_json()
    assert document["p90_ms"] is None
    assert document["tails"] == {}


def test_peak_memory_is_the_highest_and_unknown_if_no_process_knew(measured):
    both = [*measured(1.0, peak_rss_bytes=5), *measured(1.0, peak_rss_bytes=9)]
    assert summarise(both).peak_rss_bytes == 9
    assert summarise(measured(1.0, peak_rss_bytes=None)).peak_rss_bytes is None


def test_nothing_measured_has_no_summary():
    with pytest.raises(ValueError, match="no values"):
        summarise([])


def test_six_processes_are_enough_for_an_interval_and_five_are_not():
    # The range of n values covers the median with 1 − 2 × 0.5ⁿ.
    coverage = [1 - 2 * 0.5**n for n in (ENOUGH_PROCESSES - 1, ENOUGH_PROCESSES)]
    assert coverage[0] < 0.95 <= coverage[1]
