"""What is to be trained, how and where: the facts that all epochs of a training share.

Owns what follows from recipe, model and data together: sizes, stages, work left. Trains nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.datasets import Dataset, Drawn, require_world
from edgekit.errors import DataError
from edgekit.files import canonical_json, sha256_file, write_atomic
from edgekit.loading import build_keras
from edgekit.metrics import METRICS, MetricValue, Scale
from edgekit.metrics.playing import Played
from edgekit.models import ModelSource, resolve_model
from edgekit.progress import Progress, Report
from edgekit.spec import InputSpec, ModelSpec
from edgekit.training.augment import Augmenter, augmenter_for
from edgekit.training.checkpoint import save_weights
from edgekit.training.inputs import each_input, load_inputs, load_labels
from edgekit.training.objectives import Objective, objective_for
from edgekit.training.objectives.contrastive import Contrastive, Queued
from edgekit.training.pretext import METRIC as PRETEXT_METRIC
from edgekit.training.pretext import Pretext, forget_head, pairs, projected, two_views
from edgekit.training.recipe import Recipe
from edgekit.training.state import TrainingState
from edgekit.training.strategy import Replicas
from edgekit.training.transfer import Start

if TYPE_CHECKING:
    import keras
    import numpy as np

    from edgekit.training.inputs import Inputs
    from edgekit.training.learner import Learner

    Array = np.ndarray[Any, Any]

# A recipe counts its training in epochs: with a step or two in each, a small data set would hardly
# move the weights. Normalisation over fewer samples than the small batch gets too noisy.
_FEW_STEPS = 8
_SMALL_BATCH = 16
_ANY_CLASSES = 2  # of a head that nobody trains
_FROZEN_COST = 0.05  # of an epoch on stored features, against one that trains all


@dataclass(frozen=True, slots=True)
class Course:
    """A training as it was asked for.

    Attributes:
        source: The model folder.
        spec: Its `model.toml`.
        dataset: Labelled, unless `pretext` is to be learned.
        recipe: How.
        seed: Of the first weights, dropout and the order of samples.
        start: Weights to begin with.
        folder: The run folder.
        report: Told every step.
        replicas: Copies of the model that share the work.
        pretext: What is learned without labels; None for what the labels say.
    """

    source: ModelSource
    spec: ModelSpec
    dataset: Dataset
    recipe: Recipe
    seed: int
    start: Start
    folder: Path
    report: Report
    replicas: Replicas = field(default_factory=Replicas)
    pretext: Pretext | None = None

    @property
    def weights(self) -> Path:
        """Where the best weights go."""
        return self.folder / f"{self.dataset.name}.weights.h5"

    @property
    def train_size(self) -> int:
        """Samples of the train split that are ever seen."""
        size = self.dataset.size("train")
        return min(self.recipe.train_samples or size, size)

    @property
    def batch_size(self) -> int:
        """Samples per step: the recipe's, or fewer where an epoch would have fewer than 8 steps.

        Every copy of the model gets as many.
        """
        size, copies = self.train_size, self.replicas.count
        wanted = min(self.recipe.batch_size, size, max(_SMALL_BATCH, size // _FEW_STEPS))
        return max(wanted // copies, 1) * copies

    @property
    def steps_per_epoch(self) -> int:
        """Steps of the optimizer between two validations; an epoch is at most one pass."""
        size = self.train_size
        return max(1, min(self.recipe.samples_per_epoch or size, size) // self.batch_size)

    @property
    def writes(self) -> bool:
        """Whether this process writes files: of several workers, the first does."""
        return self.replicas.workers.index == 0

    def stage_source(self, stage: int) -> ModelSource:
        """The model with the parameters of a stage."""
        changed = self.recipe.stages[stage].parameters
        if not changed:
            return self.source
        parameters = {**self.source.parameters, **changed}
        return resolve_model(
            str(self.source.path),
            parameters=parameters,
            trusted=self.source.trusted,
            variant=self.spec.variant,
            tokenizer=self.source.tokenizer,
        )

    def stage_inputs(self, stage: int) -> tuple[InputSpec, ...]:
        """The model's inputs in a stage."""
        spec = self.stage_source(stage).spec
        assert spec is not None
        return spec.inputs

    @property
    def scale(self) -> Scale:
        """What the model's metric counts in."""
        return METRICS[self.metric].scale

    @property
    def metric(self) -> str:
        """Name of what epochs are judged by: the model's metric, or the pretext's."""
        return PRETEXT_METRIC if self.pretext else self.spec.metric

    @property
    def classes(self) -> int:
        """How many the head of the model under training tells apart."""
        return len(self.dataset.classes) or _ANY_CLASSES

    @property
    def metric_name(self) -> str:
        """The metric with its unit, for people: `top1, points`."""
        return f"{self.metric}, {self.scale.unit}"

    def measure(self, outputs: Sequence[Array], labels: Array, learner: Learner) -> MetricValue:
        """The metric; one that plays lets the model as it is play the samples' episodes.

        Args:
            outputs: For the samples, one [N, ...] array each.
            labels: Theirs, [N, ...].
            learner: That gave them.
        """
        metric = METRICS[self.metric]
        if isinstance(metric, Played):
            world = require_world(self.dataset)
            outputs = metric.play(lambda s: learner.predict(s, len(s)), world, labels)
        return metric.measure(outputs, labels, None)

    def objective(self, stage: int = -1) -> Objective:
        """What is minimized, in a stage."""
        if self.pretext is None:
            classes = len(self.dataset.classes)
            return objective_for(self.spec.task, self.recipe, classes, source=self.source)
        pretext = self.pretext.fitted(self.train_size)
        if pretext.method == "simclr":
            return Contrastive(self.recipe, pretext)
        source = self.stage_source(stage)

        def again() -> keras.Model:
            return self.trained(build_keras(source, weights=None, classes=self.classes))

        return Queued(self.recipe, pretext, again)

    def trained(self, model: keras.Model) -> keras.Model:
        """What is trained of the folder's model: itself, or its backbone with a projection."""
        return model if self.pretext is None else projected(model, self.source, self.pretext)

    def keep(self, model: keras.Model) -> None:
        """Write the folder's model as it is into the run folder.

        Raises:
            OSError: The system refuses.
        """
        if self.pretext is not None:
            forget_head(model, self.source)
        save_weights(model, self.weights)

    def augmenter(self, spec: InputSpec) -> Augmenter | None:
        """What a batch goes through before it is seen; None leaves it as it is."""
        if self.pretext is not None:
            return two_views(self.recipe, spec)
        if self.recipe.augment is None:
            return None
        return augmenter_for(self.recipe.augment, spec, len(self.dataset.classes))

    def judged(self, drawn: Drawn, specs: Sequence[InputSpec]) -> tuple[Inputs, Array]:
        """Drawn samples as the model under training is judged by them, and their labels."""
        inputs = load_inputs(drawn, specs)
        if self.pretext is None:
            return inputs, load_labels(drawn)
        return pairs(self.recipe, specs[0], each_input(inputs)[0])

    def open_state(self, *, resume: bool) -> TrainingState:
        """The state to go on from: the run folder's, or a new one.

        Raises:
            DataError: The run folder holds another training, or a damaged one.
        """
        identity = self._identity()
        state = TrainingState.read(self.folder / "state.npz") if resume else None
        if state is None:
            return TrainingState(identity)
        if differences := state.differences(identity):
            raise DataError(
                f"{self.folder} holds a training that differs from this one",
                *differences,
                hint="--no-resume to start over, or --out for another folder",
            )
        return state

    def _identity(self) -> dict[str, Any]:
        code = sorted(self.source.path.rglob("*.py"))
        return {
            "model": {p.relative_to(self.source.path).as_posix(): sha256_file(p) for p in code},
            "parameters": dict(self.spec.parameters),
            "dataset": self.dataset.fingerprint(),
            "recipe": self.recipe.to_json(),
            "seed": self.seed,
            **({"pretext": self.pretext.to_json()} if self.pretext else {}),
            "start": self.start.identity(),
            **({"tokenizer": self.source.tokenizer} if self.source.tokenizer else {}),
        }

    def write_history(self, state: TrainingState, metrics: dict[str, Any] | None = None) -> None:
        """Write what was done so far as `history.json`."""
        document = {
            **state.identity,
            "dataset": {"name": self.dataset.name, "fingerprint": state.identity["dataset"]},
            "history": state.history,
            "metrics": metrics,
        }
        write_atomic(self.folder / "history.json", canonical_json(document))


