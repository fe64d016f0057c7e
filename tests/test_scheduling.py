from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import ConversionError
from edgekit.scheduling import Task, run_tasks


def fail(*_):
    raise ConversionError("no such thing")


def test_a_task_gets_the_results_of_its_needs_in_their_order():
    outcomes = run_tasks(
        [
            Task("sum", lambda a, b: (a, b), needs=("one", "two")),
            Task("two", lambda: 2),
            Task("one", lambda: 1),
        ],
        slots=2,
    )
    assert outcomes.results["sum"] == (1, 2)


def test_a_failure_takes_down_what_needs_it_and_nothing_else():
    outcomes = run_tasks(
        [
            Task("bad", fail),
            Task("child", lambda _: None, needs=("bad",)),
            Task("grandchild", lambda _: None, needs=("child",)),
            Task("other", lambda: 3),
        ],
        slots=2,
    )
    assert outcomes.results == {"other": 3}
    assert str(outcomes.errors["bad"]) == "no such thing"
    assert outcomes.skipped == {"child": "bad", "grandchild": "bad"}


def test_after_a_vital_failure_nothing_else_begins():
    begun = []
    outcomes = run_tasks(
        [Task("bad", fail, vital=True), Task("later", lambda: begun.append(1))], slots=1
    )
    assert begun == []
    assert outcomes.skipped == {"later": "bad"}


def test_tasks_of_one_lane_take_turns_and_others_run_beside_them():
    together = threading.Barrier(2, timeout=20)
    in_lane = []

    def lane():
        in_lane.append(threading.get_ident())
        assert len(in_lane) == 1
        in_lane.pop()

    lanes = [Task(f"lane{i}", lane, lane="tensorflow") for i in range(20)]
    pair = [Task(f"pair{i}", together.wait) for i in range(2)]
    outcomes = run_tasks([*lanes, *pair], slots=4)
    assert len(outcomes.results) == 22


def test_among_ready_tasks_the_earlier_goes_first():
    order = []
    tasks = [Task(str(i), lambda i=i: order.append(i)) for i in range(5)]
    run_tasks(tasks, slots=1)
    assert order == [0, 1, 2, 3, 4]


def test_an_unknown_need_and_a_circle_are_programming_errors():
    with pytest.raises(ValueError, match="needs unknown tasks"):
        run_tasks([Task("a", fail, needs=("b",))], slots=1)
    with pytest.raises(ValueError, match="circle"):
        run_tasks([Task("a", fail, needs=("b",)), Task("b", fail, needs=("a",))], slots=1)


def test_any_other_exception_ends_the_run():
    def broken():
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        run_tasks([Task("broken", broken), Task("after", lambda: 1)], slots=1)


@given(
    needs=st.lists(st.sets(st.integers(0, 11), max_size=4), min_size=1, max_size=12),
    failing=st.sets(st.integers(0, 11), max_size=3),
    slots=st.integers(1, 4),
)
def test_every_task_succeeds_fails_or_is_skipped_and_only_after_its_needs(needs, failing, slots):
    finished: list[str] = []

    def work(index):
        def run(*results):
            expected = [str(n) for n in sorted(needs[index]) if n < index]
            assert set(expected) <= set(finished)
            assert list(results) == expected
            if index in failing:
                raise ConversionError(str(index))
            finished.append(str(index))
            return str(index)

        return run

    tasks = [
        Task(str(i), work(i), needs=tuple(str(n) for n in sorted(wanted) if n < i))
        for i, wanted in enumerate(needs)
    ]
    outcomes = run_tasks(tasks, slots=slots)
    ended = [*outcomes.results, *outcomes.errors, *outcomes.skipped]
    assert sorted(ended) == sorted(task.name for task in tasks)
    hopeless: set[int] = set()
    for index, wanted in enumerate(needs):
        if index in failing or any(n in hopeless for n in wanted if n < index):
            hopeless.add(index)
    assert {int(name) for name in outcomes.results} == set(range(len(needs))) - hopeless
