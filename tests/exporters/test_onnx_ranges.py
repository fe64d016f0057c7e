from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.exporters.onnx_ranges import quantize_with_ranges

RANDOM = np.random.default_rng(6)
WEIGHTS = RANDOM.normal(0, 1, (4, 8)).astype(np.float32)
ROWS = RANDOM.normal(0, 1, (2, 8)).astype(np.float32)


def product_with(bias):
    """A file that multiplies its [1, 8], as [2, 4], with weights and adds a bias."""
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["rows"]),
        helper.make_node("Gemm", ["rows", "w", "b"], ["y"], name="product"),
    ]
    stored = {"w": WEIGHTS, "b": bias, "shape": np.array([2, 4])}
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 8])],
        [numpy_helper.from_array(values, name) for name, values in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("bias", "adds"),
    [(ROWS[0], 0), (ROWS[:1], 0), (ROWS[[0, 0]], 0), (ROWS, 1)],
    ids=["a vector", "one row", "equal rows", "rows that differ"],
)
def test_a_product_is_quantized_whatever_shape_its_bias_has(bias, adds, tmp_path):
    onnx.save(product_with(bias), tmp_path / "float.onnx")
    samples = RANDOM.uniform(-1, 1, (16, 8)).astype(np.float32)
    made, _ = quantize_with_ranges(tmp_path / "float.onnx", {"x": samples}, "minmax")
    kinds = [node.op_type for node in made.graph.node]
    assert kinds.count("QuantizeLinear") >= 2
    assert kinds.count("Add") == adds
    session = onnxruntime.InferenceSession(made.SerializeToString())
    (given,) = session.run(None, {"x": samples[3:4]})
    expected = samples[3].reshape(2, 4) @ WEIGHTS + bias
    np.testing.assert_allclose(given, expected, atol=0.1)
