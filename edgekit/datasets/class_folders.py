"""Files in one subfolder per class, sorted names give the labels.

Either `train/`, `validation/` (or `val/`) and `test/` hold the class folders, or the class folders
stand alone and each file falls into a split by a digest of its relative name, so that adding files
moves no other. Hidden files and folders, and files of other kinds by their suffix, don't count.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from edgekit.datasets.splitting import is_validation, split_of
from edgekit.errors import DataError, FileError

Entries = list[tuple[Path, int]]

_SPLIT_FOLDERS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}


@dataclass(frozen=True, slots=True)
class ClassFolders:
    """What lies in the folders.

    Attributes:
        classes: Their names, sorted.
        files: Split → files, each with the number of its class.
        split_rule: How the files came into their splits, in words.
    """

    classes: tuple[str, ...]
    files: dict[str, Entries]
    split_rule: str


def has_class_folders(root: Path, suffixes: Collection[str]) -> bool:
    """Whether a subfolder of `root`, or of its `train/`, directly holds files of a kind."""
    for folder in (root, root / "train"):
        if not folder.is_dir():
            continue
        for name in _folders(folder):
            if any(path.suffix.lower() in suffixes for path in (folder / name).iterdir()):
                return True
    return False


def scan_class_folders(root: Path, suffixes: Collection[str], what: str) -> ClassFolders:
    """Every file below `root`, by split and class.

    Args:
        root: Holds the class folders, or the folders of the splits.
        suffixes: Of the files that count, in lower case with their dots.
        what: What the files are, for complaints: "pictures".

    Raises:
        DataError: No class folders, a class without files, or one that train does not have.
        FileError: The system refuses.
    """
    try:
        return _Scan(root, suffixes, what).run()
    except OSError as error:
        raise FileError.from_os_error(error) from error


@dataclass(frozen=True, slots=True)
class _Scan:
    root: Path
    suffixes: Collection[str]
    what: str

    def run(self) -> ClassFolders:
        parts = {
            split: [self.root / name for name in names if (self.root / name).is_dir()]
            for split, names in _SPLIT_FOLDERS.items()
        }
        if not parts["train"]:
            classes = self._classes(self.root)
            found: dict[str, Entries] = {split: [] for split in _SPLIT_FOLDERS}
            for path, label in self._files(self.root, classes):
                found[split_of(self._relative(path))].append((path, label))
            return ClassFolders(classes, found, "by a digest of each file's name")
        classes = self._classes(parts["train"][0])
        for folders in parts.values():
            for folder in folders:
                if unknown := sorted(set(_folders(folder)) - set(classes)):
                    raise DataError(
                        f"{folder}: the class {unknown[0]!r} has no folder in train",
                        f"train has: {', '.join(classes)}",
                    )
        files = {
            split: [entry for folder in folders for entry in self._files(folder, classes)]
            for split, folders in parts.items()
        }
        if files["validation"]:
            return ClassFolders(classes, files, "folders")
        # Training needs some: taken from train, by the same rule as without split folders.
        given = files["train"]
        for split, wanted in (("train", False), ("validation", True)):
            files[split] = [e for e in given if is_validation(self._relative(e[0])) is wanted]
        rule = "folders; validation from train by a digest of each file's name"
        return ClassFolders(classes, files, rule)

    def _classes(self, folder: Path) -> tuple[str, ...]:
        classes = tuple(_folders(folder))
        if not classes:
            loose = sum(path.suffix.lower() in self.suffixes for path in folder.iterdir())
            raise DataError(
                f"{folder}: no class folders in it"
                + (f", only {loose} loose {self.what}" if loose else ""),
                hint=f"one subfolder of {self.what} per class; its name is the class",
            )
        return classes

    def _files(self, folder: Path, classes: tuple[str, ...]) -> Entries:
        """Files of all classes, sorted; every class of `folder` must have one."""
        entries: Entries = []
        for label, name in enumerate(classes):
            if not (folder / name).is_dir():
                continue
            paths = sorted(
                path
                for path in (folder / name).rglob("*")
                if path.suffix.lower() in self.suffixes
                and not _hidden(path, folder)
                and path.is_file()
            )
            if not paths:
                raise DataError(
                    f"{folder / name}: a class without {self.what}",
                    hint=f"remove the folder, or add files ({' '.join(sorted(self.suffixes))})",
                )
            entries += [(path, label) for path in paths]
        return entries

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _folders(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _hidden(path: Path, below: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(below).parts)
