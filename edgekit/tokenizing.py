"""From text to numbers: the tokenizers that a model's text input may name.

A reference is "bytes" (UTF-8 bytes plus one; no file) or "wordpiece:<sha256>", a file of the
library `tokenizers` known by its content and kept in the user's cache. 0 fills up, whatever the
tokenizer. Such files are untrusted: bounded in size, WordPiece only, with no pattern of their own.
Does not know data sets or models.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import DataError, FileError, MissingExtraError
from edgekit.files import cache_folder, canonical_json, write_atomic

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BYTES = "bytes"
WORDPIECE = "wordpiece"

# Values of `tokenizer` in a model.toml.
KINDS = (BYTES, WORDPIECE)

SUFFIX = ".tokenizer.json"

MAX_BYTES = 16 * 1024**2
MAX_VOCABULARY = 2**20

# A fill-up and a word that is in no vocabulary; their places are 0 and 1.
PAD, UNKNOWN = "[PAD]", "[UNK]"
_SPECIAL = (PAD, UNKNOWN)
_CONTINUED = "##"
_LONGEST_WORD = 100
# Longer texts are cut before they are tokenized: no token is shorter than a character.
_CHARACTERS_A_TOKEN = 100

# Parts of the library that take no pattern and no code; each with the options it may have.
_PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "normalizer": {
        "BertNormalizer": ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase"),
    },
    "pre_tokenizer": {"BertPreTokenizer": (), "Whitespace": (), "WhitespaceSplit": ()},
    "post_processor": {"TemplateProcessing": ("single", "pair", "special_tokens")},
    "decoder": {"WordPiece": ("prefix", "cleanup")},
}


def train_wordpiece(texts: Iterable[str], vocabulary: int) -> bytes:
    """Make a tokenizer: lower case, words and punctuation apart, at most `vocabulary` pieces.

    Deterministic: equal texts in any order give equal bytes. WordPiece as of BERT, arXiv
    1810.04805; its pieces are grown like those of arXiv 1508.07909.

    Args:
        texts: Of the training split only.
        vocabulary: Pieces at most; [PAD] is 0 and [UNK] is 1.

    Returns:
        A JSON file for the library `tokenizers`.

    Raises:
        DataError: No text holds a word.
        MissingExtraError: `tokenizers` is not installed.
    """
    library = _library("training a tokenizer")
    texts = sorted(texts)
    plain = library.Tokenizer(library.models.WordPiece({}, unk_token=UNKNOWN))
    _prepare(plain, library)
    words = {
        word
        for text in texts
        for word, _ in plain.pre_tokenizer.pre_tokenize_str(plain.normalizer.normalize_str(text))
    }
    if not words:
        raise DataError("no tokenizer can be made: no text holds a word")
    inner = sorted({character for word in words for character in word[1:]})
    trainer = library.trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        # The library numbers the inner characters as its hash table happens to give them, and
        # breaks ties by number: named beforehand, they always have the same.
        special_tokens=[*_SPECIAL, *(_CONTINUED + character for character in inner)],
        initial_alphabet=sorted({word[0] for word in words}),
        show_progress=False,
    )
    plain.train_from_iterator(texts, trainer)
    pieces = sorted(plain.get_vocab().items(), key=lambda item: item[1])
    made = library.Tokenizer(
        library.models.WordPiece(
            {piece: number for number, (piece, _) in enumerate(pieces[:vocabulary])},
            unk_token=UNKNOWN,
            max_input_chars_per_word=_LONGEST_WORD,
        )
    )
    _prepare(made, library)
    return canonical_json(json.loads(made.to_str())).encode()


def keep(path: Path) -> str:
    """Check a tokenizer file and copy it into the cache.

    Returns:
        Its reference, "wordpiece:<sha256>".

    Raises:
        DataError: Absent, too large, or no WordPiece tokenizer that edgekit reads.
        FileError: The cache cannot be written.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(
                f"{path}: {path.stat().st_size:,} bytes", limit=f"{MAX_BYTES:,} for a tokenizer"
            )
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: no readable tokenizer: {error.strerror or error}") from error
    reference = f"{WORDPIECE}:{hashlib.sha256(data).hexdigest()}"
    _check(data, str(path))
    place = tokenizer_file(reference)
    if not place.is_file() or place.read_bytes() != data:
        try:
            write_atomic(place, data)
        except OSError as error:
            raise FileError.from_os_error(error) from error
    return reference


def tokenizer_file(reference: str) -> Path:
    """Where the file of a "wordpiece:<sha256>" reference lies, or would lie, in the cache."""
    return cache_folder() / "tokenizers" / f"{_digest(reference)}.json"


def has_file(reference: str) -> bool:
    """Whether a reference names a file."""
    return reference.startswith(f"{WORDPIECE}:")


def encode(reference: str, texts: Sequence[str], length: int) -> Array:
    """Tokens of texts, cut at `length` and filled up with 0. int32 [N, length].

    Raises:
        DataError: No such tokenizer, or its file is not in the cache.
        MissingExtraError: `tokenizers` is not installed.
    """
    place = None if reference == BYTES else tokenizer_file(reference)
    return encode_by(reference, place, texts, length)


