"""ONNX Runtime: its own kernels in float32 and in 8 bits, unsigned times signed.

Graphs are written with the `onnx` package where that is installed. A device has only the runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.roofline.probing.kernel import (
    CONVOLUTIONS,
    SQUARES,
    Kernel,
    convolution_operations,
    square_operations,
)

_ERRORS_ONLY = 3
_OPSET, _IR = 17, 9


def compute_kernels(threads: int) -> Iterator[Kernel]:
    """Products and convolutions in float32 and 8 bits."""
    import numpy as np

    random = np.random.default_rng(0)

    def codes(*shape: int) -> Any:
        return random.integers(-90, 90, shape, np.int8)

    def pixels(*shape: int) -> Any:
        return random.integers(0, 100, shape, np.uint8)

    grid = {"s": np.float32(0.01), "z": np.uint8(128), "zw": np.int8(0)}
    for size in SQUARES:
        shape = (size, size)
        amount, name = square_operations(size), f"{size} × {size}"
        real = random.random(shape, np.float32)
        run = _session(_Operator("MatMul", ["x", "w"], {"w": real}, "float32"), real, threads)
        yield Kernel("fp32", f"MatMul {name}", amount, run)
        weights = {"w": codes(*shape)}
        run = _session(
            _Operator("MatMulInteger", ["x", "w"], weights, "int32"), pixels(*shape), threads
        )
        yield Kernel("int8", f"MatMulInteger {name}", amount, run)
    for channels, size, kernel in CONVOLUTIONS:
        amount = convolution_operations(channels, size, kernel)
        name = f"{channels} × {size} × {size}, {kernel} × {kernel}"
        taken, held = (1, channels, size, size), (channels, channels, kernel, kernel)
        pads = {"pads": [kernel // 2] * 4}
        real = random.random(taken, np.float32)
        weights = {"w": random.random(held, np.float32)}
        run = _session(_Operator("Conv", ["x", "w"], weights, "float32", pads), real, threads)
        yield Kernel("fp32", f"Conv {name}", amount, run)
        names = ["x", "s", "z", "w", "s", "zw", "s", "z"]
        weights = {**grid, "w": codes(*held)}
        run = _session(
            _Operator("QLinearConv", names, weights, "uint8", pads), pixels(*taken), threads
        )
        yield Kernel("int8", f"QLinearConv {name}", amount, run)


@dataclass(frozen=True, slots=True)
class _Operator:
    """What is timed.

    Attributes:
        op: Its kind.
        inputs: Names, "x" among them; the others are constants.
        constants: By name.
        gives: dtype of its output, whose shape is the input's.
        attributes: By name.
    """

    op: str
    inputs: Sequence[str]
    constants: Mapping[str, Any]
    gives: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


def _session(wanted: _Operator, sample: Any, threads: int) -> Callable[[], Any]:
    """A call of one operator."""
    import numpy as np
    import onnxruntime
    from onnx import helper, numpy_helper

    def described(name: str, dtype: Any) -> Any:
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return helper.make_tensor_value_info(name, kind, list(sample.shape))

    graph = helper.make_graph(
        [helper.make_node(wanted.op, list(wanted.inputs), ["y"], **wanted.attributes)],
        wanted.op,
        [described("x", sample.dtype)],
        [described("y", wanted.gives)],
        [
            numpy_helper.from_array(np.asarray(value), key)
            for key, value in wanted.constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    binding.bind_cpu_input("x", sample)
    binding.bind_output("y", "cpu")
    return lambda: session.run_with_iobinding(binding)
