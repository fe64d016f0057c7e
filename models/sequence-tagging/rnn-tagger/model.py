"""A simple recurrent network (Elman 1990, doi:10.1207/s15516709cog1402_1), many to many.

Every state tells the class of the steps it has just seen. With `both`, a second network reads from
the end (Schuster and Paliwal 1997, doi:10.1109/78.650093), and a step's class may rest on what
comes after it. A strided convolution in front, which the papers do not have, makes one of a few
steps; each state then answers for all of them.
"""

from __future__ import annotations

import keras
from keras import layers


def build(
    classes: int,
    length: int = 128,
    channels: int = 6,
    stride: int = 4,
    units: int = 64,
    both: bool = False,
    unroll: bool = False,
    dropout: float = 0.1,
) -> keras.Model:
    """Tagger of windows of readings with logits out.

    Args:
        classes: Outputs of a step.
        length: Steps of a window, a multiple of `stride`.
        channels: Readings a step: acceleration in g (3), rotation in radians a second (3).
        stride: Steps that one state answers for.
        units: Length of the state (of each direction).
        both: Whether it reads in both directions. A network that reads in one can run while the
            readings come.
        unroll: Whether the loop is written out, step by step, in Keras too; exports always are.
        dropout: Share of values dropped before the classifier in training.

    Returns:
        float32 `readings` [N, length, channels] → float32 `logits` [N, length, classes].
    """
    if length % stride:
        raise ValueError(f"length {length} must be a multiple of stride {stride}")
    readings = keras.Input((length, channels), name="readings")
    x = layers.Rescaling(0.5, name="normalise")(readings)
    # No kernel reaches beyond its own steps: nothing is known before it has been measured.
    x = layers.Conv1D(32, stride, stride, activation="relu", name="stem")(x)
    recurrent = layers.SimpleRNN(units, return_sequences=True, unroll=unroll, name="recurrent")
    x = layers.Bidirectional(recurrent, name="both")(x) if both else recurrent(x)
    x = layers.Dropout(dropout, name="features_dropout")(x)
    x = layers.Dense(stride * classes, name="tags")(x)
    return keras.Model(
        readings, layers.Reshape((length, classes), name="logits")(x), name="rnn_tagger"
    )
