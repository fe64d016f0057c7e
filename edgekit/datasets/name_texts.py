"""Names of the Unicode CLDR as texts to be written, byte by byte: `next-bytes`, `masked-bytes`.

A text is a language, a name in it, "de Österreich", and the end of the line. The names, and their
splits, are those of `language-names` in its sixteen languages with Latin letters. Needs no network.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Dataset, Samples
from edgekit.datasets.language_names import LATIN, VERSION, names_by_split
from edgekit.datasets.text import tokens_of
from edgekit.errors import DataError, MissingExtraError
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

END = "\n"
# Tokens before a name: two letters of the language and a space.
CODE = 3
# Numbers of tokens, of the tokenizer "bytes": 0 fills up, each byte is one more than its value.
BYTES = ("fill-up", *(chr(b) if 32 < b < 127 else f"0x{b:02x}" for b in range(256)))

# The token that stands for one to be guessed, behind those of all bytes.
MASK = len(BYTES)
_MASKED = 0.15
# Of those to be guessed: the mask, any byte, the byte itself (Devlin et al. 2019, section 3.1).
_HIDDEN, _WRONG = 0.8, 0.1


def text_of(language: str, name: str) -> str:
    """`de Österreich` and the end of the line."""
    return f"{language} {name}{END}"


@lru_cache(maxsize=1)
def texts_by_split() -> dict[str, tuple[str, ...]]:
    """Split → its texts, sorted by language and CLDR key. None of a name that train holds."""
    return {
        split: tuple(
            text_of(language, name) for language in sorted(LATIN) for name in names[language].all
        )
        for split, names in names_by_split().items()
    }


def require_babel() -> None:
    """Babel is installed.

    Raises:
        MissingExtraError: It is not.
    """
    from importlib.util import find_spec

    if find_spec("babel") is None:
        raise MissingExtraError("Babel", "data", "names in many languages")


def babel_fingerprint(name: str, version: int = 1) -> str:
    """Of a data set of CLDR's names; `version` rises whenever its samples may change."""
    from importlib.metadata import version as installed

    about = {name: version, "language-names": VERSION, "babel": installed("babel")}
    return digest_json(about)


class NameTexts(Dataset):
    """Sample i of a split is of its text i.

    Raises:
        MissingExtraError: Babel is not installed.
    """

    classes = BYTES
    label_shape: tuple[int, ...] = (0,)
    licence = "Unicode-3.0"
    source = "Unicode CLDR, as Babel carries it"
    split_rule = "by digest of the CLDR key: test a fifth of the keys, validation a tenth"
    costly = False

    def __init__(self) -> None:
        require_babel()

    def fingerprint(self) -> str:
        return babel_fingerprint(self.name)

    def size(self, split: str) -> int:
        return len(texts_by_split()[split]) if split in SPLITS else 0

    def labels(self, split: str) -> Array | None:
        return None  # no one class a sample

    def original(self, split: str, index: int) -> str:
        if not 0 <= index < self.size(split):
            raise DataError(
                f"{self.name}: {split} has no sample {index}; it has {self.size(split):,}"
            )
        return texts_by_split()[split][index]


class _Whole(NameTexts):
    """Whole texts, cut at the input's length and filled up with 0."""

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        texts = [self.original(split, int(index)) for index in indices]
        tokens = tokens_of(texts, spec, owner=self.name)
        return self._samples(tokens, split, indices)

    @abstractmethod
    def _samples(self, tokens: Array, split: str, indices: Sequence[int]) -> Samples:
        """Of tokens [N, length]."""


def next_of(tokens: Array) -> Array:
    """At each step the token that comes next: int64 [N, length], −1 where it is a fill-up.

    Args:
        tokens: int32 [N, length].
    """
    import numpy as np

    labels = np.full(tokens.shape, -1, np.int64)
    labels[:, :-1] = np.where(tokens[:, 1:] > 0, tokens[:, 1:], -1)
    return labels


class NextBytes(_Whole):
    """At each step, the byte that comes next: int64 [length].

    −1 where it is a fill-up, and within the language, which is told and not guessed.
    """

    name = "next-bytes"
    reference = "next-bytes"
    task = "language-modelling"

    def _samples(self, tokens: Array, split: str, indices: Sequence[int]) -> Samples:
        labels = next_of(tokens)
        labels[:, : CODE - 1] = -1
        return Samples(tokens, labels)


class MaskedBytes(_Whole):
    """Bytes that were hidden: int64 [length], −1 where none was.

    Of the bytes of a name and its end 15 %, at least one, are to be guessed: four in five of them
    became token 257, one in ten any byte that texts have, one in ten is left. Seeded by (split, i):
    the same in every epoch (Devlin et al. 2019, arXiv 1810.04805, hid anew in each).
    """

    name = "masked-bytes"
    reference = "masked-bytes"
    task = "masked-language-modelling"

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        if spec.range[1] < MASK:
            raise DataError(
                f"{self.name}: what is hidden is token {MASK}; the input {spec.name!r} takes "
                f"{spec.range[0]:.0f}…{spec.range[1]:.0f}",
                hint=f"a model with a vocabulary of {MASK + 1}",
            )
        return super().read(split, indices, spec)

    def _samples(self, tokens: Array, split: str, indices: Sequence[int]) -> Samples:
        import numpy as np

        known = _known_bytes()
        given, labels = tokens.copy(), np.full(tokens.shape, -1, np.int64)
        for row, index in enumerate(indices):
            key = (VERSION << 8 | SPLITS.index(split), int(index))
            random = np.random.Generator(np.random.Philox(key=key))
            steps = np.flatnonzero(tokens[row])[CODE:]
            drawn = random.random(len(steps)) < _MASKED
            if not drawn.any() and len(steps):
                drawn[random.integers(len(steps))] = True
            chosen = steps[drawn]
            labels[row, chosen] = tokens[row, chosen]
            how = random.random(len(chosen))
            other = known[random.integers(len(known), size=len(chosen))]
            shown = np.where(how < _HIDDEN + _WRONG, other, tokens[row, chosen])
            given[row, chosen] = np.where(how < _HIDDEN, MASK, shown)
        return Samples(given, labels)


@lru_cache(maxsize=1)
def _known_bytes() -> Array:
    """Tokens that training texts have."""
    import numpy as np

    data = "".join(texts_by_split()["train"]).encode()
    return np.unique(np.frombuffer(data, np.uint8)).astype(np.int32) + 1
