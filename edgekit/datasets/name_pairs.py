"""`name-pairs`: names of the Unicode CLDR in English, and the same in one of eight languages.

The tables of CLDR are parallel: a key has a name in each language. A source is the language wanted
and the English name, "de Austria"; its target is "Österreich"; both with the end of a line. Needs
no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Samples
from edgekit.datasets.language_names import names_of
from edgekit.datasets.name_texts import END, NameTexts, next_of, text_of
from edgekit.datasets.splitting import split_of
from edgekit.datasets.text import tokens_of
from edgekit.errors import DataError
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FROM = "en"
INTO = ("de", "es", "fr", "it", "nl", "pt", "ro", "sv")
SOURCE, TARGET = "source", "target"
# Bytes of a name: a source of 32 tokens has a language, a space and an end besides.
LONGEST = 28


@lru_cache(maxsize=1)
def pairs_by_split() -> dict[str, tuple[tuple[str, str], ...]]:
    """Split → (source text, target name), sorted.

    Of names of one text the first key counts. A key is in one split for all languages, and an
    English name that train holds is in no other split.
    """
    given = {key: name for key, name in names_of(FROM) if _fits(name)}
    others = {language: dict(names_of(language)) for language in INTO}
    keys: dict[str, str] = {}  # of an English name
    for key in sorted(given, key=lambda key: (SPLITS.index(split_of(key)), key)):
        keys.setdefault(given[key].casefold(), key)
    found: dict[str, list[tuple[str, str]]] = {split: [] for split in SPLITS}
    for key in sorted(keys.values()):
        for language, names in others.items():
            if key in names and _fits(names[key]):
                pair = text_of(language, given[key]), names[key]
                found[split_of(key)].append(pair)
    return {split: tuple(pairs) for split, pairs in found.items()}


def _fits(name: str) -> bool:
    return len(name.encode()) <= LONGEST


class NamePairs(NameTexts):
    """Sample i of a split is its pair i; an input is `source`, the other `target`.

    `target` is what was written so far: the end of a line, then the name. The label of each step is
    the byte that comes next, the end at last: int64 [length], −1 where it is a fill-up.

    Raises:
        MissingExtraError: Babel is not installed.
    """

    name = "name-pairs"
    reference = "name-pairs"
    task = "text-translation"
    input_names = (SOURCE, TARGET)

    def size(self, split: str) -> int:
        return len(pairs_by_split()[split]) if split in SPLITS else 0

    def original(self, split: str, index: int) -> str:
        """`de Austria`, the end of the line, `Österreich`."""
        return "".join(self.pair(split, index))

    def pair(self, split: str, index: int) -> tuple[str, str]:
        """Source text and target name of a sample.

        Raises:
            DataError: No such sample.
        """
        if not 0 <= index < self.size(split):
            raise DataError(
                f"{self.name}: {split} has no sample {index}; it has {self.size(split):,}"
            )
        return pairs_by_split()[split][index]

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        pairs = [self.pair(split, int(index)) for index in indices]
        written = [END + target + END for _, target in pairs]
        targets = tokens_of(written, spec, owner=self.name)
        sources = tokens_of([source for source, _ in pairs], spec, owner=self.name)
        given = sources if spec.name == SOURCE else _without_end(targets)
        return Samples(given, next_of(targets))


def _without_end(targets: Array) -> Array:
    """Tokens [N, length] less the last of each, which nothing follows: it is written, not read."""
    import numpy as np

    given = targets.copy()
    given[np.arange(len(given)), (targets > 0).sum(axis=1) - 1] = 0
    return given
