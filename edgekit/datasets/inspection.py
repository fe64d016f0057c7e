"""What is wrong with a data set: files, boxes, leaks between splits, classes.

Knows data sets, bytes and pixels. Works on any data set that gives its samples as they are stored;
of others it looks at the classes alone. Changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations, islice
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Dataset, Issue
from edgekit.errors import EdgekitError
from edgekit.process import available_cores
from edgekit.progress import Progress, Report, silent

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Of 256 differences between neighbours, how many may differ in two pictures of one thing.
NEAR_BITS = 10
# A class with fewer than a tenth of the samples of the largest is hard to learn and to measure.
MAX_RATIO = 10.0
MOST_COMPARED = 40_000  # pictures; comparing all pairs grows with the square

_SIDE = 16
_PICTURES = ("image-classification", "object-detection")


@dataclass(frozen=True, slots=True)
class Inspection:
    """What `inspect` found.

    Attributes:
        issues: Errors first, otherwise in the order of their kinds.
        samples: How many samples of each split were read.
        notes: What could not be looked at, and why.
    """

    issues: tuple[Issue, ...]
    samples: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def errors(self) -> int:
        """How many issues are errors."""
        return sum(issue.is_error for issue in self.issues)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One sample, read: its content's digest, and a picture's look as 256 bits."""

    split: str
    index: int
    digest: bytes
    look: Array | None


def inspect(dataset: Dataset, *, report: Report = silent) -> Inspection:
    """Read every sample of a data set and say what is wrong with it."""
    issues = list(dataset.issues())
    notes: list[str] = []
    unstored: list[str] = []
    seen: list[_Seen] = []
    samples: dict[str, int] = {}
    for split in SPLITS:
        size = dataset.size(split)
        if not size:
            continue
        try:
            stored = dataset.original(split, 0) is not None
        except EdgekitError:
            stored = True
        if not stored:
            unstored.append(split)
            continue
        samples[split] = size
        for found in _read(dataset, split, report):
            (issues if isinstance(found, Issue) else seen).append(found)  # type: ignore[arg-type]
    if unstored:
        notes.append(
            f"samples of {', '.join(unstored)} are not stored one by one: "
            "only their classes were looked at"
        )
    issues += _equal(dataset, seen)
    pictures = [one for one in seen if one.look is not None]
    if len(pictures) > MOST_COMPARED:
        notes.append(
            f"near duplicates were not looked for: {len(pictures):,} pictures; "
            f"at most {MOST_COMPARED:,} are compared"
        )
    else:
        issues += _near(dataset, pictures)
    issues += _class_issues(dataset)
    order = {kind: place for place, kind in enumerate(dict.fromkeys(i.kind for i in issues))}
    issues.sort(key=lambda issue: (not issue.is_error, order[issue.kind]))
    return Inspection(tuple(issues), samples, tuple(notes))


def _read(dataset: Dataset, split: str, report: Report) -> Iterator[Issue | _Seen]:
    size = dataset.size(split)
    task = f"reading {size:,} {split} samples of {dataset.name}"
    with ThreadPoolExecutor(available_cores()) as pool:  # Pillow decodes beside other threads
        results = _bounded_map(pool, lambda i: _look_at(dataset, split, i), range(size))
        for number, result in enumerate(results, 1):
            yield result
            report(Progress(task, number, size))


def _bounded_map(
    pool: ThreadPoolExecutor,
    work: Callable[[int], Issue | _Seen],
    items: Iterable[int],
) -> Iterator[Issue | _Seen]:
    """As `pool.map`, but a few items ahead: not every result of a large data set at once."""
    left = iter(items)
    while chunk := list(islice(left, 256)):
        yield from pool.map(work, chunk)


def _look_at(dataset: Dataset, split: str, index: int) -> Issue | _Seen:
    name = dataset.sample_name(split, index)
    try:
        content = dataset.original(split, index)
    except EdgekitError as error:
        return Issue("unreadable", name, str(error), is_error=True)
    # JSON may hold halves of surrogate pairs, which UTF-8 has no bytes for.
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content or b""
    look = None
    if isinstance(content, bytes) and dataset.task in _PICTURES:
        try:
            look = difference_hash(content)
        except Exception as error:  # Pillow raises anything at damaged files
            return Issue("unreadable", name, _reason(error, content), is_error=True)
    return _Seen(split, index, hashlib.sha256(data).digest(), look)


