"""One Keras model under training: its step, its averaged weights, its validation.

Knows TensorFlow, a recipe and arrays. Does not know epochs, files or data sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from edgekit.errors import ModelError
from edgekit.training.objectives import Objective
from edgekit.training.recipe import Recipe

if TYPE_CHECKING:
    import keras
    import numpy as np

    Array = np.ndarray[Any, Any]


class Learner:
    """Trains `model` in place.

    Args:
        model: One input.
        recipe: Optimizer and averaging.
        objective: What is minimized.
    """

    def __init__(self, model: keras.Model, recipe: Recipe, objective: Objective) -> None:
        import keras

        self.model = model
        self._objective = objective
        self._recipe = recipe
        kinds = {"adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD}
        extra = {"momentum": 0.9, "nesterov": True} if recipe.optimizer == "sgd" else {}
        self._optimizer = kinds[recipe.optimizer](
            learning_rate=0.0, weight_decay=recipe.weight_decay, **extra
        )
        # Decay pulls scales and shifts of normalisation towards 0 for no gain (arXiv 1706.05350).
        vectors = [v for v in model.trainable_variables if len(v.shape) < 2]
        self._optimizer.exclude_from_weight_decay(var_list=vectors)
        self._optimizer.build(model.trainable_variables)
        norms = [
            layer
            for layer in model._flatten_layers()  # noqa: SLF001  nested models too
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
        self, inputs: Array, labels: Array, *, rate: float, stage_step: int
    ) -> tuple[float, float | None]:
        """One step of the optimizer.

        Args:
            inputs: [batch, *shape].
            labels: [batch, ...], as the objective takes them.
            rate: Learning rate.
            stage_step: Steps done before, in this stage.

        Returns:
            Mean loss of the batch, and how many of its samples were right (None: see `hits`).
        """
        import tensorflow as tf

        # Early in a stage, an average over the last 1000 steps would still be the random beginning,
        # or hold the normalisation of pictures of another size.
        longest = (1 + stage_step) / (10 + stage_step)
        loss, right = self._step(
            tf.convert_to_tensor(inputs),
            tf.convert_to_tensor(labels),
            tf.constant(rate, tf.float32),
            tf.constant(min(self._recipe.ema, longest), tf.float32),
            tf.constant(longest, tf.float32),
        )
        return float(loss), None if right is None else float(right)

    def predict(self, inputs: Array, batch_size: int) -> list[Array]:
        """One float32 [N, ...] per output for `inputs` [N, *shape]; the weights as they are."""
        import numpy as np
        import tensorflow as tf

        parts = [
            [output.numpy() for output in self._infer(tf.constant(inputs[at : at + batch_size]))]
            for at in range(0, len(inputs), batch_size)
        ]
        return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within, the model has its averaged weights (where the recipe averages)."""
        if not self._average:
            yield
            return
        kept = self.model.get_weights()
        self.model.set_weights([variable.numpy() for variable in self._average])
        try:
            yield
        finally:
            self.model.set_weights(kept)

    def arrays(self) -> dict[str, list[Array]]:
        """Everything that a later step depends on, as copies."""
        import numpy as np

        groups = {
            "variables": self.model.variables,
            "optimizer": self._optimizer.variables,
            "average": self._average,
        }
        return {name: [np.array(v) for v in group] for name, group in groups.items()}

    def restore(self, arrays: dict[str, list[Array]]) -> None:
        """Go on from what `arrays()` gave, maybe of a model for another size of picture.

        Raises:
            ModelError: The shapes differ.
        """
        _assign(self.model.variables, arrays["variables"], "weights")
        _assign(self._optimizer.variables, arrays["optimizer"], "optimizer state")
        _assign(self._average, arrays["average"], "averaged weights")

    def _make_average(self) -> list[Any]:
        import tensorflow as tf

        if not self._recipe.ema:
            return []
        return [tf.Variable(weight.value, trainable=False) for weight in self.model.weights]

    def _make_step(self) -> Any:
        import tensorflow as tf

        model, optimizer, average = self.model, self._optimizer, self._average
        norms, objective = self._norms, self._objective
        weights = model.weights

        def step(inputs: Any, labels: Any, rate: Any, decay: Any, longest: Any) -> Any:
            optimizer.learning_rate.assign(rate)
            before = [[tf.identity(v.value) for v in _statistics(layer)] for layer in norms]
            with tf.GradientTape() as tape:
                outputs = _as_float(model(inputs, training=True))
                loss = objective.loss(outputs, labels)
                total = loss + sum(model.losses) if model.losses else loss
            for layer, kept in zip(norms, before, strict=True):
                # What is left of the initial variance 1 after 240 steps at a momentum of 0.99, 9 %,
                # drowns the real ones of a deep model: early on, a step moves them further.
                share = (1 - tf.minimum(longest, layer.momentum)) / (1 - layer.momentum)
                for moving, old in zip(_statistics(layer), kept, strict=True):
                    moving.assign(old + share * (moving.value - old))
            gradients = tape.gradient(total, [v.value for v in model.trainable_variables])
            optimizer.apply(gradients, model.trainable_variables)
            for shadow, weight in zip(average, weights, strict=bool(average)):
                shadow.assign_sub((1 - decay) * (shadow - weight.value))
            return loss, objective.hits(outputs, labels)

        return tf.function(step)

    def _make_infer(self) -> Any:
        import tensorflow as tf

        model = self.model

        def infer(inputs: Any) -> Any:
            return _as_float(model(inputs, training=False))

        return tf.function(infer, reduce_retracing=True)


def _as_float(outputs: Any) -> list[Any]:
    """A model's outputs as a list of float32 tensors."""
    import keras
    import tensorflow as tf

    return [tf.cast(output, tf.float32) for output in keras.tree.flatten(outputs)]


def _statistics(layer: Any) -> tuple[Any, Any]:
    return layer.moving_mean, layer.moving_variance


def _assign(variables: Sequence[Any], arrays: Sequence[Array], what: str) -> None:
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
