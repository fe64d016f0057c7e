"""EfficientNet (Tan and Le 2019, arXiv 1905.11946), B0 and Lite0, with compound scaling.

The layers are those of keras.applications in the same order, so that its ImageNet weights fit; they
are written out because it offers neither another activation nor blocks without squeeze-excite.
Lite0 is the TPU repository's efficientnet-lite0: no squeeze-excite and ReLU6 for swish, so that
ranges are bounded and every accelerator has the operators.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

_ACTIVATIONS = {"swish": keras.activations.silu, "relu6": keras.activations.relu6}
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# kernel, repeats, channels out, expansion, strides; table 1 of the paper
_STAGES = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)
# As a configuration: one initializer object would give every layer of a shape the same values.
_INIT = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"},
}


def build(
    classes: int,
    width: float = 1.0,
    depth: float = 1.0,
    size: int = 96,
    activation: str = "swish",
    squeeze_excite: bool = True,
    pretrained: str | None = None,
) -> keras.Model:
    """EfficientNet with normalisation inside and logits out.

    Compound scaling is `width`, `depth` and `size` together: B0 is 1.0, 1.0, 224; B1 1.0, 1.1, 240;
    B2 1.1, 1.2, 260; B3 1.2, 1.4, 300.

    Args:
        classes: Outputs.
        width: Multiplier of every layer's channels.
        depth: Multiplier of every stage's number of blocks.
        size: Height and width of the picture, at least 32.
        activation: "swish" or "relu6".
        squeeze_excite: Whether blocks weigh their channels.
        pretrained: "imagenet" for the backbone's weights as Keras publishes them; they fit width
            and depth 1.0 with squeeze-excite.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    if activation not in _ACTIVATIONS:
        raise ValueError(f"activation {activation!r}: one of {', '.join(_ACTIVATIONS)}")
    net = _Net(width, _ACTIVATIONS[activation], squeeze_excite)
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(
        [1 / (255 * deviation) for deviation in _DEVIATION],
        [-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)],
        name="normalise",
    )(image)
    x = net.convolution(x, net.channels(32), 3, 2, "stem")
    total = sum(math.ceil(depth * stage[1]) for stage in _STAGES)
    done = 0
    for kernel, repeats, channels, expansion, strides in _STAGES:
        for repeat in range(math.ceil(depth * repeats)):
            x = net.block(
                x,
                kernel=kernel,
                channels=net.channels(channels),
                expansion=expansion,
                strides=1 if repeat else strides,
                dropped=0.2 * done / total,
                name=f"block{done}",
            )
            done += 1
    x = net.convolution(x, net.channels(1280), 1, 1, "top")
    backbone = keras.Model(image, x)
    if pretrained:
        _load_published(backbone, pretrained)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="efficientnet")


@dataclass(frozen=True)
class _Net:
    width: float
    activation: Any
    squeeze_excite: bool

    def channels(self, count: int) -> int:
        """`count` scaled, to the nearest multiple of 8, at most 10 % below."""
        scaled = count * self.width
        rounded = max(8, int(scaled + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * scaled else rounded

    def convolution(self, x: Any, channels: int, kernel: int, strides: int, name: str) -> Any:
        if strides == 2:
            x = layers.ZeroPadding2D(_padding(x, kernel), name=f"{name}_pad")(x)
        x = layers.Conv2D(
            channels,
            kernel,
            strides,
            "valid" if strides == 2 else "same",
            use_bias=False,
            kernel_initializer=_INIT,
            name=f"{name}_conv",
        )(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        return layers.Activation(self.activation, name=f"{name}_activation")(x)

    def block(
        self,
        x: Any,
        *,
        kernel: int,
        channels: int,
        expansion: int,
        strides: int,
        dropped: float,
        name: str,
    ) -> Any:
        """A mobile inverted bottleneck (MBConv)."""
        entry, given = x, x.shape[-1]
        if expansion > 1:
            x = self.convolution(x, given * expansion, 1, 1, f"{name}_expand")
        if strides == 2:
            x = layers.ZeroPadding2D(_padding(x, kernel), name=f"{name}_pad")(x)
        x = layers.DepthwiseConv2D(
            kernel,
            strides,
            "valid" if strides == 2 else "same",
            use_bias=False,
            depthwise_initializer=_INIT,
            name=f"{name}_depthwise",
        )(x)
        x = layers.BatchNormalization(name=f"{name}_depthwise_bn")(x)
        x = layers.Activation(self.activation, name=f"{name}_depthwise_activation")(x)
        if self.squeeze_excite:
            x = self._weighed(x, max(1, given // 4), name)
        x = layers.Conv2D(
            channels, 1, use_bias=False, kernel_initializer=_INIT, name=f"{name}_project"
        )(x)
        x = layers.BatchNormalization(name=f"{name}_project_bn")(x)
        if strides == 1 and channels == given:
            if dropped:
                # Whole samples: stochastic depth (arXiv 1603.09382).
                shape = (None, 1, 1, 1)
                x = layers.Dropout(dropped, noise_shape=shape, name=f"{name}_drop")(x)
            x = layers.Add(name=f"{name}_add")([x, entry])
        return x

    def _weighed(self, x: Any, squeezed: int, name: str) -> Any:
        """Squeeze and excite (arXiv 1709.01507)."""
        s = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
        s = layers.Conv2D(
            squeezed, 1, activation=self.activation, kernel_initializer=_INIT, name=f"{name}_reduce"
        )(s)
        s = layers.Conv2D(
            x.shape[-1],
            1,
            activation="sigmoid",
            kernel_initializer=_INIT,
            name=f"{name}_excite",
        )(s)
        return layers.Multiply(name=f"{name}_weigh")([x, s])


def _padding(x: Any, kernel: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """What makes a strided "valid" convolution see what PyTorch and the paper's code see."""
    half = kernel // 2
    return tuple((half - (1 - side % 2), half) for side in x.shape[1:3])  # type: ignore[return-value]


def _load_published(backbone: keras.Model, name: str) -> None:
    published = keras.applications.EfficientNetB0(include_top=False, weights=name)
    # Its first three arrays belong to the normalisation, which is constant here.
    backbone.set_weights(published.get_weights()[3:])
