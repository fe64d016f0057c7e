"""Two recurrent networks, one in each direction (Schuster and Paliwal 1997, doi:10.1109/78.650093).

The cells are LSTMs, as in Graves and Schmidhuber 2005 (doi:10.1016/j.neunet.2005.06.042), or GRUs;
the last state of both tells the class. A convolution of stride 4 in front, which the papers do not
have, leaves a quarter of the steps to be computed one after the other.
"""

from __future__ import annotations

import keras
from keras import layers

CELLS = {"lstm": layers.LSTM, "gru": layers.GRU, "simple": layers.SimpleRNN}


def build(
    classes: int,
    length: int = 64,
    channels: int = 6,
    cell: str = "lstm",
    units: int = 48,
    unroll: bool = False,
    dropout: float = 0.1,
) -> keras.Model:
    """Classifier of windows of readings with logits out.

    Args:
        classes: Outputs.
        length: Steps of a window, a multiple of 4.
        channels: Readings a step: acceleration in g (3), rotation in radians a second (3).
        cell: "lstm", "gru" or "simple".
        units: Length of the state of each direction.
        unroll: Whether the loops are written out, step by step, in Keras too; exports always are.
        dropout: Share of values dropped before the classifier in training.

    Returns:
        float32 `readings` [N, length, channels] → float32 `logits` [N, classes].
    """
    if length % 4:
        raise ValueError(f"length {length} must be a multiple of 4")
    if cell not in CELLS:
        raise ValueError(f"cell {cell!r}: one of {', '.join(CELLS)}")
    readings = keras.Input((length, channels), name="readings")
    x = layers.Rescaling(0.5, name="normalise")(readings)
    x = layers.Conv1D(32, 7, 4, "same", activation="relu", name="stem")(x)
    x = layers.Bidirectional(CELLS[cell](units, unroll=unroll), name="recurrent")(x)
    x = layers.Dropout(dropout, name="features_dropout")(x)
    return keras.Model(readings, layers.Dense(classes, name="logits")(x), name="bidirectional")
