from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from edgekit.exporters.output_grid import output_steps
from tests.make_integer_files import with_float_output


def test_floats_made_of_integers_lie_on_the_integers_grid(tiny_models, tmp_path):
    path = tmp_path / "real.tflite"
    path.write_bytes(with_float_output((tiny_models / "int8.tflite").read_bytes()))
    assert output_steps(path, "tflite") == (pytest.approx(0.0008651085663586855),)


@pytest.mark.parametrize("name", ["int8", "float"])
def test_integers_and_plain_floats_have_no_grid_of_floats(tiny_models, name):
    assert output_steps(tiny_models / f"{name}.tflite", "tflite") == (None,)
    assert output_steps(tiny_models / "pair.onnx", "onnx") == (None, None)


def test_an_onnx_file_that_dequantizes_last_tells_its_scale(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["y"])],
        "real",
        [helper.make_tensor_value_info("x", TensorProto.INT8, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [
            numpy_helper.from_array(np.float32(0.25), "scale"),
            numpy_helper.from_array(np.int8(3), "zero"),
        ],
    )
    save(helper.make_model(graph), tmp_path / "real.onnx")
    assert output_steps(tmp_path / "real.onnx", "onnx") == (0.25,)


def test_of_other_targets_nothing_is_known(tiny_models):
    assert output_steps(tiny_models / "float.xml", "openvino") == ()
