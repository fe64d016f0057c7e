"""Hello Edge (Zhang et al. 2017, arXiv 1711.07128): words by depthwise-separable convolutions.

The waveform is the input; its log-mel spectrum is made in the graph, of kernels that are not
trained: each frame times a Hann window and a Fourier basis (a strided convolution), rectified,
summed into mel bands, and the logarithm of that. Where a spectrum has powers, this one has
magnitudes, as the mean of what is positive at four phases (0°, 90°, 180°, 270°): a square would
leave 8 bits a quarter of their decibels. `floor` is added before the logarithm and is larger than a
step of 8 bits, so that no grid makes it 0.

The network is the paper's DS-CNN, made smaller: three separable blocks of 40 channels, not five of
64 to 276.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops


def build(
    classes: int,
    length: int = 8000,
    rate_hz: int = 8000,
    frame: int = 256,
    hop: int = 128,
    bands: int = 32,
    floor: float = 0.01,
    width: int = 40,
    blocks: int = 3,
    dropout: float = 0.1,
) -> keras.Model:
    """Classifier of short recordings with logits out.

    Args:
        classes: Outputs.
        length: Instants of a recording.
        rate_hz: Instants a second.
        frame: Instants of a frame.
        hop: Instants from one frame to the next.
        bands: Of the mel scale, from 60 Hz to half of `rate_hz`.
        floor: What is added to a band, whose loudest values are about 1.
        width: Channels.
        blocks: Depthwise-separable convolutions.
        dropout: Share of channels dropped before the classifier in training.

    Returns:
        float32 `sound` [N, length], −1 … 1 → float32 `logits` [N, classes].
    """
    sound = keras.Input((length,), name="sound")
    x = layers.Reshape((length, 1), name="instants")(sound)
    x = LogMel(rate_hz, frame, hop, bands, floor, name="log_mel")(x)
    x = layers.Reshape((*x.shape[1:], 1), name="picture")(x)
    x = layers.Conv2D(width, (8, 4), 2, "same", use_bias=False, name="conv1")(x)
    x = layers.BatchNormalization(name="conv1_norm")(x)
    x = layers.ReLU(name="conv1_relu")(x)
    for number in range(1, blocks + 1):
        x = _separable(x, width, f"block{number}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="features_dropout")(x)
    return keras.Model(sound, layers.Dense(classes, name="logits")(x), name="keyword_spotting")


def _separable(x: Any, width: int, name: str) -> Any:
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.BatchNormalization(name=f"{name}_depthwise_norm")(x)
    x = layers.ReLU(name=f"{name}_depthwise_relu")(x)
    x = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_pointwise")(x)
    x = layers.BatchNormalization(name=f"{name}_pointwise_norm")(x)
    return layers.ReLU(name=f"{name}_pointwise_relu")(x)


class LogMel(layers.Layer):
    """Log-mel magnitudes: [N, length, 1] → [N, frames, bands]; nothing is trained or stored."""

    def __init__(
        self, rate_hz: int, frame: int, hop: int, bands: int, floor: float, **common: Any
    ) -> None:
        super().__init__(**common)
        self._basis = fourier_basis(frame)
        # Each of the four phases goes into the same bands.
        self._mel = np.tile(mel_weights(rate_hz, frame, bands), (4, 1))[None]
        self._hop, self._floor = hop, floor

    def call(self, sound: Any) -> Any:
        phases = ops.relu(ops.conv(sound, self._basis, strides=self._hop, padding="valid"))
        return ops.log(ops.conv(phases, self._mel, padding="valid") + self._floor)


def fourier_basis(frame: int) -> np.ndarray:
    """Kernel of a windowed Fourier transform: float32 [frame, 1, 4 · (frame / 2 + 1)].

    Four phases of every frequency, a quarter of a turn apart; a sine of full scale gives about 1 in
    the mean of the four, rectified.
    """
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    turns = np.outer(np.arange(frame), np.arange(frame // 2 + 1)) / frame
    phases = [np.cos(2 * np.pi * (turns + quarter / 4)) for quarter in range(4)]
    scaled = np.concatenate(phases, axis=1) * window[:, None] * (np.pi / 2 / window.sum())
    return scaled[:, None].astype(np.float32)


def mel_weights(rate_hz: int, frame: int, bands: int) -> np.ndarray:
    """Triangles on the mel scale, each 1 at its middle: float32 [frame / 2 + 1, bands]."""
    hz = np.arange(frame // 2 + 1) * rate_hz / frame
    ends = np.linspace(_mel(60.0), _mel(rate_hz / 2), bands + 2)
    rising = (_mel(hz)[:, None] - ends[:-2]) / (ends[1:-1] - ends[:-2])
    falling = (ends[2:] - _mel(hz)[:, None]) / (ends[2:] - ends[1:-1])
    return np.maximum(np.minimum(rising, falling), 0.0).astype(np.float32)


def _mel(hz: Any) -> Any:
    return 2595 * np.log10(1 + np.asarray(hz) / 700)
