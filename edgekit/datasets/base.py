"""What a data set is: samples by split and index, in the form a model's input asks for.

A data set never draws at random while it is read. Does not know models, metrics or training.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from edgekit.errors import DataError
from edgekit.metrics.playing import World
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    from edgekit.datasets.sources import Archive

    Array = np.ndarray[Any, Any]

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples in memory.

    Attributes:
        inputs: [N, *shape] in the dtype of the `InputSpec` they were read for.
        labels: [N, *label_shape] in the data set's `label_dtype`: int64 [N] classes, float32
            [N, M, 5] boxes, a class for each step or pixel, pictures; or None where the data set
            has none.
    """

    inputs: Array
    labels: Array | None


@dataclass(frozen=True, slots=True)
class Issue:
    """Something that is wrong with a data set.

    Attributes:
        kind: A few words by which issues are counted ("degenerate box").
        where: File, line, box.
        problem: What is wrong there.
        is_error: Whether the data set should not be used like this; else it can be.
    """

    kind: str
    where: str
    problem: str
    is_error: bool = False


class Dataset(ABC):
    """A source of samples.

    Attributes:
        name: Short name for listings and manifests.
        reference: What `open_dataset` takes to open the same data set in another process.
        classes: Label names; the position is the label. Empty where there are no labels.
        task: One of `edgekit.spec.TASKS`: what a model can learn from it.
        input_names: Of a sample that is several arrays, the inputs they are for; empty where it
            feeds one input, whatever its name.
        label_shape: Of one sample's label. () is a class. Of object detection (M, 5) are at most M
            boxes, each a row of class, left, top, right and bottom; the edges as parts (0–1) of the
            picture that `read` gives, sides of a letterbox included. Rows without a box have the
            class −1. Of anything else [...] are classes of steps or pixels (int64, −1 where none
            counts) or values to be given (float32); an axis of 0 is as long as the input's there.
        licence: SPDX identifier of the samples; empty where it is unknown.
        source: Where they come from, for people; empty where it is unknown.
        split_rule: How samples were divided into splits, in a few words.
        archive: The public archive it reads, where it reads one.
        counts: Samples by split where they are known without opening it.
        costly: Whether reading is worth spreading over processes (decoding, drawing).
    """

    name: str
    reference: str
    classes: tuple[str, ...]
    task: str = "image-classification"
    input_names: tuple[str, ...] = ()
    label_shape: tuple[int, ...] = ()
    licence: str = ""
    source: str = ""
    split_rule: str = ""
    archive: ClassVar[Archive | None] = None
    counts: ClassVar[Mapping[str, int]] = {}
    costly: ClassVar[bool] = True

    @abstractmethod
    def fingerprint(self) -> str:
        """Hex digest that changes whenever a sample may have changed. Cheap: reads no pixels."""

    @abstractmethod
    def size(self, split: str) -> int:
        """Samples in a split ("train", "validation", "test"); 0 where it is absent."""

    @abstractmethod
    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        """The samples at `indices` of a split, in that order. The same index, the same sample.

        Called once for each input of a model: with `input_names`, `spec.name` says which array of
        the samples is wanted. Labels are those of the call for the first input.

        Raises:
            DataError: They cannot be read, or cannot be given the form `spec` asks for.
        """

    @abstractmethod
    def labels(self, split: str) -> Array | None:
        """int64 [size(split)] without reading samples; None where a sample has no one class."""

    def original(self, split: str, index: int) -> bytes | str | None:
        """Sample `index` as it is stored: the bytes of a picture or WAV file, or a text.

        None where samples have no such form (drawn on demand, arrays).

        Raises:
            DataError: It cannot be read.
        """
        return None

    def world(self) -> World | None:
        """A new world to act in, where samples are states of one and labels seeds of episodes.

        Returns:
            None, as here, where samples are just samples.
        """
        return None

    def label_shape_for(self, spec: InputSpec) -> tuple[int, ...]:
        """`label_shape` for the input `spec`, without axes of 0."""
        return tuple(size or spec.shape[axis] for axis, size in enumerate(self.label_shape))

    def boxes(self, split: str, index: int) -> Array:
        """The boxes of a sample: float64 [count, 5], as in `label_shape` but of the picture itself.

        Raises:
            DataError: The sample cannot be read.
        """
        import numpy as np

        # Without a letterbox the input is the picture.
        spec = InputSpec("image", "uint8", (8, 8, 3), "HWC", resize="bilinear")
        labels = self.read(split, [index], spec).labels
        assert labels is not None
        return np.asarray(labels[0][labels[0, :, 0] >= 0], np.float64)

    def sample_name(self, split: str, index: int) -> str:
        """What people call sample `index`: a file, a line of one."""
        return f"{split} {index}"

    def class_counts(self, split: str) -> tuple[int, ...] | None:
        """How many samples (or boxes) of each class a split has; None where it is not labelled."""
        import numpy as np

        labels = self.labels(split)
        if labels is None:
            return None
        return tuple(np.bincount(labels, minlength=len(self.classes)).tolist())

    def issues(self) -> Sequence[Issue]:
        """What is wrong with the data and was seen while opening it; `edgekit data check` asks."""
        return ()

    def facts(self) -> dict[str, str]:
        """More that people want to know of it, by label; `edgekit data info` asks."""
        return {}

    def is_labelled(self, split: str) -> bool:
        """Whether `read` gives labels for the samples of a split."""
        return bool(self.label_shape) or self.labels(split) is not None

    @property
    def has_boxes(self) -> bool:
        """Whether labels are boxes."""
        return self.task == "object-detection"

    @property
    def label_dtype(self) -> str:
        """numpy dtype of labels: integers for classes, float32 for boxes and values."""
        return "float32" if self.has_boxes else "int64"

    def choose(self, split: str, count: int) -> Sequence[int]:
        """`count` indices of a split (all, if it has fewer), classes balanced as far as possible.

        Deterministic. A class with too few samples gives all it has, the others fill up.
        """
        import numpy as np

        size = self.size(split)
        if count >= size:
            return range(size)
        shuffled = np.random.Generator(np.random.Philox(key=(1, size))).permutation(size)
        labels = self.labels(split)
        if labels is not None:
            # Rank each sample within its class, then take rank by rank across the classes.
            of = labels[shuffled]
            rank = np.empty(size, np.int64)
            for label in np.unique(of):
                members = np.flatnonzero(of == label)
                rank[members] = np.arange(len(members))
            shuffled = shuffled[np.lexsort((of, rank))]
        return [int(index) for index in shuffled[:count]]


