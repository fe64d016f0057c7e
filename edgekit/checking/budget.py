"""A BUDGET.toml, typed and checked: gates, each an artifact with limits on a device.

Reads TOML. Opens no artifact and reaches no device. Paths in the file are meant from its folder.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.device import REQUIREMENTS
from edgekit.errors import UsageError
from edgekit.fields import Fields
from edgekit.measuring.comparing import is_kept
from edgekit.measuring.contenders import Asked, parse
from edgekit.metrics import POINTS, Metric

DEFAULT_BUDGET_S = 30.0
DEFAULT_DEVICE = "local-cpu"

# What a limit in milliseconds is of: wall time's percentiles; None is the median.
PERCENTILES = {"max_ms": None, "max_p90_ms": 90, "max_p95_ms": 95, "max_p99_ms": 99}
SLOWER = "max_slower"
SIZE, MEMORY = "max_mb", "max_rss_mb"
ACCURACY, DROP = "min_accuracy", "max_drop"

# Limit → its unit, and its lowest and highest value; of a metric, those of any (`refuse_beyond`).
LIMITS = {
    **dict.fromkeys(PERCENTILES, ("ms", 0.0, 1000000000.0)),
    SLOWER: ("%", -99.0, 10_000.0),
    SIZE: ("MB", 0.0, 1e9),
    MEMORY: ("MB", 0.0, 1e9),
    ACCURACY: ("%", -1e9, 1e9),
    DROP: ("points", -2e9, 2e9),
}
OF_METRIC = (ACCURACY, DROP)
OF_RUN = (*PERCENTILES, SLOWER, MEMORY)

_JUDGES = ("value", "interval")  # of accuracy

# A limit in milliseconds holds for one machine: one of these has to be required of it.
MACHINE = ("cpu_model", "machine")

_MOST_BYTES = 2**20
_MOST_GATES = 256
_LONGEST_S = 86_400.0
_PERCENT = re.compile(r"([+-]?\d{1,5}(?:\.\d{1,6})?) ?%")


@dataclass(frozen=True, slots=True)
class Gate:
    """One artifact and the limits it has to keep.

    Attributes:
        name: As in `[gate.NAME]`.
        artifact: What is judged.
        limits: Key of `LIMITS` → its value, in the limit's unit.
        device: Name or path of a device profile.
        budget_s: Seconds for the measuring.
        require: Facts of the device's environment that must hold.
        clock: "cpu" or "wall"; None chooses: CPU time for one thread, wall time otherwise.
        baseline: Artifact that is measured beside it.
        baseline_run: A contender of a run from before: "run:12/2", or a run's file.
        common: Artifact of that run, measured beside this one now.
        judge: What accuracy is judged by: "value" or "interval"; None is the value.
        evaluate: Whether accuracy is measured anew, not read from the manifest.
        samples: How many, then; None for as many as the manifest says.
        dataset: Name or path of the data set, then; None for the manifest's.
        lines: Key → its line in the file, counted from 1; "" is the gate's own.
    """

    name: str
    artifact: Asked
    limits: Mapping[str, float]
    device: str = DEFAULT_DEVICE
    budget_s: float = DEFAULT_BUDGET_S
    require: Mapping[str, str] = field(default_factory=dict)
    clock: str | None = None
    baseline: Asked | None = None
    baseline_run: str | None = None
    common: Asked | None = None
    judge: str | None = None
    evaluate: bool = False
    samples: int | None = None
    dataset: str | Path | None = None
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Budget:
    """A BUDGET.toml.

    Attributes:
        path: The file.
        gates: In its order.
    """

    path: Path
    gates: tuple[Gate, ...]


def read_budget(path: Path) -> Budget:
    """Parse a BUDGET.toml.

    Raises:
        UsageError: The file is absent, too large, not TOML, or a key is missing, unknown, of the
            wrong type or out of bounds; the message names file and key.
    """
    text = _text(path)
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    fields = Fields(data, str(path), UsageError)
    folder = path.parent
    usual = {
        "device": _device(fields, folder, DEFAULT_DEVICE),
        "budget_s": fields.number("budget_s", DEFAULT_BUDGET_S, low=1.0, high=_LONGEST_S),
    }
    require = _requirements(fields.table("require"))
    gates, names = fields.entries("gate", {}, most=_MOST_GATES)
    fields.done()
    if not names:
        raise UsageError(
            f"{path}: it holds no gate",
            hint="[gate.NAME] with an artifact and limits; edgekit check --init writes a first one",
        )
    lines = _lines(text)
    return Budget(
        path,
        tuple(
            _gate(
                name,
                Fields(gates.mapping(name), f"{path}: gate.{name}", UsageError),
                folder=folder,
                usual=usual,
                require=require,
                lines=lines.get(name, {}),
            )
            for name in names
        ),
    )


def _gate(
    name: str,
    fields: Fields,
    *,
    folder: Path,
    usual: Mapping[str, Any],
    require: Mapping[str, str],
    lines: Mapping[str, int],
) -> Gate:
    limits = {
        key: value
        for key in LIMITS
        if (value := _percent(fields) if key == SLOWER else _limit(fields, key)) is not None
    }
    baseline_run = fields.optional_name("baseline_run")
    samples = fields.optional_integer("samples", low=1, high=10**8)
    gate = Gate(
        name=name,
        artifact=_asked(folder, fields.name("artifact", longest=4096)),
        limits=limits,
        device=_device(fields, folder, usual["device"]),
        budget_s=fields.number("budget_s", usual["budget_s"], low=1.0, high=_LONGEST_S),
        require={**require, **_requirements(fields.table("require"))},
        clock=fields.text("clock", choices=("cpu", "wall")) if fields.has("clock") else None,
        baseline=_optional_asked(fields, folder, "baseline"),
        baseline_run=_run_of(folder, baseline_run) if baseline_run else None,
        common=_optional_asked(fields, folder, "common"),
        judge=fields.text("judge", choices=_JUDGES) if fields.has("judge") else None,
        evaluate=fields.flag("evaluate", default=False),
        samples=samples,
        dataset=_dataset(fields, folder),
        lines=lines,
    )
    fields.done()
    _refuse_senseless(gate, fields)
    return gate


def _refuse_senseless(gate: Gate, fields: Fields) -> None:
    """Refuse keys that would have no effect, and limits that nothing can be held against."""
    limits = gate.limits
    if not limits:
        raise fields.fail("limits", "it has none", hint=f"one of: {', '.join(LIMITS)}")
    relative = [key for key in ("baseline", "baseline_run") if getattr(gate, key) is not None]
    if SLOWER in limits and len(relative) != 1:
        told = "both baseline and baseline_run" if relative else "no baseline"
        raise fields.fail(
            SLOWER, f"{told}: slower than what?", hint='baseline = "build/before/tflite-int8"'
        )
    effects = (
        (relative[:1], SLOWER in limits, f"without {SLOWER} it limits nothing"),
        (["common"] * (gate.common is not None), gate.baseline_run, "it goes with baseline_run"),
        (["clock"] * (gate.clock is not None), {"max_ms", SLOWER} & {*limits},
         f"it goes with max_ms and {SLOWER}"),
        (["evaluate"] * gate.evaluate, {*OF_METRIC} & {*limits},
         f"it goes with {' and '.join(OF_METRIC)}"),
        (["judge"] * (gate.judge is not None), {*OF_METRIC} & {*limits},
         f"it goes with {' and '.join(OF_METRIC)}"),
        (["samples"] * (gate.samples is not None), gate.evaluate, "it goes with evaluate = true"),
        (["dataset"] * (gate.dataset is not None), gate.evaluate, "it goes with evaluate = true"),
    )  # fmt: skip
    for keys, has_effect, problem in effects:
        if keys and not has_effect:
            raise fields.fail(keys[0], problem)


def refuse_beyond(gate: Gate, metric: Metric, where: str) -> None:
    """Refuse limits of a metric that no model could break, or none could keep.

    Args:
        gate: With limits of it or without.
        metric: What the artifact is judged by.
        where: File and gate, for complaints.

    Raises:
        UsageError: A limit lies beyond what the metric can be.
    """
    scale = metric.scale
    accuracy = gate.limits.get(ACCURACY)
    if accuracy is not None and scale is POINTS and 0 < accuracy <= 1:
        raise UsageError(
            f"{where}: {ACCURACY}: {accuracy:g} is in percent: any model keeps it",
            hint=f"{ACCURACY} = {100 * accuracy:g}",
        )
    bounds = {ACCURACY: (scale.lowest, scale.highest), DROP: (-scale.widest, scale.widest)}
    for limit, (low, high) in bounds.items():
        value = gate.limits.get(limit)
        if value is not None and not low <= value <= high:
            raise UsageError(
                f"{where}: {limit}: {value:g} is outside {low:g}…{high:g}, where {metric.name} is"
            )


def _limit(fields: Fields, key: str) -> float | None:
    _, low, high = LIMITS[key]
    return fields.optional_number(key, low=low, high=high)


def _percent(fields: Fields) -> float | None:
    """`max_slower = "3 %"`: a bare 3 or 0.03 could be meant either way."""
    if not fields.has(SLOWER):
        return None
    _, low, high = LIMITS[SLOWER]
    try:
        text = fields.text(SLOWER)
    except UsageError as error:
        raise fields.fail(
            SLOWER, error.message.rpartition(f"{SLOWER}: ")[2], hint=f'{SLOWER} = "3 %"'
        ) from None
    found = _PERCENT.fullmatch(text.strip())
    if found is None or not low <= float(found[1]) <= high:
        raise fields.fail(
            SLOWER, f"{text!r:.40} is no percentage in {low:g}…{high:g}", hint=f'{SLOWER} = "3 %"'
        )
    return float(found[1])


def _asked(folder: Path, text: str) -> Asked:
    return parse(str(folder / text))


def _optional_asked(fields: Fields, folder: Path, key: str) -> Asked | None:
    text = fields.optional_name(key)
    return None if text is None else _asked(folder, text)


def _run_of(folder: Path, text: str) -> str:
    return text if is_kept(text) else str(folder / text)


def _device(fields: Fields, folder: Path, usual: str) -> str:
    text = fields.name("device", usual)
    if text != usual and (text.endswith(".toml") or "/" in text):
        return str(folder / text)
    return text


def _dataset(fields: Fields, folder: Path) -> str | Path | None:
    """A name, or with a slash or a suffix in it a path."""
    text = fields.optional_name("dataset")
    if text is None or not ("/" in text or "." in text):
        return text
    return folder / text


def _requirements(table: Fields) -> dict[str, str]:
    found = {key: table.optional_name(key) for key in REQUIREMENTS}
    table.done()
    return {key: value for key, value in found.items() if value is not None}


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except IsADirectoryError:
        raise UsageError(
            f"{path}: a folder, not a BUDGET.toml",
            hint="the file in it, or edgekit check --init ARTIFACT -o BUDGET.toml",
        ) from None
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"{path}: no such file",
            hint="edgekit check --init ARTIFACT -o BUDGET.toml writes a first one",
        ) from None
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{path}: more than {_MOST_BYTES:,} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error


_HEADER = re.compile(r"""\s*\[\s*gate\s*\.\s*(?:"([^"]*)"|'([^']*)'|([\w-]+))\s*\]""")
_KEY = re.compile(r"\s*([\w-]+)\s*=")


def _lines(text: str) -> dict[str, dict[str, int]]:
    """Gate → key → line, for whoever reads the file beside what came out; gaps do no harm."""
    found: dict[str, dict[str, int]] = {}
    here: dict[str, int] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            name = next(group for group in header.groups() if group is not None)
            here = found.setdefault(name, {})
            here.setdefault("", number)
        elif line.lstrip().startswith("["):
            here = None
        elif here is not None and (key := _KEY.match(line)):
            here.setdefault(key[1], number)
    return found
