"""A whole training: segments of epochs over a feed, validated, resumable, its best weights kept.

Owns the run folder: `state.npz` (what resuming needs), `history.json`, `report.html` and pictures,
`logs` and the weights `<dataset>.weights.h5`. Knows models and data sets by their contracts. Prints
nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.datasets import Dataset, draw, require_classes, require_inputs, require_split
from edgekit.errors import DataError, EdgekitError, FileError, ModelError, UsageError
from edgekit.loading import build_keras, import_tensorflow
from edgekit.metrics import MetricValue
from edgekit.models import ModelSource
from edgekit.progress import Report, silent
from edgekit.training.bench import Bench, set_up
from edgekit.training.board import Board
from edgekit.training.checkpoint import stored
from edgekit.training.course import Course, Pace
from edgekit.training.feed import epoch_order
from edgekit.training.folder import refuse_file, run_folder
from edgekit.training.hush import hushed_stderr
from edgekit.training.inputs import each_input
from edgekit.training.interrupts import interrupts_held, take_interrupt
from edgekit.training.pictures import draw_curves
from edgekit.training.pretext import Pretext, refuse_unfit
from edgekit.training.recipe import Recipe, Segment
from edgekit.training.report import write_report
from edgekit.training.state import TrainingState
from edgekit.training.strategy import open_replicas, read_workers
from edgekit.training.transfer import Start
from edgekit.training.vocabulary import with_tokenizer

# For whoever looks before the end, which writes them anyway. Short epochs must not wait for it.
_SAVE_PAUSE_S = 60.0
# Of fewer pictures a batch of views has too few others to tell one from.
_FEWEST_VIEWED = 16


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training.

    Attributes:
        folder: The run folder.
        weights: The best epoch's weights, averaged if the recipe averages.
        epochs: Epochs finished in all.
        resumed_at: Epochs that were already finished when this run began.
        fresh: Layers that began anew, the first weights having none for them.
        validation: Metric of those weights on validation samples.
        test: Metric on the test split; None where there is none.
        seconds: Wall time of this run.
        warnings: What failed that takes nothing from the weights: pictures of what they do.
    """

    folder: Path
    weights: Path
    epochs: int
    resumed_at: int
    fresh: tuple[str, ...]
    validation: MetricValue
    test: MetricValue | None
    seconds: float
    warnings: tuple[EdgekitError, ...] = ()


def train(
    source: ModelSource,
    dataset: Dataset,
    recipe: Recipe,
    *,
    folder: Path,
    seed: int = 0,
    start: Start | None = None,
    resume: bool = True,
    strategy: str = "none",
    board: Path | None = None,
    pretext: Pretext | None = None,
    report: Report = silent,
) -> Trained:
    """Train a model folder.

    Args:
        source: A model of kind "folder".
        dataset: With splits "train" and "validation"; labelled, unless there is a `pretext`.
        recipe: How.
        folder: The run folder; made if absent.
        seed: Of the first weights, dropout and the order of samples.
        start: Weights to begin with; by default random ones, and then nothing is frozen.
        resume: Go on from the state in `folder`; False starts over.
        strategy: One of `edgekit.training.strategy.STRATEGIES`.
        board: Where the logs for TensorBoard go; by default `logs` in the run folder.
        pretext: What is learned instead of the labels, of the backbone alone; see
            `edgekit.training.pretext`.
        report: Told every step.

    Raises:
        ModelError: The model cannot be trained, does not build, or its loss became NaN.
        DataError: Data are missing or unlabelled, or `folder` holds another training's state.
        FileError: The run folder cannot be written.
        UsageError: The strategy needs what is not there.
    """
    start = start or Start()
    if start.is_random:
        recipe = replace(recipe, freeze_epochs=0)
    if source.spec is None:
        raise ModelError(
            f"{source.name}: only a model folder can be trained",
            hint="write a folder with model.toml and model.py, as models/*/mobilenet is",
        )
    if recipe.augment and len(source.spec.inputs) > 1:
        raise ModelError(
            f"{source.name}: [train.augment] changes samples of one input; this model has "
            f"{len(source.spec.inputs)}",
            hint="augment in the data set, or in layers that only training runs",
        )
    require_inputs(dataset, source.spec.inputs)
    for split in ("train", "validation"):
        require_split(dataset, split)
    if pretext is None:
        _refuse_unlabelled(source, source.spec.task, dataset)
        _refuse_too_few(recipe, dataset)
    else:
        refuse_unfit(source)
        _refuse_few_views(recipe, dataset)
        if strategy != "none":
            raise UsageError(
                f"--strategy {strategy}: views are told from those of the same batch, which copies "
                "would not share",
                hint="pre-train in one process",
            )
    try:
        # All that can be refused without TensorFlow is, before its seconds of start-up.
        workers = read_workers(strategy)
        logs = board or folder / "logs"
        with run_folder(folder, writes=workers.index == 0):
            refuse_file(logs, "log", "--tensorboard with the path of a folder")
            source, spec = with_tokenizer(source, source.spec, dataset, folder, start.weights)
            course = Course(
                source, spec, dataset, recipe, seed, start, folder, report, pretext=pretext
            )
            state = course.open_state(resume=resume)
            resumed_at = state.epoch
            with hushed_stderr():
                import_tensorflow(f"training {source.name}", gpu=True)
                import keras

                course = replace(course, replicas=open_replicas(strategy, workers))
            _refuse_another_epoch(course, state)
            pace = Pace(course, resumed_at)
            keras.utils.set_random_seed(seed)
            with interrupts_held():
                with _logs(course, logs, resumed_at) as scalars:
                    while state.epoch < recipe.epochs:
                        _run_segment(course, state, pace, scalars)
                metrics, warnings = _finish(course, state)
    except OSError as error:
        raise FileError.from_os_error(error) from error
    return Trained(
        folder=folder,
        weights=course.weights,
        epochs=len(state.history),
        fresh=tuple(state.history[0].get("fresh_layers", ())),
        resumed_at=resumed_at,
        validation=metrics["validation"],
        test=metrics.get("test"),
        seconds=pace.seconds,
        warnings=warnings,
    )


