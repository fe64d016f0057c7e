"""A whole training: stages and epochs over a feed, validated, resumable, its best weights kept.

Owns the run folder: `state.npz` (what resuming needs), `history.json`, two pictures and the weights
`<dataset>.weights.h5`. Knows models and data sets by their contracts. Prints nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.datasets import Dataset, draw, require_split
from edgekit.errors import DataError, FileError, ModelError
from edgekit.files import scratch_folder
from edgekit.loading import build_keras, import_tensorflow
from edgekit.metrics import MetricValue, score
from edgekit.models import ModelSource
from edgekit.progress import Report, silent
from edgekit.training.augment import augmenter_for
from edgekit.training.checkpoint import save_weights
from edgekit.training.course import Course, Pace
from edgekit.training.feed import Feed, epoch_order, open_source
from edgekit.training.hush import hushed_stderr
from edgekit.training.pictures import draw_curves, draw_predictions
from edgekit.training.recipe import Recipe
from edgekit.training.state import TrainingState
from edgekit.training.vocabulary import with_tokenizer

if TYPE_CHECKING:
    from edgekit.training.learner import Learner


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training.

    Attributes:
        folder: The run folder.
        weights: The best epoch's weights, averaged if the recipe averages.
        epochs: Epochs finished in all.
        resumed_at: Epochs that were already finished when this run began.
        validation: Metric of those weights on validation samples.
        test: Metric on the test split; None where there is none.
        seconds: Wall time of this run.
    """

    folder: Path
    weights: Path
    epochs: int
    resumed_at: int
    validation: MetricValue
    test: MetricValue | None
    seconds: float


def train(
    source: ModelSource,
    dataset: Dataset,
    recipe: Recipe,
    *,
    folder: Path,
    seed: int = 0,
    start: Path | None = None,
    resume: bool = True,
    report: Report = silent,
) -> Trained:
    """Train a model folder.

    Args:
        source: A model of kind "folder" with one input.
        dataset: Labelled, with splits "train" and "validation".
        recipe: How.
        folder: The run folder; made if absent.
        seed: Of the first weights, dropout and the order of samples.
        start: Weights to begin with instead of random ones.
        resume: Go on from the state in `folder`; False starts over.
        report: Told every step.

    Raises:
        ModelError: The model cannot be trained, does not build, or its loss became NaN.
        DataError: Data are missing or unlabelled, or `folder` holds another training's state.
        FileError: The run folder cannot be written.
    """
    if source.spec is None or len(source.spec.inputs) != 1:
        raise ModelError(
            f"{source.name}: only a model folder with one input can be trained",
            hint="write a folder with model.toml and model.py, as in models/mobilenet",
        )
    for split in ("train", "validation"):
        require_split(dataset, split)
    if not dataset.is_labelled("train") or len(dataset.classes) < 2:
        raise DataError(f"{dataset.name}: training needs labels of at least two classes")
    try:
        with _run_folder(folder):
            # All that can be refused without TensorFlow is, before its seconds of start-up.
            source, spec = with_tokenizer(source, source.spec, dataset, folder, start)
            course = Course(source, spec, dataset, recipe, seed, start, folder, report)
            state = course.open_state(resume=resume)
            resumed_at = state.epoch
            with hushed_stderr():
                import_tensorflow(f"training {source.name}", gpu=True)
                import keras
            pace = Pace(course, resumed_at)
            keras.utils.set_random_seed(seed)
            while state.epoch < recipe.epochs:
                _run_stage(course, state, pace)
            metrics = _finish(course, state)
    except OSError as error:
        raise FileError.from_os_error(error) from error
    return Trained(
        folder=folder,
        weights=course.weights,
        epochs=state.epoch,
        resumed_at=resumed_at,
        validation=metrics["validation"],
        test=metrics.get("test"),
        seconds=pace.seconds,
    )


@contextmanager
def _run_folder(folder: Path) -> Iterator[None]:
    """Make the run folder; a training that fails with nothing in it takes it away again.

    Raises:
        FileError: The folder or one above it is a file.
    """
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise FileError(
                f"{place}: a file; the run folder {folder} cannot be made there"
                if place != folder
                else f"{folder}: a file; a training needs a folder",
                hint="--out with the path of a folder, new or of an earlier run",
            )
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # the first that is not empty ends it
            for place in made:
                place.rmdir()
        raise


