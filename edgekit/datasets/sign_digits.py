"""`sign-digits`: photographs of hands that sign the digits 0 to 9.

Each of about 200 students signed all ten digits, one after the other, and the camera numbered the
files. So splits are spans of that number, cut between two students: a split by chance would show
the same hands in training and in the test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from edgekit.datasets.base import Samples
from edgekit.datasets.images import fit_pixels
from edgekit.datasets.pictures import PictureFiles
from edgekit.datasets.sources import Archive, open_archive
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

ARCHIVE = Archive(
    name="sign-digits",
    repository="ardamavi/Sign-Language-Digits-Dataset",
    commit="4b09433ef9d5c60602e8805bb54b8aa2428527f8",
    files=("Dataset/[0-9]/IMG_*.JPG",),
    digest="b2f21d201f987eaf9655e923711be229362c6c850daf452db189536a59f74ca2",
    licence="Apache-2.0",
)

# File numbers at which a split begins; all three show the digit 0, a student's first.
_SPANS = {"train": (0, 5350), "validation": (5350, 5582), "test": (5582, 10_000)}


class SignDigits(PictureFiles):
    """The 2,062 photographs, mostly 100 × 100 pixels, in order of their number.

    Raises:
        DataError: The archive is not here (`sources.open_archive`).
    """

    archive = ARCHIVE
    name = "sign-digits"
    reference = "sign-digits"
    classes = tuple("0123456789")
    licence = ARCHIVE.licence
    source = ARCHIVE.page
    split_rule = "spans of the camera's file number, cut between two people (about 70/10/20)"
    counts: ClassVar[Mapping[str, int]] = {"train": 1443, "validation": 210, "test": 409}

    def __init__(self) -> None:
        super().__init__(open_archive(ARCHIVE) / "Dataset")
        numbered = sorted((_number(path), path) for path in self._root.glob("[0-9]/IMG_*.JPG"))
        self._files = {
            split: [path for number, path in numbered if first <= number < end]
            for split, (first, end) in _SPANS.items()
        }

    def paths(self, split: str) -> Sequence[Path]:
        return self._files.get(split, ())

    def fingerprint(self) -> str:
        import PIL

        # The content was checked; where and when it was unpacked changes nothing.
        return digest_json({"content": ARCHIVE.digest, "spans": _SPANS, "pillow": PIL.__version__})

    def labels(self, split: str) -> Array:
        import numpy as np

        return np.array([int(path.parent.name) for path in self.paths(split)], np.int64)

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        pixels, _ = self.pixels(split, indices, spec)
        return Samples(fit_pixels(pixels, spec), self.labels(split)[list(indices)])


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("IMG_"))
