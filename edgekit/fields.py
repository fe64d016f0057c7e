"""Take values out of parsed JSON or TOML that somebody else wrote, one checked field at a time.

Every complaint names the place and the key. Bounds are part of the call, so that no number or text
of any size gets through unseen. Does not know what a field means.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from edgekit.errors import EdgekitError

# What a person may set by name.
Setting = str | bool | int | float

_REQUIRED: Any = object()
_CONTROLS = ("Cc", "Cs", "Zl", "Zp")  # Unicode categories


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
        self._asked: set[str] = set()
        self._where = where
        self._error = error

    def fail(self, key: str, problem: str, *, hint: str | None = None) -> EdgekitError:
        """The error for one key, to be raised by the caller."""
        return self._error(f"{self._where}: {key}: {problem}", hint=hint)

    def has(self, key: str) -> bool:
        """Whether the key is there and not null."""
        self._asked.add(key)
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

    def name(self, key: str, default: Any = _REQUIRED, *, longest: int = 255) -> str:
        """A text to show and compare: not empty, on one line, without control characters."""
        value = self.text(key, default, longest=longest)
        if not is_name(value):
            raise self.fail(key, f"{_shown(value)} is no name")
        return value

    def optional_name(self, key: str) -> str | None:
        """As `name`; None where the key is absent or null."""
        if not self.has(key):
            self._left.pop(key, None)
            return None
        return self.name(key)

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
            raise self.fail(key, f"{_shown(value)} is outside {low}…{high}")
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
        # Compared first: an integer of any length compares, but is not always a float.
        if not (low <= value <= high and math.isfinite(value)):
            raise self.fail(key, f"{_shown(value)} is outside {low:g}…{high:g}")
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

    def items(self, key: str, default: Any = _REQUIRED, *, least: int = 0, most: int) -> list[Any]:
        """A list of `least` to `most` entries, unchecked themselves."""
        value = self._take(key, default)
        if not isinstance(value, (list, tuple)):
            raise self.fail(key, f"expected a list, found {_shown(value)}")
        if len(value) > most:
            raise self.fail(key, f"{len(value)} entries; at most {most} are accepted")
        if len(value) < least:
            raise self.fail(key, f"{len(value)} entries; at least {least} is needed")
        return list(value)

    def integers(
        self, key: str, default: Any = _REQUIRED, *, most: int, low: int, high: int
    ) -> tuple[int, ...]:
        """A list of whole numbers in `low`…`high`."""
        values = self.items(key, default, most=most)
        for value in values:
            if type(value) is not int or not low <= value <= high:
                raise self.fail(key, f"{_shown(value)} is not a whole number in {low}…{high}")
        return tuple(values)

    def interval(self, key: str, *, low: float, high: float) -> tuple[float, float]:
        """A list of two finite numbers in `low`…`high`, the smaller first."""
        values = self.items(key, most=2)
        if len(values) != 2:
            raise self.fail(key, f"expected [lowest, highest], found {_shown(values)}")
        pair = Fields(
            dict(zip(("0", "1"), values, strict=True)), f"{self._where}: {key}", self._error
        )
        first, second = pair.number("0", low=low, high=high), pair.number("1", low=low, high=high)
        if first > second:
            raise self.fail(key, f"{first:g} is above {second:g}")
        return first, second

    def optional_interval(self, key: str, *, low: float, high: float) -> tuple[float, float] | None:
        """As `interval`; None where the key is absent or null."""
        if not self.has(key):
            self._left.pop(key, None)
            return None
        return self.interval(key, low=low, high=high)

    def mapping(self, key: str, default: Any = _REQUIRED) -> dict[str, Any]:
        """A table, unchecked itself."""
        value = self._take(key, default)
        if not isinstance(value, Mapping):
            raise self.fail(key, f"expected a table of keys, found {_shown(value)}")
        return dict(value)

    def entries(self, key: str, default: Any = _REQUIRED, *, most: int) -> tuple[Fields, list[str]]:
        """The fields of a table whose keys the writer chose, and these: at most `most` names."""
        data = self.mapping(key, default)
        if len(data) > most:
            raise self.fail(key, f"{len(data)} entries; at most {most} are accepted")
        for name in data:
            if not isinstance(name, str) or not is_name(name) or len(name) > 1024:
                raise self.fail(key, f"{_shown(name)} is no name")
        return Fields(data, f"{self._where}: {key}", self._error), list(data)

    def counts(self, key: str, *, most: int, high: int) -> dict[str, int]:
        """A table of names and how often each occurs."""
        counts, names = self.entries(key, most=most)
        return {name: counts.integer(name, high=high) for name in names}

    def optional_mapping(self, key: str) -> dict[str, Any] | None:
        """As `mapping`; None where the key is absent or null."""
        if not self.has(key):
            self._left.pop(key, None)
            return None
        return self.mapping(key)

    def settings(self, key: str, *, most: int = 64) -> dict[str, Setting]:
        """A table of names with a text, number or flag each; an absent one is empty."""
        found = self.mapping(key, {})
        if len(found) > most:
            raise self.fail(key, f"{len(found)} entries; at most {most} are accepted")
        for name, value in found.items():
            if not isinstance(name, str) or not is_name(name) or len(name) > 100:
                raise self.fail(key, f"{_shown(name)} is no name")
            if not isinstance(value, (str, bool, int, float)):
                raise self.fail(key, f"{name}: {_shown(value)} is no text, number or flag")
            if not (len(value) <= 4096 if isinstance(value, str) else abs(value) < 2**53):
                raise self.fail(key, f"{name}: {_shown(value)} is too long or too large")
        return found

    def table(self, key: str) -> Fields:
        """The fields of a table; an absent one is empty."""
        return Fields(self._take(key, {}), f"{self._where}: {key}", self._error)

    def done(self) -> None:
        """Refuse the keys that nobody took."""
        if self._left:
            unknown = ", ".join(printable(str(key)[:80]) for key in sorted(self._left, key=str)[:5])
            meant = None
            if self._asked:
                close = get_close_matches(unknown, self._asked, n=1, cutoff=0.7)
                known = f"known here: {', '.join(sorted(self._asked))}"
                meant = f"did you mean {close[0]}? {known}" if close else known
            raise self._error(f"{self._where}: unknown key {unknown}", hint=meant)

    def _take(self, key: str, default: Any) -> Any:
        self._asked.add(key)
        if key in self._left:
            return self._left.pop(key)
        if default is _REQUIRED:
            raise self._error(f"{self._where}: the key {key!r} is missing")
        return default


def laid_over(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`table` with `changes` laid over it, key by key, in nested tables too; lists are replaced."""
    merged = dict(table)
    for key, value in changes.items():
        known = merged.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            merged[key] = laid_over(known, value)
        else:
            merged[key] = value
    return merged


def is_name(text: str) -> bool:
    """Whether `text` is not empty and holds no control character, line break or lone surrogate."""
    return bool(text) and not any(unicodedata.category(c) in _CONTROLS for c in text)


def toml_string(text: str) -> str:
    """A basic string of TOML: JSON's escapes are TOML's, too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


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
