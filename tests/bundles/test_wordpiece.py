"""`wordpiece.json` and its algorithm give what the library `tokenizers` gives."""

from __future__ import annotations

import hashlib
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.bundles import wordpiece
from edgekit.bundles.originals import TEXTS
from edgekit.bundles.wordpiece import Encoder, wordpiece_of, write_wordpiece
from edgekit.errors import ArtifactError, UsageError
from edgekit.tokenizing import encode_by, train_wordpiece

# Marks of several classes, kept and dropped, what holds them, and what is dropped between.
MARKS = (
    "\u1b44\U0001d165\u302e\U0001d16d\u0300\u0316\u0900\u094d\u00ada\U0001d15e\uac01\u0345\u08d4"
)
NORMALIZER = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True}
NORMALIZER |= {"strip_accents": None, "lowercase": True}
TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    ],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {
        name: {"id": name, "ids": [number], "tokens": [name]}
        for name, number in (("[CLS]", 2), ("[SEP]", 3))
    },
}


def added(content, number, **rules):
    return {
        "id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
        "normalized": False, "special": True, **rules,
    }  # fmt: skip


@pytest.fixture(scope="module")
def trained():
    """A tokenizer of many scripts, as a document."""
    texts = [*TEXTS, "the quick brown fox jumps over the lazy dog", "ünïcödé ñandú Ærø ŀlull"]
    return json.loads(train_wordpiece(texts, 400))


VARIANTS = {
    "as trained": {},
    "accents kept": {"normalizer": NORMALIZER | {"strip_accents": False, "lowercase": False}},
    "case kept": {"normalizer": NORMALIZER | {"strip_accents": True, "lowercase": False}},
    "as they come": {
        "normalizer": NORMALIZER | {"clean_text": False, "handle_chinese_chars": False},
        "pre_tokenizer": {"type": "Whitespace"},
    },
    "split at spaces": {"normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"}},
    "whole, framed": {"pre_tokenizer": None, "post_processor": TEMPLATE},
}


@pytest.fixture(scope="module", params=VARIANTS)
def pair(request, trained, tmp_path_factory):
    """A tokenizer's file and the encoder of what was written for it."""
    document = trained | VARIANTS[request.param]
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(json.dumps(document))
    target = path.with_name("wordpiece.json")
    write_wordpiece(path, target)
    return path, Encoder(json.loads(target.read_text()))


def same(pair, text, length=64):
    path, encoder = pair
    reference = f"wordpiece:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert encoder.encode(text, length) == encode_by(reference, path, [text], length)[0].tolist()


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=80) | st.text(alphabet=MARKS + "\u08d4", max_size=40))
def test_texts_of_any_characters_become_the_same_tokens(pair, text):
    same(pair, text)


def test_a_thousand_texts_become_the_same_tokens(pair, texts):
    for text in texts:
        same(pair, text)


@pytest.mark.parametrize("pair", ["as trained"], indirect=True)
def test_every_character_becomes_the_same(pair):
    for first in range(0, 0x110000, 64):
        if not 0xD800 <= first < 0xE000:
            same(pair, "a".join(map(chr, range(first, first + 64))), 1000)


def test_texts_that_are_tokens_are_found_wherever_they_stand(trained, tmp_path):
    names = ["[PAD]", "[UNK]", "[CLS]", "[CLS][SEP]"]
    document = trained | {"added_tokens": [added(name, i) for i, name in enumerate(names)]}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(document))
    both = (path, Encoder(wordpiece_of(path)))
    for text in ("[CLS]", "a[CLS]b", "[CLS][SEP][CLS]", "[CL[CLS]S]", "x[PAD][UNK]\u0301e"):
        same(both, text)
    alphabet = random.Random(0)
    for _ in range(200):
        same(both, "".join(alphabet.choices([*names, "a", " ", "[", "CLS", "]", "é"], k=9)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"added_tokens": [added("<x>", 2, normalized=True)]}, "'<x>' is looked for by other"),
        ({"post_processor": TEMPLATE | {"single": TEMPLATE["single"][:1]}}, "template"),
    ],
)
def test_what_only_the_library_knows_is_refused(trained, tmp_path, change, told):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(trained | change))
    with pytest.raises(UsageError, match=told):
        wordpiece_of(path)


def test_a_table_that_gives_other_tokens_is_not_written(trained, tmp_path, monkeypatch):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(trained))
    table = wordpiece_of(path)
    monkeypatch.setattr(wordpiece, "wordpiece_of", lambda _: table | {"becomes": []})
    with pytest.raises(ArtifactError, match="gives other tokens for 'Set an alarm"):
        write_wordpiece(path, tmp_path / "wordpiece.json")
    assert not (tmp_path / "wordpiece.json").exists()
