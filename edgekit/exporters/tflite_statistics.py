"""Ranges of a float `.tflite`'s tensors, read from LiteRT and noted in the file.

TensorFlow's quantizer takes them from there. Its own calibrator works on files that its converter
has just made; this one on any. Works on bytes; does not quantize.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.exporters import tflite_file

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def with_statistics(content: bytes, samples: Array) -> bytes:
    """The same file, each float tensor with its lowest and highest value over the samples.

    Args:
        content: A float file with one input.
        samples: [N, *shape] of any dtype that converts to the input's.
    """
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # A delegate would compute whole partitions and leave nothing to read between.
    interpreter = Interpreter(
        model_content=content,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    (taken,) = interpreter.get_input_details()
    model = tflite_file.unpack(content)
    tensors = model.subgraphs[0].tensors
    made = {int(i) for op in model.subgraphs[0].operators for i in op.outputs}
    wanted = [
        index
        for index, tensor in enumerate(tensors)
        if index in made | {taken["index"]} and tflite_file.dtype_name(tensor.type) == "float32"
    ]
    limits: dict[int, tuple[float, float]] = {}
    for row in samples:
        interpreter.set_tensor(taken["index"], np.asarray(row, taken["dtype"])[None])
        interpreter.invoke()
        for index in wanted:
            value = interpreter.get_tensor(index)
            if value.size:
                low, high = limits.get(index, (float("inf"), float("-inf")))
                limits[index] = min(low, float(value.min())), max(high, float(value.max()))
    for index, (low, high) in limits.items():
        grid = schema.QuantizationParametersT()
        grid.min, grid.max = [low], [high]
        tensors[index].quantization = grid
    return tflite_file.pack(model)
