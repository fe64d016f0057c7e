"""`deeppcb`: defects of printed circuit boards, with boxes.

Lists give training and test samples. The last tenth of each group of boards in the training list is
kept for validation: neighbours in a group are cut from one scan, and a span shares fewer of them
than a choice by chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from edgekit.datasets.boxes import Annotated, Box, BoxFiles, Malformed, finite, path_below
from edgekit.datasets.sources import Archive, open_archive
from edgekit.errors import FileError
from edgekit.files import digest_json

ARCHIVE = Archive(
    name="deeppcb",
    repository="tangsanli5201/DeepPCB",
    commit="08e98c4db5922613fb97176eb3d6497d48260cb1",
    files=(
        "PCBData/trainval.txt",
        "PCBData/test.txt",
        "PCBData/group*/*/*_test.jpg",
        "PCBData/group*/*_not/*.txt",
    ),
    digest="2539affa7da230aca10a6fb326df9b8e1f2fc219e3db553fd6ccad73c1aeac02",
    licence="MIT",
)

CLASSES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")

_SIDE = 640  # every picture's, in pixels
_VALIDATION_SHARE = 0.1


class DeepPcb(BoxFiles):
    """1,500 pictures of 640 × 640 pixels with defects of six kinds.

    Raises:
        DataError: The archive is not here (`sources.open_archive`).
    """

    archive = ARCHIVE
    licence = ARCHIVE.licence
    source = ARCHIVE.page
    split_rule = "the given lists; the last tenth of each group in trainval.txt is validation"
    counts: ClassVar[Mapping[str, int]] = {"train": 900, "validation": 100, "test": 500}

    def __init__(self) -> None:
        root = open_archive(ARCHIVE) / "PCBData"
        malformed = Malformed()
        try:
            given = _pairs(root / "trainval.txt")
            train, validation = _cut(given)
            splits = {"train": train, "validation": validation, "test": _pairs(root / "test.txt")}
            annotated = {
                split: [_read(root, picture, text, malformed) for picture, text in pairs]
                for split, pairs in splits.items()
            }
        except OSError as error:
            raise FileError.from_os_error(error) from error
        malformed.raise_if_any(root, hint="a line is: x1 y1 x2 y2 class")
        super().__init__(root, annotated, CLASSES)
        self.name = self.reference = "deeppcb"

    def fingerprint(self) -> str:
        import PIL

        # The content was checked; where and when it was unpacked changes nothing.
        names = {split: [path.name for path in self.paths(split)] for split in self.counts}
        return digest_json(
            {
                "content": ARCHIVE.digest,
                "names": names,
                "boxes": self._rows,
                "pillow": PIL.__version__,
            }
        )


def _pairs(path: Path) -> list[tuple[str, str]]:
    """(picture, boxes), relative paths as the list has them: pictures without their `_test`."""
    lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return [(picture, text) for picture, text in lines]


def _cut(pairs: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for pair in pairs:
        groups.setdefault(pair[0].partition("/")[0], []).append(pair)
    train, validation = [], []
    for members in groups.values():
        kept = len(members) - round(len(members) * _VALIDATION_SHARE)
        train += members[:kept]
        validation += members[kept:]
    return train, validation


def _read(root: Path, picture: str, text: str, malformed: Malformed) -> Annotated:
    boxes = []
    for number, line in enumerate(path_below(root, text).read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            left, top, right, bottom, kind = finite(line.replace(",", " ").split())
            if kind not in range(1, len(CLASSES) + 1):
                raise ValueError(f"the class {kind:g}")
        except ValueError as error:
            malformed.add(f"{text}:{number}", str(error))
            continue
        boxes.append(Box(int(kind) - 1, left / _SIDE, top / _SIDE, right / _SIDE, bottom / _SIDE))
    name = f"{picture.removesuffix('.jpg')}_test.jpg"
    return Annotated(path_below(root, name), tuple(boxes), text)
