"""A short string read from a picture, one to many: one code of the picture, a character a step.

Show and Tell (Vinyals et al. 2015, arXiv 1411.4555): a convolutional network makes one vector of a
picture and a recurrent network says what is in it, word by word. Here it is characters; gated
recurrent units (Cho et al. 2014, arXiv 1406.1078) see the code at every step, and are not told what
they have said before: characters of these strings do not follow from one another.

A code alone would have to hold each character and its place. So each step also looks at the
picture: its state says how much of each column to take (the location-based attention of Luong et
al. 2015, arXiv 1508.04025, section 3.1), and the code is left to say where the characters stand.
"""

from __future__ import annotations

import keras
from keras import layers


def build(
    classes: int,
    height: int = 32,
    width: int = 96,
    steps: int = 5,
    channels: int = 96,
    code: int = 128,
    units: int = 128,
    unroll: bool = False,
    dropout: float = 0.1,
) -> keras.Model:
    """Reader of pictures of short strings with logits out.

    Args:
        classes: Characters, and what stands behind the last one.
        height: Of the picture in pixels, a multiple of 8.
        width: Of the picture in pixels, a multiple of 4; every 4 are a column.
        steps: Characters of the longest string.
        channels: Of a column.
        code: Numbers that stand for the picture.
        units: Length of the state.
        unroll: Whether the loop is written out, step by step, in Keras too; exports always are.
        dropout: Share of what a step has seen that is dropped in training.

    Returns:
        uint8 `image` [N, height, width, 3] → float32 `logits` [N, steps, classes].
    """
    if height % 8 or width % 4:
        raise ValueError(f"height {height} must be a multiple of 8 and width {width} of 4")
    image = keras.Input((height, width, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    x = _convolved(x, 16, 5, "conv1", strides=2, padding="same")
    x = _convolved(x, 32, 3, "conv2", padding="same")
    x = layers.MaxPooling2D(2, name="pool2")(x)
    x = _convolved(x, 64, 3, "conv3", padding="same")
    x = layers.MaxPooling2D((2, 1), name="pool3")(x)
    x = layers.ZeroPadding2D((0, 1), name="sides")(x)
    # As high as what is left of the picture: a column each.
    x = _convolved(x, channels, (height // 8, 3), "conv4", padding="valid")
    columns = layers.Reshape((width // 4, channels), name="columns")(x)

    x = layers.Dense(channels // 2, activation="relu", name="narrowed")(columns)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(code, activation="relu", name="code")(x)
    x = layers.RepeatVector(steps, name="steps")(x)
    state = layers.GRU(units, return_sequences=True, unroll=unroll, name="speaker")(x)
    look = layers.Dense(width // 4, activation="softmax", name="look")(state)
    seen = layers.Dot((2, 1), name="seen")([look, columns])
    x = layers.Concatenate(name="state_and_seen")([state, seen])
    x = layers.Dense(units, activation="relu", name="features")(x)
    x = layers.Dropout(dropout, name="features_dropout")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="picture_reader")


def _convolved(
    x: keras.KerasTensor, channels: int, kernel: int | tuple[int, int], name: str, **how: object
) -> keras.KerasTensor:
    x = layers.Conv2D(channels, kernel, use_bias=False, name=name, **how)(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
