"""Comparing what was measured before: contenders of one run, and of two."""

from __future__ import annotations

import json
import random

import pytest

from edgekit.checking.measuring import _stored
from edgekit.errors import DeviceError, UsageError
from edgekit.measuring.comparing import Side, find_kept, of_one_run, of_two_runs, plan_within
from edgekit.run import Contender, Run, Turn
from edgekit.store import Store

HERE = {"cpu_model": "Testing 9000"}


@pytest.fixture
def make_run(measured):
    """A run in which the machine takes `level` times as long: contender → its ms."""

    def make(level=1.0, environment=HERE, rounds=10, seed=0, **ms):
        chance = random.Random(seed)
        names = sorted(ms)
        contenders = tuple(
            Contender(
                name=name, model="m", target="onnx", precision="fp32",
                sha256=f"{ord(name):064x}", bytes=10**6, path=f"build/{name}",
                runtime="onnxruntime", delegate=None, threads=1,
            )
            for name in names
        )  # fmt: skip
        turns = tuple(
            Turn(at, number, at, 0, float(number),
                 measured(level * ms[name] * chance.uniform(0.99, 1.01))[0])
            for number in range(rounds)
            for at, name in enumerate(names)
        )  # fmt: skip
        return Run(
            key="k", command="profile", device="local-cpu", started="2026-11-21T10:00:00Z",
            rules={}, environment=environment, contenders=contenders, turns=turns,
        )  # fmt: skip

    return make


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "store.sqlite") as opened:
        yield opened


def compared(store, first, second, **options):
    sides = (Side("run 1", first, 0, 1), Side("run 2", second, 0, 2))
    return of_two_runs(store, *sides, 0.03, **options)


def test_one_artifact_on_two_days_is_compared_through_another_one(store, make_run):
    found = compared(store, make_run(a=1.0, c=2.0), make_run(1.7, a=1.1, c=2.0, seed=1))
    low, high = found.comparison.primary.ci95
    assert low < 1.1 < high
    assert high - low < 0.05
    assert found.source == "run 1 and run 2, through c"


def test_an_artifact_is_no_measure_of_itself(store, make_run):
    """Against itself it would show a ratio of exactly 1, whatever it took."""
    with pytest.raises(UsageError, match="no other artifact in common, and 0 runs of a"):
        compared(store, make_run(a=1.0), make_run(a=3.0))
    with pytest.raises(UsageError, match="no other artifact in common"):
        compared(store, make_run(a=1.0, b=1.0), make_run(b=3.0))


def test_without_one_it_is_judged_by_how_far_runs_lie_apart(store, make_run):
    for seed, level in enumerate((0.9, 1.0, 1.1, 1.05)):
        store.keep(make_run(level, a=1.0, seed=seed))
    found = compared(store, make_run(a=1.0, seed=8), make_run(a=1.05, seed=9))
    low, high = found.comparison.primary.ci95
    assert low < 0.9
    assert high > 1.1
    assert "4 runs of a" in found.source
    assert found.warnings


def test_runs_of_unlike_machines_and_of_a_single_round_are_refused(store, make_run):
    other = {"cpu_model": "Testing 8000"}
    with pytest.raises(DeviceError, match="unlike machines"):
        compared(store, make_run(a=1.0, c=1.0), make_run(environment=other, a=1.0, c=1.0))
    with pytest.raises(UsageError, match="run 2 has 1 finished round: nothing"):
        compared(store, make_run(a=1.0, c=1.0), make_run(rounds=1, a=1.0, c=1.0))


def test_the_clock_may_be_asked_for(store, make_run):
    runs = make_run(a=1.0, c=2.0), make_run(a=1.0, c=2.0, seed=1)
    assert compared(store, *runs).comparison.primary.clock == "cpu"
    assert compared(store, *runs, by_wall=True).comparison.primary.clock == "wall"


def test_a_contender_of_a_kept_run_is_named_by_number_or_name(store, make_run):
    number = store.keep(make_run(a=1.0, c=2.0))
    assert find_kept(store, f"run:{number}/2").contender.name == "c"
    assert find_kept(store, f"run:{number}/a").index == 0
    for wrong in (f"run:{number}", f"run:{number}/3", f"run:{number}/x", "run:x/1"):
        with pytest.raises(UsageError) as caught:
            find_kept(store, wrong)
        assert f"run:{number}/1 a" in caught.value.hint or "run:12/2" in caught.value.hint


def test_a_contender_of_a_runs_file_is_named_likewise(store, make_run, tmp_path):
    file = tmp_path / "nightly.json"
    file.write_text(json.dumps(make_run(a=1.0, c=2.0).to_json()))
    assert _stored(f"{file}/c", store).contender.name == "c"
    assert _stored(f"{file}/1", store).index == 0
    with pytest.raises(UsageError, match="names no contender"):
        _stored(str(file), store)
    file.write_text(json.dumps(make_run(a=1.0).to_json()))
    assert _stored(str(file), store).where == "nightly.json"


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", "[" * 10_000, '{"format": 1}', "\x00"])
def test_a_file_that_is_no_run_is_a_usage_error(store, tmp_path, text):
    file = tmp_path / "nightly.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"nightly\.json"):
        _stored(str(file), store)
    with pytest.raises(UsageError, match="no such run"):
        _stored(str(tmp_path / "none.json"), store)


def test_two_contenders_of_one_run_are_compared_pair_by_pair(make_run):
    found = of_one_run(make_run(a=1.0, b=1.2), 7, 0, 1, 0.03)
    assert found.comparison.verdict == "slower"
    assert (found.runs, found.warnings) == ((7, 7), ())


@pytest.mark.parametrize("contenders", [1, 2, 5])
def test_a_budget_is_kept_where_it_pays_for_ten_rounds_and_ten_are_made_where_not(contenders):
    start_s = 0.4
    plan = plan_within(60.0, start_s + contenders * 0.25, contenders)
    assert plan.rounds > 10
    assert plan.rounds * (start_s + contenders * plan.seconds) <= 60.0 + start_s
    assert plan_within(1.0, 10.0, contenders).rounds == 10
