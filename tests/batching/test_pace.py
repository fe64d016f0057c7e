from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgekit.batching.pace import ENOUGH_S, ENOUGH_TIMES, FIRST, next_count

SECONDS = st.floats(0.0, 100.0)


def batches(fixed, each, samples, most=10**9):
    """Counts and seconds of a device on which a job takes `fixed` and a sample `each` seconds."""
    timed = []
    while samples > 0:
        count = min(next_count(timed, most), samples)
        timed.append((count, fixed + each * count))
        samples -= count
    return timed


@given(fixed=SECONDS, each=SECONDS, samples=st.integers(1, 500), most=st.integers(1, 300))
def test_all_samples_travel_and_never_more_than_may(fixed, each, samples, most):
    timed = batches(fixed, each, samples, most)
    assert sum(count for count, _ in timed) == samples
    assert all(1 <= count <= most for count, _ in timed)
    assert timed[0][0] == min(FIRST, most, samples)


@given(fixed=st.floats(0.0, 30.0), each=st.floats(1e-5, 10.0))
def test_a_batch_ends_up_at_some_seconds_and_some_times_what_a_job_costs_alone(fixed, each):
    wanted = max(ENOUGH_S, ENOUGH_TIMES * fixed)
    timed = []
    for _ in range(15):
        count = next_count(timed, 10**9)
        timed.append((count, fixed + each * count))
    count, seconds = timed[-1]
    assert seconds <= 1.01 * wanted or count <= 2
    assert seconds + 2 * each >= 0.99 * wanted


def test_slow_samples_travel_alone():
    assert next_count([(4, 400.0)], most=100) == 2
    assert next_count([(4, 400.0), (2, 200.0)], most=100) == 1


def test_a_clock_that_stands_still_lets_batches_grow_step_by_step():
    assert next_count([(4, 0.0)], most=1000) == 64
    assert next_count([(4, 0.0), (64, 0.0)], most=10_000) == 1024
