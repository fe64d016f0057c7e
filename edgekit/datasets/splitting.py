"""Splits for data sets that bring none: by a digest of each sample's name.

Adding a sample moves no other to another split, and the same names give the same splits anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1


def name_place(name: str) -> float:
    """Where in 0–1 a name falls: uniform over names, and nothing else moves it."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48


def split_of(name: str) -> str:
    """Where no splits are given: a fifth is test, a tenth validation, the rest train."""
    place = name_place(name)
    if place < TEST_SHARE:
        return "test"
    return "validation" if place < TEST_SHARE + VALIDATION_SHARE else "train"


def is_validation(name: str) -> bool:
    """Whether a training sample goes to validation, where only train and test are given."""
    return name_place(name) < VALIDATION_SHARE / (1 - TEST_SHARE)


def split_names(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by split, each in the order given, by `split_of`."""
    found: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for name in names:
        found[split_of(name)].append(name)
    return found
