"""A grid LSTM in two dimensions, time and depth (Kalchbrenner et al. 2015, arXiv 1507.01526).

A block of the grid has a hidden and a memory vector from the step before and another pair from the
layer below. Both hidden vectors together drive one LSTM for each dimension, so memory goes through
the layers as it goes through time. The paper's grids are larger (250 to 1,000 units); a convolution
of stride 4 in front, which it does not have, leaves a quarter of the steps.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


def build(
    classes: int,
    length: int = 64,
    channels: int = 6,
    units: int = 32,
    depth: int = 2,
    unroll: bool = False,
    dropout: float = 0.1,
) -> keras.Model:
    """Classifier of windows of readings with logits out.

    Args:
        classes: Outputs.
        length: Steps of a window, a multiple of 4.
        channels: Readings a step: acceleration in g (3), rotation in radians a second (3).
        units: Length of each hidden and each memory vector.
        depth: Layers of the grid.
        unroll: Whether the loop is written out, step by step, in Keras too; exports always are.
        dropout: Share of values dropped before the classifier in training.

    Returns:
        float32 `readings` [N, length, channels] → float32 `logits` [N, classes].
    """
    if length % 4:
        raise ValueError(f"length {length} must be a multiple of 4")
    readings = keras.Input((length, channels), name="readings")
    x = layers.Rescaling(0.5, name="normalise")(readings)
    x = layers.Conv1D(32, 7, 4, "same", activation="relu", name="stem")(x)
    # What enters the grid from below: a hidden and a memory vector of every step.
    x = layers.Dense(2 * units, name="enter")(x)
    x = layers.RNN(GridCell(units, depth), unroll=unroll, name="recurrent")(x)
    x = layers.Dropout(dropout, name="features_dropout")(x)
    return keras.Model(readings, layers.Dense(classes, name="logits")(x), name="grid_lstm")


class GridCell(layers.Layer):
    """One step in time: a column of blocks.

    float32 [N, 2 · units] from below; the state is a hidden and a memory vector a layer. What
    leaves the top is the output, [N, 2 · units].
    """

    def __init__(self, units: int, depth: int, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.depth = units, depth
        self.state_size = [units] * (2 * depth)
        self.output_size = 2 * units

    def build(self, shape: Any) -> None:
        self._time, self._depth = (
            [self._lstm_weights(f"{name}{layer}") for layer in range(self.depth)]
            for name in ("time", "depth")
        )

    def _lstm_weights(self, name: str) -> tuple[Any, Any]:
        kernel = self.add_weight(shape=(2 * self.units, 4 * self.units), name=f"{name}_kernel")
        bias = self.add_weight(shape=(4 * self.units,), initializer=_forget, name=f"{name}_bias")
        return kernel, bias

    def call(self, x: Any, states: Any, training: bool | None = None) -> Any:
        up, memory_up = ops.split(x, 2, axis=-1)
        after = []
        for layer in range(self.depth):
            along, memory = states[2 * layer], states[2 * layer + 1]
            # A product for each dimension: what leaves the top is needed after the last step only.
            both = along, up
            along, memory = _lstm(both, memory, *self._time[layer])
            up, memory_up = _lstm(both, memory_up, *self._depth[layer])
            after += [along, memory]
        return ops.concatenate([up, memory_up], axis=-1), after


def _lstm(hidden: Any, memory: Any, kernel: Any, bias: Any) -> tuple[Any, Any]:
    """Hidden and memory vector [N, units] after both hidden vectors, [N, units] each."""
    # Not concatenated: TensorFlow's quantizer would give all that enters the grid the 8 bits of
    # one concatenation, which clips the others.
    gates = sum(ops.matmul(*pair) for pair in zip(hidden, ops.split(kernel, 2), strict=True)) + bias
    forget, take, give, new = ops.split(gates, 4, axis=-1)
    memory = ops.sigmoid(forget) * memory + ops.sigmoid(take) * ops.tanh(new)
    return ops.sigmoid(give) * ops.tanh(memory), memory


def _forget(shape: Any, dtype: Any = None) -> Any:
    """Biases that begin with remembering: 1 for the forget gate, 0 for the others."""
    units = shape[0] // 4
    return ops.concatenate([ops.ones((units,), dtype), ops.zeros((3 * units,), dtype)])
