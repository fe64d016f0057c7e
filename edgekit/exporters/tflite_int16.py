"""16-bit activations with 8-bit weights in a `.tflite`, by TensorFlow's quantizer for them.

It calibrates for itself: 65,536 steps leave room for a range that is too wide. Imports TensorFlow.
Operators without a 16-bit kernel stay float.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edgekit.errors import ConversionError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def quantize_16x8(content: bytes, samples: Array) -> bytes:
    """A float file with activations in int16, kernels in int8, and float inputs and outputs.

    Args:
        content: Float, with one input.
        samples: [N, *shape] of any dtype that converts to the input's.

    Raises:
        ConversionError: The quantizer refuses the model, or LiteRT has no 16-bit kernel for an
            operator of the result.
    """
    import tensorflow as tf
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    from edgekit.exporters.tflite_file import dtype_name, unpack

    main = unpack(content).subgraphs[0]
    dtype = dtype_name(main.tensors[main.inputs[0]].type)

    def rows() -> Iterator[list[Any]]:
        for row in samples:
            yield [row[None].astype(dtype)]

    taken = tf.float32 if dtype == "float32" else tf.as_dtype(dtype)
    try:
        quantized = bytes(
            Calibrator(content).calibrate_and_quantize(
                rows, taken, tf.float32, True, tf.int16, tf.int64, resize_input=False
            )
        )
    except (RuntimeError, ValueError) as error:  # "Max and min … should be recorded: tokens"
        reason = " ".join(str(error).split())
        what = "an input of whole numbers (tokens)" if taken.is_integer else "this model"
        raise ConversionError(
            f"tflite-16x8: TensorFlow's 16-bit quantizer does not take {what}",
            reason[:300],
            hint="--precision int8 or dynamic, or --target onnx",
        ) from error
    _try(quantized)
    return quantized


def _try(content: bytes) -> None:
    """The quantizer also makes 16-bit operators that no kernel was written for."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
        interpreter.invoke()
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ConversionError(
            f"tflite-16x8: LiteRT has no 16-bit kernel for this model: {reason}",
            hint="--precision int8, or --target onnx",
        ) from error
