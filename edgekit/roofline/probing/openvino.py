"""OpenVINO: its own kernels in float32 and in 8 bits, which it makes of FakeQuantize."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgekit.roofline.probing.kernel import (
    CONVOLUTIONS,
    SQUARES,
    Kernel,
    convolution_operations,
    square_operations,
)


def compute_kernels(threads: int) -> Iterator[Kernel]:
    """Products and convolutions in float32 and 8 bits."""
    for size in SQUARES:
        for kind in ("fp32", "int8"):
            yield Kernel(
                kind,
                f"MatMul {size} × {size}",
                square_operations(size),
                _request((size, size), (size, size), kind == "int8", threads),
            )
    for channels, size, kernel in CONVOLUTIONS:
        for kind in ("fp32", "int8"):
            taken, held = (1, channels, size, size), (channels, channels, kernel, kernel)
            yield Kernel(
                kind,
                f"Convolution {channels} × {size} × {size}, {kernel} × {kernel}",
                convolution_operations(channels, size, kernel),
                _request(taken, held, kind == "int8", threads),
            )


def _request(taken: tuple[int, ...], held: tuple[int, ...], quantized: bool, threads: int) -> Any:
    """A call of one operator; in 8 bits with 8-bit input and output."""
    import numpy as np
    import openvino
    from openvino import opset13 as ops

    random = np.random.default_rng(0)
    weights = random.random(held, np.float32) - 0.5
    sample = random.random(taken, np.float32)
    x = ops.parameter(list(taken), openvino.Type.u8 if quantized else openvino.Type.f32)
    value, kernel = x, ops.constant(weights)
    if quantized:
        sample = (sample * 255).astype(np.uint8)
        value = _levels(ops.convert(x, "f32"), 0.0, 255.0, 256)
        kernel = _levels(kernel, -0.5, 0.5, 255)
    if len(taken) == 2:
        result = ops.matmul(value, kernel, False, False)
    else:
        pads = [held[-1] // 2] * 2
        result = ops.convolution(value, kernel, [1, 1], pads, pads, [1, 1])
    if quantized:
        top = 2000.0
        result = ops.convert(_levels(ops.relu(result), 0.0, top, 256), "u8")
    compiled = openvino.Core().compile_model(
        openvino.Model([result], [x], "kernel"),
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        },
    )
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(sample, shared_memory=False))
    return request.infer


def _levels(value: Any, low: float, high: float, levels: int) -> Any:
    import numpy as np
    from openvino import opset13 as ops

    bounds = [ops.constant(np.float32(bound)) for bound in (low, high, low, high)]
    return ops.fake_quantize(value, *bounds, levels)