def encode_by(reference: str, place: Path | None, texts: Sequence[str], length: int) -> Array:
    """As `encode`, with the tokenizer's file where it lies; None for "bytes", which has none."""
    import numpy as np

    tokens = np.zeros((len(texts), length), np.int32)
    if place is None:
        for row, text in enumerate(texts):
            # A character is at least one byte; a lone surrogate is no text and becomes "?".
            data = text[:length].encode("utf-8", errors="replace")[:length]
            tokens[row, : len(data)] = np.frombuffer(data, np.uint8).astype(np.int32) + 1
        return tokens
    tokenizer = _opened(str(place), _digest(reference))
    cut = [_tokenizable(text, length) for text in texts]
    for row, found in enumerate(tokenizer.encode_batch(cut)):
        numbers = found.ids[:length]
        tokens[row, : len(numbers)] = numbers
    return tokens


def decode(reference: str, tokens: Sequence[int]) -> str:
    """A text that has such tokens, as far as they tell: what `encode` cut or folded stays lost.

    Raises:
        DataError: No such tokenizer, or its file is not in the cache.
        MissingExtraError: `tokenizers` is not installed.
    """
    known = [token for token in tokens if token > 0]  # 0 fills up
    if reference == BYTES:
        data = bytes(min(token - 1, 255) for token in known)
        return data.decode("utf-8", errors="replace")
    tokenizer = _opened(str(tokenizer_file(reference)), _digest(reference))
    return str(tokenizer.decode(known, skip_special_tokens=True))


def vocabulary_of(reference: str) -> int:
    """How many different numbers a tokenizer gives, the fill-up 0 included.

    Raises:
        DataError: No such tokenizer.
    """
    if reference == BYTES:
        return 257
    return int(_opened(str(tokenizer_file(reference)), _digest(reference)).get_vocab_size())


def _tokenizable(text: str, length: int) -> str:
    cut = text[: length * _CHARACTERS_A_TOKEN]
    return cut.encode("utf-8", errors="replace").decode("utf-8")


def _digest(reference: str) -> str:
    kind, _, digest = reference.partition(":")
    if kind != WORDPIECE or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise DataError(
            f"no tokenizer {reference[:80]!r}",
            f'known: "{BYTES}" and "{WORDPIECE}:<sha256>"',
            hint="a model folder's text tokenizer is trained with its weights: edgekit train"
            if reference == WORDPIECE
            else None,
        )
    return digest


@lru_cache(maxsize=8)
def _opened(path: str, digest: str) -> Any:
    library = _library("reading text")
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: the tokenizer is not there: {error.strerror or error}",
            hint="it lies beside the weights it was trained with, and in each artifact",
        ) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise DataError(f"{path}: sha256 differs from its name", hint="remove the file")
    _check(data, path)
    tokenizer = library.Tokenizer.from_str(data.decode())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _check(data: bytes, where: str) -> None:
    """Refuse what is no WordPiece tokenizer, or has parts with patterns.

    Raises:
        DataError: See above.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {' '.join(str(error).split())[:200]}") from error
    problem = _problem(document)
    if problem:
        raise DataError(
            f"{where}: not a tokenizer that edgekit reads: {problem}",
            hint="a WordPiece tokenizer of the library `tokenizers`, [PAD] as number 0",
        )
    library = _library(f"reading {where}")
    try:
        library.Tokenizer.from_str(data.decode())
    except Exception as error:  # the library raises plain Exception
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{where}: `tokenizers` cannot read it: {reason}") from error


def _problem(document: Any) -> str:
    """What is wrong with a tokenizer file's content; "" if nothing is."""
    if not isinstance(document, Mapping):
        return "not a JSON object"
    model = document.get("model")
    if not isinstance(model, Mapping) or model.get("type") != "WordPiece":
        return "its model is not WordPiece"
    if not isinstance(model.get("max_input_chars_per_word"), int) or not (
        1 <= model["max_input_chars_per_word"] <= 1000
    ):
        return "max_input_chars_per_word is not in 1…1,000"
    for part, kinds in _PARTS.items():
        entry = document.get(part)
        if entry is None:
            continue
        kind = entry.get("type") if isinstance(entry, Mapping) else None
        if kind not in kinds:
            return f"its {part} is {str(kind)[:40]}; {', '.join(kinds)} can be read"
        if unknown := sorted(set(entry) - {"type", *kinds[kind]}):
            return f"its {part} has the unknown key {unknown[0][:40]!r}"
    return _vocabulary_problem(model)


def _vocabulary_problem(model: Mapping[str, Any]) -> str:
    pieces = model.get("vocab")
    if not isinstance(pieces, Mapping) or not 2 <= len(pieces) <= MAX_VOCABULARY:
        return f"its vocab is no table of 2…{MAX_VOCABULARY:,} pieces"
    numbers = list(pieces.values())
    if not all(type(number) is int for number in numbers) or sorted(numbers) != list(
        range(len(numbers))
    ):
        return "its vocab is not numbered from 0 without gaps"
    if pieces.get(PAD) != 0:
        return f"{PAD} is not number 0"
    if model.get("unk_token") not in pieces:
        return "its unk_token is not in its vocab"
    return ""


def _prepare(tokenizer: Any, library: Any) -> None:
    """Lower case without accents; words, numbers and single punctuation marks apart."""
    tokenizer.normalizer = library.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()


def _library(purpose: str) -> Any:
    # Batches here are small, and its threads warn when a process is started beside them.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import tokenizers
        import tokenizers.models
        import tokenizers.normalizers
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ImportError:
        raise MissingExtraError("tokenizers", "data", purpose) from None
    return tokenizers
