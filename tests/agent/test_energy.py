from __future__ import annotations

import json

import pytest

from edgekit.agent.energy import Clock, measure_energy
from edgekit.passes import parse

IDLE_W, PER_CALL_J, CALL_S = 5.0, 0.25, 0.05


class Machine:
    """Draws a steady power at rest and some joules more for each call, in time of its own."""

    def __init__(self, tree_of, files):
        self.time, self.energy, self.tree_of, self.files = 0.0, 100.0, tree_of, files
        self.write()

    def write(self):
        self.tree = self.tree_of(self.files(self.energy))

    def sleep(self, seconds):
        self.time += seconds
        self.energy += IDLE_W * seconds
        self.write()

    def call(self):
        self.energy += PER_CALL_J
        self.sleep(CALL_S)

    @property
    def clock(self):
        return Clock(now=lambda: self.time, sleep=self.sleep)


def test_idle_power_is_subtracted_from_what_a_call_draws(tree_of, rapl):
    machine = Machine(tree_of, lambda joules: rapl({"package-0": joules}))
    tree_of({"sys/class/thermal/thermal_zone0/temp": 40_000})
    found = measure_energy(
        machine.call, machine.tree, seconds=1.0, repetitions=6, clock=machine.clock
    )
    assert found["joules"]["median"] == pytest.approx(PER_CALL_J, rel=1e-3)
    low, high = found["joules"]["ci95"]
    assert low <= found["joules"]["median"] <= high
    assert found["idle_watts"] == pytest.approx(IDLE_W, rel=1e-3)
    assert found["active_watts"] == pytest.approx(IDLE_W + PER_CALL_J / CALL_S, rel=1e-3)
    assert found["calls"] == pytest.approx(6 / CALL_S, abs=6)
    assert found["temperature_c"] == {"before": 40.0, "after": 40.0}
    assert parse("energy", json.loads(json.dumps(found))) == found


def test_a_battery_is_read_again_and_again(tree_of):
    base = "sys/class/power_supply/BAT0"
    state = {"working": False}

    def files(_joules):
        watts = IDLE_W + PER_CALL_J / CALL_S * state["working"]
        return {
            f"{base}/type": "Battery",
            f"{base}/status": "Discharging",
            f"{base}/power_now": round(watts * 1e6),
        }

    machine = Machine(tree_of, files)

    def call():
        state["working"] = True
        machine.call()
        state["working"] = False

    found = measure_energy(call, machine.tree, seconds=2.0, repetitions=6, clock=machine.clock)
    # The first reading of a stretch still sees the rest before it.
    assert found["joules"]["median"] == pytest.approx(PER_CALL_J, rel=0.1)
    assert found["temperature_c"] == {"before": None, "after": None}


def test_a_counter_that_falls_silent_is_unavailable(tree_of, rapl):
    machine = Machine(tree_of, lambda joules: rapl({"package-0": joules}))
    place = machine.tree.root / "sys/class/powercap/intel-rapl:0/energy_uj"
    found = measure_energy(
        lambda: (machine.call(), place.unlink()),
        machine.tree,
        seconds=CALL_S / 2,
        repetitions=2,
        clock=machine.clock,
    )
    assert found == {"unavailable": "RAPL (package-0) fell silent during the measurement"}


def test_a_counter_that_stands_still_measures_no_zero(tree_of, rapl):
    tree = tree_of(rapl({"package-0": 7.0}))
    time = iter(range(10_000))
    clock = Clock(now=lambda: float(next(time)), sleep=lambda _seconds: None)
    found = measure_energy(lambda: None, tree, seconds=3.0, repetitions=2, clock=clock)
    assert "did not move" in found["unavailable"]
