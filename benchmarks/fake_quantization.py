"""Keras layers that train with the rounding of 8 bits, for `benchmarks.qat`.

Krishnamoorthi 2018 (arXiv 1806.08342): kernels per output channel and symmetric, activations per
tensor with moving ranges, gradients straight through, batch norms frozen.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_STEPS = 127
_MOMENTUM = 0.98
_JOINING = ("Add", "Multiply", "GlobalAveragePooling2D")
_ACTIVATIONS = ("ReLU", "Activation")


def with_fake_quantization(model: keras.Model) -> keras.Model:
    """A copy that rounds, in training as in inference; layers have the same names and weights."""
    student = keras.models.clone_model(model, clone_function=_copy, call_function=_call)
    for layer in model.layers:
        copy = student.get_layer(layer.name)
        copy.set_weights(layer.get_weights())
        if isinstance(copy, keras.layers.BatchNormalization):
            copy.trainable = False
    return student


def _copy(layer: Any) -> Any:
    kinds: dict[str, Any] = {
        "Conv2D": _Convolution,
        "DepthwiseConv2D": _Depthwise,
        "Dense": _Dense,
    }
    kind = kinds.get(type(layer).__name__, type(layer))
    return kind.from_config(layer.get_config())


def _call(layer: Any, *arguments: Any, **options: Any) -> Any:
    value = layer(*arguments, **options)
    kind = type(layer).__name__
    if kind in (*_JOINING, *_ACTIVATIONS, "BatchNormalization", "_Dense"):
        # What a norm gives is only stored where no activation is fused to it; rounding it before
        # one as well costs next to nothing, since the activation's own rounding follows.
        return FakeQuantization(name=f"{layer.name}_rounded")(value)
    return value


def _on_grid(kernel: Any, axes: tuple[int, ...]) -> Any:
    step = ops.maximum(ops.max(ops.abs(kernel), axis=axes, keepdims=True), 1e-12) / _STEPS
    return kernel + ops.stop_gradient(ops.round(kernel / step) * step - kernel)


class _Convolution(keras.layers.Conv2D):  # type: ignore[misc]
    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return super().convolution_op(inputs, _on_grid(kernel, (0, 1, 2)))


class _Depthwise(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        value = ops.depthwise_conv(
            inputs,
            _on_grid(self.kernel, (0, 1)),
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
        )
        value = value + self.bias if self.use_bias else value
        return self.activation(value) if self.activation else value


class _Dense(keras.layers.Dense):  # type: ignore[misc]
    def call(self, inputs: Any, training: Any = None) -> Any:
        value = ops.matmul(inputs, _on_grid(self.kernel, (0,)))
        value = value + self.bias if self.use_bias else value
        return self.activation(value) if self.activation else value


class FakeQuantization(keras.layers.Layer):  # type: ignore[misc]
    """Rounds to 255 steps between a moving lowest and highest value; gradients within them."""

    def build(self, shape: Any) -> None:
        """Ranges begin empty: the first batch sets them."""
        self.low = self.add_weight(name="low", initializer="zeros", trainable=False)
        self.high = self.add_weight(name="high", initializer="zeros", trainable=False)

    def compute_output_spec(self, inputs: Any, training: Any = None) -> Any:
        """What it gets; Keras would try sparse tensors, which cannot be clipped."""
        return keras.KerasTensor(inputs.shape, inputs.dtype)

    def call(self, inputs: Any, training: Any = None) -> Any:
        """The rounded tensor."""
        if training:
            for limit, found in ((self.low, ops.min(inputs)), (self.high, ops.max(inputs))):
                moved = _MOMENTUM * limit + (1 - _MOMENTUM) * found
                limit.assign(ops.where(ops.equal(limit, 0.0), found, moved))
        low = ops.minimum(self.low, 0.0)
        step = ops.maximum(ops.maximum(self.high, 0.0) - low, 1e-6) / 255
        kept = ops.clip(inputs, low, low + 255 * step)
        rounded = ops.round((kept - low) / step) * step + low
        return kept + ops.stop_gradient(rounded - kept)