def difference_hash(picture: bytes) -> Array:
    """How a picture looks, in 256 bits: whether each of 16 × 16 cells is brighter than the next.

    Returns:
        bool [256]; small changes of size, compression, brightness or contrast change few of them.

    Raises:
        Exception: Pillow cannot read it.
    """
    import numpy as np

    from edgekit.datasets.images import decode

    pixels, _ = decode(picture, _SIDE, _SIDE + 1)
    luma = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.asarray(luma[:, 1:] > luma[:, :-1]).ravel()


def _reason(error: Exception, content: bytes) -> str:
    from PIL import UnidentifiedImageError

    if not content:
        return "an empty file"
    if isinstance(error, UnidentifiedImageError):
        return "not a picture of any format that Pillow reads"
    return " ".join(str(error).split()) or type(error).__name__


def _equal(dataset: Dataset, seen: Sequence[_Seen]) -> Iterator[Issue]:
    """Samples with the very same content: in two splits, or twice in one."""
    groups: dict[bytes, list[_Seen]] = {}
    for one in seen:
        groups.setdefault(one.digest, []).append(one)
    labels = {split: dataset.labels(split) for split in {one.split for one in seen}}
    for group in groups.values():
        if len(group) == 1:
            continue
        names = _names(dataset, group)
        splits = list(dict.fromkeys(one.split for one in group))
        if len(splits) > 1:
            problem = f"the same content in {' and '.join(splits)}"
            yield Issue("leak", names, problem, is_error=True)
        else:
            yield Issue("duplicate", names, f"the same content {len(group)} times in {splits[0]}")
        of = [(labels[one.split], one.index) for one in group]
        classes = {int(known[index]) for known, index in of if known is not None}
        if len(classes) > 1:
            called = " and ".join(dataset.classes[label] for label in sorted(classes))
            yield Issue("contradiction", names, f"the same content is labelled {called}")


def _near(dataset: Dataset, pictures: Sequence[_Seen]) -> Iterator[Issue]:
    """Pictures of two splits that look alike."""
    import numpy as np

    by_split = {
        split: members
        for split in SPLITS
        if (members := [one for one in pictures if one.split == split])
    }
    # As ±1 the product of two looks is 256 less twice the bits in which they differ.
    signs = {
        split: np.array([one.look for one in members], np.float32) * 2 - 1
        for split, members in by_split.items()
    }
    bits = _SIDE * _SIDE
    for a, b in combinations(by_split, 2):
        for start in range(0, len(signs[a]), 1024):
            product = signs[a][start : start + 1024] @ signs[b].T
            for row, column in np.argwhere(product >= bits - 2 * NEAR_BITS):
                one, other = by_split[a][start + row], by_split[b][column]
                if one.digest == other.digest:
                    continue  # reported as a leak
                apart = round((bits - float(product[row, column])) / 2)
                yield Issue(
                    "near duplicate",
                    _names(dataset, (one, other)),
                    f"{a} and {b}: they look alike ({apart} of {bits} bits differ)",
                )


def _names(dataset: Dataset, group: Sequence[_Seen]) -> str:
    names = [dataset.sample_name(one.split, one.index) for one in group[:4]]
    first, *others = names
    # Long paths once: what a name shares with the first is its folder.
    folder = f"{first.rpartition('/')[0]}/"
    others = [name.removeprefix(folder) for name in others]
    more = f" and {len(group) - 4} more" if len(group) > 4 else ""
    return "; ".join([first, *others]) + more


def _class_issues(dataset: Dataset) -> Iterator[Issue]:
    counts = {split: dataset.class_counts(split) for split in SPLITS if dataset.size(split)}
    what = "box" if dataset.has_boxes else "sample"
    for split in SPLITS:
        if split not in counts:
            problem = f"nothing to {'train' if split == 'train' else 'measure'} on"
            yield Issue("no samples", f"split {split}", problem, is_error=split == "train")
    for split, found in counts.items():
        if found is None:
            continue
        for label, count in enumerate(found):
            if not count:
                problem = f"no {what} of this class in {split}"
                # What training never shows cannot be learned.
                name = f"class {dataset.classes[label]}"
                yield Issue("empty class", name, problem, is_error=split == "train")
    train = counts.get("train")
    if train and (present := [count for count in train if count]):
        most, least = max(present), min(present)
        if most > MAX_RATIO * least:
            names = [dataset.classes[train.index(count)] for count in (most, least)]
            yield Issue(
                "imbalance",
                f"classes {names[0]} and {names[1]}",
                f"{most:,} against {least:,} in train, {most / least:.1f} times as many",
            )
