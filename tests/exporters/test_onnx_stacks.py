"""Products of two stacks of matrices, one of them constant: a matrix of its own for each row."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.exporters.base import Conversion
from edgekit.exporters.onnx import OnnxExporter
from edgekit.spec import InputSpec

ROWS, KEYS, VALUES = 6, 8, 5


@pytest.fixture
def stack(tmp_path):
    """What converts a float file's product, samples [N, rows, 1, keys], what float gives."""
    random = np.random.default_rng(4)
    matrices = random.normal(size=(ROWS, KEYS, VALUES)).astype(np.float32)
    samples = random.normal(size=(32, ROWS, 1, KEYS)).astype(np.float32)
    shapes = [("x", (1, ROWS, 1, KEYS)), ("y", (1, ROWS, 1, VALUES))]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, s) for name, s in shapes]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "matrices"], ["y"], name="product")],
        "stack",
        ends[:1],
        ends[1:],
        [numpy_helper.from_array(matrices, "matrices")],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    np.save(tmp_path / "inputs.npy", samples)
    spec = InputSpec("x", "float32", shapes[0][1][1:], range=(-4.0, 4.0))

    def convert(precision):
        made = tmp_path / precision
        made.mkdir()
        OnnxExporter().convert(Conversion(precision, "native", tmp_path, made, (spec,), tmp_path))
        return made / "model.onnx"

    return convert, samples, samples @ matrices


@pytest.mark.parametrize("precision", ["int8", "dynamic", "16x8"])
def test_the_matrices_of_a_stack_become_8_bit_and_run(stack, precision):
    convert, samples, wanted = stack
    file = convert(precision)
    kept = [entry for entry in onnx.load(file).graph.initializer if len(entry.dims) > 1]
    assert [entry.data_type for entry in kept] == [TensorProto.INT8]
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    found = np.concatenate([session.run(None, {"x": row[None]})[0] for row in samples])
    error = np.square(found - wanted).mean() / np.square(wanted).mean()
    assert 10 * np.log10(error) < -30
