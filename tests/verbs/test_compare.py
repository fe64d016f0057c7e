"""Comparisons: live ones, and those of runs that are kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DeviceError, StoreError, UsageError
from edgekit.measuring.comparing import overrun
from edgekit.measuring.comparison import LEAST_ROUNDS
from edgekit.measuring.contenders import Asked
from edgekit.measuring.running import Kept
from edgekit.run import Contender, Run, Turn
from edgekit.store import Store
from edgekit.verbs.compare import (
    SECONDS,
    compare_kept,
    compare_live,
    plan_within,
)

MACHINE = {"cpu_model": "test", "system": "Linux"}


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "store.sqlite"))


@pytest.fixture
def keep(measured):
    """Keep a run of contenders by name, each with its level in ms, over ten rounds."""

    def contender(name, **fields):
        told = {
            "model": "m", "target": "tflite", "precision": "int8", "sha256": name[0] * 64,
            "bytes": 5, "path": name, "runtime": "litert", "delegate": None, "threads": 1,
        }  # fmt: skip
        return Contender(name=name, **{**told, **fields})

    def make(levels, *, rounds=10, environment=MACHINE, threads=1):
        turns = [
            Turn(index, number, index, 0, float(number), measured(ms * (1 + number / 1e3))[0])
            for number in range(rounds)
            for index, ms in enumerate(levels.values())
        ]
        run = Run(
            key=str(len(levels)), command="profile", device="board", rules={},
            started="2026-01-01T00:00:00Z", environment=dict(environment),
            contenders=tuple(contender(name, threads=threads) for name in levels),
            turns=tuple(turns),
        )  # fmt: skip
        with Store.open() as store:
            return store.keep(run)

    return make


def test_a_file_against_itself_is_measured_and_kept(make_artifact):
    place = Asked(make_artifact().path)
    found = compare_live(place, place, budget_s=1.0, seed=3)
    assert found.comparison.rounds == LEAST_ROUNDS
    low, high = found.comparison.primary.ci95
    assert low < found.comparison.primary.ratio < high
    assert 0.5 < found.comparison.primary.ratio < 2.0
    assert [one.name for one in (found.first, found.second)] == [
        "tiny tflite-fp32", "tiny tflite-fp32 #2",
    ]  # fmt: skip
    with Store.open() as store:
        (kept,) = store.find(command="compare")
        assert kept.number == found.runs[0]
    again = compare_kept(f"run:{kept.number}/1", f"run:{kept.number}/2")
    assert again.comparison == found.comparison
    document = found.to_json()
    assert document["verdict"] == found.comparison.verdict
    assert document["pairs"] == found.comparison.pairs >= 3 * LEAST_ROUNDS
    assert document["placement"]["a"]["ops"] > 0


def test_a_comparison_takes_one_artifact_on_either_side(make_artifact):
    make_artifact("onnx")
    folder = Asked(make_artifact().path.parent)
    with pytest.raises(UsageError, match="2 artifacts; a comparison takes one on either side"):
        compare_live(folder, folder)


def test_contenders_of_one_run_are_compared_pair_by_pair(keep):
    number = keep({"a": 1.0, "b": 2.0, "c": 1.0})
    found = compare_kept(f"run:{number}/a", f"run:{number}/2")
    assert found.comparison.verdict == "slower"
    assert found.comparison.primary.ratio == pytest.approx(2.0, rel=1e-3)
    assert compare_kept(f"run:{number}/1", f"run:{number}/3").comparison.primary.ratio == 1.0


def test_runs_of_two_days_are_compared_through_what_took_part_in_both(keep):
    first = keep({"a": 1.0, "yardstick": 4.0})
    second = keep({"b": 3.0, "yardstick": 8.0})  # the machine was half as fast then
    found = compare_kept(f"run:{first}/a", f"run:{second}/b")
    assert found.comparison.primary.ratio == pytest.approx(1.5, rel=1e-3)
    assert found.runs == (first, second)
    assert "through yardstick" in found.source


def test_one_artifact_on_two_days_is_compared_by_how_far_its_runs_lie_apart(keep):
    runs = [keep({"a": ms}) for ms in (1.0, 1.2, 0.9)]
    found = compare_kept(f"run:{runs[0]}", f"run:{runs[1]}")
    assert found.comparison.primary.ratio == pytest.approx(1.2, rel=1e-3)
    assert found.comparison.primary.ci95[0] < 1.0  # runs of it are known to lie as far apart
    assert "3 runs of a" in found.source


def test_two_runs_with_nothing_in_common_need_to_know_how_far_runs_lie_apart(keep):
    first, second = keep({"a": 1.0}), keep({"b": 2.0})
    with pytest.raises(UsageError, match="1 run of a on this machine are too few"):
        compare_kept(f"run:{first}", f"run:{second}")
    keep({"a": 1.01})
    keep({"a": 0.99})
    found = compare_kept(f"run:{first}", f"run:{second}")
    assert found.comparison.verdict == "slower"
    assert "how far 3 runs of a lie apart" in found.warnings[0]


def test_runs_of_unlike_machines_are_refused(keep):
    first = keep({"a": 1.0})
    second = keep({"a": 1.0}, environment={**MACHINE, "cpu_model": "another"})
    with pytest.raises(DeviceError, match="unlike machines") as raised:
        compare_kept(f"run:{first}", f"run:{second}")
    assert raised.value.details == ("cpu_model: test, then another",)


def test_several_threads_are_compared_by_wall_time(keep):
    number = keep({"a": 1.0, "b": 2.0}, threads=2)
    found = compare_kept(f"run:{number}/1", f"run:{number}/2").comparison
    assert (found.primary.clock, found.other.clock) == ("wall", "cpu")


@pytest.mark.parametrize(
    ("a", "complaint"),
    [
        ("run:1/3", "names no contender of the run"),
        ("run:1/z", "names no contender of the run"),
        ("run:1", "names no contender of the run"),
        ("run:x/1", "a kept run is compared with a kept run"),
        ("build/tiny", "a kept run is compared with a kept run"),
    ],
)
def test_what_names_no_contender_is_refused(keep, a, complaint):
    keep({"a": 1.0, "b": 2.0})
    with pytest.raises(UsageError, match=complaint):
        compare_kept(a, "run:1/1")


def test_a_run_that_is_not_there_is_refused(keep):
    with pytest.raises(StoreError, match="99"):
        compare_kept("run:99/1", "run:99/2")


def test_a_contender_is_not_compared_with_itself_in_the_same_rounds(keep):
    number = keep({"a": 1.0, "b": 2.0})
    with pytest.raises(UsageError, match="A and B are the same contender of run 1: a"):
        compare_kept(f"run:{number}/1", f"run:{number}/a")


def test_one_round_is_nothing_to_compare(keep):
    number = keep({"a": 1.0, "b": 2.0}, rounds=1)
    with pytest.raises(UsageError, match="1 finished round: nothing to compare"):
        compare_kept(f"run:{number}/1", f"run:{number}/2")


def test_few_rounds_and_clocks_that_disagree_are_warned_of(keep):
    number = keep({"a": 1.0, "b": 2.0}, rounds=3)
    found = compare_kept(f"run:{number}/1", f"run:{number}/2")
    assert found.warnings == (f"3 rounds: the interval is rough below {LEAST_ROUNDS}",)


@given(budget=st.floats(0.1, 3600), first=st.floats(0.5, 60))
def test_a_plan_spends_the_budget_or_makes_ten_rounds(budget, first):
    plan = plan_within(budget, first)
    start = max(0.0, first - 2 * SECONDS)
    cost = start + 2 * plan.seconds
    assert plan.rounds >= LEAST_ROUNDS
    assert SECONDS <= plan.seconds <= 1.5
    if plan.rounds > LEAST_ROUNDS:
        assert first + (plan.rounds - 1) * cost <= budget * (1 + 1e-9)
        assert first + (plan.rounds + 1) * cost > budget
        assert plan.rounds % 2 == 0


def test_a_budget_that_ten_rounds_exceed_is_told(keep):
    with Store.open() as store:
        run = store.load(keep({"a": 1.0}, rounds=LEAST_ROUNDS))
    assert overrun(Kept(1, run, seconds=24.0), 20.0) == ()
    (told,) = overrun(Kept(1, run, seconds=31.2), 20.0)
    assert told == "10 rounds, which are the least, took 31 s of a budget of 20 s"
    more = replace(run, turns=(*run.turns, replace(run.turns[0], round=LEAST_ROUNDS)))
    assert overrun(Kept(1, more, seconds=31.2), 20.0) == ()


def test_a_round_is_timed_longer_where_starting_takes_long():
    assert plan_within(30.0, 0.9).seconds == SECONDS
    assert plan_within(60.0, 2.5).seconds == pytest.approx(1.0)
    assert plan_within(22.0, 2.5).seconds == SECONDS  # ten rounds come first
