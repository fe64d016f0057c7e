from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import ModelError, UsageError
from edgekit.quantization.files.description import Reading
from edgekit.quantization.files.onnx_graph import session
from edgekit.quantization.files.onnx_source import prepare_onnx

READING = Reading(limits=(0.0, 1.0))


@pytest.fixture
def prepare(tmp_path):
    def run(model, reading=READING):
        path = tmp_path / "net.onnx"
        content = model if isinstance(model, bytes) else model.SerializeToString()
        path.write_bytes(content)
        folder = tmp_path / "file"
        folder.mkdir(exist_ok=True)
        return prepare_onnx(path, folder, reading), folder / "model.onnx"

    return run


def test_an_open_batch_becomes_one_sample(prepare, make_net):
    found, path = prepare(make_net())
    assert found.specs[0].shape == (3, 16, 16)
    assert found.specs[0].layout == "CHW"
    assert [t.shape for t in found.inputs] == [(1, 3, 16, 16)]
    assert [(t.name, t.dtype, t.shape) for t in found.outputs] == [("logits", "float32", (1, 4))]
    assert found.cost["parameters"] == sum(
        numpy_helper.to_array(t).size for t in make_net().graph.initializer
    )
    assert onnx.load(path).graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1


def test_the_prepared_file_computes_the_same(prepare, make_net, rows):
    _, path = prepare(make_net())
    wanted = session(make_net()).run(None, {"image": rows[:1]})[0]
    np.testing.assert_allclose(session(onnx.load(path)).run(None, {"image": rows[:1]})[0], wanted)


def test_odd_names_become_names_that_every_format_accepts(prepare, net):
    made = net()
    made.conv("a/b:0", 3, 4, 3, "out/x y")
    found, _ = prepare(made.model("out/x y", [4, 16, 16], given="a/b:0"))
    assert found.specs[0].name == "a_b"
    assert [tensor.name for tensor in found.outputs] == ["out_x_y"]


def test_old_opsets_are_brought_up(prepare, net):
    made = net()
    made.conv("image", 3, 4, 3, "out")
    _, path = prepare(made.model("out", [4, 16, 16], opset=9))
    assert onnx.load(path).opset_import[0].version == 17


def test_means_and_deviations_become_a_range_for_each_channel(prepare, make_net):
    reading = Reading(mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))
    found, _ = prepare(make_net(), reading)
    assert found.specs[0].channel_ranges == ((-1.0, 1.0), (-1.0, 3.0), (0.0, 1.0))
    assert found.specs[0].range == (-1.0, 3.0)


def only_activation(model):
    model.graph.node[0].CopyFrom(helper.make_node("Relu", ["image"], ["logits"]))
    del model.graph.node[1:], model.graph.initializer[:]


def quantized(model):
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0.1), "s"))
    for index, (op, given, made) in enumerate(
        [("QuantizeLinear", "image", "q"), ("DequantizeLinear", "q", "dq")]
    ):
        model.graph.node.insert(index, helper.make_node(op, [given, "s"], [made]))
    model.graph.node[2].input[0] = "dq"


def foreign(model):
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))


def half(model):
    tensor = model.graph.initializer[0]
    values = numpy_helper.to_array(tensor).astype(np.float16)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    model.graph.node.insert(0, helper.make_node("Cast", [tensor.name], ["w"], to=1))
    model.graph.node[1].input[1] = "w"


def elsewhere(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")


def circle(model):
    model.graph.node[0].input[0] = "logits"


def two_at_once(model):
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (only_activation, "nothing in it has weights"),
        (two_at_once, "one sample at a time"),
        (quantized, "quantized already"),
        (foreign, "com.example::Conv"),
        (half, "of 16 bits"),
        (elsewhere, "weights lie in another file"),
        (circle, "not a valid ONNX graph"),
    ],
)
def test_what_cannot_be_quantized_is_refused_in_one_line(prepare, make_net, damage, said):
    model = make_net()
    damage(model)
    with pytest.raises(ModelError, match=said) as refused:
        prepare(model)
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("keep", [0, 20, -300])
def test_a_file_that_is_cut_off_is_refused(prepare, make_net, keep):
    with pytest.raises(ModelError, match=r"empty|not an ONNX file|not a valid ONNX graph"):
        prepare(make_net().SerializeToString()[:keep])


