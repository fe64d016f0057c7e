from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import ConversionError
from edgekit.exporters import onnx_file


def model_of(nodes, constants=(), *, inputs=("x",), output="y", domain=""):
    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3])

    graph = helper.make_graph(
        nodes,
        "graph",
        [value(name) for name in inputs],
        [value(output)],
        [numpy_helper.from_array(array, name) for name, array in constants],
    )
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 9
    return model


def run(model, value=(1.0, 2.0, 3.0)):
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    dtype = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(int8)": "int8"}
    feed = {i.name: np.array([value], dtype[i.type]) for i in session.get_inputs()}
    return session.run(None, feed)[0]


@st.composite
def chains(draw):
    """A graph that adds constants, its tensors named and its nodes shuffled at random."""
    count = draw(st.integers(1, 6))
    alphabet = ["x:0", "y:0", "x", "y", "a", "n__7", "c__3:0", "Add_0:0", "k__12", "b"]
    names = draw(st.permutations(alphabet))[: count - 1]
    made = [f"t_{name}" if name in ("x:0", "y:0") else name for name in names]
    tensors = ["x:0", *made, "y:0"]
    nodes, constants = [], []
    for i in range(count):
        source = draw(st.sampled_from(tensors[: i + 1]))
        constants.append((f"const__{30 - i}", np.float32([[i + 1, 0.5, -i]])))
        inputs = [source, f"const__{30 - i}"]
        nodes.append(helper.make_node("Add", inputs, [tensors[i + 1]], name=f"add__{i}"))
    return model_of(nodes, draw(st.permutations(constants)), inputs=("x:0",), output="y:0")


def copy_of(model):
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    return twin


@settings(max_examples=50)
@given(chains())
def test_renaming_keeps_the_arithmetic_whatever_names_are_taken(model):
    expected = run(model)
    onnx_file.rename(model, {"x:0": "x", "y:0": "y"})
    assert [v.name for v in model.graph.input] == ["x"]
    assert [v.name for v in model.graph.output] == ["y"]
    assert np.array_equal(run(model), expected)


@settings(max_examples=50)
@given(chains(), st.randoms())
def test_canonical_form_does_not_depend_on_numbers_and_order(model, random):
    expected = run(model)
    other = copy_of(model)
    # What differs from run to run: tf2onnx's numbers, and the order of constants.
    numbered = {t.name: f"const__{random.randrange(100, 999)}{i}"
                for i, t in enumerate(other.graph.initializer)}  # fmt: skip
    onnx_file.rename(other, numbered)
    shuffled = list(other.graph.initializer)
    random.shuffle(shuffled)
    del other.graph.initializer[:]
    other.graph.initializer.extend(shuffled)
    for twin in (model, other):
        onnx_file.canonicalize(twin)
    assert model.SerializeToString(deterministic=True) == other.SerializeToString(
        deterministic=True
    )
    assert np.array_equal(run(model), expected)


@settings(max_examples=50)
@given(chains(), st.randoms())
def test_sorting_puts_every_node_behind_those_it_reads(model, random):
    expected = run(model)
    nodes = list(model.graph.node)
    random.shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx_file.sort_nodes(model)
    made = {"x:0"} | {t.name for t in model.graph.initializer}
    for node in model.graph.node:
        assert set(node.input) <= made
        made |= set(node.output)
    assert np.array_equal(run(model), expected)


def test_sorting_sees_what_the_body_of_a_branch_reads():
    def body(name):
        return helper.make_graph(
            [helper.make_node("Identity", ["late"], [f"{name}_out"])], name, [],
            [helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, [1, 3])],
        )  # fmt: skip

    branch = helper.make_node(
        "If", ["truth"], ["y"], then_branch=body("then"), else_branch=body("otherwise")
    )
    late = helper.make_node("Neg", ["x"], ["late"])
    model = model_of([branch, late], [("truth", np.array(True))])
    onnx_file.sort_nodes(model)
    assert [node.op_type for node in model.graph.node] == ["Neg", "If"]
    assert run(model).tolist() == [[-1.0, -2.0, -3.0]]


