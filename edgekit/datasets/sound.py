"""WAV files with a class each: folders of them, and `fsdd`, the Free Spoken Digit Dataset.

Either each class is a subfolder (`class_folders`), or the files are named as fsdd's,
`{digit}_{speaker}_{index}.wav`. Sound is mixed to one channel and cut, or filled up with silence,
to the model's length; nothing is resampled, so a file of another rate is refused. Files are
untrusted: no more of one is read than the model takes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from edgekit.datasets.base import SPLITS, Dataset, Issue, Samples
from edgekit.datasets.class_folders import (
    ClassFolders,
    Entries,
    has_class_folders,
    scan_class_folders,
)
from edgekit.datasets.sources import Archive, open_archive
from edgekit.datasets.wav import read_wav, wav_rate
from edgekit.errors import DataError, FileError
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SUFFIX = ".wav"
MAX_FILES = 1_000_000

_SPOKEN_RULE = "by index: 0-4 test (as published), 5-9 validation, 10-49 train"
_SPOKEN = re.compile(r"(?P<digit>\d)_(?P<speaker>\w+)_(?P<index>\d{1,6})\.wav")
_LAST_TEST, _LAST_VALIDATION = 4, 9
_ISSUES = 100  # named at most


class SoundFiles(Dataset):
    """WAV files below `root`.

    Args:
        root: Every file lies below it.
        found: Classes, and files by split.

    Raises:
        DataError: There is no training file, or one class only.
    """

    task = "audio-classification"
    costly = False

    def __init__(self, root: Path, found: ClassFolders) -> None:
        import numpy as np

        self._root = root
        count = sum(len(entries) for entries in found.files.values())
        if count > MAX_FILES:
            raise DataError(f"{root}: {count:,} files", limit=f"{MAX_FILES:,} files")
        if not found.files["train"] or len(found.classes) < 2:
            raise DataError(
                f"{root}: {count} WAV files of {len(found.classes)} classes",
                limit="at least two classes with training files",
                hint="one subfolder of .wav files per class; its name is the class",
            )
        self.classes, self.split_rule = found.classes, found.split_rule
        self._paths = {split: [path for path, _ in found.files[split]] for split in SPLITS}
        self._labels = {
            split: np.array([label for _, label in found.files[split]], np.int64)
            for split in SPLITS
        }

    def fingerprint(self) -> str:
        entries = [
            (split, path.relative_to(self._root).as_posix(), stat.st_size, stat.st_mtime_ns)
            for split in SPLITS
            for path in self._paths[split]
            for stat in (path.stat(),)
        ]
        return digest_json({"files": entries})

    def size(self, split: str) -> int:
        return len(self._paths.get(split, ()))

    def labels(self, split: str) -> Array:
        return self._labels[split]

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        paths = [self._paths[split][index] for index in indices]
        named = [(path, str(path)) for path in paths]
        sound = waveforms(named, spec, owner=self.name)
        return Samples(sound, self._labels[split][list(indices)])

    def original(self, split: str, index: int) -> bytes:
        try:
            return self._paths[split][index].read_bytes()
        except OSError as error:
            raise FileError.from_os_error(error) from error

    def sample_name(self, split: str, index: int) -> str:
        return self._paths[split][index].relative_to(self._root).as_posix()

    def issues(self) -> Sequence[Issue]:
        """Files that cannot be read, and those of another rate than most."""
        found: list[Issue] = []
        rates: dict[Path, int] = {}
        for split in SPLITS:
            for path in self._paths[split]:
                try:
                    rates[path] = wav_rate(path)
                except DataError as error:
                    where = path.relative_to(self._root).as_posix()
                    found.append(Issue("unreadable sound", where, error.message, is_error=True))
        usual = Counter(rates.values()).most_common(1)[0][0] if rates else 0
        for path, rate in rates.items():
            if rate != usual:
                where = path.relative_to(self._root).as_posix()
                problem = f"{rate:,} Hz; most files have {usual:,} Hz"
                found.append(Issue("other sample rate", where, problem, is_error=True))
        return found[:_ISSUES]


class SoundFolder(SoundFiles):
    """A user's own WAV files: class folders (`class_folders`), or named as fsdd's.

    Raises:
        DataError: See `SoundFiles`.
    """

    def __init__(self, root: Path) -> None:
        root = root.resolve()
        self.name = root.name or "sound"
        self.reference = str(root)
        spoken = _spoken(root)
        if any(spoken.files.values()):
            super().__init__(root, spoken)
        else:
            super().__init__(root, scan_class_folders(root, (SUFFIX,), "WAV files"))


class Fsdd(SoundFiles):
    """Spoken digits: six people, fifty times each, 8 kHz.

    Raises:
        DataError: The archive is nowhere, or damaged.
    """

    name = "fsdd"
    reference = "fsdd"
    licence = "CC-BY-SA-4.0"
    source = "https://github.com/Jakobovski/free-spoken-digit-dataset"
    split_rule = _SPOKEN_RULE
    archive: ClassVar[Archive | None] = Archive(
        name="fsdd",
        repository="Jakobovski/free-spoken-digit-dataset",
        commit="26eb9aaf76e81b692f806f9140c2d2777410d7a1",
        files=("recordings/*.wav",),
        digest="1971de6d210a657fc0b609a5bb473095188386d232f7540824707d103ddfcd5d",
        licence="CC-BY-SA-4.0",
    )
    counts: ClassVar[Mapping[str, int]] = {"train": 2_400, "validation": 300, "test": 300}

    def __init__(self) -> None:
        assert self.archive is not None
        root = open_archive(self.archive) / "recordings"
        super().__init__(root, _spoken(root))


def looks_like_sound(folder: Path) -> bool:
    """Whether a folder holds WAV files named as fsdd's, or class folders of WAV files."""
    named = any(_SPOKEN.fullmatch(path.name) for path in folder.glob(f"*{SUFFIX}"))
    return named or has_class_folders(folder, (SUFFIX,))