def test_text_is_refused(prepare):
    with pytest.raises(ModelError, match="not an ONNX file"):
        prepare(b"this is no model")


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (Reading(), "which values does 'image' expect"),
        (Reading(layout="NHWC", limits=(0.0, 1.0)), "--layout NHWC"),
        (Reading(limits=(0.0, 1.0), input_shape=(3, 8, 8)), "does not fit"),
        (Reading(mean=(0.1, 0.2)), "2 numbers for 3 channels"),
        (Reading(std=(0.0,)), "above 0"),
    ],
)
def test_what_does_not_fit_the_input_is_a_usage_error(prepare, make_net, reading, said):
    with pytest.raises(UsageError, match=said):
        prepare(make_net(), reading)


def test_channels_first_or_last_is_asked_where_the_shape_does_not_tell(prepare, net):
    made = net()
    made.conv("image", 3, 4, 3, "out")
    model = made.model("out", [4, 3, 3], size=3)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 3
    with pytest.raises(UsageError, match="channels first or last"):
        prepare(model)
    found, _ = prepare(model, Reading(layout="NCHW", limits=(0.0, 1.0)))
    assert found.specs[0].layout == "CHW"


def test_open_axes_are_fixed_by_the_shape_asked_for(prepare, net):
    made = net()
    made.conv("image", 3, 4, 3, "out")
    model = made.model("out", ["h", "w", 4], size="s")
    model = made.model("out", [4, "h", "w"], size="s")
    with pytest.raises(UsageError, match="leaves axes open"):
        prepare(model)
    found, _ = prepare(model, Reading(limits=(0.0, 1.0), input_shape=(3, 24, 24)))
    assert found.outputs[0].shape == (1, 4, 24, 24)


def test_infinite_numbers_of_a_mask_are_no_damage_and_nan_is(prepare, net):
    for value, refused in ((-np.inf, False), (np.nan, True)):
        made = net()
        x = made.add("Flatten", [made.conv("image", 3, 4, 3, "conv")], "flat")
        mask = made.constant("mask", [value] + [0.0] * (4 * 16 * 16 - 1))
        x = made.add("Softmax", [made.add("Add", [x, mask], "masked")], "scores")
        model = made.model(x, [4 * 16 * 16])
        if not refused:
            assert prepare(model)[0].outputs[0].shape == (1, 4 * 16 * 16)
            continue
        with pytest.raises(ModelError, match="the weight mask holds 1 values"):
            prepare(model)


def with_a_step(model):
    """A second input, a number a sample, that is added to the logits."""
    model.graph.input.append(helper.make_tensor_value_info("step", TensorProto.FLOAT, ["N"]))
    last = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = [f"{last}_alone" if name == last else name for name in node.output]
    model.graph.initializer.append(numpy_helper.from_array(np.int64([1]), "last_axis"))
    model.graph.node.append(helper.make_node("Unsqueeze", ["step", "last_axis"], ["column"]))
    model.graph.node.append(helper.make_node("Add", [f"{last}_alone", "column"], [last]))


def test_each_of_several_inputs_is_read_by_its_own_shape_and_range(prepare, make_net):
    model = make_net()
    with_a_step(model)
    reading = Reading(limits=(0.0, 1.0), known={"step": (-3.0, 8.0)})
    found, _ = prepare(model, reading)
    picture, step = found.specs
    assert (picture.layout, picture.range) == ("CHW", (0.0, 1.0))
    assert (step.name, step.shape, step.layout, step.range) == ("step", (), "", (-3.0, 8.0))
    assert [tensor.shape for tensor in found.inputs] == [(1, 3, 16, 16), (1,)]
    with pytest.raises(UsageError, match="--input-shape is for files with one input; this one has"):
        prepare(model, replace(reading, input_shape=(3, 16, 16)))
