"""`wordpiece.json`: a WordPiece tokenizer for languages that the library `tokenizers` is not for.

    {"version": 1, "sha256": of tokenizer.json,
     "pieces": [piece, …], "unknown": number, "continued": "##", "longest": 100, "cut": 100,
     "before": [number, …], "after": [number, …], "special": [[text, number], …],
     "becomes": [[first, last, how, …], …], "order": [[first, last, rank], …],
     "breaks": [[first, last], …], "spaces": …, "alone": …, "runs": …}

What becomes of a character depends on the version of Unicode, and every platform has its own. So it
is asked of the library once, for every character there is, and written down; `encode` is all that
another language must do. Ranges are of code points, ascending, both ends included:

- `becomes`: ["to", text], ["shift", by], ["apart"] (a space, itself, a space) or ["hangul"] (its
  two or three letters by arithmetic, The Unicode Standard 3.12). Others stay as they are.
- `order`: combining characters that are kept; within a run of them, lower ranks come first, and
  equal ones stay in order. `breaks`: dropped characters that end a run.
- `spaces` lie between words; `alone` are words of one character; `runs` are words of their kind
  only; others are letters of a word.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from edgekit.bundles.originals import TEXTS
from edgekit.errors import ArtifactError, MissingExtraError, UsageError
from edgekit.files import canonical_json
from edgekit.tokenizing import WORDPIECE, encode_by

VERSION = 1

# As `edgekit.tokenizing` cuts long texts before it looks at them.
_CUT = 100
_BLOCK = 256
_SURROGATES = range(0xD800, 0xE000)
_HANGUL = range(0xAC00, 0xD7A4)
# Combining characters that are kept where accents are dropped: kind Mc; classes 9, 216, 224, 226.
_KEPT = ("\u1b44", "\U0001d165", "\u302e", "\U0001d16d")
_LOWEST, _HIGHEST = _KEPT[0], _KEPT[-1]

_Range = list[Any]


def write_wordpiece(tokenizer: Path, target: Path) -> None:
    """Write what other languages need to know of a tokenizer, and prove it with golden texts.

    Raises:
        UsageError: See `wordpiece_of`.
        ArtifactError: What was written gives other tokens than the library.
    """
    table = wordpiece_of(tokenizer)
    encoder, length = Encoder(table), max(map(len, TEXTS))
    reference = f"{WORDPIECE}:{table['sha256']}"
    tokens = encode_by(reference, tokenizer, TEXTS, length).tolist()
    for text, wanted in zip(TEXTS, tokens, strict=True):
        if encoder.encode(text, length) != wanted:
            raise ArtifactError(
                f"{tokenizer.name}: {target.name} gives other tokens for {text[:40]!r}",
                hint="--platform python has the library `tokenizers`",
            )
    target.write_text(canonical_json(table), encoding="utf-8", newline="\n")


def wordpiece_of(path: Path) -> dict[str, Any]:
    """What another language needs to know of a tokenizer.

    Args:
        path: A tokenizer file that `edgekit.tokenizing.keep` took.

    Raises:
        UsageError: It has parts that only the library knows.
        MissingExtraError: `tokenizers` is not installed.
    """
    data = path.read_bytes()
    document = json.loads(data)
    model = document["model"]
    parts = canonical_json([document.get("normalizer"), document.get("pre_tokenizer")])
    before, after = _frame(document)
    return {
        "version": VERSION,
        "sha256": hashlib.sha256(data).hexdigest(),
        "pieces": sorted(model["vocab"], key=model["vocab"].__getitem__),
        "unknown": model["vocab"][model["unk_token"]],
        "continued": model["continuing_subword_prefix"],
        "longest": model["max_input_chars_per_word"],
        "cut": _CUT,
        "before": before,
        "after": after,
        "special": _special(document),
        **_characters(parts),
    }


class Encoder:
    """From text to tokens by `wordpiece.json`, as each platform's code does it.

    Args:
        table: From `wordpiece_of`.
    """

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._table = table
        self._number = {piece: number for number, piece in enumerate(table["pieces"])}
        self._special = sorted(table["special"], key=lambda pair: -len(pair[0]))
        names = ("becomes", "order", "breaks", "spaces", "alone", "runs")
        self._find = {name: _Lookup(table[name]) for name in names}

    def encode(self, text: str, length: int) -> list[int]:
        """Tokens of a text, cut at `length` and filled up with 0."""
        table = self._table
        text = text[: length * table["cut"]].encode("utf-8", errors="replace").decode("utf-8")
        tokens = list(table["before"])
        for part in self._parts(text):
            if isinstance(part, int):
                tokens.append(part)
            else:
                for word in self._words(self._normal(part)):
                    tokens += self._pieces(word)
        tokens += table["after"]
        return tokens[:length] + [0] * (length - len(tokens))

    def _parts(self, text: str) -> Iterator[str | int]:
        """The text between special ones, and their numbers; of two at one place the longer."""
        begin = at = 0
        while at < len(text):
            found = next((pair for pair in self._special if text.startswith(pair[0], at)), None)
            if found is None:
                at += 1
                continue
            yield text[begin:at]
            yield found[1]
            begin = at = at + len(found[0])
        yield text[begin:]

    def _normal(self, text: str) -> str:
        made: list[tuple[int, str]] = []  # rank (0 for what stays in its place), character
        run = 0  # where the run of combining characters begins
        for character in text:
            if self._find["breaks"].at(character) is not None:
                run = len(made)
            for one in _apply(self._find["becomes"].at(character), character):
                found = self._find["order"].at(one)
                rank = 0 if found is None else found[0]
                at = len(made)
                while rank and at > run and made[at - 1][0] > rank:
                    at -= 1
                made.insert(at, (rank, one))
                if not rank:
                    run = len(made)
        return "".join(character for _, character in made)

    def _words(self, text: str) -> Iterator[str]:
        word, kind = "", ""
        for character in text:
            here = next(
                (n for n in ("spaces", "alone", "runs") if self._find[n].at(character) is not None),
                "letters",
            )
            if word and (here != kind or here == "alone"):
                yield word
                word = ""
            kind = here
            if here != "spaces":
                word += character
        if word:
            yield word

    def _pieces(self, word: str) -> list[int]:
        """The longest piece that is in the vocabulary, again and again; arXiv 1810.04805."""
        unknown = [self._table["unknown"]]
        if len(word) > self._table["longest"]:
            return unknown
        made, at = [], 0
        while at < len(word):
            prefix = self._table["continued"] if at else ""
            end = next(
                (e for e in range(len(word), at, -1) if prefix + word[at:e] in self._number), None
            )
            if end is None:
                return unknown
            made.append(self._number[prefix + word[at:end]])
            at = end
        return made


class _Lookup:
    """What a sorted list of ranges says of a character."""

    def __init__(self, ranges: Sequence[_Range]) -> None:
        self._ranges = ranges
        self._firsts = [one[0] for one in ranges]
        self.at = lru_cache(maxsize=4096)(self._at)

    def _at(self, character: str) -> list[Any] | None:
        """What stands behind first and last; None outside of all ranges."""
        point = ord(character)
        index = bisect_right(self._firsts, point) - 1
        if index < 0 or point > self._ranges[index][1]:
            return None
        return self._ranges[index][2:]


def _apply(rule: list[Any] | None, character: str) -> str:
    if rule is None:
        return character
    match rule:
        case ["to", text]:
            return str(text)
        case ["shift", by]:
            return chr(ord(character) + by)
        case ["apart"]:
            return f" {character} "
        case _:
            return _letters(character)


def _letters(syllable: str) -> str:
    """The letters of a Hangul syllable."""
    index = ord(syllable) - _HANGUL.start
    letters = (0x1100 + index // 588, 0x1161 + index % 588 // 28, 0x11A7 + index % 28)
    return "".join(map(chr, letters if index % 28 else letters[:2]))


@lru_cache(maxsize=16)
def _characters(parts: str) -> dict[str, list[_Range]]:
    """What a normalizer and a pre-tokenizer, as JSON, do with each character."""
    library = _library()
    normalizer, splitter = json.loads(parts)
    plain: dict[str, Any] = {"type": "WordPiece", "unk_token": "u", "vocab": {"u": 0}}
    plain |= {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    document = {"version": "1.0", "added_tokens": [], "model": plain}
    document |= {"normalizer": normalizer, "pre_tokenizer": splitter}
    made = library.Tokenizer.from_str(json.dumps(document))
    normal: Callable[[str], str] = made.normalizer.normalize_str if normalizer else str

    def words(text: str) -> int:
        return len(made.pre_tokenizer.pre_tokenize_str(text)) if splitter else 1

    becomes = {one: normal(one) for block in _blocks() if normal(block) != block for one in block}
    return {
        "becomes": _ranges((ord(one), _rule(one, text)) for one, text in becomes.items()),
        **_combining(normal, becomes),
        **_classes(words),
    }


def _changes(block: str, normal: Callable[[str], str]) -> Iterable[tuple[str, str]]:
    """Each character of a block in which any changes, and what becomes of it."""
    together = normal(block)
    if together == block:
        return ()
    # Whole blocks without use, or of ideographs: asked once, not 256 times.
    for every in ("", " {} "):
        if together == "".join(map(every.format, block)):
            return ((one, every.format(one)) for one in block)
    return ((one, normal(one)) for one in block)


def _rule(character: str, text: str) -> list[Any] | None:
    if text == character:
        return None
    if text == f" {character} ":
        return ["apart"]
    if ord(character) in _HANGUL and text == _letters(character):
        return ["hangul"]
    if len(text) == 1 and text != " ":
        return ["shift", ord(text) - ord(character)]
    return ["to", text]


def _combining(normal: Callable[[str], str], becomes: Mapping[str, str]) -> dict[str, Any]:
    """Ranks of combining characters, found by what they change places with."""

    def swaps(first: str, second: str) -> bool:
        return normal(first + second).replace(" ", "") != normal(first) + normal(second)

    ranked = [[one] for one in _KEPT]  # characters of one class together, ascending
    for block in _blocks():
        kept = [one for one in block if becomes.get(one, one) == one]
        pairs = "".join(f"a{one}{_LOWEST}a{_HIGHEST}{one}" for one in kept)
        if normal(pairs) == pairs:
            continue
        for one in kept:
            if one in _KEPT or not (swaps(one, _LOWEST) or swaps(_HIGHEST, one)):
                continue
            lower = sum(swaps(one, others[0]) for others in ranked)
            if lower < len(ranked) and not swaps(ranked[lower][0], one):
                ranked[lower].append(one)
            else:
                ranked.insert(lower, [one])
    if not swaps(_HIGHEST, _LOWEST):
        return {"order": [], "breaks": []}
    marks = [(ord(one), [at + 1]) for at, same in enumerate(ranked) for one in same]
    dropped = (one for one, text in becomes.items() if not text)
    kept_apart = _HIGHEST + "{}" + _LOWEST
    breaks = (ord(one) for one in dropped if normal(kept_apart.format(one)) == _HIGHEST + _LOWEST)
    return {"order": _ranges(marks), "breaks": _ranges((one, []) for one in breaks)}


def _classes(words: Callable[[str], int]) -> dict[str, list[_Range]]:
    found: dict[str, list[tuple[int, list[Any]]]] = {"spaces": [], "alone": [], "runs": []}
    for block in _blocks():
        if words("a" + "a".join(block) + "a") == 1:
            continue  # letters all of them
        for one in block:
            # Between two letters: a space leaves them apart, others are words of their own.
            kind = {1: "", 2: "spaces", 3: "alone"}[words(f"a{one}a")]
            if kind == "alone" and words(one * 2) == 1:
                kind = "runs"
            if kind:
                found[kind].append((ord(one), []))
    return {kind: _ranges(points) for kind, points in found.items()}


def _blocks() -> Iterator[str]:
    for first in range(0, 0x110000, _BLOCK):
        if first not in _SURROGATES:
            yield "".join(map(chr, range(first, first + _BLOCK)))


def _ranges(rules: Iterable[tuple[int, list[Any] | None]]) -> list[_Range]:
    """Neighbours with equal rules together."""
    made: list[_Range] = []
    for point, rule in sorted(rules, key=lambda pair: pair[0]):
        if rule is None:
            continue
        if made and made[-1][1] == point - 1 and made[-1][2:] == rule:
            made[-1][1] = point
        else:
            made.append([point, point, *rule])
    return made


def _frame(document: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    """Numbers before and after every text, such as [CLS] and [SEP].

    Raises:
        UsageError: The text does not stand in the template exactly once.
    """
    template = document.get("post_processor")
    if template is None:
        return [], []
    sides: tuple[list[int], list[int]] = ([], [])
    texts = 0
    for piece in template["single"]:
        if "Sequence" in piece:
            texts += 1
        else:
            special = template["special_tokens"][piece["SpecialToken"]["id"]]
            sides[min(texts, 1)].extend(special["ids"])
    if texts != 1:
        raise _only_python("its template does not hold the text once")
    return sides


def _special(document: Mapping[str, Any]) -> list[list[Any]]:
    """Texts that are one token each wherever they stand, with their numbers.

    Raises:
        UsageError: One that is not looked for as it is written.
    """
    made = []
    known = _library().Tokenizer.from_str(json.dumps(document))
    for token in document.get("added_tokens") or []:
        if any(token.get(rule) for rule in ("normalized", "single_word", "lstrip", "rstrip")):
            raise _only_python(f"its token {token['content'][:40]!r} is looked for by other rules")
        # Its own number counts only where the vocabulary does not have it.
        made.append([token["content"], known.token_to_id(token["content"])])
    return sorted(made)


def _only_python(problem: str) -> UsageError:
    return UsageError(
        f"a tokenizer that only the library `tokenizers` reads: {problem}",
        hint="--platform python has the library",
    )


def _library() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise MissingExtraError("tokenizers", "data", "bundling a text model") from None
    return tokenizers
