"""Work counted in files against work counted by hand."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from edgekit.errors import ArtifactError, UsageError
from edgekit.graphs import formulas, onnx, openvino, tflite
from edgekit.graphs.graph import Graph
from edgekit.graphs.reading import read_graph
from edgekit.roofline.counting.folding import count_file, fold
from tests.roofline import networks
from tests.roofline.networks import MACS, PARAMETERS, TfliteFile, save_onnx

IMAGE, CONV, DEEP, POINT, UP = 16 * 16 * 3, 8 * 8 * 8, 8 * 8 * 8, 8 * 8 * 12, 16 * 16 * 6
# Values that have to move: what is read and written of each operation. Reshaping moves nothing.
MOVED = (IMAGE + CONV) + (CONV + DEEP) + (DEEP + POINT) + (POINT + UP) + (UP + 6) + (6 + 4)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The network in float32, and in 8 bits where a light tool makes that."""
    folder = tmp_path_factory.mktemp("networks")
    made = networks.onnx_network(folder / "float.onnx")
    quantized = networks.quantized_onnx(made, folder / "int8.onnx")
    return {
        "onnx": made,
        "onnx int8": quantized,
        "openvino": networks.openvino_of(made, folder / "float.xml"),
        "openvino fp16": networks.openvino_of(made, folder / "half.xml", half=True),
        "openvino int8": networks.openvino_of(quantized, folder / "int8.xml"),
        "tflite": networks.tflite_network(folder / "float.tflite"),
    }


@pytest.fixture(scope="module")
def count(files):
    """Name of a file → its work; every child is started once."""
    return cache(lambda name: count_file(files[name], name.partition(" ")[0]))


@pytest.mark.parametrize("name", ["tflite", "onnx", "openvino"])
def test_every_multiplication_of_a_network_is_counted_in_every_format(count, name):
    counted = count(name)
    assert [one.macs for one in counted.operations if one.macs] == list(MACS.values())
    assert {one.arithmetic for one in counted.operations if one.macs} == {"float32"}
    assert counted.uncounted == {}


def test_the_hand_written_tflite_file_is_one_that_runs(files):
    from ai_edge_litert.interpreter import Interpreter

    image = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    interpreter = Interpreter(str(files["tflite"]))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    logits = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert logits.shape == (1, 4)
    assert np.ptp(logits) > 0


@pytest.mark.parametrize("name", ["tflite", "onnx", "openvino"])
def test_bytes_of_weights_and_activations_are_those_that_must_move(count, name):
    counted = count(name)
    extra = counted.weight_bytes - 4 * PARAMETERS
    assert 0 <= extra <= 64  # shapes and axes that stand in the file as tensors
    assert counted.bytes - counted.weight_bytes == 4 * MOVED


@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_an_8_bit_file_has_a_quarter_of_the_bytes_and_the_same_multiplications(count, target):
    real, quantized = count(target), count(f"{target} int8")
    assert quantized.macs == real.macs
    assert {one.arithmetic for one in quantized.operations if one.macs} == {"int8"}
    # Biases stay 32 bits wide, and every kernel has a step for each channel.
    assert 0.25 < quantized.weight_bytes / real.weight_bytes < 0.6
    activations = quantized.bytes - quantized.weight_bytes
    # The image and the logits are float32 in both.
    floats = 4 * (IMAGE + 4)
    assert floats < activations < MOVED + 2 * floats


def test_a_converters_8_bit_tflite_file_computes_in_8_bits(tiny_models):
    real, quantized, hybrid = (
        fold(tflite.read(tiny_models / f"{name}.tflite")) for name in ("float", "int8", "dynamic")
    )
    expected = 6 * 6 * 8 * 27 + 8 * 4
    assert real.macs == quantized.macs == hybrid.macs == expected
    assert {one.arithmetic for one in quantized.operations if one.macs} == {"int8"}
    kernels = 27 * 8 + 8 * 4
    assert real.weight_bytes - quantized.weight_bytes == 3 * kernels


def test_half_of_the_weight_bytes_of_a_16_bit_file_is_left(count):
    real, half = count("openvino"), count("openvino fp16")
    assert half.macs == real.macs
    assert 0.5 <= half.weight_bytes / real.weight_bytes < 0.52
    # Its kernels are float32 once they are read.
    assert {one.arithmetic for one in half.operations if one.macs} == {"float32"}


def test_what_the_child_read_survives_the_way_back(count, files):
    here = onnx.read(files["onnx"])
    assert read_graph(files["onnx"], "onnx") == here == Graph.from_json(here.to_json())
    assert count("onnx") == fold(here)


# -- single operators ------------------------------------------------------------------------------


def positions(size, kernel, stride, pad, dilation):
    """Where a kernel fits, counted one by one."""
    reach = dilation * (kernel - 1)
    return sum(1 for start in range(-pad, size + pad, stride) if start + reach < size + pad)


