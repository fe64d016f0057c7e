"""Texts of every kind that a tokenizer may meet."""

from __future__ import annotations

import random

_ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz      ",
    "The QUICK brown-fox, jumps; over!? (13) lazy.dogs'  ",
    "àéîõüßçñÀÉÎÕÜÇÑøØœŒłŁđıİ ",
    "e\u0301a\u0308o\u0302q\u0323\u0307 \u0300\u0316\u1b44\u302e\U0001d165\U0001d16d",
    "東京都渋谷区日本語テキスト서울특별시한국어 ",
    "नमस्ते दुनिया שָׁלוֹם عَرَبِيّ ภาษาไทย ",
    "👩‍👩‍👧🇩🇪👍🏽🙂❤️🏳️‍🌈 ok ",
    "\t\n\r\x00\x7f\u00ad\u200b\u200d\ufeff\ufffd\ue000\u2028 x",
    "ＡＢＣ１２３ﬁﬂ①②㍿½µ ",
)


def sample_texts(count: int, seed: int = 7, *, surrogates: bool = False) -> list[str]:
    """Empty, short, very long, in many scripts, of any characters at all; the same every time.

    Args:
        count: How many.
        seed: Of the choice.
        surrogates: Whether halves of characters, which no UTF-8 has, may be among them.
    """
    chosen = random.Random(seed)
    made = ["", " ", "\n", "a" * 5000, "word " * 2000, "語" * 300, "👩‍👩‍👧" * 100, "e\u0301" * 200]
    while len(made) < count:
        length = chosen.choice((1, 3, 8, 20, 60, 200))
        kind = chosen.randrange(len(_ALPHABETS) + 2)
        if kind < len(_ALPHABETS):
            made.append("".join(chosen.choices(_ALPHABETS[kind], k=length)))
        elif kind == len(_ALPHABETS):
            made.append("".join(chosen.choices("".join(_ALPHABETS), k=length)))
        else:
            points = (chosen.randrange(0x110000) for _ in range(length))
            text = "".join(map(chr, points))
            made.append(text if surrogates else text.encode("utf-8", "replace").decode())
    return made[:count]
