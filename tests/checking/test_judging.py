"""Figures held against limits, on figures whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edgekit.checking.budget import Gate
from edgekit.checking.judging import (
    INCONCLUSIVE,
    PASS,
    REGRESSION,
    Figures,
    judge,
    verdict_at_least,
    verdict_at_most,
)
from edgekit.measuring.comparison import compare
from edgekit.measuring.contenders import Asked
from edgekit.metrics import MetricValue
from edgekit.run import Turn

NINE = (1.0, 1.02, 1.04, 1.06, 1.08, 1.1, 1.12, 1.14, 1.16)
FIGURE = st.floats(-1e6, 1e6, allow_nan=False)


@pytest.fixture
def figures(make_run):
    """Of a contender whose processes take about 1.08 ms of CPU time, and twice that by the wall."""
    run = make_run(a=NINE)
    return Figures(run.contenders[0], run)


def found(figures, **limits):
    settings = {key: limits.pop(key) for key in ("clock", "judge") if key in limits}
    (finding,) = judge(Gate("g", Asked("m"), limits, **settings), figures)
    return finding


@given(FIGURE, FIGURE, FIGURE)
def test_an_interval_passes_breaks_or_spans_a_limit(one, other, bound):
    low, high = sorted((one, other))
    verdict = verdict_at_most((low, high), bound)
    assert verdict == (PASS if high <= bound else REGRESSION if low > bound else INCONCLUSIVE)
    assert verdict_at_least((-high, -low), -bound) == verdict


@given(FIGURE, FIGURE, FIGURE, st.floats(0, 1e6))
def test_a_wider_limit_never_makes_a_verdict_worse(one, other, bound, slack):
    order = (PASS, INCONCLUSIVE, REGRESSION)
    interval = (min(one, other), max(one, other))
    before, after = (verdict_at_most(interval, limit) for limit in (bound, bound + slack))
    assert order.index(after) <= order.index(before)


@given(FIGURE, FIGURE)
def test_an_exact_figure_is_always_decided(value, bound):
    assume(value != bound)
    assert verdict_at_most((value, value), bound) != INCONCLUSIVE
    assert verdict_at_most((bound, bound), bound) == PASS


@pytest.mark.parametrize(
    ("bound", "verdict"), [(1.2, PASS), (1.14, PASS), (1.08, INCONCLUSIVE), (1.01, REGRESSION)]
)
def test_the_median_is_judged_by_its_interval_in_cpu_time(figures, bound, verdict):
    finding = found(figures, max_ms=bound)
    assert (finding.verdict, finding.measured, finding.interval) == (
        verdict,
        pytest.approx(1.08),
        pytest.approx((1.02, 1.14)),
    )
    assert finding.basis() == "CPU time, 9 processes"


def test_the_median_is_judged_by_wall_time_where_asked_or_with_several_threads(figures):
    assert found(figures, max_ms=1.2, clock="wall").measured == pytest.approx(2.16)
    two = replace(figures, contender=replace(figures.contender, threads=2))
    finding = found(two, max_ms=1.2)
    assert (finding.verdict, finding.note) == (REGRESSION, "wall time")
    assert found(two, max_ms=1.2, clock="cpu").measured == pytest.approx(1.08)


def test_a_percentile_needs_calls_enough(figures, make_run, measured):
    assert found(figures, max_p90_ms=3.0).verdict == PASS
    finding = found(figures, max_p95_ms=3.0)
    assert (finding.verdict, finding.measured) == (INCONCLUSIVE, None)
    assert "fewer than 130 timed calls" in finding.note


def test_memory_is_judged_by_the_least_and_the_most_of_the_processes(make_run, measured):
    run = make_run(a=NINE)
    peaks = [90, 95, 100]
    turns = [
        Turn(0, number, 0, 0, 0.0, measured(1, peak_rss_bytes=mb * 10**6)[0])
        for number, mb in enumerate(peaks)
    ]
    figures = Figures(run.contenders[0], replace(run, turns=tuple(turns)))
    verdicts = [found(figures, max_rss_mb=bound).verdict for bound in (100, 95, 89)]
    assert verdicts == [PASS, INCONCLUSIVE, REGRESSION]
    hidden = Turn(0, 3, 0, 0, 0.0, measured(1, peak_rss_bytes=None)[0])
    silent = replace(figures, run=replace(run, turns=(*turns, hidden)))
    finding = found(silent, max_rss_mb=100)
    assert (finding.verdict, finding.figure()) == (INCONCLUSIVE, "unavailable")


def test_slower_is_judged_by_the_interval_of_the_ratio(make_run):
    run = make_run(a=NINE, b=[1.05 * ms * (1 + at / 1e4) for at, ms in enumerate(NINE)])
    compared = compare(run.measurements_of(0), run.measurements_of(1), by_wall=False, margin=0.0)
    figures = Figures(run.contenders[1], run, 1, compared)
    verdicts = {bound: found(figures, max_slower=bound).verdict for bound in (6, 5.04, 3, -10)}
    assert verdicts == {6: PASS, 5.04: INCONCLUSIVE, 3: REGRESSION, -10: REGRESSION}
    assert str(found(figures, max_slower=3)).startswith("max_slower +5.04 [+5.0")
    assert found(figures, max_slower=6, clock="wall").note == "wall time"


def test_size_is_exact(figures):
    assert found(figures, max_mb=1.0).verdict == PASS
    assert found(figures, max_mb=0.999).verdict == REGRESSION
    assert found(figures, max_mb=0.999).interval is None


METRIC = MetricValue("top1", 2000, 70.5, (68.5, 72.5), 71.0, 0.5, (-0.2, 1.2))


@pytest.mark.parametrize(
    ("limits", "by_value", "by_interval"),
    [
        ({"min_accuracy": 68.0}, PASS, PASS),
        ({"min_accuracy": 70.0}, PASS, INCONCLUSIVE),
        ({"min_accuracy": 71.0}, REGRESSION, INCONCLUSIVE),
        ({"min_accuracy": 73.0}, REGRESSION, REGRESSION),
        ({"max_drop": 1.5}, PASS, PASS),
        ({"max_drop": 1.0}, PASS, INCONCLUSIVE),
        ({"max_drop": -0.3}, REGRESSION, REGRESSION),
    ],
)
def test_accuracy_is_judged_by_its_value_unless_the_interval_is_asked_for(
    figures, limits, by_value, by_interval
):
    known = replace(figures, metric=METRIC)
    assert found(known, **limits).verdict == by_value
    assert found(known, **limits, judge="interval").verdict == by_interval


def test_a_drop_that_is_not_known_decides_nothing(figures):
    unknown = replace(METRIC, reference=None, drop=None, drop_ci95=None)
    finding = found(replace(figures, metric=unknown), max_drop=1.0)
    assert (finding.verdict, finding.measured) == (INCONCLUSIVE, None)
    rough = replace(METRIC, drop_ci95=None)
    assert found(replace(figures, metric=rough), max_drop=1.0).verdict == PASS
    assert found(replace(figures, metric=rough), max_drop=1.0, judge="interval").verdict == (
        INCONCLUSIVE
    )
