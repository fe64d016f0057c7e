"""What device and processes said about themselves. What they did not say is unavailable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgekit.reporting import wording
from edgekit.reporting.facts import Row, RunFacts
from edgekit.reporting.page import Cell, Section, table

_MOST_FACTS = 300
_LONGEST = 400


def environment_section(key: str, one: RunFacts) -> Section:
    """Rules, facts of the device before the run, and facts of the processes that measured."""
    device = dict(_flat(one.run.environment))
    facts = list(device.items())[:_MOST_FACTS]
    rules = [[_name(name), _value(value)] for name, value in _flat(one.run.rules)]
    tables = [
        table(
            f"{key}-rules",
            "Rules of the run",
            ("rule", "value"),
            rules[:_MOST_FACTS],
            folded="Rules",
        ),
        table(
            f"{key}-device",
            f"What the device {one.run.device} said about itself before the run",
            ("fact", "value"),
            [[_name(name), _value(value)] for name, value in facts],
            folded="The device",
        ),
    ]
    found = _of_processes(one, device)
    if found:
        tables.append(
            table(
                f"{key}-processes",
                "What the processes said about themselves, where it is another thing; where it "
                "differs between the processes of a contender, from the lowest to the highest",
                ("fact", "contender", "value"),
                found,
                folded="The processes",
            )
        )
    paragraphs = (_in_words(device),)
    return Section(f"{key}-environment", "Environment", 3, paragraphs, tables=tuple(tables))


def _in_words(device: Mapping[str, Any]) -> str:
    told = (
        ("processor", "cpu_model"), ("system", "system"), ("kernel", "kernel"),
        ("governor", "cpu_governor"), ("temperature, °C", "temperature_c"),
        ("load over 1 min", "load_1min"),
    )  # fmt: skip
    parts = [f"{label}: {_text(device.get(name))}" for label, name in told]
    return wording.sentence("; ".join(parts)) + "."


def _of_processes(one: RunFacts, device: Mapping[str, Any]) -> list[list[Cell | str]]:
    by_fact: dict[str, dict[str, list[str]]] = {}
    for row in one.rows:
        for name, values in _values(row).items():
            if all(name in device and value == device[name] for value in values):
                continue
            by_fact.setdefault(name, {}).setdefault(_spread(values), []).append(row.label)
    rows: list[list[Cell | str]] = []
    for name, said in sorted(by_fact.items()):
        for text, labels in said.items():
            who = "all" if len(labels) == len(one.rows) > 1 else ", ".join(labels)
            rows.append([_name(name), who, _shown(text)])
    return rows[:_MOST_FACTS]


def _values(row: Row) -> dict[str, list[Any]]:
    """Fact → its value in every process that mentioned it."""
    found: dict[str, list[Any]] = {}
    for measurement in row.measurements:
        for name, value in _flat(measurement.environment):
            found.setdefault(name, []).append(value)
    return found


def _spread(values: list[Any]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return wording.UNAVAILABLE
    if all(value == known[0] for value in known):
        return _text(known[0])
    if all(isinstance(value, int | float) for value in known):
        return f"{_text(min(known))} to {_text(max(known))}"
    return "; ".join(sorted({_text(value) for value in known}))


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _text(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return wording.UNAVAILABLE if value is None else "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return str(value)


def _name(name: str) -> Cell:
    return Cell(wording.clipped(name, _LONGEST), code=True)


def _value(value: Any) -> Cell:
    return _shown(_text(value))


def _shown(text: str) -> Cell:
    return Cell(wording.clipped(text, _LONGEST), weak=text == wording.UNAVAILABLE)
