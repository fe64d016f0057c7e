from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgekit.agent import machine
from edgekit.environment import DECIDING, ELSEWHERE, WARNING, unlike, worth_a_warning

HERE = machine.describe()
facts = st.sampled_from(DECIDING)
values = st.one_of(st.none(), st.text(max_size=5), st.integers(), st.lists(st.text(max_size=3)))


def test_a_machine_is_like_itself_a_moment_later():
    assert unlike(HERE, machine.describe()) == []


def test_every_fact_that_is_named_is_one_that_the_agent_tells():
    of_a_page = {"browser", "device_model", "cross_origin_isolated", "gpu"}
    assert set(DECIDING + WARNING) - of_a_page <= {*HERE, *ELSEWHERE}
    assert not set(DECIDING) & set(WARNING)


def test_two_boards_of_one_model_are_two_machines():
    boards = [{**HERE, "nodename": name} for name in ("north", "south")]
    assert [difference.fact for difference in unlike(*boards)] == ["nodename"]


@given(facts, values, values)
def test_a_deciding_fact_that_differs_is_the_only_one_named(fact, first, second):
    found = unlike({**HERE, fact: first}, {**HERE, fact: second})
    assert [one.fact for one in found] == ([] if first == second else [fact])


@given(st.dictionaries(facts, values), st.dictionaries(facts, values))
def test_unlike_is_the_same_both_ways(first, second):
    back = [(one.fact, one.second, one.first) for one in unlike(second, first)]
    assert [tuple(one) for one in unlike(first, second)] == back


def test_a_fact_that_only_one_tells_counts_as_unlike():
    (found,) = unlike({**HERE, "cpu_governor": "performance"}, {**HERE, "cpu_governor": None})
    assert str(found) == "cpu_governor: performance, then not told"


def test_a_list_from_json_is_the_tuple_it_was():
    assert unlike({"cpu_flags": ("avx2",)}, {"cpu_flags": ["avx2"]}) == []


def test_what_is_compared_is_no_environment():
    differing = {"runtime": "litert", "runtime_version": "2", "threads": 4, "pinned_cpu": 1}
    assert unlike({**HERE, **differing}, HERE) == []
    assert worth_a_warning({**HERE, **differing}, HERE) == []


def test_a_kernel_only_warns():
    other = {**HERE, "kernel": "1.0"}
    assert unlike(HERE, other) == []
    assert [one.fact for one in worth_a_warning(HERE, other)] == ["kernel"]


def test_heat_and_load_are_news_only_when_they_differ_by_much():
    before = {"temperature_c": 40.0, "load_1min": 0.2}
    assert worth_a_warning(before, {"temperature_c": 49.0, "load_1min": 0.6}) == []
    assert worth_a_warning(before, {"temperature_c": None, "load_1min": None}) == []
    found = worth_a_warning(before, {"temperature_c": 71.0, "load_1min": 1.9})
    assert [one.fact for one in found] == ["temperature_c", "load_1min"]
