"""The licence of a bundle's weights, as a file: which one, where it is written, and its text.

The text is that of the licence that edgekit's own models have; of others it says where SPDX has it.
Reads no file but those beside this one.
"""

from __future__ import annotations

import re
from pathlib import Path

_OPERATORS = ("AND", "OR", "WITH")
_OWN = ("LicenseRef-", "DocumentRef-")


def licence_text(expression: str) -> str:
    """`LICENCE` of a bundle.

    Args:
        expression: An SPDX identifier or expression.
    """
    lines = [f"Licence of the weights in this bundle (SPDX): {expression}", ""]
    words = dict.fromkeys(re.findall(r"[A-Za-z0-9.+:-]+", expression))
    names = [name for name in words if name not in _OPERATORS]
    texts = []
    for name in names:
        file = Path(__file__).with_name(f"{name}.txt")
        if name.startswith(_OWN):
            lines.append(f"{name}: ask whoever made this bundle")
        else:
            lines.append(f"{name}: https://spdx.org/licenses/{name.removesuffix('+')}.html")
        if file.is_file():
            texts.append(file.read_text(encoding="utf-8"))
    return "\n".join([*lines, *(f"\n{text}" for text in texts)]).rstrip() + "\n"
