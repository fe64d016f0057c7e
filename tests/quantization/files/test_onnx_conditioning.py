from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgekit.exporters.base import Conversion
from edgekit.exporters.onnx import OnnxExporter
from edgekit.quantization.condition.grid import codes
from edgekit.quantization.files.description import Reading
from edgekit.quantization.files.onnx_fold import folded
from edgekit.quantization.files.onnx_graph import OnnxGraph, session
from edgekit.quantization.files.onnx_source import condition_onnx, prepare_onnx

READING = Reading(limits=(0.0, 1.0))


@pytest.fixture
def prepared(make_net, tmp_path):
    """A folder with the float file, ready, of a network with one huge weight."""
    onnx.save(make_net(outlier=100.0), tmp_path / "net.onnx")
    folder = tmp_path / "file"
    folder.mkdir()
    return folder, prepare_onnx(tmp_path / "net.onnx", folder, READING)


@pytest.fixture
def conditioned(prepared, calibration, tmp_path):
    found = condition_onnx(prepared[0], calibration, tmp_path / "conditioned")
    return tmp_path / "conditioned", found


def int8(source, spec, calibration, place):
    place.mkdir()
    OnnxExporter().convert(Conversion("int8", "native", source, place, (spec,), calibration))
    return onnx.load(place / "model.onnx")


def run(model, rows):
    opened = session(model)
    return np.concatenate([opened.run(None, {"image": row[None]})[0] for row in rows])


def signal_db(wanted, found):
    return 10 * np.log10((wanted**2).mean() / ((wanted - found) ** 2).mean())


def kernels(model):
    """Name → value of each constant with more than one axis."""
    values = ((t.name, numpy_helper.to_array(t)) for t in model.graph.initializer)
    return {name: value for name, value in values if value.ndim > 1 and value.dtype == np.float32}


def test_conditioning_saves_what_a_huge_weight_costs(
    prepared, conditioned, calibration, rows, tmp_path
):
    folder, description = prepared
    wanted = run(onnx.load(folder / "model.onnx"), rows)
    gained = [
        signal_db(
            wanted, run(int8(source, description.specs[0], calibration, tmp_path / name), rows)
        )
        for name, source in (("stock", folder), ("own", conditioned[0]))
    ]
    assert gained[1] > gained[0] + 5, gained


def test_all_linear_nodes_are_rounded_and_corrected(conditioned):
    assert conditioned[1].to_json() == {"rounded": 5, "corrected": 5, "samples": 96}


def test_int8_numbers_of_every_kernel_survive_the_quantizer(
    prepared, conditioned, calibration, tmp_path
):
    folder, found = conditioned
    model = onnx.load(folder / "model.onnx")
    axes = {}
    for node in model.graph.node:
        if node.op_type in ("Conv", "ConvTranspose", "Gemm"):
            axes[node.input[1]] = int(node.op_type != "Conv")
    wanted = {
        codes(value, (axes[name],)).tobytes()
        for name, value in kernels(model).items()
        if name in axes
    }
    quantized = int8(folder, prepared[1].specs[0], calibration, tmp_path / "int8")
    written = {
        numpy_helper.to_array(t).tobytes()
        for t in quantized.graph.initializer
        if t.data_type == onnx.TensorProto.INT8
    }
    assert len(wanted) == found.rounded == 5
    assert wanted <= written


def test_output_means_of_the_quantized_file_are_the_float_ones(
    prepared, conditioned, calibration, rows, tmp_path
):
    folder, description = prepared
    wanted = run(onnx.load(folder / "model.onnx"), rows)
    found = run(int8(conditioned[0], description.specs[0], calibration, tmp_path / "int8"), rows)
    spread = float(wanted.std())
    assert np.abs(found.mean(0) - wanted.mean(0)).max() < 0.02 * spread


def test_a_kernel_that_two_nodes_share_keeps_both_biases_apart(net, calibration, tmp_path, rows):
    made = net()
    x = made.relu(made.conv("image", 3, 3, 1, "one"))
    made.add("Conv", [x, "one_w"], "two", kernel_shape=[1, 1])
    source = tmp_path / "file"
    source.mkdir()
    onnx.save(made.model("two", [3, 16, 16], batch=1), source / "model.onnx")
    found = condition_onnx(source, calibration, tmp_path / "conditioned")
    model = onnx.load(tmp_path / "conditioned" / "model.onnx")
    assert (found.rounded, found.corrected) == (2, 2)
    assert len(kernels(model)) == 1
    assert len({node.input[2] for node in model.graph.node if node.op_type == "Conv"}) == 2


def test_what_is_on_the_grid_already_keeps_its_kernels(conditioned, calibration, tmp_path):
    first = onnx.load(conditioned[0] / "model.onnx")
    condition_onnx(conditioned[0], calibration, tmp_path / "again")
    second = onnx.load(tmp_path / "again" / "model.onnx")
    for one, other in zip(kernels(first).values(), kernels(second).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_conditioning_gives_the_same_bytes_twice(prepared, conditioned, calibration, tmp_path):
    condition_onnx(prepared[0], calibration, tmp_path / "again")
    again = (tmp_path / "again" / "model.onnx").read_bytes()
    assert again == (conditioned[0] / "model.onnx").read_bytes()


def test_parameters_and_multiply_adds_are_counted(net, tmp_path):
    made = net()
    made.conv("image", 3, 4, 3, "out", stride=2)
    model = folded(made.model("out", [4, 8, 8], batch=1), tmp_path)
    graph = OnnxGraph(model, {"image": np.zeros((1, 3, 16, 16), np.float32)})
    assert graph.multiply_adds == 8 * 8 * 4 * 3 * 3 * 3