def test_nodes_in_a_circle_are_refused():
    model = model_of(
        [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Neg", ["a"], ["b"])],
        output="b",
    )
    with pytest.raises(ConversionError, match="circle"):
        onnx_file.sort_nodes(model)


def test_a_broken_graph_is_not_written(tmp_path):
    model = model_of([helper.make_node("Add", ["x", "absent"], ["y"])])
    with pytest.raises(ConversionError, match="not a valid ONNX graph"):
        onnx_file.save(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_graph_too_large_for_one_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "MAX_BYTES", 50)
    model = model_of([helper.make_node("Neg", ["x"], ["y"])])
    with pytest.raises(ConversionError, match="bytes") as caught:
        onnx_file.save(model, tmp_path / "model.onnx")
    assert caught.value.limit == "50 bytes (protobuf)"


def test_operators_of_a_strange_domain_are_foreign(tmp_path):
    node = helper.make_node("Magic", ["x"], ["y"], domain="com.example")
    onnx.save(model_of([node], domain="com.example"), tmp_path / "model.onnx")
    assert onnx_file.inspect(tmp_path / "model.onnx").foreign_ops == ("com.example::Magic",)


def test_open_axes_are_minus_one(tiny_models):
    graph = onnx_file.inspect(tiny_models / "pair.onnx")
    assert {tensor.shape for tensor in graph.inputs} == {(-1, 5)}


def test_known_shapes_replace_symbolic_ones():
    model = model_of([helper.make_node("Neg", ["x"], ["y"])])
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "unknown"
    onnx_file.fix_output_shapes(model, {"y": (1, 3)})
    assert [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim] == [1, 3]


@pytest.mark.parametrize(("dtype", "zero"), [("uint8", 0), ("int8", -128)])
def test_a_float_input_can_be_fed_as_bytes(tmp_path, dtype, zero):
    model = model_of([helper.make_node("Neg", ["x"], ["y"])])
    onnx_file.retype_input(model, "x", dtype, (0.0, 255.0))
    assert run(model, (0 + zero, 1 + zero, 127 + zero)).tolist() == [[0.0, -1.0, -127.0]]
    onnx_file.save(model, tmp_path / "model.onnx")
    (taken,) = onnx_file.inspect(tmp_path / "model.onnx").inputs
    assert (taken.dtype, taken.scale, taken.zero_point) == (dtype, 1.0, zero)


def test_an_output_that_is_not_quantized_has_no_grid_to_give():
    model = model_of([helper.make_node("Neg", ["x"], ["y"])])
    with pytest.raises(ConversionError, match="output 'y' is not quantized"):
        onnx_file.quantize_outputs(model, "int8")


@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
def test_kernels_stored_as_int8_keep_each_output_channel(operator):
    random = np.random.default_rng(0)
    kernel = random.normal(size=(4, 4, 3, 3)).astype(np.float32)
    channels = np.float32([1, 1e-3, 0, 1e3])
    kernel *= channels.reshape((-1, 1, 1, 1) if operator == "Conv" else (1, -1, 1, 1))
    node = helper.make_node(operator, ["x", "kernel"], ["y"], kernel_shape=[3, 3])
    model = model_of([node], [("kernel", kernel)])
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.CopyFrom(
            helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 4, None, None]).tensor_type.shape
        )
    picture = random.normal(size=(1, 4, 6, 6)).astype(np.float32)

    def outputs():
        onnx.checker.check_model(model)
        session = onnxruntime.InferenceSession(model.SerializeToString())
        return session.run(None, {"x": picture})[0]

    expected = outputs()
    onnx_file.quantize_convolution_weights(model)
    found = outputs()
    stored = {t.name: t.data_type for t in model.graph.initializer}
    assert stored["kernel_int8"] == TensorProto.INT8
    assert "kernel" not in stored
    for channel in range(4):
        peak = np.abs(expected[:, channel]).max()
        assert np.abs(found[:, channel] - expected[:, channel]).max() <= 0.02 * peak
