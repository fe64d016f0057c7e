"""The `[train]` table of a `model.toml`, typed and checked.

Knows the keys of a recipe and the learning rate they mean. Trains nothing, imports nothing heavy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from edgekit.errors import ModelError
from edgekit.fields import Fields, laid_over
from edgekit.spec import Scalar
from edgekit.training.augment import Augmentation, read_augmentation

OPTIMIZERS = ("adamw", "sgd")
SCHEDULES = ("cosine", "linear", "step", "constant")

_MOST_EPOCHS = 100_000


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of epochs with some of the model's parameters changed.

    Small pictures first train faster: the weights of a fully convolutional model don't depend on
    the picture's size (EfficientNetV2, arXiv 2104.00298, section 4).

    Attributes:
        epochs: How many.
        parameters: Replace values of `[parameters]`; none in the last stage.
    """

    epochs: int
    parameters: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive epochs that train the same weights on samples of the same size.

    Attributes:
        first: Its first epoch (from 0).
        end: The epoch after its last one.
        stage: Which of the recipe's stages it belongs to.
        frozen: Whether only the head is trained.
    """

    first: int
    end: int
    stage: int
    frozen: bool


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained.

    Attributes:
        stages: In order; the last one trains the model as it will be used.
        optimizer: "adamw" (decoupled weight decay, arXiv 1711.05101) or "sgd" (Nesterov).
        momentum: How much of the mean gradient so far a step keeps: of "adamw" β₁. Two networks
            that learn against each other want less of it than one (arXiv 1511.06434).
        learning_rate: The highest.
        schedule: After a linear warm-up to the highest rate: "cosine" or "linear" down to zero,
            "step" (a tenth of it at a half, a hundredth at three quarters), or "constant".
        warmup_epochs: Epochs of warm-up, may be a fraction.
        freeze_epochs: Epochs at the beginning that train the head only, on a backbone that came
            from elsewhere and on samples as they are; warm-up and schedule begin anew after them.
        thawed_rate: Factor on the learning rate once the backbone, too, is trained. Small models
            that move on to other data want the whole rate: with a tenth of it six epochs were not
            enough (docs/train.md).
        patience: Epochs without a better one that end a stage, or its frozen part; None: never.
        clip_norm: Longest gradient over all weights (arXiv 1211.5063), longer ones are scaled to
            it; None leaves them.
        batch_size: Samples per step; fewer where the train split has fewer than 8 such batches.
        weight_decay: Decoupled, on kernels only (not on biases and normalisation).
        label_smoothing: Share of a label spread over all classes (arXiv 1512.00567).
        ema: Decay per step of the averaged weights, which are the ones kept; begun anew, with a
            smaller decay at first, in every stage. 0 averages nothing.
        batch_norm_momentum: For every BatchNormalization layer; None leaves the model's own.
        train_samples: At most so many samples of the train split are ever seen, classes balanced
            as far as possible; None means all. Few of a split that is drawn are drawn once and
            kept, and show what few labels are worth.
        samples_per_epoch: Samples between two validations, at most all of them; None means all.
        validation_samples: At most so many validation samples.
        augment: What happens to a training sample before it is seen; None leaves it as it is.
    """

    stages: tuple[Stage, ...] = (Stage(10),)
    optimizer: str = "adamw"
    momentum: float = 0.9
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    warmup_epochs: float = 1.0
    freeze_epochs: int = 0
    thawed_rate: float = 1.0
    patience: int | None = None
    clip_norm: float | None = None
    batch_size: int = 64
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    ema: float = 0.0
    batch_norm_momentum: float | None = None
    train_samples: int | None = None
    samples_per_epoch: int | None = None
    validation_samples: int = 2000
    augment: Augmentation | None = None

    @property
    def epochs(self) -> int:
        """Epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)

    def stage_of(self, epoch: int) -> int:
        """Which stage the epoch (from 0) belongs to."""
        for index, stage in enumerate(self.stages):
            if epoch < stage.epochs:
                return index
            epoch -= stage.epochs
        raise IndexError(f"epoch {epoch} lies beyond the last stage")

    def first_epoch(self, stage: int) -> int:
        """The epoch (from 0) that a stage begins with."""
        return sum(earlier.epochs for earlier in self.stages[:stage])

    def segment_of(self, epoch: int) -> Segment:
        """The segment that the epoch (from 0) belongs to."""
        stage = self.stage_of(epoch)
        first, end = self.first_epoch(stage), self.first_epoch(stage + 1)
        frozen = epoch < self.freeze_epochs
        if frozen:
            return Segment(first, min(end, self.freeze_epochs), stage, frozen)
        return Segment(max(first, min(end, self.freeze_epochs)), end, stage, frozen)

    def with_epochs(self, epochs: int) -> Recipe:
        """The same recipe with `epochs` in all, shared out as before.

        With fewer epochs than stages the first stages go.
        """
        stages = self.stages[-epochs:]
        known = sum(stage.epochs for stage in stages)
        ends = [
            round(epochs * sum(s.epochs for s in stages[: i + 1]) / known)
            for i in range(len(stages))
        ]
        shares: list[int] = []
        for index, end in enumerate(ends):
            still_to_come = len(ends) - index - 1
            begun = sum(shares)
            shares.append(max(1, min(end, epochs - still_to_come) - begun))
        return replace(
            self,
            stages=tuple(replace(s, epochs=n) for s, n in zip(stages, shares, strict=True)),
        )

    def fitted(self, declared: Mapping[str, Scalar], asked: Mapping[str, Scalar]) -> Recipe:
        """The same recipe for a model whose parameters were changed.

        A stage that was to be smaller than the model stays no larger than it: its number is cut to
        the asked one. Neighbours that are then alike become one stage.

        Args:
            declared: Parameters the recipe was written for.
            asked: Those the model is trained for.
        """
        stages: list[Stage] = []
        for stage in self.stages:
            cut = {
                key: _cut(value, declared[key], asked[key])
                for key, value in stage.parameters.items()
            }
            changed = {key: value for key, value in cut.items() if value != asked[key]}
            if stages and stages[-1].parameters == changed:
                stages[-1] = replace(stages[-1], epochs=stages[-1].epochs + stage.epochs)
            else:
                stages.append(Stage(stage.epochs, changed))
        return replace(self, stages=tuple(stages))

    def rate_at(self, step: int, steps_per_epoch: int) -> float:
        """Learning rate of a step (from 0)."""
        total, highest = self.epochs * steps_per_epoch, self.learning_rate
        frozen = min(self.freeze_epochs, self.epochs) * steps_per_epoch
        if step < frozen:
            total = frozen
        elif frozen:
            step, total, highest = step - frozen, total - frozen, highest * self.thawed_rate
        warmup = min(self.warmup_epochs * steps_per_epoch, total - 1.0)
        if step < warmup:
            return highest * (step + 1) / (warmup + 1)
        return highest * _share(self.schedule, (step - warmup) / max(1.0, total - warmup))

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "stages": [asdict(stage) for stage in self.stages]}


def read_recipe(
    table: Mapping[str, Any],
    parameters: Mapping[str, Scalar],
    where: str,
    *,
    dataset: str = "",
    task: str = "image-classification",
) -> Recipe:
    """Check a `[train]` table.

    Args:
        table: As parsed from TOML; keys of its table `for.<dataset>` are laid over it. Its table
            `pretrain` is `edgekit.training.pretext`'s.
        parameters: The model's own, which a stage may replace.
        where: File and table, for complaints.
        dataset: Name of the data set to train on.
        task: Of the model: says which keys `[train.augment]` has.

    Raises:
        ModelError: A key is unknown, of the wrong type or out of bounds.
    """
    asked = {k: v for k, v in for_dataset(table, dataset, where).items() if k != "pretrain"}
    fields = Fields(asked, where, ModelError)
    if fields.has("stages") and fields.has("epochs"):
        raise fields.fail("epochs", "give either epochs or stages")
    if fields.has("stages"):
        entries = fields.items("stages", most=100)
        stages = tuple(
            _stage(Fields(entry, f"{where}.stages[{index}]", ModelError), parameters)
            for index, entry in enumerate(entries)
        )
    else:
        stages = (Stage(fields.integer("epochs", 10, low=1, high=_MOST_EPOCHS)),)
    if not stages or stages[-1].parameters:
        raise fields.fail("stages", "the last stage must train the model with its own parameters")
    norm_momentum = None
    if fields.has("batch_norm_momentum"):
        norm_momentum = fields.number("batch_norm_momentum", low=0.0, high=0.9999)
    augment = read_augmentation(task, fields.mapping("augment", {}), f"{where}.augment")
    usual = Recipe()
    recipe = Recipe(
        stages=stages,
        optimizer=fields.text("optimizer", usual.optimizer, choices=OPTIMIZERS),
        momentum=fields.number("momentum", usual.momentum, high=0.9999),
        learning_rate=fields.number("learning_rate", usual.learning_rate, high=100.0),
        schedule=fields.text("schedule", usual.schedule, choices=SCHEDULES),
        freeze_epochs=fields.integer("freeze_epochs", usual.freeze_epochs, high=_MOST_EPOCHS),
        thawed_rate=fields.number("thawed_rate", usual.thawed_rate, high=1.0),
        patience=fields.optional_integer("patience", low=1, high=_MOST_EPOCHS),
        clip_norm=fields.optional_number("clip_norm", low=1e-6, high=1e6),
        warmup_epochs=fields.number("warmup_epochs", usual.warmup_epochs, high=_MOST_EPOCHS),
        batch_size=fields.integer("batch_size", usual.batch_size, low=1, high=65_536),
        weight_decay=fields.number("weight_decay", usual.weight_decay, high=10.0),
        label_smoothing=fields.number("label_smoothing", usual.label_smoothing, high=0.9),
        ema=fields.number("ema", usual.ema, high=0.999999),
        batch_norm_momentum=norm_momentum,
        train_samples=fields.optional_integer("train_samples", low=1, high=10**9),
        samples_per_epoch=fields.optional_integer("samples_per_epoch", low=1, high=10**9),
        validation_samples=fields.integer(
            "validation_samples", usual.validation_samples, low=1, high=10**7
        ),
        augment=augment,
    )
    fields.done()
    return recipe


def _share(schedule: str, done: float) -> float:
    """Share of the highest rate when the part `done` (0–1) of the steps is over."""
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    if schedule == "linear":
        return 1 - done
    if schedule == "step":
        return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01
    return 1.0


def for_dataset(table: Mapping[str, Any], dataset: str, where: str) -> dict[str, Any]:
    """A `[train]` table with its `for.<dataset>` laid over it.

    Raises:
        ModelError: What is under `for` is no table.
    """
    general = {key: value for key, value in table.items() if key != "for"}
    special = Fields(table.get("for", {}), f"{where}.for", ModelError).mapping(dataset, {})
    if "stages" in special or "epochs" in special:
        general = {k: v for k, v in general.items() if k not in ("stages", "epochs")}
    return laid_over(general, special)


def _cut(value: Scalar, declared: Scalar, asked: Scalar) -> Scalar:
    """`value`, at most `asked` if it is a number that was below `declared`."""
    if isinstance(value, bool | str) or isinstance(declared, bool | str):
        return value
    if isinstance(asked, bool | str) or value >= declared:
        return value
    return min(value, asked)


def _stage(fields: Fields, parameters: Mapping[str, Scalar]) -> Stage:
    epochs = fields.integer("epochs", low=1, high=_MOST_EPOCHS)
    changed = fields.mapping("parameters", {})
    for key in changed:
        if key not in parameters:
            raise fields.fail("parameters", f"the model has no parameter {key!r}")
    fields.done()
    return Stage(epochs, changed)
