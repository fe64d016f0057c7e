"""Take values out of parsed JSON or TOML that somebody else wrote, one checked field at a time.

Every complaint names the place and the key. Bounds are part of the call, so that no number or text
of any size gets through unseen. Does not know what a field means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.errors import EdgekitError

_REQUIRED: Any = object()


class Fields:
    """The fields of one mapping, taken by name; `done()` refuses what nobody took.

    Args:
        data: What was parsed.
        where: File or message, as it stands in complaints.
        error: Kind of error to raise.
    """

    def __init__(self, data: Any, where: str, error: type[EdgekitError]) -> None:
        if not isinstance(data, Mapping):
            raise error(f"{where}: expected a table of keys, found {_shown(data)}")
        self._left = dict(data)
        self._where = where
        self._error = error

    def fail(self, key: str, problem: str, *, hint: str | None = None) -> EdgekitError:
        """The error for one key, to be raised by the caller."""
        return self._error(f"{self._where}: {key}: {problem}", hint=hint)

    def has(self, key: str) -> bool:
        """Whether the key is there and not null."""
        return self._left.get(key) is not None

    def text(
        self,
        key: str,
        default: Any = _REQUIRED,
        *,
        choices: Sequence[str] = (),
        longest: int = 4096,
    ) -> str:
        """A string of at most `longest` characters, one of `choices` if there are any."""
        value = self._take(key, default)
        if not isinstance(value, str):
            raise self.fail(key, f"expected text, found {_shown(value)}")
        if len(value) > longest:
            raise self.fail(key, f"{len(value)} characters; at most {longest} are accepted")
        if choices and value not in choices:
            raise self.fail(key, f"{_shown(value)} is not one of {', '.join(choices)}")
        return value

    def optional_text(self, key: str) -> str | None:
        """As `text`; None where the key is absent or null."""
        if not self.has(key):
            self._left.pop(key, None)
            return None
        return self.text(key)

    def integer(self, key: str, default: Any = _REQUIRED, *, low: int = 0, high: int) -> int:
        """A whole number in `low`…`high`."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.fail(key, f"expected a whole number, found {_shown(value)}")
        if not low <= value <= high:
            raise self.fail(key, f"{value} is outside {low}…{high}")
        return value

    def optional_integer(self, key: str, *, low: int = 0, high: int) -> int | None:
        """As `integer`; None where the key is absent or null."""
        if not self.has(key):
            self._left.pop(key, None)
            return None
        return self.integer(key, low=low, high=high)

    def number(self, key: str, default: Any = _REQUIRED, *, low: float = 0.0, high: float) -> float:
        """A finite number in `low`…`high`."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.fail(key, f"expected a number, found {_shown(value)}")
        if not (math.isfinite(value) and low <= value <= high):
            raise self.fail(key, f"{value} is outside {low:g}…{high:g}")
        return float(value)

    def optional_number(self, key: str, *, low: float = 0.0, high: float) -> float | None:
        """As `number`; None where the key is absent or null."""
        if not self.has(key):
            self._left.pop(key, None)
            return None
        return self.number(key, low=low, high=high)

    def flag(self, key: str, default: Any = _REQUIRED) -> bool:
        """true or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, f"expected true or false, found {_shown(value)}")
        return value

    def items(self, key: str, default: Any = _REQUIRED, *, most: int) -> list[Any]:
        """A list of at most `most` entries, unchecked themselves."""
        value = self._take(key, default)
        if not isinstance(value, (list, tuple)):
            raise self.fail(key, f"expected a list, found {_shown(value)}")
        if len(value) > most:
            raise self.fail(key, f"{len(value)} entries; at most {most} are accepted")
        return list(value)

    def integers(self, key: str, *, most: int, low: int, high: int) -> tuple[int, ...]:
        """A list of whole numbers in `low`…`high`."""
        values = self.items(key, most=most)
        for value in values:
            if type(value) is not int or not low <= value <= high:
                raise self.fail(key, f"{_shown(value)} is not a whole number in {low}…{high}")
        return tuple(values)

    def mapping(self, key: str, default: Any = _REQUIRED) -> dict[str, Any]:
        """A table, unchecked itself."""
        value = self._take(key, default)
        if not isinstance(value, Mapping):
            raise self.fail(key, f"expected a table of keys, found {_shown(value)}")
        return dict(value)

    def optional_mapping(self, key: str) -> dict[str, Any] | None:
        """As `mapping`; None where the key is absent or null."""
        if not self.has(key):
            self._left.pop(key, None)
            return None
        return self.mapping(key)

    def table(self, key: str) -> Fields:
        """The fields of a table; an absent one is empty."""
        return Fields(self._take(key, {}), f"{self._where}: {key}", self._error)

    def done(self) -> None:
        """Refuse the keys that nobody took."""
        if self._left:
            unknown = ", ".join(str(key)[:80] for key in sorted(self._left, key=str)[:5])
            raise self._error(f"{self._where}: unknown key {unknown}")

    def _take(self, key: str, default: Any) -> Any:
        if key in self._left:
            return self._left.pop(key)
        if default is _REQUIRED:
            raise self._error(f"{self._where}: the key {key!r} is missing")
        return default


def printable(value: Any) -> Any:
    """Parsed JSON with every control character replaced: a terminal obeys what it is shown."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
    if isinstance(value, list):
        return [printable(item) for item in value]
    if isinstance(value, dict):
        return {printable(key): printable(item) for key, item in value.items()}
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
