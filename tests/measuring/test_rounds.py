"""Rounds: who computes when, on which core, and that an ended run goes on as it would have."""

from __future__ import annotations

import random
from contextlib import contextmanager

import pytest

from edgekit.errors import DeviceError
from edgekit.job import Job
from edgekit.measuring import rounds
from edgekit.measuring.rounds import RoundRules, measure_round, take_turns
from edgekit.transports.base import Transport

CORES = [2, 3, 5]
RULES = RoundRules(seconds=0.0, warmup=11, seed=4)


class Listening(Transport):
    """A device whose sessions do nothing but remember."""

    def __init__(self, measured):
        self.measured = measured
        self.opened = []
        self.steps = []

    @classmethod
    def from_profile(cls, profile):
        raise NotImplementedError

    def _run(self, job, timeout_s):
        raise NotImplementedError

    @contextmanager
    def session(self, job):
        self.opened.append(job)
        yield Remembering(self, job.model)
        self.steps.append(("close", job.model))


class Remembering:
    def __init__(self, device, model):
        self._device, self._model = device, model

    def block(self, seconds, min_calls):
        self._device.steps.append(("block", self._model))

    def work(self, seconds):
        self._device.steps.append(("work", self._model))

    def measurement(self):
        self._device.steps.append(("measured", self._model))
        return self._device.measured(1.0)[0]


@pytest.fixture
def device(measured):
    return Listening(measured)


def jobs(count, threads=1):
    return [
        Job(action="measure", runtime="litert", model=f"{number}", threads=threads)
        for number in range(count)
    ]


def run(device, number=0, count=3, **changes):
    device.opened.clear()
    device.steps.clear()
    return measure_round(
        device, jobs(count, **changes), number, rules=RULES, cores=CORES, since=0.0
    )


def test_every_contender_has_a_turn_of_its_own_process(device):
    turns = run(device)
    assert [turn.contender for turn in turns] == [0, 1, 2]
    assert sorted(job.model for job in device.opened) == ["0", "1", "2"]
    assert [turn.position for turn in turns] == [
        [job.model for job in device.opened].index(name) for name in "012"
    ]


def test_all_processes_live_while_any_of_them_computes(device):
    run(device)
    kinds = [kind for kind, _ in device.steps]
    assert kinds[-3:] == ["close"] * 3
    assert "close" not in kinds[:-3]


def test_each_cycle_gives_every_contender_one_block_in_an_order_of_its_own(device):
    orders = set()
    for number in range(12):
        run(device, number)
        blocks = [model for kind, model in device.steps if kind == "block"]
        cycles = [tuple(blocks[at : at + 3]) for at in range(0, len(blocks), 3)]
        assert len(cycles) == 3
        assert all(sorted(cycle) == ["0", "1", "2"] for cycle in cycles)
        orders |= set(cycles)
    assert len(orders) == 6


def test_a_round_pins_all_to_one_core_and_rounds_change_it(device):
    cores = []
    for number in range(20):
        (core,) = {turn.cpu for turn in run(device, number)}
        cores.append(core)
    assert set(cores) == set(CORES)


def test_several_threads_are_not_pinned(device):
    assert {turn.cpu for turn in run(device, threads=2)} == {None}


def test_a_device_that_names_no_cores_gets_no_pin(device):
    turns = measure_round(device, jobs(2), 0, rules=RULES, cores=None, since=0.0)
    assert {turn.cpu for turn in turns} == {None}


def test_each_order_of_starting_is_followed_by_its_reverse(device):
    orders = []
    for number in range(20):
        run(device, number)
        orders.append([job.model for job in device.opened])
    for one, other in zip(orders[::2], orders[1::2], strict=True):
        assert other == one[::-1]
    assert len({tuple(order) for order in orders}) == 6


def test_all_compute_a_little_before_the_first_block(device):
    run(device)
    assert [kind for kind, _ in device.steps[:4]] == ["work"] * 3 + ["block"]
    assert sorted(model for _, model in device.steps[:3]) == ["0", "1", "2"]


def test_a_round_is_drawn_from_seed_and_number_alone(device):
    def drawn(number):
        run(device, number)
        return [(job.model, job.cpu) for job in device.opened], list(device.steps)

    assert drawn(7) == drawn(7)
    assert any(drawn(7) != drawn(number) for number in range(5))


def test_the_warm_up_is_the_rules(device):
    run(device)
    assert {job.timing.warmup_calls for job in device.opened} == {11}


def test_work_that_nobody_times_follows_each_block(device):
    sessions = {0: Remembering(device, "a")}
    take_turns(sessions, 0.0, random.Random(0), spins=False, work_s=0.1)
    assert device.steps == [("block", "a"), ("work", "a")] * 3


def test_worker_threads_are_given_time_to_come_to_rest(device, monkeypatch):
    pauses = []
    monkeypatch.setattr(rounds.time, "sleep", pauses.append)
    run(device, threads=1)
    assert pauses == []
    run(device, threads=2)
    assert len(pauses) == len([1 for kind, _ in device.steps if kind == "block"])


def test_a_transport_that_keeps_no_process_cannot_take_turns(device):
    with pytest.raises(DeviceError, match="this device keeps no model loaded"):
        Transport.session(device, jobs(1)[0])
