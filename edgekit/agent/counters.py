"""Counters of energy and gauges of power that a system has; an absent one says why it is absent.

RAPL (Intel, AMD; Linux's powercap), amd_energy and the battery of a machine that runs on it. A
gauge of unknown wiring (hwmon's power1_input of a graphics card, say) is none: it would measure
something else.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.agent.tree import Tree


@dataclass(frozen=True)
class EnergyCounter:
    """Files that count microjoules, added up.

    Attributes:
        tree: Files of the machine.
        name: What it is.
        files: Domain → file.
        spans: Domain → joules after which it begins again; absent where it doesn't say.
    """

    tree: Tree
    name: str
    files: dict[str, str]
    spans: dict[str, float]

    def read(self) -> dict[str, float] | None:
        """Joules by domain; None where it fell silent."""
        found = {domain: self.tree.number(file) for domain, file in self.files.items()}
        known = {domain: value / 1e6 for domain, value in found.items() if value is not None}
        return known if len(known) == len(found) else None

    def joules(self, before: dict[str, float], after: dict[str, float]) -> float:
        """Energy between two readings."""
        total = 0.0
        for domain, start in before.items():
            spent = after[domain] - start
            total += spent if spent >= 0 else spent + self.spans.get(domain, 0.0)
        return total


@dataclass(frozen=True)
class Battery:
    """What a battery gives while the machine runs on it: power, to be read again and again.

    Attributes:
        tree: Files of the machine.
        name: What it is and what it covers.
        place: Its folder.
    """

    tree: Tree
    name: str
    place: str

    def watts(self) -> float | None:
        """Power now; None where it fell silent."""
        power = self.tree.number(f"{self.place}/power_now")
        if power is not None:
            return abs(power) / 1e6
        current = self.tree.number(f"{self.place}/current_now")
        voltage = self.tree.number(f"{self.place}/voltage_now")
        if current is None or voltage is None:
            return None
        return abs(current) * voltage / 1e12


# What tells energy: a count of it, or power over time.
Source = EnergyCounter | Battery


def find_counter(tree: Tree) -> Source | str:
    """The best counter of this machine, or why there is none."""
    reasons: list[str] = []
    for find in (_rapl, _amd_energy, _battery):
        found = find(tree)
        if not isinstance(found, str):
            return found
        reasons.append(found)
    return "no counter: " + "; ".join(reasons)


def _rapl(tree: Tree) -> Source | str:
    """Whole packages; parts of them (core, uncore) are in them already."""
    packages = {
        f"{tree.text(f'{place}/name')} {place.rpartition(':')[2]}": place
        for place in tree.folders("sys/class/powercap/*rapl:*")
        if place.count(":") == 1 and (tree.text(f"{place}/name") or "").startswith("package")
    }
    if not packages:
        return "no RAPL"
    spans = {
        name: span / 1e6
        for name, place in packages.items()
        if (span := tree.number(f"{place}/max_energy_range_uj")) is not None
    }
    files = {name: f"{place}/energy_uj" for name, place in packages.items()}
    names = ", ".join(tree.text(f"{place}/name") or "" for place in packages.values())
    counter = EnergyCounter(tree, f"RAPL ({names})", files, spans)
    if counter.read() is None:
        return "RAPL is there and its energy_uj cannot be read (most systems let only root)"
    return counter


def _amd_energy(tree: Tree) -> Source | str:
    files = {}
    for place in tree.folders("sys/class/hwmon/*"):
        if tree.text(f"{place}/name") != "amd_energy":
            continue
        for file in tree.folders(f"{place}/energy*_input"):
            label = tree.text(file.replace("_input", "_label")) or ""
            if label.startswith("Esocket"):
                files[label] = file
    counter = EnergyCounter(tree, f"amd_energy ({', '.join(files)})", files, {})
    if not files:
        return "no amd_energy"
    return counter if counter.read() is not None else "amd_energy cannot be read"


def _battery(tree: Tree) -> Source | str:
    reason = "no battery"
    for place in tree.folders("sys/class/power_supply/*"):
        if tree.text(f"{place}/type") != "Battery" or tree.text(f"{place}/scope") == "Device":
            continue
        gauge = Battery(tree, f"battery {place.rpartition('/')[2]} (whole machine)", place)
        if tree.text(f"{place}/status") != "Discharging":
            reason = "the battery is not discharging, so it doesn't feed the machine"
        elif gauge.watts() is None:
            reason = "the battery tells no power"
        else:
            return gauge
    return reason
