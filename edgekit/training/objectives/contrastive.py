"""Contrastive losses: of all that is compared with a view, the same picture's other view fits best.

NT-Xent of SimCLR (Chen et al. 2020, arXiv 2002.05709) and InfoNCE over the queue of MoCo (He et al.
2020, arXiv 1911.05722). A batch is first views, then second views of the same pictures in the same
order: [2 · B, D].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.training.objectives.base import Objective, Play, as_float
from edgekit.training.pictures import draw_rows
from edgekit.training.recipe import Recipe

if TYPE_CHECKING:
    import keras
    import numpy as np

    from edgekit.training.pretext import Pretext

    Array = np.ndarray[Any, Any]

_NEVER = -1e9  # likeness of a view with itself


class Contrastive(Objective):
    """SimCLR: each view is told from all others of its batch.

    Args:
        recipe: Not asked for anything: the method's settings are in `pretext`.
        pretext: Temperature and sizes.
    """

    def __init__(self, recipe: Recipe, pretext: Pretext) -> None:
        super().__init__(recipe, classes=0)
        self.pretext = pretext

    def loss(self, outputs: Sequence[Any], labels: Any) -> Any:
        return nt_xent(outputs[0], self.pretext.temperature)

    def hits(self, outputs: Sequence[Any], labels: Any) -> Any:
        """How many views are most alike to the same picture's other view, among their batch."""
        import tensorflow as tf

        likenesses, wanted = _all_against_all(outputs[0])
        return tf.reduce_sum(
            tf.cast(tf.equal(tf.argmax(likenesses, axis=1, output_type=tf.int32), wanted), "float")
        )

    def draw(
        self,
        outputs: Sequence[Array],
        inputs: Array,
        labels: Array,
        classes: Sequence[str],
        folder: Path,
    ) -> None:
        half = len(inputs) // 2
        if inputs.shape[-1] in (1, 3):
            draw_rows({"one view": inputs[:half], "other": inputs[half:]}, folder / "views.png")

    def validation_loss(self, outputs: Sequence[Array], labels: Array) -> float:
        import tensorflow as tf

        # Of MoCo, too: without a queue it is the same question, asked among all samples.
        return float(nt_xent(tf.constant(outputs[0], tf.float32), self.pretext.temperature))


class Queued(Contrastive):
    """MoCo: each view is told from views of earlier batches, which a slower encoder has seen.

    Both views of a picture ask for the other's key (He's code for small pictures calls it
    symmetric). Keys come from averaged weights and averaged normalisation statistics (EMAN, Cai et
    al. 2021, arXiv 2101.08482): statistics of the batch would tell which keys belong to it, which
    the paper prevents by shuffling among several processors.

    Args:
        recipe: As `Contrastive`.
        pretext: Momentum and length of the queue, too.
        again: Builds the model under training once more.
    """

    def __init__(self, recipe: Recipe, pretext: Pretext, again: Callable[[], keras.Model]) -> None:
        super().__init__(recipe, pretext)
        self._again = again

    def companions(self, model: keras.Model) -> Sequence[keras.Model]:
        self._slow = self._again()
        self._slow.set_weights(model.get_weights())
        self._slow.trainable = False
        self._queue = make_queue(self.pretext.queue, self.pretext.vector)
        return [self._slow, self._queue]

    def plays(self, model: keras.Model, inputs: Any, labels: Any) -> tuple[list[Play], list[Any]]:
        import keras
        import tensorflow as tf

        self._follow(model)
        keys = keras.ops.normalize(tf.cast(self._slow(inputs, training=False), tf.float32))
        keys = tf.stop_gradient(tf.roll(keys, tf.shape(keys)[0] // 2, axis=0))
        outputs = as_float(model(inputs, training=True))
        asked = keras.ops.normalize(outputs[0])
        own = tf.reduce_sum(asked * keys, axis=1, keepdims=True)
        kept = tf.convert_to_tensor(self._queue.keys)
        # Random directions in its place would teach a constant: it is told from them at once.
        empty = tf.range(self.pretext.queue) >= self._queue.filled.value
        others = tf.where(empty, _NEVER, tf.matmul(asked, kept, transpose_b=True))
        logits = tf.concat([own, others], axis=1) / self.pretext.temperature
        first = tf.zeros(tf.shape(logits)[0], tf.int32)
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=first, logits=logits)
        )
        with tf.control_dependencies([loss]):
            self._queue.keys.assign(tf.concat([keys, kept], axis=0)[: self.pretext.queue])
            filled = self._queue.filled.value + tf.shape(keys)[0]
            self._queue.filled.assign(tf.minimum(filled, self.pretext.queue))
        total = loss + sum(model.losses) if model.losses else loss
        return [Play(total, [model])], outputs

    def _follow(self, model: keras.Model) -> None:
        """Move the slow encoder towards `model`.

        Slowly from the first step on: where keys change fast, the newest are told from the queue's
        by their age, and every picture gets the same vector.
        """
        momentum = self.pretext.momentum
        for slow, weight in zip(self._slow.weights, model.weights, strict=True):
            if slow.dtype.startswith("float"):
                slow.assign(weight.value + momentum * (slow.value - weight.value))


def nt_xent(vectors: Any, temperature: float) -> Any:
    """Normalised-temperature cross entropy (SimCLR, equation 1): float32 scalar.

    Args:
        vectors: [2 · B, D] of any length: first views, then second ones in the same order.
        temperature: What cosines are divided by.
    """
    import tensorflow as tf

    likenesses, wanted = _all_against_all(vectors)
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=wanted, logits=likenesses / temperature
        )
    )


def _all_against_all(vectors: Any) -> tuple[Any, Any]:
    """Cosines [2 · B, 2 · B] of all views, and int32 [2 · B]: where each one's other view is."""
    import tensorflow as tf

    unit = tf.math.l2_normalize(vectors, axis=1)
    count = tf.shape(unit)[0]
    alike = tf.linalg.set_diag(
        tf.matmul(unit, unit, transpose_b=True), tf.fill([count], tf.constant(_NEVER))
    )
    return alike, tf.roll(tf.range(count), count // 2, axis=0)


def make_queue(length: int, width: int) -> keras.Model:
    """What MoCo remembers: `keys` [length, width], newest first; not trained.

    It begins empty; `filled` is how many keys there are.
    """
    import keras

    class Queue(keras.Model):  # type: ignore[misc]  # keras has no types
        def __init__(self) -> None:
            super().__init__()
            fixed = {"trainable": False, "initializer": "zeros"}
            self.keys = self.add_weight(shape=(length, width), name="keys", **fixed)
            self.filled = self.add_weight(shape=(), dtype="int32", name="filled", **fixed)

    return Queue()
