"""Labelled texts in memory: what text data sets share, and the user's own CSV and JSON files.

A CSV file has a header with `text` and `label`, in any order and among others. A JSON file is a
list of `[text, label]` or of `{"text", "label"}`, or `{"train": […], "val": […], "test": […]}` of
such lists. Files are untrusted: bounded, and every complaint names the line or the entry. What
turns a text into tokens is `edgekit.tokenizing`'s.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from edgekit.datasets.base import SPLITS, Dataset, Samples
from edgekit.datasets.splitting import is_validation, split_of
from edgekit.errors import DataError
from edgekit.files import digest_json
from edgekit.spec import InputSpec
from edgekit.tokenizing import encode, vocabulary_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MAX_BYTES = 512 * 1024**2
MAX_TEXTS = 2_000_000
MAX_CHARACTERS = 100_000  # of one text
MAX_CLASSES = 10_000

_SPLIT_NAMES = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
_FORMS = '[["text", "label"], …], [{"text": …, "label": …}, …] or {"train": […], "test": […]}'


@dataclass(frozen=True, slots=True)
class Text:
    """One sample.

    Attributes:
        text: As it is stored.
        label: Name of its class.
        where: Where it was found, for people.
    """

    text: str
    label: str
    where: str


class TextDataset(Dataset):
    """Texts with a class each.

    Args:
        name: Short name.
        reference: What `open_dataset` takes.
        texts: By split.
        classes: Label names in order; None sorts those of the training split.

    Raises:
        DataError: There is no training text, or a label that training has not.
    """

    task = "text-classification"
    costly = False

    def __init__(
        self,
        name: str,
        reference: str,
        texts: Mapping[str, Sequence[Text]],
        classes: Sequence[str] | None = None,
    ) -> None:
        import numpy as np

        self.name = name
        self.reference = reference
        self._texts = {split: tuple(texts.get(split, ())) for split in SPLITS}
        known = classes or sorted({entry.label for entry in self._texts["train"]})
        self.classes = tuple(known)
        if len(self.classes) > MAX_CLASSES:
            raise DataError(
                f"{reference}: {len(self.classes):,} labels", limit=f"{MAX_CLASSES:,} labels"
            )
        numbers = {label: number for number, label in enumerate(self.classes)}
        for split in SPLITS:
            for entry in self._texts[split]:
                if entry.label not in numbers:
                    raise DataError(
                        f"{entry.where}: no training text has the label {entry.label[:80]!r}"
                    )
        self._labels = {
            split: np.array([numbers[entry.label] for entry in self._texts[split]], np.int64)
            for split in SPLITS
        }

    def fingerprint(self) -> str:
        return digest_json(
            {s: [(t.text, t.label) for t in self._texts[s]] for s in SPLITS}
            | {"classes": self.classes}
        )

    def size(self, split: str) -> int:
        return len(self._texts.get(split, ()))

    def labels(self, split: str) -> Array:
        return self._labels[split]

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        texts = [self._texts[split][index].text for index in indices]
        return Samples(tokens_of(texts, spec, owner=self.name), self._labels[split][list(indices)])

    def original(self, split: str, index: int) -> str:
        return self._texts[split][index].text

    def sample_name(self, split: str, index: int) -> str:
        return self._texts[split][index].where


def tokens_of(texts: Sequence[str], spec: InputSpec, *, owner: str) -> Array:
    """Texts as a model's input takes them: [N, length] of `spec.dtype`.

    Raises:
        DataError: The input takes no tokens, names no tokenizer, or has fewer numbers than it.
    """
    if spec.layout != "tokens" or len(spec.shape) != 1 or not spec.dtype.startswith("int"):
        raise DataError(
            f"{owner}: the input {spec.name!r} takes {spec.dtype} {list(spec.shape)}, not text",
            hint='an input for text has layout = "tokens", dtype = "int32", shape [length] and a '
            "tokenizer",
        )
    vocabulary = vocabulary_of(spec.tokenizer)
    if vocabulary > spec.range[1] + 1:
        raise DataError(
            f"{owner}: the tokenizer gives {vocabulary:,} different numbers; the input "
            f"{spec.name!r} takes {spec.range[0]:.0f}…{spec.range[1]:.0f}",
            hint="a tokenizer trained with fewer pieces, or a model with a larger vocabulary",
        )
    return encode(spec.tokenizer, texts, spec.shape[0]).astype(spec.dtype)


def open_text(path: Path) -> TextDataset:
    """Open a user's own texts: a `.csv`, a `.json`, or a folder with `train.csv` or `train.json`.

    In a folder, `validation` (or `val`) and `test` lie beside it. Without a validation split an
    eighth of the training texts is taken, from a lone file also a fifth for the test, each text by
    its own digest: the same text is never in two splits.

    Raises:
        DataError: Not such a file; the message names file and line.
    """
    path = path.resolve()
    if path.is_dir():
        found: dict[str, list[Text]] = {}
        for file in sorted(path.iterdir()):
            split = _SPLIT_NAMES.get(file.stem)
            if split and file.suffix in (".csv", ".json"):
                if split in found:
                    raise DataError(f"{path}: several files hold the split {split}: {file.name}")
                found[split] = _lone(file)
    elif path.suffix == ".json":
        found = read_json(path)
    else:
        found = {"": read_csv(path)}
    if "" in found:
        lone = found.pop("")
        for entry in lone:
            found.setdefault(split_of(entry.text), []).append(entry)
    elif not found.get("validation"):
        train = found.get("train", [])
        found["validation"] = [entry for entry in train if is_validation(entry.text)]
        found["train"] = [entry for entry in train if not is_validation(entry.text)]
    if not found.get("train"):
        raise DataError(f"{path}: no training texts in it")
    return TextDataset(path.stem, str(path), found)


def looks_like_text(path: Path) -> bool:
    """Whether a folder holds split files of texts."""
    return any((path / f"train{suffix}").is_file() for suffix in (".csv", ".json"))


def read_csv(path: Path, *, label: str = "label") -> list[Text]:
    """Texts of a CSV file whose header names `text` and the column `label`.

    Raises:
        DataError: See `open_text`.
    """
    _bounded(path)
    entries: list[Text] = []
    rows = None
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(rows, [])]
            if missing := [name for name in ("text", label) if name not in header]:
                raise DataError(
                    f"{path}, line 1: the header has no column {missing[0]!r}",
                    f"it has: {', '.join(header)[:200] or 'nothing'}",
                    hint=f"the first line names the columns: text,{label}",
                )
            columns = header.index("text"), header.index(label)
            for row in rows:
                where = f"{path}, line {rows.line_num}"
                if not row:
                    continue
                if len(row) != len(header):
                    raise DataError(
                        f"{where}: {len(row)} columns; the header has {len(header)}",
                        hint='a text with commas stands in quotes: "yes, please",label',
                    )
                entries.append(_entry(row[columns[0]], row[columns[1]], where, len(entries)))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 text: {error.reason}", hint="save it as UTF-8"
        ) from error
    except csv.Error as error:
        raise DataError(f"{path}, line {rows.line_num if rows else 1}: not CSV: {error}") from error
    return entries


def read_json(path: Path) -> dict[str, list[Text]]:
    """Texts of a JSON file by split; a file without splits has the one split "".

    Raises:
        DataError: See `open_text`.
    """
    document = load_json(path)
    if isinstance(document, list):
        return {"": entries_of(document, str(path))}
    if not isinstance(document, dict) or not document or set(document) - set(_SPLIT_NAMES):
        raise DataError(f"{path}: no texts in a form that edgekit reads", hint=_FORMS)
    found: dict[str, list[Text]] = {}
    for name, entries in document.items():
        if _SPLIT_NAMES[name] in found:
            raise DataError(f"{path}: both validation and val are in it")
        found[_SPLIT_NAMES[name]] = entries_of(entries, f"{path}, {name}")
    return found


def load_json(path: Path) -> Any:
    """A bounded JSON file's content.

    Raises:
        DataError: Absent, too large, or not JSON.
    """
    _bounded(path)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {' '.join(str(error).split())[:200]}") from error


def entries_of(entries: Any, where: str) -> list[Text]:
    """A list of `[text, label]` or of `{"text", "label"}`, checked.

    Raises:
        DataError: See `open_text`.
    """
    if not isinstance(entries, list):
        raise DataError(f"{where}: expected a list", hint=_FORMS)
    found: list[Text] = []
    for number, entry in enumerate(entries):
        here = f"{where}, entry {number}"
        if isinstance(entry, dict) and {"text", "label"} <= set(entry):
            text, label = entry["text"], entry["label"]
        elif isinstance(entry, list) and len(entry) == 2:
            text, label = entry
        else:
            raise DataError(f"{here}: neither [text, label] nor an object of both", hint=_FORMS)
        if type(label) is int:
            label = str(label)
        if not isinstance(text, str) or not isinstance(label, str):
            raise DataError(f"{here}: text and label are text", hint=_FORMS)
        found.append(_entry(text, label, here, len(found)))
    return found


def _lone(file: Path) -> list[Text]:
    if file.suffix == ".csv":
        return read_csv(file)
    return entries_of(load_json(file), str(file))


def _entry(text: str, label: str, where: str, known: int) -> Text:
    if not text.strip():
        raise DataError(f"{where}: an empty text")
    if not label.strip():
        raise DataError(f"{where}: an empty label")
    if "\n" in label or len(label) > 200:
        raise DataError(f"{where}: no label: {label[:40]!r}", limit="one line of 200 characters")
    if len(text) > MAX_CHARACTERS:
        raise DataError(
            f"{where}: {len(text):,} characters", limit=f"{MAX_CHARACTERS:,} for one text"
        )
    if known >= MAX_TEXTS:
        raise DataError(f"{where}: too many texts", limit=f"{MAX_TEXTS:,} in one file")
    return Text(text, label.strip(), where)


def _bounded(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        _unreadable(path, error)
    if size > MAX_BYTES:
        raise DataError(f"{path}: {size:,} bytes", limit=f"{MAX_BYTES:,} for a file of texts")


def _unreadable(path: Path, error: OSError) -> NoReturn:
    raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
