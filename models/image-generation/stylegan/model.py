"""StyleGAN2: the generator (Karras et al. 2020, arXiv 1912.04958; 2019, arXiv 1812.04948).

A mapping network turns a point into a style; the synthesis network begins with a learned constant,
whose convolutions the style modulates, resolution by resolution, and each resolution adds to the
picture. Weights are modulated and demodulated as the paper's appendix B says it may be done with
activations instead: scale what goes in by the style, convolve with weights that stay the same,
scale what comes out by one over the norm that modulated weights would have. So kernels are
constants, as converters and 8-bit arithmetic want them.

Smaller: 32 × 32 pixels, four layers of mapping for eight, one convolution a resolution for two,
some dozens of channels. Styles are not mixed, paths not regularized; of the equalized learning
rates the mapping alone has its own.
The noise that is drawn in training is a constant picture for each resolution in the exported model,
so that the same point gives the same picture.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

_SLOW = 0.01


def build(
    size: int = 32, channels: int = 1, width: int = 24, latent: int = 64, mapping: int = 4
) -> keras.Model:
    """Generator; the picture comes out in 0–1.

    Args:
        size: Height and width of the picture, 4 times a power of 2.
        channels: Of the picture.
        width: Channels at the highest resolution; up to 3 times as many at lower ones.
        latent: Dimensions of the point and of the style.
        mapping: Layers between point and style.

    Returns:
        float32 `z` [N, latent], standard normal → float32 `picture` [N, size, size, channels].
    """
    levels = (size // 4).bit_length()
    if size != 4 << (levels - 1):
        raise ValueError(f"size {size} must be 4 times a power of 2")
    z = keras.Input((latent,), name="z")
    style = Normalized(name="normalise")(z)
    for index in range(mapping):
        style = _leaky(Slow(latent, name=f"map{index}")(style), f"map{index}_relu")
    x, picture = None, None
    for level in range(levels):
        maps = width * min(3, levels - level)
        if level == 0:
            x = Constant(4, maps, name="constant")(style)
        else:
            x = layers.UpSampling2D(2, name=f"double{level}")(x)
        x = Modulated(maps, 3, name=f"synthesis{level}")([x, style])
        x = _leaky(Noise(name=f"noise{level}")(x), f"synthesis{level}_relu")
        part = Modulated(channels, 1, demodulated=False, name=f"part{level}")([x, style])
        if picture is not None:
            larger = layers.UpSampling2D(2, interpolation="bilinear", name=f"larger{level}")
            part = layers.Add(name=f"sum{level}")([larger(picture), part])
        picture = part
    x = Levels(name="picture")(picture)
    return keras.Model(z, x, name="stylegan")


def _leaky(x: Any, name: str) -> Any:
    return layers.LeakyReLU(negative_slope=0.2, name=name)(x)


class Levels(layers.Layer):
    """From about −1 to 1, as the synthesis gives them, to 0–1; beyond that only in training.

    A sigmoid would hold a generator that once makes black pictures there.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = 0.5 * inputs + 0.5
        return x if training else ops.clip(x, 0.0, 1.0)


class Normalized(layers.Layer):
    """Points with a mean square of 1: [N, latent]."""

    def call(self, inputs: Any) -> Any:
        # Here and below a product with itself: TFLite has no 8-bit square.
        return inputs * ops.rsqrt(ops.mean(inputs * inputs, axis=1, keepdims=True) + 1e-8)


class Slow(layers.Layer):
    """A dense layer that learns at a hundredth of the rate, as the paper's mapping does.

    Adam moves every weight by about the rate: here by a hundredth of what it is worth.

    Args:
        units: That come out.
    """

    def __init__(self, units: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._units = units

    def build(self, shape: Any) -> None:
        # Twice the usual variance, of which the leaky ReLU takes half: styles shall differ.
        start = keras.initializers.RandomNormal(stddev=(2 / shape[-1]) ** 0.5 / _SLOW)
        self.kernel = self.add_weight((shape[-1], self._units), start, name="kernel")
        self.bias = self.add_weight((self._units,), "zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        return ops.matmul(inputs, _SLOW * self.kernel) + _SLOW * self.bias


class Constant(layers.Layer):
    """A learned picture, the same whatever goes in: [1, side, side, maps].

    The style that scales it makes one for every sample of it.

    Args:
        side: Height and width.
        maps: Channels.
    """

    def __init__(self, side: int, maps: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._shape = (1, side, side, maps)

    def build(self, shape: Any) -> None:
        start = keras.initializers.RandomNormal(stddev=1.0)
        self.picture = self.add_weight(self._shape, start, name="picture")

    def call(self, style: Any) -> Any:
        return ops.convert_to_tensor(self.picture)


class Modulated(layers.Layer):
    """A convolution whose weights a style scales: [N, h, w, in], [N, latent] → [N, h, w, maps].

    Args:
        maps: Channels that come out.
        kernel: Height and width of the kernel.
        demodulated: Whether what comes out is divided by the norm that the scaled weights have.
    """

    def __init__(
        self, maps: int, kernel: int, *, demodulated: bool = True, **keywords: Any
    ) -> None:
        super().__init__(**keywords)
        self._maps, self._kernel, self._demodulated = maps, kernel, demodulated

    def build(self, shapes: Any) -> None:
        taken, latent = shapes[0][-1], shapes[1][-1]
        normal = keras.initializers.RandomNormal(stddev=(self._kernel**2 * taken) ** -0.5)
        self.kernel = self.add_weight(
            (self._kernel, self._kernel, taken, self._maps), normal, name="kernel"
        )
        spread = keras.initializers.RandomNormal(stddev=latent**-0.5)
        self.affine = self.add_weight((latent, taken), spread, name="affine")
        self.affine_bias = self.add_weight((taken,), "ones", name="affine_bias")
        self.bias = self.add_weight((self._maps,), "zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        x, style = inputs
        scales = ops.matmul(style, self.affine) + self.affine_bias
        x = x * ops.expand_dims(ops.expand_dims(scales, 1), 1)
        x = ops.conv(x, self.kernel, padding="same")
        if self._demodulated:
            squares = ops.sum(ops.square(self.kernel), axis=(0, 1))
            norms = ops.rsqrt(ops.matmul(scales * scales, squares) + 1e-8)
            x = x * ops.expand_dims(ops.expand_dims(norms, 1), 1)
        return x + self.bias


class Noise(layers.Layer):
    """Adds noise, the same to all channels: drawn in training, else always the same picture."""

    def build(self, shape: Any) -> None:
        start = keras.initializers.RandomNormal(stddev=1.0)
        self.strength = self.add_weight((), "zeros", name="strength")
        self.picture = self.add_weight((*shape[1:3], 1), start, trainable=False, name="picture")
        self._seeds = keras.random.SeedGenerator(0)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            shape = (*ops.shape(inputs)[:3], 1)
            return inputs + self.strength * keras.random.normal(shape, seed=self._seeds)
        return inputs + self.strength * self.picture