def _spoken(root: Path) -> ClassFolders:
    """Files named as fsdd's that lie in a folder; the digits that occur are the classes."""
    paths = sorted(path for path in root.glob(f"*{SUFFIX}") if _SPOKEN.fullmatch(path.name))
    classes = tuple(sorted({path.name[0] for path in paths}))
    files: dict[str, Entries] = {split: [] for split in SPLITS}
    for path in paths:
        files[spoken_split(path)].append((path, classes.index(path.name[0])))
    return ClassFolders(classes, files, _SPOKEN_RULE)


def spoken_split(path: Path) -> str:
    """The split of a file named as fsdd's, by its index."""
    named = _SPOKEN.fullmatch(path.name)
    assert named is not None
    index = int(named["index"])
    if index <= _LAST_TEST:
        return "test"
    return "validation" if index <= _LAST_VALIDATION else "train"


def waveforms(files: Sequence[tuple[Path | bytes, str]], spec: InputSpec, *, owner: str) -> Array:
    """WAV files, each with its name for complaints, as an input takes them.

    Returns:
        [N, length] of `spec.dtype`; −1…1 becomes `spec.range` linearly.

    Raises:
        DataError: The input takes no sound, or as `read_wav`.
    """
    import numpy as np

    if spec.layout != "waveform" or len(spec.shape) != 1 or not spec.dtype.startswith("float"):
        raise DataError(
            f"{owner}: the input {spec.name!r} takes {spec.dtype} {list(spec.shape)}, not sound",
            hint='an input for sound has layout = "waveform", dtype = "float32", '
            "shape [length] and rate_hz",
        )
    sound = np.stack(
        [read_wav(file, spec.shape[0], spec.rate_hz, name=name) for file, name in files]
    )
    low, high = spec.range
    if (low, high) != (-1.0, 1.0):
        sound = low + (sound + 1) * ((high - low) / 2)
    return sound.astype(spec.dtype)
