"""One Keras model under training: its step, its averaged weights, its validation.

Knows TensorFlow, a recipe and arrays. Does not know epochs, files or data sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from edgekit.errors import ModelError
from edgekit.loading import packed_inputs
from edgekit.training.inputs import as_inputs, count_of, each_input, rows_of
from edgekit.training.interrupts import take_interrupt
from edgekit.training.objectives import Objective, as_float
from edgekit.training.recipe import Recipe
from edgekit.training.strategy import Replicas

if TYPE_CHECKING:
    import keras
    import numpy as np

    from edgekit.training.inputs import Inputs

    Array = np.ndarray[Any, Any]


class Learner:
    """Trains `model`, or only its head, in place.

    Make it in the scope of `replicas`, as the model.

    Args:
        model: With one input or several.
        recipe: Optimizer and averaging.
        objective: What is minimized.
        head: What alone is trained: a model of the last layers of `model`. None trains all.
        backbone: What runs before the head, in inference mode; None where the samples are already
            what the head reads.
        replicas: Copies of the model.
    """

    def __init__(
        self,
        model: keras.Model,
        recipe: Recipe,
        objective: Objective,
        *,
        head: keras.Model | None = None,
        backbone: keras.Model | None = None,
        replicas: Replicas | None = None,
    ) -> None:
        import keras

        self.model = model
        self._trained = head or model
        self._backbone = backbone
        self._replicas = replicas or Replicas()
        self._objective = objective
        self._recipe = recipe
        if recipe.optimizer == "sgd":
            self._optimizer = keras.optimizers.SGD(
                0.0, recipe.momentum, nesterov=True, weight_decay=recipe.weight_decay
            )
        else:
            self._optimizer = keras.optimizers.AdamW(
                0.0, recipe.weight_decay, beta_1=recipe.momentum
            )
        # Decay pulls scales and shifts of normalisation towards 0 for no gain (arXiv 1706.05350).
        self._companions = list(objective.companions(self._trained))
        trained = [self._trained, *self._companions]
        variables = [v for one in trained for v in one.trainable_variables]
        vectors = [v for v in variables if len(v.shape) < 2]
        self._optimizer.exclude_from_weight_decay(var_list=vectors)
        self._optimizer.build(variables)
        norms = [
            layer
            for layer in self._trained._flatten_layers()  # noqa: SLF001  nested models too
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
        if recipe.batch_norm_momentum is not None:
            for layer in norms:
                layer.momentum = recipe.batch_norm_momentum
        self._norms = [layer for layer in norms if layer.momentum < 1]
        self._average = self._make_average()
        self._step = self._make_step()
        self._infer = self._make_infer()

    def train_step(
        self, inputs: Inputs, labels: Array, *, rate: float, stage_step: int
    ) -> tuple[float, float | None]:
        """One step of the optimizer.

        Args:
            inputs: [batch, *shape], or a tuple of one for each input: this worker's part of the
                batch.
            labels: [batch, ...], as the objective takes them.
            rate: Learning rate.
            stage_step: Steps done before, in this stage.

        Returns:
            Mean loss of the whole batch, and the share (0–1) of its samples that was right (None:
            see `Objective.hits`).
        """
        import tensorflow as tf

        # Early in a stage, an average over the last 1000 steps would still be the random beginning,
        # or hold the normalisation of pictures of another size.
        longest = (1 + stage_step) / (10 + stage_step)
        self._optimizer.learning_rate.assign(rate)
        tensors = [
            as_inputs([tf.convert_to_tensor(values) for values in each_input(inputs)]),
            tf.convert_to_tensor(labels),
        ]
        try:
            loss, *right = self._step(
                self._replicas.shared_out(tensors),
                tf.constant(min(self._recipe.ema, longest), tf.float32),
                tf.constant(longest, tf.float32),
            )
        except Exception:
            if self._objective.failure is None:
                raise
            raise self._objective.failure from None
        return float(loss), float(right[0]) if right else None

    def predict(self, inputs: Inputs, batch_size: int) -> list[Array]:
        """One float32 [N, ...] per output, the weights as they are.

        Args:
            inputs: [N, *shape], a tuple of one for each input, or what the head reads where there
                is no `backbone` before it.
            batch_size: How many at a time.
        """
        import numpy as np
        import tensorflow as tf

        parts = []
        for at in range(0, count_of(inputs), batch_size):
            batch = each_input(rows_of(inputs, slice(at, at + batch_size)))
            outputs = self._infer(as_inputs([tf.constant(values) for values in batch]))
            parts.append([output.numpy() for output in outputs])
            take_interrupt()
        return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within, the model has its averaged weights (where the recipe averages)."""
        if not self._average:
            yield
            return
        kept = self._trained.get_weights()
        self._trained.set_weights([variable.numpy() for variable in self._average])
        try:
            yield
        finally:
            self._trained.set_weights(kept)

    def arrays(self) -> dict[str, list[Array]]:
        """Everything that a later step depends on, as copies."""
        import numpy as np

        groups = {
            "variables": self.model.variables,
            "optimizer": self._optimizer.variables,
            "average": self._average,
            "companions": [v for one in self._companions for v in one.variables],
        }
        return {name: [np.array(v) for v in group] for name, group in groups.items()}

    def restore(self, arrays: dict[str, list[Array]], *, same_part: bool = True) -> None:
        """Go on from what `arrays()` gave, maybe of a model for another size of picture.

        Args:
            arrays: From `arrays()`.
            same_part: Whether the same part of the model was trained; if not, optimizer and
                averages begin anew.

        Raises:
            ModelError: The shapes differ.
        """
        assign_all(self.model.variables, arrays["variables"], "weights")
        if not same_part:
            weights = [weight.value for weight in self._trained.weights]
            assign_all(self._average, [w.numpy() for w in weights[: len(self._average)]], "average")
            return
        assign_all(self._optimizer.variables, arrays["optimizer"], "optimizer state")
        companions = [v for one in self._companions for v in one.variables]
        assign_all(companions, arrays.get("companions", []), "companions")
        assign_all(self._average, arrays["average"], "averaged weights")

    def _make_average(self) -> list[Any]:
        import tensorflow as tf

        if not self._recipe.ema:
            return []
        return [tf.Variable(weight.value, trainable=False) for weight in self._trained.weights]

    def _make_step(self) -> Any:
        import tensorflow as tf

        model, optimizer, average = self._trained, self._optimizer, self._average
        norms, objective, replicas = self._norms, self._objective, self._replicas
        weights = model.weights

        def step(inputs: Any, labels: Any, decay: Any, longest: Any) -> Any:
            before = [[tf.identity(v.value) for v in _statistics(layer)] for layer in norms]
            if self._backbone is not None:
                inputs = self._backbone(_packed(self._backbone, inputs), training=False)
            with tf.GradientTape(persistent=True) as tape:
                plays, outputs = objective.plays(model, _packed(model, inputs), labels)
                # The optimizer adds up what the copies found; the mean is wanted.
                totals = [play.loss / replicas.count for play in plays]
            for layer, kept in zip(norms, before, strict=True):
                self._move_statistics(layer, kept, longest)
            gradients: list[Any] = []
            moved: list[Any] = []
            for play, total in zip(plays, totals, strict=True):
                own = [v for one in play.models for v in one.trainable_variables]
                found = tape.gradient(total, [v.value for v in own])
                if all(one is None for one in found):
                    objective.failure = ModelError("the loss does not depend on any weight")
                    raise objective.failure
                gradients += self._clipped(found)
                moved += own
            optimizer.apply(gradients, moved)
            for shadow, weight in zip(average, weights, strict=bool(average)):
                shadow.assign_sub((1 - decay) * (shadow - weight.value))
            hits = objective.hits(outputs, labels)
            if hits is None:
                return [plays[0].loss]
            return [plays[0].loss, hits / tf.cast(tf.shape(labels)[0], tf.float32)]

        def all_copies(batch: Any, decay: Any, longest: Any) -> Any:
            return replicas.run(step, batch, decay, longest)

        return tf.function(all_copies)

    def _move_statistics(self, layer: Any, before: Sequence[Any], longest: Any) -> None:
        """Make a step's change of the moving statistics larger, early on.

        What is left of the initial variance 1 after 240 steps at a momentum of 0.99, 9 %, drowns
        the real ones of a deep model.
        """
        import tensorflow as tf

        share = (1 - tf.minimum(longest, layer.momentum)) / (1 - layer.momentum)
        found = self._replicas.mean([moving.value for moving in _statistics(layer)])
        for moving, new, old in zip(_statistics(layer), found, before, strict=True):
            moving.assign(old + share * (new - old))

    def _clipped(self, gradients: Sequence[Any]) -> Sequence[Any]:
        """Gradients of a copy, so scaled that those of the whole batch are not too long."""
        import tensorflow as tf

        longest, count = self._recipe.clip_norm, self._replicas.count
        if longest is None:
            return gradients
        if count > 1:
            gradients = self._replicas.total([tf.convert_to_tensor(g) for g in gradients])
        clipped: Sequence[Any] = tf.clip_by_global_norm(gradients, longest)[0]
        # The optimizer adds up what the copies hand in.
        return [gradient / count for gradient in clipped] if count > 1 else clipped

    def _make_infer(self) -> Any:
        import tensorflow as tf

        model, backbone = self._trained, self._backbone

        def infer(inputs: Any) -> Any:
            if backbone is not None:
                inputs = backbone(_packed(backbone, inputs), training=False)
            return as_float(model(_packed(model, inputs), training=False))

        return tf.function(infer, reduce_retracing=True)


def _packed(model: keras.Model, inputs: Any) -> Any:
    """Inputs of a batch as the model's own call takes them."""
    return packed_inputs(model, inputs) if isinstance(inputs, tuple) else inputs


def _statistics(layer: Any) -> tuple[Any, Any]:
    return layer.moving_mean, layer.moving_variance


def assign_all(variables: Sequence[Any], arrays: Sequence[Array], what: str) -> None:
    """Give variables their values.

    Raises:
        ModelError: The shapes differ; the message names `what`.
    """
    shapes = [tuple(v.shape) for v in variables]
    given = [a.shape for a in arrays]
    if shapes != given:
        pairs = zip_longest(shapes, given)
        here, before = next((a, b) for a, b in pairs if a != b)
        raise ModelError(
            f"the {what} of this model do not fit what was trained before: "
            f"shape {here} here, {before} there",
            hint="parameters of a stage may change the picture's size, never the layers",
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
