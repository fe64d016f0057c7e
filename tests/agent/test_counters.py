from __future__ import annotations

import pytest

from edgekit.agent.counters import EnergyCounter, find_counter


def test_a_machine_without_counters_says_what_it_has_not(tree_of):
    assert find_counter(tree_of({})) == "no counter: no RAPL; no amd_energy; no battery"


def test_packages_are_added_up_and_parts_of_them_are_not(tree_of, rapl):
    tree = tree_of(rapl({"package-0": 10.0, "package-1": 5.0, "psys": 99.0}))
    counter = find_counter(tree)
    assert isinstance(counter, EnergyCounter)
    assert counter.name == "RAPL (package-0, package-1)"
    before = counter.read()
    tree_of(rapl({"package-0": 12.5, "package-1": 6.0, "psys": 199.0}))
    assert counter.joules(before, counter.read()) == pytest.approx(3.5)


def test_a_counter_that_began_again_is_put_right(tree_of, rapl):
    counter = find_counter(tree_of(rapl({"package-0": 99.0}, span=100.0)))
    before = counter.read()
    tree_of(rapl({"package-0": 1.0}, span=100.0))
    assert counter.joules(before, counter.read()) == pytest.approx(2.0)


def test_a_counter_for_root_alone_is_told_apart_from_none(tree_of, rapl):
    files = rapl({"package-0": 1.0})
    del files["sys/class/powercap/intel-rapl:0/energy_uj"]
    assert "cannot be read" in find_counter(tree_of(files))


def test_sockets_of_amd_energy_count_and_cores_do_not(tree_of):
    base = "sys/class/hwmon/hwmon2"
    counter = find_counter(
        tree_of(
            {
                f"{base}/name": "amd_energy",
                f"{base}/energy1_input": 7_000_000,
                f"{base}/energy1_label": "Ecore000",
                f"{base}/energy2_input": 9_000_000,
                f"{base}/energy2_label": "Esocket0",
            }
        )
    )
    assert counter.read() == {"Esocket0": 9.0}


def test_another_sensor_of_power_is_no_counter(tree_of):
    base = "sys/class/hwmon/hwmon0"
    tree = tree_of({f"{base}/name": "amdgpu", f"{base}/power1_input": 20_000_000})
    assert isinstance(find_counter(tree), str)


@pytest.mark.parametrize(
    ("files", "watts"),
    [
        ({"power_now": 12_500_000}, 12.5),
        ({"current_now": -1_500_000, "voltage_now": 12_000_000}, 18.0),
    ],
)
def test_a_battery_counts_while_the_machine_runs_on_it(tree_of, files, watts):
    base = "sys/class/power_supply/BAT0"
    told = {f"{base}/{key}": value for key, value in files.items()}
    tree = tree_of({f"{base}/type": "Battery", f"{base}/status": "Discharging", **told})
    assert find_counter(tree).watts() == watts
    tree_of({f"{base}/status": "Charging"})
    assert "not discharging" in find_counter(tree)


def test_a_battery_that_tells_no_power_is_no_counter(tree_of):
    base = "sys/class/power_supply/BAT0"
    tree = tree_of({f"{base}/type": "Battery", f"{base}/status": "Discharging"})
    assert "tells no power" in find_counter(tree)
