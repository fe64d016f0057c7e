"""`language-names`: which language a few names are in, from the Unicode CLDR that Babel carries.

Needs no network: any sample of any split is put together from its index alone, two to six names of
countries, languages, scripts, currencies, months, days, units, cities and time zones. A name is
known by its CLDR key, and all languages' names of a key are in one split: what a test sample says
was trained in no language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Dataset, Samples
from edgekit.datasets.splitting import split_of
from edgekit.datasets.text import tokens_of
from edgekit.errors import DataError, MissingExtraError
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Raise whenever a text may change: checkpoints and caches belong to one version.
# 1: the first.
VERSION = 1

# Thirteen scripts; the sixteen in Latin letters are the ones that are hard to tell apart.
LANGUAGES = (
    "am", "ar", "bg", "bn", "cs", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "id",
    "it", "ja", "ka", "ko", "nl", "pl", "pt", "ro", "ru", "sv", "ta", "th", "tr", "uk", "vi", "zh",
)  # fmt: skip
LATIN = frozenset(LANGUAGES) - frozenset(
    ("am", "ar", "bg", "bn", "el", "fa", "he", "hi", "ja", "ka", "ko", "ru", "ta", "th", "uk", "zh")
)

_SIZES = {"train": 100_000 * 32, "validation": 1_000 * 32, "test": 1_000 * 32}
_FEWEST, _MOST = 2, 6
_SEPARATORS = (", ", " ", " / ", "; ")


@dataclass(frozen=True, slots=True)
class Names:
    """Names of one language in one split.

    Attributes:
        all: Sorted by key.
        own: Those that no other language has.
    """

    all: tuple[str, ...]
    own: tuple[str, ...]


class LanguageNames(Dataset):
    """Sample i of a split is in language i modulo 32; the rest is seeded by (split, i).

    At least one of its names is none that another of the languages has too.

    Raises:
        MissingExtraError: Babel is not installed.
    """

    name = "language-names"
    reference = "language-names"
    task = "text-classification"
    classes = LANGUAGES
    licence = "Unicode-3.0"
    source = "Unicode CLDR, as Babel carries it"
    split_rule = "by digest of the CLDR key: test a fifth of the keys, validation a tenth"
    costly = False

    def __init__(self) -> None:
        from importlib.util import find_spec

        if find_spec("babel") is None:
            raise MissingExtraError("Babel", "data", "names in many languages")

    def fingerprint(self) -> str:
        from importlib.metadata import version

        return digest_json({"language-names": VERSION, "babel": version("babel")})

    def size(self, split: str) -> int:
        return _SIZES.get(split, 0)

    def labels(self, split: str) -> Array:
        import numpy as np

        return np.arange(self.size(split), dtype=np.int64) % len(LANGUAGES)

    def choose(self, split: str, count: int) -> Sequence[int]:
        return range(min(count, self.size(split)))  # balanced by construction

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        texts = [self.original(split, int(index)) for index in indices]
        labels = np.asarray(indices, dtype=np.int64) % len(LANGUAGES)
        return Samples(tokens_of(texts, spec, owner=self.name), labels)

    def original(self, split: str, index: int) -> str:
        import numpy as np

        if not 0 <= index < self.size(split):
            raise DataError(
                f"{self.name}: {split} has no sample {index}; it has {self.size(split):,}"
            )
        names = names_by_split()[split][LANGUAGES[index % len(LANGUAGES)]]
        random = np.random.Generator(
            np.random.Philox(key=(VERSION << 8 | SPLITS.index(split), index))
        )
        count = int(random.integers(_FEWEST, _MOST + 1))
        chosen = [names.own[random.integers(len(names.own))]]
        chosen += [names.all[at] for at in random.integers(len(names.all), size=count - 1)]
        text = _SEPARATORS[random.integers(len(_SEPARATORS))].join(
            chosen[at] for at in random.permutation(count)
        )
        # Half of them without capitals, which only some languages write.
        return text.lower() if random.integers(2) else text


@lru_cache(maxsize=1)
def names_by_split() -> Mapping[str, Mapping[str, Names]]:
    """Split → language → its names. A name that is trained is in no other split."""
    every = {language: dict(names_of(language)) for language in LANGUAGES}
    spread = Counter(
        name for names in every.values() for name in {n.casefold() for n in names.values()}
    )
    found: dict[str, dict[str, Names]] = {split: {} for split in SPLITS}
    for language, names in every.items():
        seen: set[str] = set()
        for split in SPLITS:  # train first: two keys may have one name
            mine = [name for key, name in sorted(names.items()) if split_of(key) == split]
            fresh = list(dict.fromkeys(name for name in mine if name.casefold() not in seen))
            seen |= {name.casefold() for name in fresh}
            own = tuple(name for name in fresh if spread[name.casefold()] == 1)
            found[split][language] = Names(tuple(fresh), own)
    return found


def names_of(language: str) -> Iterator[tuple[str, str]]:
    """CLDR key → name, where the language has one of its own."""
    from babel import Locale

    locale = Locale.parse(language)
    tables: dict[str, Mapping[Any, Any]] = {
        "territory": locale.territories,
        "language": locale.languages,
        "script": locale.scripts,
        "currency": locale.currencies,
        # Not "stand-alone": where a language has no own, Babel 2.18 gives what it loaded last.
        "month": locale.months["format"]["wide"],
        "day": locale.days["format"]["wide"],
        "unit": {key: forms.get("long") for key, forms in locale.unit_display_names.items()},
        "city": {key: zone.get("city") for key, zone in locale.time_zones.items()},
        "zone": {key: _zone(zone) for key, zone in locale.meta_zones.items()},
    }
    for table, entries in tables.items():
        for key, name in entries.items():
            if isinstance(name, str) and _is_own(name, str(key), language):
                yield f"{table}/{key}", name


def _zone(zone: Mapping[str, Any]) -> Any:
    names = zone.get("long") or {}
    return names.get("standard") or names.get("generic")


def _is_own(name: str, key: str, language: str) -> bool:
    """Whether a name is no mere code and, outside Latin script, holds no Latin letters."""
    if len(name) < 2 or name.casefold() == key.casefold() or "{" in name:
        return False
    return language in LATIN or not any("a" <= letter <= "z" for letter in name.lower())
