from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from edgekit.errors import StoreError
from edgekit.store import Store, owner, place_of_store


def kept(store, run, make_turn, rounds=2):
    number = store.begin(run)
    for at in range(rounds):
        store.add_round(number, [make_turn(0, at), make_turn(1, at)])
    return number


def test_a_run_is_loaded_as_it_was_measured(store, place, make_run, make_turn):
    run = make_run()
    number = kept(store, run, make_turn)
    store.add_pass(number, 1, "memory", {"peak_bytes": 1, "steps": [0.5, None]})
    store.finish(number)
    with Store.open(place) as later:
        assert later.load(number) == replace(
            run,
            turns=(make_turn(0, 0), make_turn(1, 0), make_turn(0, 1), make_turn(1, 1)),
            passes={"mobilenet tflite-int8": {"memory": {"peak_bytes": 1, "steps": [0.5, None]}}},
        )


def test_a_finished_round_is_on_disk_before_the_run_is_finished(store, place, make_run, make_turn):
    number = kept(store, make_run(), make_turn, rounds=3)
    with Store.open(place) as other:
        assert other.load(number).rounds == 3
        (found,) = other.find(finished=False)
    assert (found.number, found.finished, found.rounds, found.processes) == (number, None, 3, 6)
    assert found.run == make_run()


def test_an_unfinished_run_of_the_same_key_is_gone_on_with(store, make_run, make_turn):
    number = kept(store, make_run(), make_turn)
    assert store.begin(make_run(started="2026-11-22T00:00:00Z")) == number
    store.add_round(number, [make_turn(0, 2)])
    assert store.load(number).rounds == 3


def test_a_finished_run_is_not_gone_on_with(store, make_run, make_turn):
    number = kept(store, make_run(), make_turn)
    store.finish(number)
    assert store.begin(make_run()) != number


def test_a_run_with_another_key_is_another_run(store, make_run):
    assert store.begin(make_run("mobilenet")) != store.begin(make_run("yolo", key="f" * 64))


def test_a_run_that_a_living_process_measures_is_left_to_it(store, place, make_run, sql):
    number = store.begin(make_run())
    neighbour = owner.myself().replace(f"/{os.getpid()}/", f"/{os.getppid()}/")
    neighbour = neighbour.rpartition("/")[0] + "/" + owner._began(os.getppid())
    sql(place, "UPDATE run SET owner = ?", neighbour)
    assert store.begin(make_run()) != number


@pytest.mark.parametrize("change", ["ended", "its number belongs to another process now"])
def test_a_run_whose_process_has_ended_is_gone_on_with(store, place, make_run, sql, change):
    number = store.begin(make_run())
    host, _, began = owner.myself().rsplit("/", 2)
    left = f"{host}/{2**22 + 5}/{began}" if change == "ended" else f"{host}/{os.getppid()}/1"
    sql(place, "UPDATE run SET owner = ?", left)
    assert store.begin(make_run()) == number


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_a_process_that_was_killed_is_gone_before_its_parent_has_asked_for_it():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    host = owner.myself().rsplit("/", 2)[0]
    name = f"{host}/{child.pid}/{owner._began(child.pid)}"
    assert owner.runs_here(name)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and still there
    assert owner.is_gone(name)
    child.communicate()


def test_a_run_of_another_machine_is_not_gone_on_with(store, place, make_run, sql):
    number = store.begin(make_run())
    sql(place, "UPDATE run SET owner = 'elsewhere/1/1'")
    assert store.begin(make_run()) != number


def test_a_round_is_kept_whole_or_not_at_all(store, make_run, make_turn):
    number = kept(store, make_run(), make_turn)
    with pytest.raises(StoreError, match="contender 7: no such contender"):
        store.add_round(number, [make_turn(0, 2), make_turn(7, 2)])
    with pytest.raises(StoreError, match="contender 1: it has round 1"):
        store.add_round(number, [make_turn(1, 1)])
    assert store.load(number).rounds == 2


