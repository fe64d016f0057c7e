"""`clinc150` and `banking77`: what people ask an assistant and a bank, by what they want.

Owns their classes and splits. How their archives are found is `sources`' part, how their files are
read `text`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from edgekit.datasets.sources import Archive, open_archive
from edgekit.datasets.text import Text, TextDataset, entries_of, load_json, read_csv
from edgekit.errors import DataError

OUT_OF_SCOPE = "oos"

_VALIDATION_SHARE = 0.1


class Clinc150(TextDataset):
    """150 intents of ten domains and, last, "oos": texts that belong to none of them.

    Splits are as published; each takes its own out-of-scope texts (`oos_train` in train, `oos_val`
    in validation, `oos_test` in test). Larson et al. 2019, arXiv 1909.02027.

    Raises:
        DataError: The archive is nowhere, or damaged.
    """

    name = "clinc150"
    reference = "clinc150"
    licence = "CC-BY-3.0"
    source = "https://github.com/clinc/oos-eval (arXiv 1909.02027)"
    split_rule = "as published; each split with its own out-of-scope texts"
    archive = Archive(
        name="clinc150",
        repository="clinc/oos-eval",
        commit="828f8093932c8fe6ca7936c3d2e52903b1c523de",
        files=("data/data_full.json",),
        digest="1b53ceffddfc1102c620533c63bf7606f9620311539bea2b7b703a3301ddf827",
        licence="CC-BY-3.0",
    )
    counts: ClassVar[Mapping[str, int]] = {"train": 15_100, "validation": 3_100, "test": 5_500}

    def __init__(self) -> None:
        path = open_archive(self.archive) / "data" / "data_full.json"
        texts = read_clinc(path)
        known = sorted({entry.label for entry in texts["train"]} - {OUT_OF_SCOPE})
        super().__init__(self.name, self.reference, texts, (*known, OUT_OF_SCOPE))


class Banking77(TextDataset):
    """77 intents of a bank's customers. Casanueva et al. 2020, arXiv 2003.04807.

    Train and test are as published. Of each class's training texts those with the lowest digests, a
    tenth, are validation.

    Raises:
        DataError: The archive is nowhere, or damaged.
    """

    name = "banking77"
    reference = "banking77"
    licence = "CC-BY-4.0"
    source = "https://github.com/PolyAI-LDN/task-specific-datasets (arXiv 2003.04807)"
    split_rule = "as published; validation: a tenth of each class's training texts, by digest"
    archive = Archive(
        name="banking77",
        repository="PolyAI-LDN/task-specific-datasets",
        commit="57ec275d8078af65b7731c2a98be812d844a6d6b",
        files=("banking_data/train.csv", "banking_data/test.csv"),
        digest="d6d25d6f7d7c1873583554a5c6a43a6f08e5cb220c01f3bc1da25dca44105e42",
        licence="CC-BY-4.0",
    )
    counts: ClassVar[Mapping[str, int]] = {"train": 9_000, "validation": 1_003, "test": 3_080}

    def __init__(self) -> None:
        folder = open_archive(self.archive) / "banking_data"
        published = read_csv(folder / "train.csv", label="category")
        train, validation = take_tenth(published)
        test = read_csv(folder / "test.csv", label="category")
        texts = {"train": train, "validation": validation, "test": test}
        super().__init__(self.name, self.reference, texts)


def read_clinc(path: Path) -> dict[str, list[Text]]:
    """Splits of a file as CLINC150 is published, `oos_*` joined to the others.

    Raises:
        DataError: The file is not of that form.
    """
    document = load_json(path)
    texts = {}
    for split, name in (("train", "train"), ("validation", "val"), ("test", "test")):
        keys = (name, f"{OUT_OF_SCOPE}_{name}")
        if not isinstance(document, dict) or not set(keys) <= set(document):
            raise DataError(f"{path}: the keys {' and '.join(keys)} are not in it")
        texts[split] = [
            entry for key in keys for entry in entries_of(document[key], f"{path}, {key}")
        ]
    return texts


def take_tenth(texts: Sequence[Text]) -> tuple[list[Text], list[Text]]:
    """What stays, and a tenth of each class: the texts with the lowest digests.

    A text that occurs twice in a class goes to one side as a whole.
    """
    by_class: dict[str, set[str]] = {}
    for entry in texts:
        by_class.setdefault(entry.label, set()).add(entry.text)
    taken = {
        (label, text)
        for label, members in by_class.items()
        for text in sorted(members, key=_digest)[: round(len(members) * _VALIDATION_SHARE)]
    }
    kept = [entry for entry in texts if (entry.label, entry.text) not in taken]
    return kept, [entry for entry in texts if (entry.label, entry.text) in taken]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
