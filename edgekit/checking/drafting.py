"""A first BUDGET.toml from what is measured now, with slack, for a person to go on from.

Measures all artifacts in one run, which the store keeps. Writes no file.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import __version__
from edgekit.checking.budget import DEFAULT_DEVICE, MACHINE
from edgekit.checking.judging import CLOCKS
from edgekit.errors import DeviceError
from edgekit.fields import toml_string
from edgekit.measuring.comparing import SECONDS, plan_within
from edgekit.measuring.contenders import Asked, distinct, gather
from edgekit.measuring.rounds import RoundRules
from edgekit.measuring.running import carry_out, new_run
from edgekit.metrics import MetricValue
from edgekit.progress import Report
from edgekit.run import Contender, Run
from edgekit.store import Store
from edgekit.summary import summarise
from edgekit.transports.connect import connect, find_profile

# How much worse than now is still allowed.
SLACK = 0.10
SIZE_SLACK = 0.02
ACCURACY_SLACK = 0.5


@dataclass(frozen=True, slots=True)
class Draft:
    """A first BUDGET.toml.

    Attributes:
        text: Its content.
        gates: Their names.
        number: Of the run in the store.
    """

    text: str
    gates: tuple[str, ...]
    number: int


def draft(
    asked: Sequence[Asked],
    *,
    folder: Path,
    device: str,
    budget_s: float,
    seed: int,
    store: Store,
    report: Report,
) -> Draft:
    """Measure artifacts and set limits that they keep today.

    Args:
        asked: Artifacts' folders, or folders that hold some.
        folder: Where the file will lie: paths are written from there.
        device: Name or path of a device profile.
        budget_s: Seconds for the measuring.
        seed: Of cores and orders.
        store: Keeps the run.
        report: Told about progress.

    Raises:
        EdgekitError: As `edgekit.verbs.profile.profile`.
    """
    profile = find_profile(device)
    if not asked:
        gather([], profile)  # says that nothing was named
    found = [
        (one, contender, artifact)
        for one in asked
        for contender, artifact in gather([one], profile)
    ]
    reached = connect(device)
    named = distinct([contender for _, contender, _ in found])
    rules = RoundRules(
        seconds=SECONDS,
        warmup=reached.profile.timing.warmup,
        cooldown_s=reached.profile.timing.cooldown_s,
        seed=seed,
    )
    kept = carry_out(
        new_run("profile", reached, named, {"budget_s": budget_s, **rules.to_json()}, once=True),
        [artifact for _, _, artifact in found],
        reached,
        rules,
        store,
        plan=lambda seconds: plan_within(budget_s, seconds, len(named)),
        report=report,
    )
    names = _names(named)
    gates = [
        _gate(name, _path(one, contender, folder), kept.run, index)
        for index, (name, (one, contender, _)) in enumerate(zip(names, found, strict=True))
    ]
    head = _head(kept.run, kept.number, _device(device, folder), budget_s)
    return Draft("\n".join([head, *gates]), tuple(names), kept.number)


def _head(run: Run, number: int, device: str, budget_s: float) -> str:
    return "\n".join(
        [
            f"# Written by edgekit {__version__} on {run.started[:10]} from run {number}:",
            f"# what was measured, with slack: {100 * SLACK:g} % for time and memory,",
            f"# {100 * SIZE_SLACK:g} % for size, {ACCURACY_SLACK:g} of its unit for accuracy.",
            "# Every limit is yours to change, or to remove.",
            *([] if device == DEFAULT_DEVICE else [f"device = {toml_string(device)}"]),
            f"budget_s = {budget_s:g}    # for the measuring of each gate",
            "",
            "[require]           # limits in milliseconds hold for one machine",
            _machine(run.environment),
            "",
        ]
    )


def _machine(environment: Mapping[str, Any]) -> str:
    for key in MACHINE:
        if environment.get(key):
            return f"{key} = {toml_string(str(environment[key]))}"
    raise DeviceError(
        "the device says neither its cpu_model nor its machine: limits in milliseconds would hold "
        "for none"
    )


def _gate(name: str, path: str, run: Run, index: int) -> str:
    one = run.contenders[index]
    figures = summarise(run.measurements_of(index))
    by_wall = one.by_wall or not figures.cpu_median_ms
    middle = figures.median_ms if by_wall else figures.cpu_median_ms
    low, high = figures.ci95_ms if by_wall else figures.cpu_ci95_ms
    size = one.bytes / 1e6
    told = f"{middle:.4g} [{low:.4g}, {high:.4g}], {CLOCKS['wall' if by_wall else 'cpu']}"
    rows = [
        ("max_ms", up(high * (1 + SLACK)), f"{told}, {figures.processes} processes"),
        ("max_mb", up(size * (1 + SIZE_SLACK)), f"{size:.4g}"),
    ]
    if figures.peak_rss_bytes is not None:
        peak = figures.peak_rss_bytes / 1e6
        rows.append(("max_rss_mb", up(peak * (1 + SLACK)), f"{peak:.4g} at most"))
    if one.metric is not None:
        rows += _of_metric(MetricValue.from_json(one.metric))
    lines = [f"[gate.{name}]", f"artifact = {toml_string(path)}"]
    lines += [f"{f'{key} = {value:.10g}':<24}# now {now}" for key, value, now in rows]
    lines += [
        '# baseline = "…"        # an artifact measured side by side: holds on any machine',
        '# max_slower = "3 %"',
        "",
    ]
    return "\n".join(lines)


def _of_metric(metric: MetricValue) -> list[tuple[str, float, str]]:
    low, high = metric.ci95
    scale = metric.scale
    told = f"{scale.text(metric.value)} [{low:.2f}, {high:.2f}], {metric.name}, "
    told += f"{metric.samples:,} samples"
    rows = []
    # Rounded first: 20.7 less 0.5 is a little under 20.2.
    if scale.better > 0:
        least = math.floor(round(10 * (metric.value - ACCURACY_SLACK), 6)) / 10
        rows += [("min_accuracy", max(scale.lowest, least), told)]
    if metric.drop is not None:
        most = math.ceil(round(10 * (max(0.0, metric.drop) + ACCURACY_SLACK), 6)) / 10
        rows.append(("max_drop", min(scale.widest, most), f"{metric.drop:+.2f} {scale.unit}"))
    return rows


def up(value: float) -> float:
    """Rounded up to three significant digits."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{math.ceil(value / step) * step:.10g}")


def _names(contenders: Sequence[Contender]) -> list[str]:
    """Names that TOML takes without quotes, each once."""
    found: list[str] = []
    for one in contenders:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", one.name).strip("-") or "gate"
        name, number = plain, 1
        while name in found:
            number += 1
            name = f"{plain}-{number}"
        found.append(name)
    return found


def _path(asked: Asked, contender: Contender, folder: Path) -> str:
    settings = [
        f"{key}={value}"
        for key in ("threads", "runtime", "delegate")
        if (value := getattr(asked, key)) is not None
    ]
    path = Path(os.path.relpath(contender.path, folder)).as_posix()
    return path + ("@" + ",".join(settings) if settings else "")


def _device(device: str, folder: Path) -> str:
    if device.endswith(".toml") or "/" in device:
        return Path(os.path.relpath(device, folder)).as_posix()
    return device
