"""A short string read from a picture, one to many: one code of the picture, a character a step.

Show and Tell (Vinyals et al. 2015, arXiv 1411.4555): a convolutional network makes one vector of a
picture and a recurrent network says what is in it, word by word. Here it is characters; gated
recurrent units (Cho et al. 2014, arXiv 1406.1078) see the code at every step, and are not told what
they have said before: characters of these strings do not follow from one another.
"""

from __future__ import annotations

import keras
from keras import layers


def build(
    classes: int,
    height: int = 32,
    width: int = 96,
    steps: int = 5,
    code: int = 96,
    units: int = 128,
    unroll: bool = False,
    dropout: float = 0.1,
) -> keras.Model:
    """Reader of pictures of short strings with logits out.

    Args:
        classes: Characters, and what stands behind the last one.
        height: Of the picture in pixels, a multiple of 16.
        width: Of the picture in pixels, a multiple of 16.
        steps: Characters of the longest string.
        code: Numbers that stand for the picture.
        units: Length of the state.
        unroll: Whether the loop is written out, step by step, in Keras too; exports always are.
        dropout: Share of the code, and of states, that is dropped in training.

    Returns:
        uint8 `image` [N, height, width, 3] → float32 `logits` [N, steps, classes].
    """
    if height % 16 or width % 16:
        raise ValueError(f"height {height} and width {width} must be multiples of 16")
    image = keras.Input((height, width, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    for number, channels in enumerate((16, 32, 48, 64), start=1):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"conv{number}")(x)
        x = layers.BatchNormalization(name=f"conv{number}_norm")(x)
        x = layers.ReLU(name=f"conv{number}_relu")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(code, activation="relu", name="code")(x)
    x = layers.Dropout(dropout, name="code_dropout")(x)
    x = layers.RepeatVector(steps, name="steps")(x)
    x = layers.GRU(units, return_sequences=True, unroll=unroll, name="speaker")(x)
    x = layers.Dropout(dropout, name="features_dropout")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="picture_reader")
