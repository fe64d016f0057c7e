"""Videos as what trackers take: pictures in order of time, and who is where, if that is known.

Drawn ones, or a folder of pictures. Does not know models.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS
from edgekit.datasets.images import SUFFIXES, read_picture, unreadable_reason
from edgekit.errors import DataError, FileError, UsageError
from edgekit.tracking.motchallenge import from_text

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

DRAWN = "glyph-videos"


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame of a video.

    Attributes:
        image: uint8 [height, width, 3], RGB.
        identities: int64 [K], who is there; None where that is not known.
        boxes: float64 [K, 4], left, top, right and bottom in pixels; likewise.
    """

    image: Array
    identities: Array | None = None
    boxes: Array | None = None


class Video(ABC):
    """Frames in order of time; they can be read again.

    Attributes:
        name: For people and files.
    """

    name: str

    @abstractmethod
    def __len__(self) -> int:
        """Frames."""

    @abstractmethod
    def __iter__(self) -> Iterator[Shot]:
        """Read them, one at a time.

        Raises:
            DataError: One cannot be read.
        """


class DrawnVideo(Video):
    """A video of `glyph-videos`.

    Args:
        split: That it is from.
        index: Its place there.
        size: Height and width of its frames, in pixels.

    Raises:
        MissingExtraError: Pillow or matplotlib (for its fonts) is not installed.
    """

    def __init__(self, split: str, index: int, size: tuple[int, int]) -> None:
        from edgekit.datasets.glyph_videos import GlyphScenes, GlyphVideo

        GlyphScenes()  # says what is not installed
        self._video = GlyphVideo(split, index, *size)
        self.name = self._video.name

    def __len__(self) -> int:
        return len(self._video)

    def __iter__(self) -> Iterator[Shot]:
        import numpy as np

        whole = np.array([self._video.width, self._video.height] * 2, np.float64)
        for frame in self._video:
            yield Shot(frame.image, frame.identities, frame.boxes * whole)


class PictureVideo(Video):
    """The pictures of a folder, in the order of their names.

    A folder as MOTChallenge has them, too: pictures in `img1`, and the truth in `gt/gt.txt`.

    Raises:
        DataError: There are no pictures, or the truth cannot be.
        FileError: The folder cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.resolve().name or "video"
        place = folder / "img1" if (folder / "img1").is_dir() else folder
        try:
            self._paths = sorted(p for p in place.iterdir() if p.suffix.lower() in SUFFIXES)
        except OSError as error:
            raise FileError.from_os_error(error) from error
        if not self._paths:
            raise DataError(f"{place}: no pictures in it", hint="frames as .png or .jpg files")
        self._truth: Sequence[tuple[Array, Array]] | None = None
        truth = folder / "gt" / "gt.txt"
        if truth.is_file():
            try:
                self._truth = from_text(truth.read_text(encoding="utf-8"), len(self._paths))
            except UnicodeDecodeError as error:
                raise DataError(f"{truth}: not UTF-8 text") from error
            except DataError as error:
                raise DataError(f"{truth}: {error.message}", hint=error.hint) from error

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[Shot]:
        for number, path in enumerate(self._paths):
            try:
                image = read_picture(path)
            except Exception as error:
                raise DataError(f"{path}: {unreadable_reason(error, path)}") from error
            yield Shot(image, *(self._truth[number] if self._truth is not None else (None, None)))


def open_videos(
    reference: str | Path, *, split: str, count: int, size: tuple[int, int]
) -> Sequence[Video]:
    """Videos by what a person calls them.

    Args:
        reference: "glyph-videos", or the path of a folder of pictures.
        split: Of drawn videos.
        count: Of drawn videos, at least 1.
        size: Height and width at which they are drawn.

    Raises:
        UsageError: Neither that name nor a folder, or there is no such split.
        DataError: As `PictureVideo`.
    """
    if str(reference) == DRAWN:
        if split not in SPLITS:
            raise UsageError(f"unknown split {split!r}", hint=f"one of: {', '.join(SPLITS)}")
        return [DrawnVideo(split, index, size) for index in range(count)]
    folder = Path(reference).expanduser()
    if not folder.is_dir():
        raise UsageError(f"{reference}: no such video", hint=f"a folder of pictures, or {DRAWN}")
    return [PictureVideo(folder)]