def _refuse_unlabelled(source: ModelSource, task: str, dataset: Dataset) -> None:
    # Boxes of one class are told apart from what lies around them.
    told_apart = len(dataset.classes) >= 2 or bool(dataset.label_shape)
    if not dataset.is_labelled("train") or not told_apart:
        raise DataError(
            f"{dataset.name}: training needs labels of at least two classes",
            hint="--pretrain trains the backbone of a model of pictures without any",
        )
    require_classes(dataset)
    # What is no text, sound or boxes says "image-classification", arrays of any kind too: whether
    # they fit is seen as they are read.
    classes = task.endswith("classification") and dataset.task == "image-classification"
    if dataset.task != task and not classes:
        raise DataError(
            f"{dataset.name} is a data set for {dataset.task}; {source.name} is for {task}",
            hint="edgekit models and edgekit data list say what is for what",
        )


def _refuse_too_few(recipe: Recipe, dataset: Dataset) -> None:
    of_classes = dataset.labels("train") is not None
    if of_classes and (recipe.train_samples or math.inf) < len(dataset.classes):
        raise DataError(
            f"{recipe.train_samples} training samples of {dataset.name}: fewer than its "
            f"{len(dataset.classes)} classes, some of which would never be seen",
            hint=f"train_samples of at least {len(dataset.classes)}, better ten times as many",
        )


def _refuse_few_views(recipe: Recipe, dataset: Dataset) -> None:
    size = dataset.size("train")
    pictures = min(recipe.train_samples or size, size)
    if pictures < _FEWEST_VIEWED:
        raise DataError(
            f"{pictures} pictures of {dataset.name}: pre-training tells each from the others",
            limit=f"at least {_FEWEST_VIEWED}",
        )


@contextmanager
def _logs(course: Course, folder: Path, resumed_at: int) -> Iterator[Board | None]:
    """Where scalars go, for the process that writes; those of a training that is no more go."""
    if not course.writes:
        yield None
        return
    with closing(Board(folder, owner=course.folder)) as board:
        if not resumed_at:
            board.clear()
        yield board


def _refuse_another_epoch(course: Course, state: TrainingState) -> None:
    """Workers that go on from different states would wait for each other without end."""
    mean, square = course.replicas.agreed([state.epoch, state.epoch**2])
    if abs(square - mean**2) > 1e-6:
        raise DataError(
            f"this worker goes on at epoch {state.epoch}, others elsewhere",
            hint="one run folder (--out) for all workers, on a file system they share; "
            "or --no-resume for all",
        )


def _run_segment(course: Course, state: TrainingState, pace: Pace, board: Board | None) -> None:
    """Train from `state` to the end of its segment, saving `state` after every epoch."""
    recipe = course.recipe
    segment = recipe.segment_of(state.epoch)
    save_after = time.monotonic() + _SAVE_PAUSE_S
    with set_up(course, state, segment) as bench:
        learner = bench.learner
        while state.epoch < segment.end:
            facts: dict[str, Any] = {"stage": segment.stage, "frozen": segment.frozen}
            if bench.fresh and not state.history:
                facts["fresh_layers"] = list(bench.fresh)
            entry = {**facts, **_run_epoch(course, state, bench, pace)}
            with learner.averaged():
                entry |= _validate(course, bench)
                # Other stages saw other pictures: their figures don't compare.
                known = [past for past in state.history if past["stage"] == segment.stage]
                rank = _rank(course, entry)
                entry["best"] = all(rank > _rank(course, past) for past in known)
                best = learner.model.get_weights() if entry["best"] else state.arrays["best"]
                if entry["best"] and course.writes and time.monotonic() > save_after:
                    course.keep(bench.model)
                    save_after = time.monotonic() + _SAVE_PAUSE_S
            state.arrays = {**learner.arrays(), "experience": bench.source.arrays(), "best": best}
            state.history.append(entry)
            state.epoch += 1
            if _is_stalled(state, segment, recipe.patience):
                state.epoch = segment.end
            if course.writes:
                state.write(course.folder / "state.npz")
                course.write_history(state)
            if board:
                board.write(entry, entry["epoch"])