def _run_stage(course: Course, state: TrainingState, pace: Pace) -> None:
    """Train from `state` to the end of its stage, saving `state` after every epoch."""
    from edgekit.training.learner import Learner

    recipe, dataset = course.recipe, course.dataset
    stage = recipe.stage_of(state.epoch)
    spec = course.stage_input(stage)
    model = build_keras(
        course.stage_source(stage),
        weights=None if state.epoch else course.start,
        classes=len(dataset.classes),
    )
    learner = Learner(model, recipe, course.objective())
    if state.epoch:
        learner.restore(state.arrays)
    drawn = draw(dataset, "validation", recipe.validation_samples, spec, report=course.report)
    with (
        scratch_folder(course.folder / "batches") as scratch,
        Feed(
            open_source(dataset, spec, course.batch_size, scratch=scratch, report=course.report),
            course.batch_size,
            augment=augmenter_for(recipe.augment, spec, len(dataset.classes)),
            seed=course.seed,
        ) as feed,
    ):
        while state.epoch < recipe.epochs and recipe.stage_of(state.epoch) == stage:
            entry = {"stage": stage, **_run_epoch(course, state, learner, feed, pace)}
            with learner.averaged():
                entry |= _validate(course, learner, drawn.folder)
                # Other stages saw other pictures: their figures don't compare.
                known = [past for past in state.history if past["stage"] == stage]
                entry["best"] = all(_rank(entry) > _rank(past) for past in known)
                best = learner.model.get_weights() if entry["best"] else state.arrays["best"]
                if entry["best"]:
                    save_weights(learner.model, course.weights)
            state.arrays = {**learner.arrays(), "best": best}
            state.history.append(entry)
            state.epoch += 1
            state.write(course.folder / "state.npz")
            course.write_history(state)


def _rank(entry: dict[str, Any]) -> tuple[float, float]:
    return entry["validation"], -entry["validation_loss"]


def _run_epoch(
    course: Course, state: TrainingState, learner: Learner, feed: Feed, pace: Pace
) -> dict[str, Any]:
    """One epoch; gives its line of history."""
    recipe, steps, batch = course.recipe, course.steps_per_epoch, course.batch_size
    order = epoch_order(course.dataset.size("train"), state.epoch, steps * batch, course.seed)
    began = time.monotonic()
    first_step = recipe.first_epoch(recipe.stage_of(state.epoch)) * steps
    loss_sum, seen = 0.0, 0
    right: float | None = None
    for number, (inputs, labels) in enumerate(feed.batches(order, state.epoch * steps)):
        step = state.epoch * steps + number
        rate = recipe.rate_at(step, steps)
        loss, hits = learner.train_step(inputs, labels, rate=rate, stage_step=step - first_step)
        if not math.isfinite(loss):
            raise ModelError(
                f"{course.source.name}: the loss became {loss} in epoch {state.epoch + 1}, "
                f"step {number + 1} of {steps}",
                f"learning rate {rate:.2g}, batch {batch}; the state after epoch {state.epoch} "
                f"is kept in {course.folder}",
                hint="a lower learning_rate or more warmup_epochs in model.toml",
            )
        loss_sum, seen = loss_sum + loss * len(labels), seen + len(labels)
        right = None if hits is None else (right or 0.0) + hits
        speed = seen / (time.monotonic() - began)
        note = f"loss {loss_sum / seen:.3f}, {speed:,.0f} samples/s"
        pace.tell(state, (number + 1) / steps, note)
    return {
        "epoch": state.epoch + 1,
        "loss": round(loss_sum / seen, 6),
        "train": None if right is None else round(100 * right / seen, 4),
        "learning_rate": recipe.rate_at(state.epoch * steps, steps),
        "seconds": round(time.monotonic() - began, 2),
    }


def _validate(course: Course, learner: Learner, folder: Path) -> dict[str, Any]:
    import numpy as np

    inputs = np.load(folder / "inputs.npy", mmap_mode="r")
    labels = np.load(folder / "labels.npy")
    outputs = learner.predict(inputs, course.batch_size)
    return {
        "validation": round(score(course.spec.metric, outputs, labels).value, 4),
        "validation_loss": round(course.objective().validation_loss(outputs, labels), 6),
        "validation_samples": len(labels),
    }


def _finish(course: Course, state: TrainingState) -> dict[str, MetricValue]:
    """Write the best weights of the last stage, measure them, draw what they do."""
    import numpy as np

    from edgekit.training.learner import Learner

    dataset, spec = course.dataset, course.spec
    model = build_keras(course.source, weights=None, classes=len(dataset.classes))
    model.set_weights(state.arrays["best"])
    save_weights(model, course.weights)
    # Read again: the figures are those of the file, whose kernels are rounded.
    model.load_weights(course.weights)
    learner = Learner(model, course.recipe, course.objective())
    metrics: dict[str, MetricValue] = {}
    counts = {"validation": course.recipe.validation_samples, "test": spec.gate.samples}
    for split, count in counts.items():
        if dataset.size(split):
            drawn = draw(dataset, split, count, spec.inputs[0], report=course.report)
            inputs = np.load(drawn.folder / "inputs.npy", mmap_mode="r")
            labels = np.load(drawn.folder / "labels.npy")
            outputs = learner.predict(inputs, course.batch_size)
            metrics[split] = score(spec.metric, outputs, labels)
    if spec.task == "image-classification" and spec.inputs[0].layout == "HWC":
        path = course.folder / "predictions.png"
        # Of the last split measured: the test, where there is one.
        draw_predictions(inputs, labels, outputs[0].argmax(axis=1), dataset.classes, path)
    course.write_history(state, {name: metric.to_json() for name, metric in metrics.items()})
    draw_curves(state.history, course.folder / "curves.png")
    return metrics
