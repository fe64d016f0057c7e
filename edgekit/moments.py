"""Moments as text: UTC, ISO 8601 with seconds, "2026-11-21T23:17:28Z", which sorts by time.

Reads what people write for a moment, and what files say. Does not measure time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from edgekit.errors import UsageError

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def now() -> str:
    """The present moment."""
    return datetime.now(UTC).strftime(_FORM)


def moment_before(*, days: float) -> str:
    """The moment that many days before the present; after it where `days` is below 0."""
    return (datetime.now(UTC) - timedelta(days=days)).strftime(_FORM)


def moment_since(text: str) -> str:
    """The moment that a person means by a date, a time (of UTC, unless it says) or an age: `7d`.

    Raises:
        UsageError: It is none of these.
    """
    text = text.strip()
    if age := re.fullmatch(r"([0-9]{1,5})\s*([dh])", text):
        return moment_before(days=int(age[1]) / {"d": 1, "h": 24}[age[2]])
    try:
        then = datetime.fromisoformat(text)
        then = then.replace(tzinfo=UTC) if then.tzinfo is None else then.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r:.80}: expected a date like 2026-11-21, or an age like 7d"
        ) from None
    return f"{then.year:04}{then.strftime(_FORM[2:])}"


def is_moment(text: str) -> bool:
    """Whether it is a moment as `now` writes it."""
    try:
        return moment_since(text) == text
    except UsageError:
        return False
