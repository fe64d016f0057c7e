"""What data sets there are, what is in one, whether it is here, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit import registry
from edgekit.datasets import SPLITS, Dataset, open_dataset
from edgekit.datasets.inspection import Inspection, inspect
from edgekit.datasets.sources import Archive, Place, locate
from edgekit.errors import EdgekitError, UsageError
from edgekit.progress import Report, silent


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """A registered data set.

    Attributes:
        name: What `--dataset` takes.
        task: What a model can learn from it.
        samples: By split, without empty ones.
        licence: SPDX identifier.
        source: Where it comes from.
        archive: The public archive it reads; None where it needs none.
        place: Where that archive is; None where it would have to be fetched.
    """

    name: str
    task: str
    samples: Mapping[str, int]
    licence: str
    source: str
    archive: Archive | None
    place: Place | None

    @property
    def is_here(self) -> bool:
        """Whether it can be opened without a network."""
        return self.archive is None or self.place is not None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "task": self.task,
            "samples": dict(self.samples),
            "licence": self.licence,
            "source": self.source,
            "here": self.is_here,
            "place": str(self.place.path) if self.place else None,
        }


@dataclass(frozen=True, slots=True)
class DatasetList:
    """All registered data sets, and why some cannot be listed."""

    datasets: tuple[DatasetEntry, ...]
    broken: tuple[EdgekitError, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "datasets": [entry.to_json() for entry in self.datasets],
            "broken": [error.to_json() for error in self.broken],
        }


def list_datasets() -> DatasetList:
    """Every registered data set; archives are neither opened nor unpacked."""
    entries: list[DatasetEntry] = []
    broken: list[EdgekitError] = []
    for name in registry.parts(registry.DATASETS):
        try:
            entries.append(_entry(name))
        except EdgekitError as error:
            broken.append(error)
        except Exception as error:  # a plug-in's data set must not hide the others
            broken.append(EdgekitError(f"{name}: {type(error).__name__}: {error}"))
    return DatasetList(tuple(entries), tuple(broken))


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """One data set, opened.

    Attributes:
        dataset: It.
        samples: By split, without empty ones.
        class_counts: Samples (or boxes) of each class, by split; empty where it is not labelled.
    """

    dataset: Dataset
    samples: Mapping[str, int]
    class_counts: Mapping[str, tuple[int, ...]]

    def to_json(self) -> dict[str, Any]:
        dataset = self.dataset
        return {
            "name": dataset.name,
            "reference": dataset.reference,
            "task": dataset.task,
            "classes": list(dataset.classes),
            "samples": dict(self.samples),
            "class_counts": {split: list(found) for split, found in self.class_counts.items()},
            "label_shape": list(dataset.label_shape),
            "licence": dataset.licence,
            "source": dataset.source,
            "split_rule": dataset.split_rule,
            "facts": dataset.facts(),
            "fingerprint": dataset.fingerprint(),
        }


def describe_dataset(reference: str | Path) -> DatasetInfo:
    """One data set, by name or by path.

    Raises:
        DataError: It cannot be opened.
    """
    dataset = open_dataset(reference)
    samples = {split: size for split in SPLITS if (size := dataset.size(split))}
    counts = {split: found for split in samples if (found := dataset.class_counts(split))}
    return DatasetInfo(dataset, samples, counts)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A data set that is here now.

    Attributes:
        name: Its name.
        place: Where its files are; None where it needs none.
        was_here: Whether there was nothing to do.
    """

    name: str
    place: Place | None
    was_here: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "place": str(self.place.path) if self.place else None,
            "was_here": self.was_here,
        }


def fetch_dataset(name: str, *, report: Report = silent) -> Fetched:
    """Download a registered data set into the cache, unless it is here, and check its content.

    Raises:
        UsageError: No data set of that name.
        DataError: It cannot be downloaded, or is not what it should be.
    """
    known = registry.parts(registry.DATASETS)
    if Path(name).exists() and name not in known:
        raise UsageError(f"{name} is a path; only known data sets are fetched")
    name = registry.resolve(name, known, what="data set")
    part = registry.load(registry.DATASETS, name)
    archive = getattr(part, "archive", None)
    if archive is None:
        return Fetched(name, None, was_here=True)
    from edgekit.datasets.download import fetch

    was_here = locate(archive) is not None
    return Fetched(name, fetch(archive, report=report), was_here)


@dataclass(frozen=True, slots=True)
class CheckedDataset:
    """A data set and what is wrong with it."""

    name: str
    inspection: Inspection

    def to_json(self) -> dict[str, Any]:
        found = self.inspection
        return {
            "name": self.name,
            "errors": found.errors,
            "warnings": len(found.issues) - found.errors,
            "samples": dict(found.samples),
            "issues": [asdict(issue) for issue in found.issues],
            "notes": list(found.notes),
        }


def check_dataset(reference: str | Path, *, report: Report = silent) -> CheckedDataset:
    """Read all of a data set, by name or by path, and say what is wrong with it.

    Raises:
        DataError: It cannot even be opened.
    """
    dataset = open_dataset(reference)
    return CheckedDataset(dataset.name, inspect(dataset, report=report))


def _entry(name: str) -> DatasetEntry:
    part = registry.load(registry.DATASETS, name)
    archive = getattr(part, "archive", None)
    counts = getattr(part, "counts", None)
    if not counts:
        part = part()
        counts = {split: part.size(split) for split in SPLITS}
    return DatasetEntry(
        name=name,
        task=str(getattr(part, "task", "")),
        samples={split: counts[split] for split in SPLITS if counts.get(split)},
        licence=str(getattr(part, "licence", "")),
        source=str(getattr(part, "source", "")),
        archive=archive,
        place=locate(archive) if archive is not None else None,
    )
