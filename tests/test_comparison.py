"""Comparing two contenders: what a set of rounds says, on figures whose truth is known."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.comparison import (
    compare,
    compare_apart,
    compare_through,
    round_difference,
    verdict_of,
)

BLOCKS = (8,) * 6


def process(measured, ms, *, chance, noise=0.0, level=1.0):
    """One process: blocks of eight calls, the first of each twice as long, noisy besides."""
    calls = []
    for length in BLOCKS:
        block = [ms * level * math.exp(chance.gauss(0, noise)) * 1e6 for _ in range(length)]
        block[0] *= 2
        calls += [int(call) for call in block]
    series = tuple(calls)
    (found,) = measured(ms, samples_ns=series, call_ns=series, cpu_ns=series, blocks=BLOCKS)
    return found


def rounds(measured, ratio, *, count=12, noise=0.01, between=0.005, drift=0.3, seed=0):
    """A and B over rounds in which the machine is faster or slower for both alike."""
    chance = random.Random(seed)
    sides = [], []
    for _ in range(count):
        level = math.exp(chance.gauss(0, drift))
        for side, ms in zip(sides, (1.0, ratio), strict=True):
            own = level * math.exp(chance.gauss(0, between))
            side.append(process(measured, ms, chance=chance, noise=noise, level=own))
    return sides


def test_what_the_machine_does_to_both_leaves_the_ratio_alone(measured):
    a, b = rounds(measured, 0.8, noise=0.0, between=0.0, drift=2.0)
    found = compare(a, b, by_wall=False, margin=0.03)
    assert found.primary.ratio == pytest.approx(0.8, rel=1e-5)
    assert found.verdict == "faster"
    assert (found.rounds, found.pairs) == (12, 72)


def test_the_first_call_of_a_block_does_not_count_where_there_are_enough(measured):
    chance = random.Random(1)
    one = process(measured, 1.0, chance=chance)
    other = measured(1.0, samples_ns=(10**6,) * 48, cpu_ns=(10**6,) * 48, call_ns=(1,) * 48,
                     blocks=BLOCKS)[0]  # fmt: skip
    assert round_difference(one, other, "cpu") == pytest.approx(0.0)
    short = measured(1.0, samples_ns=(2, 1) * 3, cpu_ns=(2, 1) * 3, call_ns=(1,) * 6,
                     blocks=(2, 2, 2))[0]  # fmt: skip
    plain = measured(1.0, samples_ns=(1,) * 6, cpu_ns=(1,) * 6, call_ns=(1,) * 6,
                     blocks=(2, 2, 2))[0]  # fmt: skip
    assert round_difference(plain, short, "cpu") == pytest.approx(math.log(1.5))


@given(ratio=st.floats(0.2, 5.0), seed=st.integers(0, 1000))
def test_swapping_a_and_b_inverts_ratio_interval_and_verdict(measured, ratio, seed):
    a, b = rounds(measured, ratio, count=9, seed=seed)
    one = compare(a, b, by_wall=True, margin=0.03)
    other = compare(b, a, by_wall=True, margin=0.03)
    assert one.primary.ratio * other.primary.ratio == pytest.approx(1.0)
    assert one.primary.ci95[0] * other.primary.ci95[1] == pytest.approx(1.0)
    opposite = {"faster": "slower", "slower": "faster"}
    assert other.verdict == opposite.get(one.verdict, one.verdict)


def test_the_interval_covers_the_truth_about_as_often_as_it_says(measured):
    covered = 0
    for seed in range(400):
        a, b = rounds(measured, 1.03, count=9, noise=0.02, between=0.01, seed=seed)
        low, high = compare(a, b, by_wall=False, margin=0.03).primary.ci95
        covered += low <= 1.03 <= high
    # 95 % of 400, and four standard errors to either side.
    assert 362 <= covered <= 397


def test_what_is_called_detectable_is_found_nine_times_in_ten(measured):
    found = 0
    for seed in range(200):
        a, b = rounds(measured, 1.0, count=12, noise=0.0, between=0.01, seed=seed)
        step = compare(a, b, by_wall=False, margin=0.03).primary.detectable
        a, b = rounds(measured, 1 + step, count=12, noise=0.0, between=0.01, seed=seed + 10**6)
        found += compare(a, b, by_wall=False, margin=0.03).verdict == "slower"
    assert 160 <= found <= 196


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.90, 0.99), "faster"),
        ((1.001, 1.002), "slower"),
        ((0.99, 1.02), "indistinguishable"),
        ((0.99, 1.04), "inconclusive"),
        ((0.5, 1.0), "inconclusive"),
        ((0.98, 1.0), "indistinguishable"),
    ],
)
def test_an_interval_gives_one_of_four_verdicts(interval, verdict):
    assert verdict_of(interval, 0.03) == verdict


def test_a_clock_too_coarse_for_a_call_is_left_out(measured):
    coarse = measured(1, 1, 1, cpu_ns=(0,) * 100)
    found = compare(coarse, coarse, by_wall=False, margin=0.03)
    assert found.primary.clock == "wall"
    assert found.other is None
    assert found.to_json()["other_clock"] is None


def test_several_threads_are_compared_by_wall_and_cpu_time_stands_beside(measured):
    a, b = rounds(measured, 1.2)
    found = compare(a, b, by_wall=True, margin=0.03)
    assert (found.primary.clock, found.other.clock) == ("wall", "cpu")
    assert not found.clocks_disagree


def test_clocks_that_disagree_are_told(measured):
    waiting = measured(*(2.0 + at / 1e3 for at in range(9)), cpu_ns=(10**6,) * 100)
    working = measured(*(1.0 + at / 1e3 for at in range(9)), cpu_ns=(10**6,) * 100)
    assert compare(working, waiting, by_wall=False, margin=0.03).clocks_disagree


def test_runs_of_two_days_are_compared_through_what_took_part_in_both(measured):
    a, common = rounds(measured, 1.0, seed=1)
    b, later = rounds(measured, 1.0, seed=2, drift=1.0)
    found = compare_through(a, common, b, later, by_wall=False, margin=0.03)
    low, high = found.primary.ci95
    assert low <= 1.0 <= high
    assert high - low < 0.05
    assert found.verdict == "indistinguishable"


def test_runs_with_nothing_in_common_are_judged_by_how_far_runs_lie_apart(measured):
    def level(ms):
        return measured(*(ms + at / 1e4 for at in range(9)))

    apart = [level(ms) for ms in (1.0, 1.3, 0.8, 1.1)]
    found = compare_apart(level(1.0), level(1.2), apart, by_wall=False, margin=0.03)
    assert found.verdict == "inconclusive"
    close = [level(ms) for ms in (1.0, 1.0005, 0.9995, 1.0)]
    found = compare_apart(level(1.0), level(1.2), close, by_wall=False, margin=0.03)
    assert found.verdict == "slower"


def test_two_runs_are_too_few_to_know_how_far_runs_lie_apart(measured):
    one = measured(*range(1, 10))
    assert compare_apart(one, one, [one, one], by_wall=False, margin=0.03) is None


def test_one_round_has_no_interval(measured):
    with pytest.raises(ValueError, match="have no error"):
        compare(measured(1.0), measured(1.0), by_wall=False, margin=0.03)
