"""Kinds of option values that click lacks."""

from __future__ import annotations

import math
from typing import Any

import click

from edgekit.errors import UsageError


class FiniteFloat(click.FloatRange):
    """A number within a range; `nan` and `inf`, which no range refuses, are none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


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
