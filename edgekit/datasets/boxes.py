"""What data sets of pictures with boxes have in common: the rule for boxes, and their labels.

A box that has no area, or none inside its picture, is left out, counted and reported; all others
are clipped to their picture. Formats of annotations are the subclasses'.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Issue, Samples
from edgekit.datasets.images import fit_pixels
from edgekit.datasets.pictures import PictureFiles
from edgekit.errors import DataError
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# No picture has more; and every label is as long as the longest.
MAX_BOXES = 2000


@dataclass(frozen=True, slots=True)
class Box:
    """One box as it was annotated.

    Attributes:
        label: Position of its class.
        left: In parts (0–1) of the picture's width, as right.
        top: In parts of the picture's height, as bottom.
        right: May lie beyond 1, and left of `left`: `BoxFiles` applies the rule.
        bottom: The same.
    """

    label: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Annotated:
    """A picture with its boxes, as a format's reader found them.

    Attributes:
        path: The picture.
        boxes: In the order of the annotation.
        where: File (and place in it) of the annotation, for complaints.
    """

    path: Path
    boxes: tuple[Box, ...]
    where: str


class BoxFiles(PictureFiles):
    """Pictures with boxes: object detection.

    Args:
        root: All pictures lie below it.
        annotated: Pictures by split, in order of index.
        classes: Their names.

    Raises:
        DataError: No picture at all, or a box or a class that cannot be.
    """

    task = "object-detection"

    def __init__(
        self, root: Path, annotated: Mapping[str, Sequence[Annotated]], classes: Sequence[str]
    ) -> None:
        super().__init__(root)
        self.name = root.name or "boxes"
        self.reference = str(root)
        self.classes = tuple(classes)
        self._issues: list[Issue] = []
        self._paths: dict[str, list[Path]] = {}
        self._rows: dict[str, list[tuple[tuple[float, ...], ...]]] = {}
        for split in SPLITS:
            pictures = annotated.get(split, ())
            self._paths[split] = [picture.path for picture in pictures]
            self._rows[split] = [self._keep(picture) for picture in pictures]
        if not any(self._paths.values()):
            raise DataError(f"{root}: no annotated pictures in it")
        most = max(len(rows) for split in SPLITS for rows in self._rows[split])
        self.label_shape = (max(1, most), 5)

    def paths(self, split: str) -> Sequence[Path]:
        return self._paths.get(split, ())

    def fingerprint(self) -> str:
        return digest_json(
            {"pictures": super().fingerprint(), "classes": self.classes, "boxes": self._rows}
        )

    def labels(self, split: str) -> None:
        return None

    def boxes(self, split: str, index: int) -> Array:
        """The boxes of a sample that are kept: float64 [count, 5], as in `label_shape`.

        Edges are parts (0–1) of the picture itself, whatever input it is read for.
        """
        import numpy as np

        return np.array(self._rows[split][index], np.float64).reshape(-1, 5)

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        pixels, fits = self.pixels(split, indices, spec)
        labels = np.zeros((len(indices), *self.label_shape), np.float32)
        labels[..., 0] = -1
        for row, (index, fit) in enumerate(zip(indices, fits, strict=True)):
            boxes = self.boxes(split, index)
            boxes[:, 1:] = fit.to_input(boxes[:, 1:])
            labels[row, : len(boxes)] = boxes
        return Samples(fit_pixels(pixels, spec), labels)

    def class_counts(self, split: str) -> tuple[int, ...]:
        counts = [0] * len(self.classes)
        for rows in self._rows.get(split, ()):
            for row in rows:
                counts[int(row[0])] += 1
        return tuple(counts)

    def issues(self) -> Sequence[Issue]:
        return tuple(self._issues)

    def facts(self) -> dict[str, str]:
        facts = super().facts()
        counts = [len(rows) for split in SPLITS for rows in self._rows[split]]
        facts["boxes"] = (
            f"{sum(counts):,}, at most {max(counts)} a picture; {counts.count(0):,} pictures have "
            f"none; {sum(issue.kind in (DEGENERATE, CROWD) for issue in self._issues):,} left out"
        )
        return facts

    def _keep(self, picture: Annotated) -> tuple[tuple[float, ...], ...]:
        kept = []
        if len(picture.boxes) > MAX_BOXES:
            raise DataError(
                f"{picture.where}: {len(picture.boxes):,} boxes", limit=f"{MAX_BOXES:,} a picture"
            )
        for number, box in enumerate(picture.boxes, 1):
            row, problem = keep_box(box)
            if row is not None:
                kept.append(row)
                continue
            name = self.classes[box.label]
            self._issues.append(
                Issue(DEGENERATE, f"{picture.where}, box {number} ({name})", f"{problem}: left out")
            )
        return tuple(kept)


CROWD = "crowd region"
DEGENERATE = "degenerate box"


def keep_box(box: Box) -> tuple[tuple[float, ...] | None, str]:
    """The rule: a box clipped to its picture, or why it is left out.

    Returns:
        (class, left, top, right, bottom) in 0–1 and "", or None and the reason.
    """
    width, height = box.right - box.left, box.bottom - box.top
    if not (width > 0 and height > 0):
        sides = [side for side, size in (("width", width), ("height", height)) if not size > 0]
        kind = "negative" if min(width, height) < 0 else "zero"
        return None, f"{kind} {' and '.join(sides)}"
    clipped = [min(1.0, max(0.0, edge)) for edge in (box.left, box.top, box.right, box.bottom)]
    if not (clipped[2] > clipped[0] and clipped[3] > clipped[1]):
        return None, "wholly outside its picture"
    return (float(box.label), *clipped), ""


class Malformed:
    """Collects what is wrong in annotation files, for one complaint about all of it."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, where: str, problem: str) -> None:
        """Note one place."""
        self._found.append(f"{where}: {problem}"[:500])

    def raise_if_any(self, root: Path, *, hint: str) -> None:
        """Raise a DataError that counts all places and names the first five."""
        if self._found:
            count = len(self._found)
            raise DataError(
                f"{root}: {count:,} annotation{'s' * (count > 1)} cannot be read",
                *self._found[:5],
                hint=hint,
            )


def path_below(root: Path, relative: str) -> Path:
    """`root/relative`, for a name that somebody else wrote.

    Raises:
        ValueError: It is empty, absolute, or climbs out.
    """
    # By the words alone: asking the system about every picture takes seconds.
    path = PurePosixPath(relative.replace("\\", "/"))
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in relative:
        raise ValueError(f"{relative[:200]!r} is no name of a file below {root.name}")
    return root / path


def finite(values: Iterable[str | float]) -> list[float]:
    """Numbers of an annotation.

    Raises:
        ValueError: One is no number, not finite, or larger than any picture.
    """
    try:
        found = [float(value) for value in values]
    except OverflowError as error:  # a whole number of hundreds of digits
        raise ValueError("a number too large for any coordinate") from error
    for value in found:
        if not (math.isfinite(value) and abs(value) < 1e9):
            raise ValueError(f"{value} is no coordinate")
    return found
