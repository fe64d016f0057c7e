"""16-bit activations with 8-bit weights in a `.tflite`, by TensorFlow's quantizer for them.

It calibrates for itself: 65,536 steps leave room for a range that is too wide. Imports TensorFlow.
Operators without a 16-bit kernel stay float.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from edgekit.errors import ConversionError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def quantize_16x8(content: bytes, samples: Sequence[Array]) -> bytes:
    """A float file with activations in int16, kernels in int8, and float inputs and outputs.

    Args:
        content: Float.
        samples: For each input, in the file's order, [N, *shape] of any dtype that converts to it.

    Raises:
        ConversionError: The quantizer refuses the model, or LiteRT has no 16-bit kernel for an
            operator of the result.
    """
    import numpy as np
    import tensorflow as tf
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    from edgekit.exporters.tflite_file import dtype_name, unpack

    main = unpack(content).subgraphs[0]
    dtypes = [dtype_name(main.tensors[index].type) for index in main.inputs]

    def rows() -> Iterator[list[Any]]:
        for row in zip(*samples, strict=True):
            yield [
                np.asarray(value)[None].astype(dtype)
                for value, dtype in zip(row, dtypes, strict=True)
            ]

    # The quantizer is told one type; inputs of whole numbers keep theirs whatever it is.
    taken = tf.float32 if "float32" in dtypes else tf.as_dtype(dtypes[0])
    try:
        quantized = bytes(
            Calibrator(content).calibrate_and_quantize(
                rows, taken, tf.float32, True, tf.int16, tf.int64, resize_input=False
            )
        )
    except (RuntimeError, ValueError) as error:  # "Max and min … should be recorded: tokens"
        reason = " ".join(str(error).split())
        whole = any(dtype != "float32" for dtype in dtypes)
        what = "an input of whole numbers (tokens)" if whole else "this model"
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
