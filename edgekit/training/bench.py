"""What a segment of a training works with: the model under training, its samples, its validation.

Puts together what the other modules make, for one segment of the recipe. Trains nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.datasets import draw
from edgekit.errors import ModelError
from edgekit.files import cache_folder, scratch_folder
from edgekit.loading import build_keras
from edgekit.training.course import Course
from edgekit.training.feed import Feed, Source, Stored, fits, open_source
from edgekit.training.learner import Learner, assign_all
from edgekit.training.recipe import Segment
from edgekit.training.state import TrainingState
from edgekit.training.transfer import build_started, split_at, stored_features

if TYPE_CHECKING:
    import keras
    import numpy as np

    from edgekit.training.inputs import Inputs

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a segment is trained.

    Attributes:
        learner: The model under training.
        model: The folder's, which shares its weights: what is kept.
        source: Where its samples come from.
        feed: They, in batches.
        inputs: Validation samples, as `learner.predict` takes them.
        labels: Theirs.
        fresh: Layers that begin anew because the first weights have none for them.
    """

    learner: Learner
    model: keras.Model
    source: Source
    feed: Feed
    inputs: Inputs
    labels: Array
    fresh: tuple[str, ...]


@contextmanager
def set_up(course: Course, state: TrainingState, segment: Segment) -> Iterator[Bench]:
    """Build the model of a segment, as `state` left it, and open its samples.

    Raises:
        ModelError: The model does not build, or does not fit the weights it is to begin with.
        DataError: A sample cannot be read.
        OSError: The cache or the run folder cannot be written.
    """
    import numpy as np

    recipe, dataset, specs = course.recipe, course.dataset, course.stage_inputs(segment.stage)
    batch = course.batch_size
    with course.replicas.scope():
        model, trained, fresh = _first_model(course, state, segment.stage)
        head, backbone = None, None
        if segment.frozen:
            backbone, head = split_at(model, course.spec.features, course.source)
    drawn = draw(dataset, "validation", recipe.validation_samples, specs, report=course.report)
    inputs, labels = course.judged(drawn, specs)
    # Among workers on one machine, each would clear away what the others have under way.
    worker = course.replicas.workers.index
    beside = cache_folder() / "batches" / str(worker) if worker else course.folder
    with scratch_folder(beside / "batches") as scratch:
        objective = course.objective(segment.stage)
        source: Source
        own = objective.experience(
            lambda states: learner.predict(states, len(states)), dataset, seed=course.seed
        )
        if own is not None:
            _refuse_many(course)
            source = own
        elif backbone is not None and fits(specs, course.train_size):
            whole = draw(dataset, "train", course.train_size, specs, report=course.report)
            made = [
                stored_features(
                    backbone,
                    samples,
                    course.stage_source(segment.stage),
                    batch_size=batch,
                    task=f"features of {samples.count:,} {split} samples of {dataset.name}",
                    report=course.report,
                )
                for split, samples in (("train", whole), ("validation", drawn))
            ]
            source, inputs = Stored(made[0], np.load(whole.folder / "labels.npy")), made[1]
            backbone = None
        else:
            part = batch // course.replicas.workers.count
            source = open_source(
                dataset,
                specs,
                part,
                count=course.train_size,
                scratch=scratch,
                report=course.report,
            )
        # A frozen backbone's features are worth keeping only of samples as they are.
        feed = Feed(
            source,
            batch,
            augment=None if segment.frozen else course.augmenter(specs[0]),
            seed=course.seed,
            part=(course.replicas.workers.index, course.replicas.workers.count),
        )
        with feed:
            with course.replicas.scope():
                learner = Learner(
                    trained,
                    recipe,
                    objective,
                    head=head,
                    backbone=backbone,
                    replicas=course.replicas,
                )
            if state.epoch:
                same = state.history[-1].get("frozen", False) == segment.frozen
                learner.restore(state.arrays, same_part=same)
                source.restore(state.arrays.get("experience", []))
            yield Bench(learner, model, source, feed, inputs, labels, fresh)


def _refuse_many(course: Course) -> None:
    if course.replicas.count > 1:
        raise ModelError(
            f"{course.source.name} learns from what it meets itself: one process, one copy",
            hint="leave out --strategy",
        )


def _first_model(
    course: Course, state: TrainingState, stage: int
) -> tuple[keras.Model, keras.Model, tuple[str, ...]]:
    """The folder's model, what is trained of it, and the layers that begin anew."""
    source = course.stage_source(stage)
    if state.epoch:
        model = build_keras(source, weights=None, classes=course.classes)
        trained = course.trained(model)
        # Now: what a frozen backbone makes of the samples depends on them.
        assign_all(trained.variables, state.arrays["variables"], "weights")
        return model, trained, ()
    model, fresh = build_started(source, course.start, classes=course.classes)
    return model, course.trained(model), fresh
