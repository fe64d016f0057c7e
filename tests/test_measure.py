from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.measure import ENOUGH_PROCESSES, Measurement, Placement, summarise

PLACEMENT = Placement(66, 64, 2, {"XNNPACK": 64, "kernels": 2}, "DELEGATE nodes")


def measured(*samples_ms, calls=100, peak=10**8):
    """One process per figure, each call of it that long."""
    return [
        Measurement(
            samples_ns=(int(ms * 1e6),) * calls,
            call_ns=(int(ms * 2e6),) * calls,
            cpu_ns=(int(ms * 0.5e6),) * calls,
            warmup_ns=(10**12,) * 20,
            load_ns=int(ms * 1e7),
            first_ns=int(ms * 1e8),
            peak_rss_bytes=peak,
            placement=PLACEMENT,
            environment={},
        )
        for ms in samples_ms
    ]


def test_each_process_counts_once_however_many_calls_it_made():
    busy = measured(9.0, calls=5000)
    assert summarise([*measured(1.0, 2.0), *busy]).median_ms == 2.0


def test_files_are_compared_by_processor_time_or_wall_time_where_that_clock_is_too_coarse():
    (one,) = measured(2.0)
    assert one.cost_ns == 1e6
    assert replace(one, cpu_ns=(0,) * 100).cost_ns == 2e6


def test_seven_processes_give_a_true_interval_of_the_median():
    figures = summarise(measured(1, 2, 3, 4, 5, 6, 7))
    assert (figures.median_ms, figures.ci95_ms) == (4.0, (1.0, 7.0))


def test_warm_up_first_call_and_load_stay_out_of_the_median():
    figures = summarise(measured(2.0))
    assert figures.median_ms == 2.0
    assert figures.call_median_ms == 4.0
    assert figures.cpu_median_ms == 1.0
    assert figures.load_ms == 20.0
    assert figures.first_ms == 200.0


def test_a_90th_percentile_needs_64_calls_in_every_process():
    assert summarise(measured(1.0, 2.0, calls=64)).p90_ms == 1.5
    few = [*measured(1.0, calls=64), *measured(2.0, calls=63)]
    assert summarise(few).p90_ms is None


def test_peak_memory_is_the_highest_and_unknown_if_no_process_knew():
    both = [*measured(1.0, peak=5), *measured(1.0, peak=9)]
    assert summarise(both).peak_rss_bytes == 9
    assert summarise(measured(1.0, peak=None)).peak_rss_bytes is None


def test_nothing_measured_has_no_summary():
    with pytest.raises(ValueError, match="no values"):
        summarise([])


def test_placement_reads_as_delegate_ops_and_pieces():
    assert str(PLACEMENT) == "XNNPACK 64/66 in 2"
    assert str(replace(PLACEMENT, ops=64, partitions=1)) == "XNNPACK 64/64"


def test_placement_without_a_delegate_lists_what_computed():
    assert str(Placement(9, 0, 0, {"f32": 3, "i8": 6}, "")) == "i8 6, f32 3"


def test_six_processes_are_enough_for_an_interval_and_five_are_not():
    # The range of n values covers the median with 1 − 2 × 0.5ⁿ.
    coverage = [1 - 2 * 0.5**n for n in (ENOUGH_PROCESSES - 1, ENOUGH_PROCESSES)]
    assert coverage[0] < 0.95 <= coverage[1]
