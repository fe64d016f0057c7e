"""ROLO (Ning et al. 2016, arXiv 1607.05781), small: a detector's answers over time, and an LSTM.

What a detector said of each of the last frames goes into a long short-term memory, whose state
after the last one gives the box there: it has seen how the thing moves, and where the detector
failed. Smaller than the paper's: beside box and score a step has the mean colour inside the box for
the 4,096 features of a YOLO; 64 units for one as wide as these features; a dense layer reads the
box from the state, where the paper takes values of the state itself.
"""

from __future__ import annotations

import keras
from keras import layers


def build(steps: int = 6, values: int = 8, units: int = 64, unroll: bool = False) -> keras.Model:
    """A tracker over a detector's answers.

    Args:
        steps: Frames.
        values: Of a step: left, top, right, bottom and score of what was found, red, green, blue.
        units: Length of the state.
        unroll: Whether the loop is written out, step by step, in Keras too; exports always are.

    Returns:
        float32 `detections` [N, steps, values] in 0–1 → float32 `box` [N, 4]: left, top, right,
        bottom in the last frame, as parts of the picture.
    """
    detections = keras.Input((steps, values), name="detections")
    x = layers.Rescaling(2.0, offset=-1, name="normalise")(detections)
    x = layers.LSTM(units, unroll=unroll, name="recurrent")(x)
    return keras.Model(detections, layers.Dense(4, name="box")(x), name="rolo")