@st.composite
def convolutions(draw):
    kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    pad = draw(st.integers(0, 3))
    least = max(1, dilation * (kernel - 1) + 1 - 2 * pad)
    return {
        "size": draw(st.integers(least, least + 9)),
        "kernel": kernel,
        "stride": draw(st.integers(1, 3)),
        "pad": pad,
        "dilation": dilation,
        "group": draw(st.integers(1, 3)),
        "given": draw(st.integers(1, 3)),
        "made": draw(st.integers(1, 3)),
    }


@settings(max_examples=60)
@given(convolutions())
def test_a_convolution_counts_as_one_that_is_gone_through_tap_by_tap(tmp_path_factory, wanted):
    size, kernel, group = wanted["size"], wanted["kernel"], wanted["group"]
    taken, made = wanted["given"] * group, wanted["made"] * group
    node = helper.make_node(
        "Conv",
        ["x", "w"],
        ["y"],
        group=group,
        strides=[wanted["stride"]] * 2,
        pads=[wanted["pad"]] * 4,
        dilations=[wanted["dilation"]] * 2,
    )
    path = save_onnx(
        tmp_path_factory.getbasetemp() / "conv.onnx",
        [node],
        [("x", [1, taken, size, size])],
        [("y", ["n", "c", "h", "w"])],
        {"w": np.zeros((made, taken // group, kernel, kernel), np.float32)},
    )
    places = positions(size, kernel, wanted["stride"], wanted["pad"], wanted["dilation"])
    by_tap = 0
    for _row in range(places):
        for _column in range(places):
            for _channel in range(made):
                by_tap += sum(1 for _ in range(kernel * kernel * (taken // group)))
    (operation,) = fold(onnx.read(path)).operations
    assert operation.macs == by_tap
    assert operation.read_bytes == 4 * taken * size * size
    assert operation.written_bytes == 4 * made * places * places


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3))
def test_an_einstein_sum_of_a_product_counts_as_the_product(rows, inner, columns, batch):
    left, right = (batch, rows, inner), (batch, inner, columns)
    found = formulas.einsum("...ij,...jk->...ik", [left, right])
    assert (
        found == formulas.product((batch, rows, columns), inner) == batch * rows * inner * columns
    )


def one_of(counted):
    (operation,) = [one for one in counted.operations if one.macs]
    return operation


def test_a_product_of_two_activations_has_no_weights(tmp_path):
    path = save_onnx(
        tmp_path / "matmul.onnx",
        [helper.make_node("MatMul", ["a", "b"], ["y"])],
        [("a", [2, 5, 7]), ("b", [2, 7, 3])],
        [("y", [2, 5, 3])],
    )
    for counted in (
        fold(onnx.read(path)),
        fold(openvino.read(networks.openvino_of(path, tmp_path / "matmul.xml"))),
    ):
        operation = one_of(counted)
        assert (operation.macs, operation.weight_bytes) == (2 * 5 * 7 * 3, 0)
        assert (operation.read_bytes, operation.written_bytes) == (4 * 2 * (35 + 21), 4 * 30)


def test_a_turned_product_sums_over_the_other_axis(tmp_path):
    path = save_onnx(
        tmp_path / "gemm.onnx",
        [helper.make_node("Gemm", ["a", "w"], ["y"], transA=1)],
        [("a", [7, 5])],
        [("y", [5, 3])],
        {"w": np.zeros((7, 3), np.float32)},
    )
    made = networks.openvino_of(path, tmp_path / "gemm.xml")
    assert one_of(fold(onnx.read(path))).macs == one_of(fold(openvino.read(made))).macs == 5 * 7 * 3
    file = TfliteFile()
    a, b = file.tensor((2, 7, 5)), file.tensor((2, 7, 3))
    y = file.add("BATCH_MATMUL", [a, b], (2, 5, 3), options="BatchMatMulOptions", adjX=True)
    counted = fold(tflite.read(file.save(tmp_path / "product.tflite", [a, b], [y])))
    assert one_of(counted).macs == 2 * 5 * 7 * 3


@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_a_recurrent_layer_counts_every_matrix_once_a_step(tmp_path, op, gates):
    steps, taken, hidden = 6, 5, 3
    shapes = {"w": (1, gates * hidden, taken), "r": (1, gates * hidden, hidden)}
    path = save_onnx(
        tmp_path / "recurrent.onnx",
        [helper.make_node(op, ["x", "w", "r"], ["y"], hidden_size=hidden)],
        [("x", [steps, 1, taken])],
        [("y", [steps, 1, 1, hidden])],
        {name: np.zeros(shape, np.float32) for name, shape in shapes.items()},
    )
    expected = steps * gates * hidden * (taken + hidden)
    assert one_of(fold(onnx.read(path))).macs == expected
    made = networks.openvino_of(path, tmp_path / "recurrent.xml")
    assert one_of(fold(openvino.read(made))).macs == expected


def test_a_tflite_lstm_counts_every_matrix_once_a_step(tmp_path):
    steps, taken, hidden = 6, 5, 3
    file = TfliteFile()
    x = file.tensor((1, steps, taken))
    own = [file.constant(np.zeros((hidden, taken), np.float32)) for _ in range(4)]
    state = [file.constant(np.zeros((hidden, hidden), np.float32)) for _ in range(4)]
    biases = [file.constant(np.zeros(hidden, np.float32)) for _ in range(4)]
    kept = [file.tensor((1, hidden)) for _ in range(2)]
    # Peepholes, projection and layer norms are left out.
    inputs = [x, *own, *state, -1, -1, -1, *biases, -1, -1, *kept, -1, -1, -1, -1]
    y = file.add(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        inputs,
        (1, steps, hidden),
        options="UnidirectionalSequenceLSTMOptions",
    )
    operation = one_of(fold(tflite.read(file.save(tmp_path / "lstm.tflite", [x], [y]))))
    assert operation.macs == steps * 4 * hidden * (taken + hidden)
    assert operation.weight_bytes == 4 * 4 * hidden * (taken + hidden + 1)


def test_cheap_operators_are_done_along_with_the_one_before(tmp_path):
    """conv, hard-swish written out, a sum with the input: one operation that reads two images."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1] * 4),
        helper.make_node("Add", ["c", "three"], ["shifted"]),
        helper.make_node("Clip", ["shifted", "zero", "six"], ["clipped"]),
        helper.make_node("Mul", ["c", "clipped"], ["swish"]),
        helper.make_node("Add", ["swish", "other"], ["sum"]),
        helper.make_node("MaxPool", ["sum"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    path = save_onnx(
        tmp_path / "fused.onnx",
        nodes,
        [("x", [1, 4, 8, 8]), ("other", [1, 4, 8, 8])],
        [("y", [1, 4, 4, 4])],
        {
            "w": np.zeros((4, 4, 3, 3), np.float32),
            "three": np.float32(3),
            "zero": np.float32(0),
            "six": np.float32(6),
        },
    )
    conv, pool = fold(onnx.read(path)).operations
    assert (conv.op, conv.nodes, pool.op) == ("Conv", 5, "MaxPool")
    image = 4 * 4 * 8 * 8
    assert conv.read_bytes == 2 * image
    assert conv.written_bytes == pool.read_bytes == image
    assert pool.written_bytes == image // 4
    made = fold(openvino.read(networks.openvino_of(path, tmp_path / "fused.xml")))
    assert [(one.read_bytes, one.written_bytes) for one in made.operations] == [
        (conv.read_bytes, conv.written_bytes),
        (pool.read_bytes, pool.written_bytes),
    ]


def test_a_table_is_read_only_where_it_is_looked_up(tmp_path):
    path = save_onnx(
        tmp_path / "table.onnx",
        [helper.make_node("Gather", ["table", "words"], ["y"])],
        [("words", [1, 4], "int64")],
        [("y", [1, 4, 16])],
        {"table": np.zeros((1000, 16), np.float32)},
    )
    (operation,) = fold(onnx.read(path)).operations
    assert operation.weight_bytes == operation.written_bytes == 4 * 4 * 16


def test_what_holds_a_graph_of_its_own_is_named_as_not_counted(tmp_path):
    branch = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["inner"])],
        "branch",
        [],
        [helper.make_tensor_value_info("inner", 1, [1, 4])],
    )
    path = save_onnx(
        tmp_path / "if.onnx",
        [helper.make_node("If", ["which"], ["y"], then_branch=branch, else_branch=branch)],
        [("which", [], "bool"), ("x", [1, 4])],
        [("y", [1, 4])],
    )
    assert fold(onnx.read(path)).uncounted == Counter({"If": 1})


def test_a_batch_that_is_left_open_counts_as_one(tmp_path):
    path = save_onnx(
        tmp_path / "open.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("x", ["batch", 5])],
        [("y", ["batch", 3])],
        {"w": np.zeros((5, 3), np.float32)},
    )
    made = networks.openvino_of(path, tmp_path / "open.xml")
    for counted in (fold(onnx.read(path)), fold(openvino.read(made))):
        assert counted.macs == 15
        assert counted.bytes == 4 * (5 + 15 + 3)


@pytest.mark.parametrize("target", ["tflite", "onnx", "openvino"])
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, target):
    file = tmp_path / "model"
    file.write_bytes(b"\xff" * 300)
    with pytest.raises(ArtifactError, match=f"model: cannot be read as {target}"):
        count_file(file, target)


def test_a_target_without_a_reader_is_refused(tmp_path):
    with pytest.raises(UsageError, match="graphs of coreml files"):
        count_file(tmp_path / "model", "coreml")


def test_operations_per_byte_of_a_dense_layer_are_near_a_half(tmp_path):
    size = 64
    path = save_onnx(
        tmp_path / "dense.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("x", [1, size])],
        [("y", [1, size])],
        {"w": np.zeros((size, size), np.float32)},
    )
    (operation,) = fold(onnx.read(path)).operations
    assert math.isclose(operation.intensity, 2 * size**2 / (4 * (size**2 + 2 * size)))
