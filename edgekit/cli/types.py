"""Kinds of option values that click lacks, and options that several verbs have."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from edgekit.cli import names
from edgekit.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


class Duration(click.ParamType):  # type: ignore[type-arg]  # not generic in click 8.1
    """Seconds from `90s`, `5m`, `1h` or a plain number of seconds.

    Args:
        least: Fewest seconds that are accepted.
    """

    name = "time"

    def __init__(self, least: float = 0.0) -> None:
        self._least = least

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*([smh]?)", str(value).strip())
        if found is None:
            self.fail(f"{value!r}: expected a time like 90s, 5m or 1h", param, ctx)
        seconds = float(found[1]) * {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}[found[2]]
        if seconds < self._least:
            self.fail(f"{value!r}: at least {self._least:g}s", param, ctx)
        return seconds


def device_option(command: F) -> F:
    """Add `--device` and `--runtime`: parameters `device` and `runtime`."""
    command = click.option("--runtime", help="Runtime to use instead of the device's preference.")(
        command
    )
    return click.option(
        "--device",
        default="local-cpu",
        show_default=True,
        shell_complete=names.complete_devices,
        help="Profile name, or path to a TOML file.",
    )(command)


def devices_option(command: F) -> F:
    """As `device_option`; `--device` may be given several times: the parameter is a tuple."""
    command = click.option("--runtime", help="Runtime to use instead of the device's preference.")(
        command
    )
    return click.option(
        "--device",
        multiple=True,
        default=("local-cpu",),
        show_default=True,
        shell_complete=names.complete_devices,
        help="Profile name, or path to a TOML file; several, or a pattern like 'ethos-u*', of "
        "devices that estimate.",
    )(command)


class FiniteFloat(click.FloatRange):
    """A number within a range; `nan` and `inf`, which no range refuses, are none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class Since(click.ParamType):  # type: ignore[type-arg]  # not generic in click 8.1
    """A moment in UTC, from a date, a time in ISO 8601, or an age: `7d`, `12h`.

    Gives text that sorts by time: "2026-11-21T23:17:28Z".
    """

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from edgekit.moments import moment_since

        try:
            return moment_since(str(value))
        except UsageError as error:
            self.fail(error.message, param, ctx)


def value_range(text: str) -> tuple[float, float]:
    """The two numbers of `--input-range`; raises UsageError."""
    pair = numbers("--input-range", text, float)
    if len(pair) != 2 or not pair[0] < pair[1]:
        raise UsageError(f"--input-range {text!r}: expected LOW,HIGH", hint="--input-range=-1,1")
    return pair[0], pair[1]


def numbers(option: str, text: str, kind: type) -> tuple[Any, ...]:
    """The finite numbers of an option that takes several; raises UsageError."""
    try:
        found = tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"{option} {text!r}: expected numbers with commas") from None
    if not all(math.isfinite(number) for number in found):
        raise UsageError(f"{option} {text!r}: expected finite numbers")
    if kind is int and any(number < 1 for number in found):
        raise UsageError(f"{option} {text!r}: every size must be at least 1")
    return found
