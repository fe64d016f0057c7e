"""What data sets of picture files have in common: decoding, fingerprints, complaints.

Knows files and pixels. What a picture's label is, and which split it is in, subclasses know.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Dataset
from edgekit.datasets.images import (
    Fit,
    PictureMemo,
    decode,
    image_size,
    picture_size,
    unreadable_reason,
)
from edgekit.errors import DataError, FileError, MissingExtraError
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_MOST_CHECKED = 5000  # files looked at to count bad ones, or sizes


class PictureFiles(Dataset):
    """Pictures below `root`, decoded when they are read and kept in memory as far as is sensible.

    Raises:
        MissingExtraError: Pillow is not installed.
    """

    def __init__(self, root: Path) -> None:
        from importlib.util import find_spec

        if find_spec("PIL") is None:
            raise MissingExtraError("Pillow", "data", "reading pictures")
        self._root = root
        self._memo = PictureMemo()

    @abstractmethod
    def paths(self, split: str) -> Sequence[Path]:
        """The files of a split, in order of index; each lies below the root."""

    def size(self, split: str) -> int:
        return len(self.paths(split))

    def fingerprint(self) -> str:
        import PIL

        # Names, sizes and times: reading every byte of a large folder would take minutes.
        entries = [
            (path.relative_to(self._root).as_posix(), stat.st_size, stat.st_mtime_ns)
            for split in SPLITS
            for path in self.paths(split)
            for stat in (path.stat(),)
        ]
        return digest_json({"files": entries, "pillow": PIL.__version__})

    def original(self, split: str, index: int) -> bytes:
        try:
            return self.paths(split)[index].read_bytes()
        except OSError as error:
            raise FileError.from_os_error(error) from error

    def sample_name(self, split: str, index: int) -> str:
        return self.paths(split)[index].relative_to(self._root).as_posix()

    def facts(self) -> dict[str, str]:
        paths = [path for split in SPLITS for path in self.paths(split)]
        total = 0
        sizes: Counter[str] = Counter()
        for path in paths[:_MOST_CHECKED]:
            try:
                total += path.stat().st_size
                width, height = picture_size(path)
                sizes[f"{width}×{height}"] += 1
            except Exception:  # Pillow raises anything at damaged files; `check` names them
                sizes["unreadable"] += 1
        common = [f"{size} ({count:,})" for size, count in sizes.most_common(3)]
        others = f", {len(sizes) - 3:,} other sizes" if len(sizes) > 3 else ""
        first = f" (of the first {_MOST_CHECKED:,})" if len(paths) > _MOST_CHECKED else ""
        return {
            "pictures": f"{', '.join(common)}{others}; {total / 1e6:.1f} MB{first}",
            "files": str(self._root),
        }

    def pixels(
        self, split: str, indices: Sequence[int], spec: InputSpec
    ) -> tuple[Array, list[Fit]]:
        """Decode pictures to the size `spec` asks for.

        Returns:
            uint8 [N, height, width, 3], and where each picture lies in its row.

        Raises:
            DataError: One cannot be read; the message counts all that cannot.
        """
        import numpy as np

        height, width = image_size(spec, owner=self.name)
        paths = self.paths(split)
        pixels = np.empty((len(indices), height, width, 3), np.uint8)
        fits = []
        for row, index in enumerate(indices):
            try:
                pixels[row], fit = self._memo.decode(
                    paths[index], height, width, resize=spec.resize
                )
            except Exception:  # Pillow raises anything at damaged files
                raise self._unreadable(split, first=index) from None
            fits.append(fit)
        return pixels, fits

    def _unreadable(self, split: str, first: int) -> DataError:
        """One complaint about all bad files of a split: whoever cleans up wants them all."""
        files = self.paths(split)[first:][:_MOST_CHECKED]
        reasons: dict[Path, str] = {}
        for path in files:
            try:
                decode(path, 8, 8)
            except Exception as error:
                reasons[path] = unreadable_reason(error, path)
        return DataError(
            f"{next(iter(reasons), files[0])}: not a readable picture; "
            f"{len(reasons)} bad of {len(files)} {split} files checked",
            *[f"{path.relative_to(self._root)}: {reasons[path]}" for path in list(reasons)[:5]],
            hint="remove or replace them",
        )