class Pace:
    """How fast a run gets on, and how long it will still take.

    Work is counted in input values, not in epochs: an epoch of small pictures is shorter.
    """

    def __init__(self, course: Course, epochs_done: int) -> None:
        self._course = course
        recipe = course.recipe
        sizes = [
            sum(math.prod(spec.shape) for spec in course.stage_inputs(stage))
            for stage in range(len(recipe.stages))
        ]
        segments = [recipe.segment_of(epoch) for epoch in range(recipe.epochs)]
        self._costs = [sizes[s.stage] * (_FROZEN_COST if s.frozen else 1.0) for s in segments]
        self._began = time.monotonic()
        self._work_before = self._work(epochs_done)
        self._total = self._work(course.recipe.epochs)

    @property
    def seconds(self) -> float:
        """Since this run began."""
        return time.monotonic() - self._began

    def tell(self, state: TrainingState, share: float, note: str) -> None:
        """Report that `share` (0–1) of the epoch after `state` is done."""
        course = self._course
        done = self._work(state.epoch + share)
        left_s = self.seconds * (self._total - done) / max(done - self._work_before, 1e-9)
        parts = [f"epoch {state.epoch + 1}/{course.recipe.epochs}", note]
        if state.history:
            reached = course.scale.text(state.history[-1]["validation"])
            parts.append(f"{course.metric} {reached}")
        parts.append(f"{_duration(left_s)} left")
        task = f"training {course.source.name} on {course.dataset.name}"
        course.report(Progress(task, done, self._total, ", ".join(parts)))

    def _work(self, epochs: float) -> float:
        whole = int(epochs)
        begun = self._costs[whole] * (epochs - whole) if whole < len(self._costs) else 0.0
        return sum(self._costs[:whole]) + begun


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
