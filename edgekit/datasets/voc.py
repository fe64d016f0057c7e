"""Pascal VOC: `Annotations/*.xml`, `JPEGImages/` and, where given, `ImageSets/Main/<split>.txt`.

Edges are taken as positions in pixels from the picture's left upper corner, as LabelImg writes
them. XML is untrusted: without entities, and bounded in size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.datasets.boxes import Annotated, Box, BoxFiles, Malformed, finite, path_below
from edgekit.datasets.images import SUFFIXES, picture_size
from edgekit.datasets.splitting import is_validation, split_names
from edgekit.errors import DataError, FileError, MissingExtraError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_XML_BYTES = 4 * 1024**2

_LISTS = {"train": ("train",), "validation": ("val", "validation"), "test": ("test",)}
_HINT = "an annotation is <annotation> with <size>, and <object> with <name> and <bndbox>"


def is_voc(root: Path) -> bool:
    """Whether a folder is laid out like this."""
    return (root / "Annotations").is_dir() and (root / "JPEGImages").is_dir()


class VocFolder(BoxFiles):
    """A Pascal VOC folder.

    Without lists of splits, samples fall into them by a digest of their names. Classes are those of
    `classes.txt`, where there is one, else the sorted names that occur.

    Args:
        root: Holds `Annotations` and `JPEGImages`.
        classes: Their names in order; None reads them.

    Raises:
        DataError: An annotation cannot be read, or names a picture that is not there.
    """

    def __init__(self, root: Path, classes: Sequence[str] | None = None) -> None:
        root = root.resolve()
        try:
            stems, rule = _splits(root)
            found = _Reader(root).read_all(stems)
        except OSError as error:
            raise FileError.from_os_error(error) from error
        names = sorted({name for entries in found.values() for e in entries for name in e.names})
        known = list(classes or _listed_classes(root) or names)
        if unknown := sorted(set(names) - set(known)):
            raise DataError(
                f"{root}: the class {unknown[0]!r} is annotated and not listed",
                f"listed: {', '.join(known)}",
            )
        super().__init__(
            root, {split: [e.to_classes(known) for e in found[split]] for split in found}, known
        )
        self.split_rule = rule


class _Entry:
    """One picture, classes still by name."""

    def __init__(self, path: Path, where: str) -> None:
        self.path = path
        self.where = where
        self.names: list[str] = []
        self.edges: list[list[float]] = []

    def to_classes(self, classes: Sequence[str]) -> Annotated:
        boxes = [
            Box(classes.index(name), *edges)
            for name, edges in zip(self.names, self.edges, strict=True)
        ]
        return Annotated(self.path, tuple(boxes), self.where)


class _Reader:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._malformed = Malformed()
        # One listing instead of a question for every suffix of every picture.
        self._pictures = {
            path.stem: path
            for path in sorted((root / "JPEGImages").iterdir())
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        }

    def read_all(self, stems: Mapping[str, Sequence[str]]) -> dict[str, list[_Entry]]:
        found = {
            split: [entry for stem in names if (entry := self._read(stem)) is not None]
            for split, names in stems.items()
        }
        self._malformed.raise_if_any(self._root, hint=_HINT)
        return found

    def _read(self, stem: str) -> _Entry | None:
        where = f"Annotations/{stem}.xml"
        try:
            picture = self._pictures.get(stem)
            if picture is None:
                raise ValueError("no picture of that name in JPEGImages")
            entry = _Entry(picture, where)
            self._fill(entry, parse_xml(path_below(self._root, where)))
        except (ValueError, OSError) as error:
            self._malformed.add(where, " ".join(str(error).split()))
            return None
        return entry

    def _fill(self, entry: _Entry, annotation: Element) -> None:
        width, height = finite(
            annotation.findtext(f"size/{side}") or 0 for side in ("width", "height")
        )
        for one in annotation.iter("object"):
            name = (one.findtext("name") or "").strip()
            if not name or len(name) > 100:
                raise ValueError("an object without a name")
            if not (width > 0 and height > 0):
                width, height = _real_size(entry.path)
            texts = [
                one.findtext(f"bndbox/{edge}") or "" for edge in ("xmin", "ymin", "xmax", "ymax")
            ]
            left, top, right, bottom = finite(texts)
            entry.names.append(name)
            entry.edges.append([left / width, top / height, right / width, bottom / height])


def parse_xml(path: Path) -> Element:
    """The root of an XML file that somebody else wrote.

    Raises:
        ValueError: Not XML, with entities or a document type, or larger than `MAX_XML_BYTES`.
        MissingExtraError: defusedxml is not installed.
    """
    try:
        from defusedxml.common import DefusedXmlException
        from defusedxml.ElementTree import ParseError, parse
    except ModuleNotFoundError as error:
        raise MissingExtraError("defusedxml", "data", "reading Pascal VOC annotations") from error
    if (size := path.stat().st_size) > MAX_XML_BYTES:
        raise ValueError(f"{size:,} bytes; at most {MAX_XML_BYTES:,} are read")
    try:
        root: Element | None = parse(path, forbid_dtd=True).getroot()
    except ParseError as error:
        raise ValueError(f"not XML: {error}") from error
    except DefusedXmlException as error:
        raise ValueError("it declares a document type or entities") from error
    if root is None:
        raise ValueError("an empty document")
    return root


def _real_size(path: Path) -> tuple[float, float]:
    try:
        width, height = picture_size(path)
    except Exception as error:  # Pillow raises anything at damaged files
        raise ValueError(f"no size, and {path.name} is not a readable picture") from error
    return float(width), float(height)


def _listed_classes(root: Path) -> list[str]:
    path = root / "classes.txt"
    if not path.is_file():
        return []
    return [
        line.strip() for line in path.read_text("utf-8", "replace").splitlines() if line.strip()
    ]


def _splits(root: Path) -> tuple[dict[str, list[str]], str]:
    """Names without suffix by split, and the rule in words."""
    lists = root / "ImageSets" / "Main"
    found = {
        split: [stem for name in names for stem in _listed(lists / f"{name}.txt")]
        for split, names in _LISTS.items()
    }
    if any(found.values()):
        if not found["train"]:
            left_out = {*found["validation"], *found["test"]}
            found["train"] = [s for s in _listed(lists / "trainval.txt") if s not in left_out]
        if found["train"] and not found["validation"]:
            given = found["train"]
            found["validation"] = [stem for stem in given if is_validation(stem)]
            found["train"] = [stem for stem in given if not is_validation(stem)]
            return found, "ImageSets/Main; validation from train by a digest of each name"
        return found, "ImageSets/Main"
    stems = sorted(path.stem for path in (root / "Annotations").glob("*.xml"))
    return split_names(stems), "by a digest of each file's name"


def _listed(path: Path) -> list[str]:
    if not path.is_file():
        return []
    lines = path.read_text("utf-8", "replace").splitlines()
    # Lists of one class add 1 or -1 after the name.
    return [line.split()[0] for line in lines if line.strip()]
