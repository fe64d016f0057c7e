from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.reporting.dominance import Point, Standing, disjoint_below, dominates, standings


def intervals(low, high):
    ends = st.floats(low, high, allow_nan=False)
    return st.tuples(ends, ends).map(lambda pair: (min(pair), max(pair)))


POINTS = st.builds(Point, latency=intervals(0.01, 100), accuracy=intervals(0, 100))


def overlap(first, second):
    return first[0] <= second[1] and second[0] <= first[1]


@given(POINTS)
def test_no_point_dominates_itself(point):
    assert not dominates(point, point)


@given(POINTS, POINTS)
def test_two_points_never_dominate_each_other(first, second):
    assert not (dominates(first, second) and dominates(second, first))


@given(POINTS, POINTS)
def test_a_point_with_an_overlapping_interval_is_not_dominated(first, second):
    if overlap(first.latency, second.latency) or overlap(first.accuracy, second.accuracy):
        assert not dominates(first, second)


@given(POINTS, POINTS, POINTS)
def test_dominance_passes_on(first, second, third):
    if dominates(first, second) and dominates(second, third):
        assert dominates(first, third)


@given(st.lists(POINTS, max_size=6))
def test_every_standing_names_one_that_is_faster_and_no_fastest_is_ruled_out(points):
    found = standings(points)
    for point, standing in zip(points, found, strict=True):
        assert standing.dominated_by is None or standing.outpaced_by is None
        for index in (standing.dominated_by, standing.outpaced_by):
            if index is not None:
                assert disjoint_below(points[index].latency, point.latency)
        if standing.dominated_by is not None:
            assert dominates(points[standing.dominated_by], point)
    if points:
        lowest = min(point.latency[1] for point in points)
        quickest = [p.latency[1] == lowest for p in points].index(True)
        assert found[quickest] == Standing()


FAST, SLOW = (0.2, 0.3), (0.4, 0.5)


@pytest.mark.parametrize(
    ("accuracy", "standing"),
    [
        ((90.0, 91.0), Standing(dominated_by=0)),
        ((97.0, 98.0), Standing(outpaced_by=0)),
        ((99.5, 99.9), Standing()),
        ((96.0, 97.5), Standing(outpaced_by=0)),  # touching is overlapping
    ],
)
def test_a_slower_contender_stands_by_its_accuracy(accuracy, standing):
    points = [Point(FAST, (97.5, 98.5)), Point(SLOW, accuracy)]
    assert standings(points) == [Standing(), standing]


def test_a_paired_comparison_decides_where_there_is_one():
    close = [Point((0.30, 0.34), (97, 98)), Point((0.33, 0.37), (90, 91))]
    assert standings(close)[1] == Standing()
    assert standings(close, lambda a, b: (a, b) == (0, 1))[1] == Standing(dominated_by=0)
    assert not dominates(close[0], close[1])
    assert dominates(close[0], close[1], faster=True)


def test_of_several_that_rule_a_point_out_the_fastest_is_named():
    points = [Point((3, 4), (80, 81)), Point((1, 2), (95, 96)), Point((0.1, 0.2), (95, 96))]
    assert standings(points)[0] == Standing(dominated_by=2)
    assert standings(points)[1] == Standing(outpaced_by=2)