def require_split(dataset: Dataset, split: str) -> int:
    """The size of a split.

    Raises:
        DataError: The split is empty or absent.
    """
    size = dataset.size(split)
    if size == 0:
        present = [f"{name} {dataset.size(name):,}" for name in SPLITS if dataset.size(name)]
        raise DataError(
            f"{dataset.name}: the split {split!r} has no samples",
            f"it has: {', '.join(present) or 'nothing at all'}",
        )
    return size


def require_scores(
    dataset: Dataset, shapes: Sequence[Sequence[int | None]], *, model: str, hint: str
) -> None:
    """What a model gives holds one score for each class of a data set.

    Args:
        dataset: Whose labels it is judged by; where these are values, anything will do.
        shapes: Of the model's outputs without the batch axis; None or below 0 for an open axis.
        model: For the complaint.
        hint: What to do about it.

    Raises:
        DataError: There are more or fewer.
    """
    # A detector's scores are its last output; of a classifier with others the first is judged.
    scores = shapes[-1 if dataset.has_boxes else 0]
    chosen = dataset.has_boxes and len(shapes) > 1 and len(scores) == 1
    if not dataset.classes or chosen:
        return  # a detector that chooses objects itself does not tell how many classes it knows
    # Of scores for places, steps or pixels [..., classes] the last axis counts.
    counted = scores[-1:] if dataset.label_shape else scores
    sizes = [size for size in counted if size is not None and size >= 0]
    if len(sizes) == len(counted) and math.prod(sizes) != len(dataset.classes):
        raise DataError(
            f"{model} gives {math.prod(sizes)} outputs, "
            f"the data set {dataset.name} has {len(dataset.classes)} classes",
            hint=hint,
        )


def require_inputs(dataset: Dataset, specs: Sequence[InputSpec]) -> None:
    """The data set feeds every input of a model.

    Raises:
        DataError: The model has several inputs and the data set feeds one, or others.
    """
    wanted = [spec.name for spec in specs]
    known = dataset.input_names
    if (len(wanted) == 1 and not known) or (known and set(wanted) <= set(known)):
        return
    feeds = f"feeds the inputs {', '.join(known)}" if known else "feeds one input"
    has = f"has {len(wanted)}: {', '.join(wanted)}" if len(wanted) > 1 else f"has {wanted[0]!r}"
    raise DataError(
        f"{dataset.name} {feeds}; the model {has}",
        hint="an .npz with an array for each, x_train.NAME (docs/data.md), or a Dataset whose "
        "input_names are the model's",
    )


def require_world(dataset: Dataset) -> World:
    """A new world of a data set.

    Raises:
        DataError: It has none.
    """
    world = dataset.world()
    if world is None:
        raise DataError(
            f"{dataset.name} is no environment: there is nothing a policy could do in it",
            hint="edgekit data list says which data sets are for control",
        )
    return world


def require_classes(dataset: Dataset) -> None:
    """Every class has samples to learn from.

    Raises:
        DataError: A class has no training sample, or none of its boxes.
    """
    counts = dataset.class_counts("train")
    if counts is None or all(counts):
        return
    empty = [name for name, count in zip(dataset.classes, counts, strict=False) if not count]
    what = "box" if dataset.has_boxes else "sample"
    shown = ", ".join(repr(name) for name in empty[:5]) + ", …" * (len(empty) > 5)
    raise DataError(
        f"{dataset.name}: {len(empty)} of {len(counts)} classes have no {what} in train: {shown}",
        f"{what} counts are those of `edgekit data info`",
        hint="add some, or take the class away: what training never shows cannot be learned",
    )
