"""WaveNet (van den Oord et al. 2016, arXiv 1609.03499): sound, instant by instant; small.

Causal convolutions of two taps, dilated 1, 2, 4 … 128, see 256 instants back. Each layer is a gated
unit, tanh times sigmoid, with a residual connection to the next and a skip connection to the head;
the head gives 256 levels of µ-law. Smaller: one run of eight layers for several of ten, 24 and 48
channels, no conditioning. One-hot levels through a first convolution are a table of vectors here.
"""

from __future__ import annotations

import keras
from keras import layers


def build(
    classes: int,
    length: int = 512,
    width: int = 24,
    skips: int = 48,
    depth: int = 8,
    levels: int = 256,
) -> keras.Model:
    """WaveNet, logits out.

    Args:
        classes: Levels told apart.
        length: Instants of a window.
        width: Channels of the residual stream and of gates.
        skips: Channels of the skip connections and of the head.
        depth: Layers; the dilation doubles at each one.
        levels: Of the input.

    Returns:
        int32 `sound` [N, length], levels from 0 → float32 `logits` [N, length, classes]: at each
        place of the level that follows it, given those up to it.
    """
    sound = keras.Input((length,), dtype="int32", name="sound")
    x = layers.Embedding(levels, width, name="levels")(sound)
    heard = []
    for number in range(depth):
        name = f"layer{number}"
        gates = [
            layers.Conv1D(
                width,
                2,
                padding="causal",
                dilation_rate=1 << number,
                activation=activation,
                name=f"{name}_{activation}",
            )(x)
            for activation in ("tanh", "sigmoid")
        ]
        y = layers.Multiply(name=f"{name}_gated")(gates)
        heard.append(layers.Conv1D(skips, 1, name=f"{name}_skip")(y))
        if number < depth - 1:  # nothing reads the residual stream behind the last layer
            y = layers.Conv1D(width, 1, name=f"{name}_residual")(y)
            x = layers.Add(name=f"{name}_add")([x, y])
    x = layers.ReLU(name="heard_relu")(layers.Add(name="heard")(heard))
    x = layers.Conv1D(skips, 1, activation="relu", name="head")(x)
    return keras.Model(sound, layers.Conv1D(classes, 1, name="logits")(x), name="wavenet")