def _is_stalled(state: TrainingState, segment: Segment, patience: int | None) -> bool:
    """Whether the last epochs of a segment, as many as `patience`, were none of them the best."""
    own = [past["best"] for past in state.history if past["epoch"] > segment.first]
    return patience is not None and len(own) >= patience and not any(own[-patience:])


def _rank(course: Course, entry: dict[str, Any]) -> tuple[float, float]:
    return course.scale.better * entry["validation"], -entry["validation_loss"]


def _run_epoch(course: Course, state: TrainingState, bench: Bench, pace: Pace) -> dict[str, Any]:
    """One epoch; gives its line of history."""
    recipe, steps, batch = course.recipe, course.steps_per_epoch, course.batch_size
    order = epoch_order(course.train_size, state.epoch, steps * batch, course.seed)
    began = time.monotonic()
    first_step = recipe.segment_of(state.epoch).first * steps
    loss_sum, right_sum = 0.0, 0.0
    right: float | None = None
    for number, (inputs, labels) in enumerate(bench.feed.batches(order, state.epoch * steps)):
        step = state.epoch * steps + number
        rate = recipe.rate_at(step, steps)
        stage_step = step - first_step
        loss, right = bench.learner.train_step(inputs, labels, rate=rate, stage_step=stage_step)
        take_interrupt()
        if not math.isfinite(loss):
            raise ModelError(
                f"{course.source.name}: the loss became {loss} in epoch {state.epoch + 1}, "
                f"step {number + 1} of {steps}",
                f"learning rate {rate:.2g}, batch {batch}; the state after epoch {state.epoch} "
                f"is kept in {course.folder}",
                hint="a lower learning_rate, more warmup_epochs or a clip_norm in model.toml",
            )
        loss_sum, right_sum = loss_sum + loss, right_sum + (right or 0.0)
        speed = (number + 1) * batch / (time.monotonic() - began)
        note = f"loss {loss_sum / (number + 1):.3f}, {speed:,.0f} samples/s"
        pace.tell(state, (number + 1) / steps, note)
    seconds = time.monotonic() - began
    return {
        "epoch": state.epoch + 1,
        "loss": round(loss_sum / steps, 6),
        "train": None if right is None else round(100 * right_sum / steps, 4),
        "learning_rate": recipe.rate_at(state.epoch * steps, steps),
        "seconds": round(seconds, 2),
        "samples_per_s": round(steps * batch / seconds, 1),
    }


def _validate(course: Course, bench: Bench) -> dict[str, Any]:
    labels = bench.labels
    outputs = bench.learner.predict(bench.inputs, course.batch_size)
    # Each worker measures all of it; they must not differ by a last digit about which is best.
    metric, loss = course.replicas.agreed(
        [
            course.measure(outputs, labels, bench.learner).value,
            course.objective().validation_loss(outputs, labels),
        ]
    )
    if not (math.isfinite(metric) and math.isfinite(loss)):
        raise ModelError(
            f"{course.source.name}: on validation samples {course.spec.metric} became {metric}, "
            f"the loss {loss}",
            hint="a lower learning_rate, more warmup_epochs or a clip_norm in model.toml",
        )
    return {
        "validation": round(metric, 4),
        "validation_loss": round(loss, 6),
        "validation_samples": len(labels),
    }


def _finish(
    course: Course, state: TrainingState
) -> tuple[dict[str, MetricValue], tuple[EdgekitError, ...]]:
    """Write the best weights of the last stage, measure them, draw what they do.

    Returns:
        The metric by split, and what went wrong that a training is not lost for.
    """
    from edgekit.training.learner import Learner

    dataset, spec = course.dataset, course.spec
    model = build_keras(course.source, weights=None, classes=course.classes)
    trained = course.trained(model)
    trained.set_weights([stored(values) for values in state.arrays["best"]])
    if course.writes:
        course.keep(model)
        # Read again: the figures are those of the file.
        model.load_weights(course.weights)
    objective = course.objective()
    learner = Learner(trained, course.recipe, objective)
    metrics: dict[str, MetricValue] = {}
    counts = {"validation": course.recipe.validation_samples, "test": spec.gate.samples}
    for split, count in counts.items():
        if dataset.size(split):
            drawn = draw(dataset, split, count, spec.inputs, report=course.report)
            inputs, labels = course.judged(drawn, spec.inputs)
            outputs = learner.predict(inputs, course.batch_size)
            metrics[split] = course.measure(outputs, labels, learner)
    if not course.writes:
        return metrics, ()
    undrawn: list[EdgekitError] = []
    try:
        # Of the last split measured: the test, where there is one.
        objective.draw(outputs, each_input(inputs)[0], labels, dataset.classes, course.folder)
    except EdgekitError as error:
        undrawn.append(error)
    course.write_history(state, {name: metric.to_json() for name, metric in metrics.items()})
    draw_curves(state.history, course.metric_name, course.folder / "curves.png")
    write_report(course, state.history, metrics, outputs, labels)
    return metrics, tuple(undrawn)
