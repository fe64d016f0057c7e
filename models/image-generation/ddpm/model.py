"""DDPM (Ho et al. 2020, arXiv 2006.11239): the U-Net that tells the noise in a picture, small.

The loop that makes a picture of noise lies outside of the graph: step by step, what the model tells
is taken away. As in the paper: residual blocks over three resolutions with skip connections, each
told the time by sinusoids through a small perceptron. Smaller, for 16 × 16 pixels: a block a
resolution. For 8 bits: batch normalisation, which becomes part of the convolutions, and ReLU, for
group normalisation and swish; sinusoids are a table of all times; no attention.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import layers

SINUSOIDS = 32


def build(size: int = 16, width: int = 16, steps: int = 256) -> keras.Model:
    """U-Net that tells noise, of a picture and a time.

    Args:
        size: Height and width of the picture, a multiple of 4.
        width: Channels at the first resolution, doubled at each one below.
        steps: How many times there are.

    Returns:
        float32 `noisy` [N, size, size, 1], about −4–4, and int32 `time` [N] in 0–(steps − 1)
        → float32 `noise` [N, size, size, 1].
    """
    if size % 4:
        raise ValueError(f"size {size} must be a multiple of 4")
    noisy = keras.Input((size, size, 1), name="noisy")
    time = keras.Input((), dtype="int32", name="time")
    known = layers.Embedding(
        steps, SINUSOIDS, weights=[_sinusoids(steps)], trainable=False, name="sinusoids"
    )(time)
    for number in (1, 2):
        known = layers.Dense(4 * width, activation="relu", name=f"time{number}")(known)
    x = layers.Conv2D(width, 3, padding="same", name="stem")(noisy)
    skips = []
    for level in range(2):
        x = _block(x, known, width << level, f"down{level}")
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"down{level}_pool")(x)
    for number in range(2):
        x = _block(x, known, width << 2, f"bottom{number}")
    for level in reversed(range(2)):
        x = layers.Conv2DTranspose(width << level, 2, 2, name=f"up{level}_grow")(x)
        x = layers.Concatenate(name=f"up{level}_skip")([skips[level], x])
        x = _block(x, known, width << level, f"up{level}")
    x = layers.Conv2D(1, 3, padding="same", name="noise")(x)
    return keras.Model([noisy, time], x, name="ddpm")


def _block(x: Any, known: Any, channels: int, name: str) -> Any:
    """Two 3 × 3 convolutions around what is known of the time, and a way past them."""
    past = x if x.shape[-1] == channels else layers.Conv2D(channels, 1, name=f"{name}_past")(x)
    x = _convolution(x, channels, f"{name}_first")
    told = layers.Dense(channels, name=f"{name}_told")(known)
    x = layers.Add(name=f"{name}_when")([x, layers.Reshape((1, 1, channels))(told)])
    x = _convolution(layers.ReLU(name=f"{name}_relu")(x), channels, f"{name}_second")
    x = layers.Add(name=f"{name}_add")([past, x])
    return layers.ReLU(name=f"{name}_out")(x)


def _convolution(x: Any, channels: int, name: str) -> Any:
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=name)(x)
    return layers.BatchNormalization(name=f"{name}_norm")(x)


def _sinusoids(steps: int) -> np.ndarray[Any, Any]:
    """float32 [steps, SINUSOIDS]: waves of the time, from one radian a step to a thousandth."""
    half = SINUSOIDS // 2
    speeds = np.exp(-math.log(1000) * np.arange(half) / (half - 1))
    angles = np.arange(steps)[:, None] * speeds
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
