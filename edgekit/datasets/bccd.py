"""`bccd`: blood cells under a microscope, with boxes, in the layout of Pascal VOC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from edgekit.datasets.sources import Archive, open_archive
from edgekit.datasets.voc import VocFolder
from edgekit.files import digest_json

ARCHIVE = Archive(
    name="bccd",
    repository="Shenggan/BCCD_Dataset",
    commit="d272fb14cdff6e473fafeeeba32aba5f560e9e43",
    files=("BCCD/Annotations/*.xml", "BCCD/JPEGImages/*.jpg", "BCCD/ImageSets/Main/*.txt"),
    digest="3e8c757e7046d96547ca7956d5ad5b4d108e6e47a73934de0ebcaec04158a800",
    licence="MIT",
)


class Bccd(VocFolder):
    """364 pictures of 640 × 480 pixels: red cells (RBC), white cells (WBC) and platelets.

    Raises:
        DataError: The archive is not here (`sources.open_archive`).
    """

    archive = ARCHIVE
    licence = ARCHIVE.licence
    source = ARCHIVE.page
    counts: ClassVar[Mapping[str, int]] = {"train": 205, "validation": 87, "test": 72}

    def __init__(self) -> None:
        super().__init__(open_archive(ARCHIVE) / "BCCD", classes=("RBC", "WBC", "Platelets"))
        self.name = self.reference = "bccd"

    def fingerprint(self) -> str:
        import PIL

        # The content was checked; where and when it was unpacked changes nothing.
        return digest_json(
            {"content": ARCHIVE.digest, "boxes": self._rows, "pillow": PIL.__version__}
        )