def test_a_finished_run_takes_no_further_round(store, make_run, make_turn):
    number = kept(store, make_run(), make_turn)
    store.finish(number)
    with pytest.raises(StoreError, match="is finished"):
        store.add_round(number, [make_turn(0, 2)])


def test_what_is_not_there_is_an_error(store, make_turn):
    for call in (
        lambda: store.load(5),
        lambda: store.stored(5),
        lambda: store.finish(5),
        lambda: store.add_round(5, [make_turn()]),
        lambda: store.add_pass(5, 0, "memory", {}),
        lambda: store.delete([5]),
    ):
        with pytest.raises(StoreError, match="no run 5"):
            call()


def test_runs_are_found_by_what_one_contender_is(store, make_run):
    first = store.keep(make_run("mobilenet", ("fp32", "int8")))
    second = store.keep(make_run("yolo", ("fp16",), started="2026-11-22T01:00:00Z"))
    third = store.keep(make_run("yolo", ("int8",), command="compare", device="pi-5"))

    def numbers(**asked):
        return [found.number for found in store.find(**asked)]

    assert numbers() == [second, third, first]  # by time, not by number
    assert numbers(model="yolo") == [second, third]
    assert numbers(model="yolo", precision="fp32") == []
    assert numbers(precision="int8", target="tflite") == [third, first]
    assert numbers(sha256="b" * 64) == [first]
    assert numbers(sha256="aa") == [second, third, first]
    assert numbers(device="pi-5") == numbers(command="compare") == [third]
    assert numbers(since="2026-11-22") == [second]
    assert numbers(limit=1) == [second]
    assert numbers(finished=False) == []


def test_deleted_runs_leave_nothing_behind_and_their_numbers_are_not_given_again(
    store, place, make_run, make_turn, sql
):
    numbers = [kept(store, make_run(key=key), make_turn) for key in "abc"]
    store.add_pass(numbers[2], 0, "memory", {})
    store.delete(numbers[1:])
    assert [found.number for found in store.find(finished=None)] == numbers[:1]
    assert store.load(numbers[0]).rounds == 2
    for table, rows in (("run", 1), ("contender", 2), ("turn", 4), ("pass", 0)):
        assert sql(place, f"SELECT count(*) FROM {table}") == [(rows,)]
    assert store.begin(make_run(key="d")) > numbers[2]


def test_deleting_is_all_or_nothing(store, make_run):
    number = store.keep(make_run())
    with pytest.raises(StoreError, match="no run 99"):
        store.delete([number, 99])
    assert store.stored(number).number == number


def test_the_space_of_deleted_runs_is_given_back(store, place, make_run, make_turn):
    number = store.begin(make_run())
    store.add_round(number, [make_turn(calls=20_000)])
    store.delete([])  # the write-ahead log into the file
    before = place.stat().st_size
    store.delete([number])
    assert place.stat().st_size < before / 2


def test_the_store_is_the_users_unless_the_environment_names_another(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGEKIT_STORE", "~/other.sqlite")
    assert place_of_store().name == "other.sqlite"
    assert place_of_store().is_absolute()
    monkeypatch.delenv("EDGEKIT_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert place_of_store().name == "measurements.sqlite"


def test_a_number_that_is_not_finite_is_refused_and_nothing_is_kept(store, make_run, make_turn):
    number = store.begin(make_run())
    with pytest.raises(ValueError, match="JSON"):
        store.add_round(number, [make_turn(environment={"load_1min": float("nan")})])
    assert store.load(number).rounds == 0


def test_a_run_that_another_process_measures_is_not_deleted(store, place, make_run, sql):
    number = store.begin(make_run())
    host = owner.myself().rsplit("/", 2)[0]
    parent = f"{host}/{os.getppid()}/{owner._began(os.getppid())}"
    sql(place, "UPDATE run SET owner = ?", parent)
    assert store.stored(number).is_running
    with pytest.raises(StoreError, match="being measured"):
        store.delete([number])
    assert store.known("run") == [str(number)]
