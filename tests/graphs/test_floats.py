"""What of an int8 file is in float, told from graphs as each format writes them."""

from __future__ import annotations

from edgekit.graphs.floats import floats
from edgekit.graphs.graph import Graph, Node, Tensor


def graph(tensors: dict[str, str], *nodes: Node, constants: tuple[str, ...] = ()) -> Graph:
    """Tensors as name → dtype; what is named among `constants` stands in the file."""
    known = {name: Tensor(dtype, (1, 4), name in constants) for name, dtype in tensors.items()}
    return Graph(known, nodes, nodes[-1].outputs)


def node(op: str, *inputs: str, to: str, macs: int = 0, narrowed: str = "") -> Node:
    return Node(op, inputs, (to,), macs=macs, narrowed=narrowed)


def test_integer_tensors_are_in_8_bits_and_the_borders_do_not_count():
    found = floats(
        graph(
            {"x": "float32", "q": "int8", "w": "int8", "y": "int8", "out": "float32"},
            node("QUANTIZE", "x", to="q"),
            node("CONV_2D", "q", "w", to="y", macs=64),
            node("DEQUANTIZE", "y", to="out"),
            constants=("w",),
        )
    )
    assert found.wholly
    assert (found.before, found.inside, found.after) == ({}, {}, {})


def test_what_lies_between_a_dequantize_and_a_quantize_is_an_island():
    found = floats(
        graph(
            {"q": "int8", "f": "float32", "s": "float32", "e": "float32", "y": "int8"},
            node("DEQUANTIZE", "q", to="f"),
            node("EXP", "f", to="s"),
            node("RSQRT", "s", to="e"),
            node("QUANTIZE", "e", to="y"),
        )
    )
    assert found.inside == {"EXP": 1, "RSQRT": 1}
    assert not found.wholly


def test_a_convolution_that_tflite_feeds_unpacked_values_is_in_float():
    tensors = {"q": "int8", "f": "float32", "w": "float32", "y": "float32", "out": "int8"}
    found = floats(
        graph(
            tensors,
            node("DEQUANTIZE", "q", to="f"),
            node("CONV_3D", "f", "w", to="y", macs=64),
            node("QUANTIZE", "y", to="out"),
            constants=("w",),
        )
    )
    assert found.inside == {"CONV_3D": 1}


def test_scaling_before_and_a_softmax_behind_all_that_is_quantized_are_told_apart():
    names = ("x", "c", "s", "q", "d", "w", "dw", "y", "p", "z")
    tensors = {name: "int8" if name in ("q", "w") else "float32" for name in names}
    found = floats(
        graph(
            tensors,
            node("Mul", "x", "c", to="s"),
            node("QuantizeLinear", "s", "c", to="q"),
            node("DequantizeLinear", "q", "c", to="d"),
            node("DequantizeLinear", "w", "c", to="dw"),
            node("Conv", "d", "dw", to="y", macs=64),
            node("Exp", "y", to="p"),
            node("Softmax", "p", to="z"),
            constants=("c", "w"),
        )
    )
    assert found.before == {"Mul": 1}
    assert found.after == {"Exp": 1, "Softmax": 1}
    assert found.wholly


def test_a_bias_and_an_activation_go_with_the_product_before_them():
    tensors = dict.fromkeys(("x", "fx", "w", "y", "b", "a", "r", "fr"), "float32")
    nodes = (
        node("FakeQuantize", "x", to="fx", narrowed="uint8"),
        node("Convolution", "fx", "w", to="y", macs=64),
        node("Add", "y", "b", to="a"),
        node("Relu", "a", to="r"),
        node("FakeQuantize", "r", to="fr", narrowed="uint8"),
    )
    assert floats(graph(tensors, *nodes, constants=("w", "b"))).wholly
    # Two readers of the sum: no runtime can hide it in the convolution.
    twice = (*nodes[:4], node("Relu", "a", to="other"), nodes[4])
    found = floats(graph(tensors | {"other": "float32"}, *twice, constants=("w", "b")))
    assert found.inside == {"Relu": 1}
    assert found.after == {"Relu": 1}


def test_weights_that_operators_unpack_are_constants():
    tensors = {"w": "int8", "c": "float32", "u": "float32", "v": "float32", "x": "float32"}
    tensors |= {"fx": "float32", "y": "float32"}
    found = floats(
        graph(
            tensors,
            node("Convert", "w", to="u"),
            node("Multiply", "u", "c", to="v"),
            node("FakeQuantize", "x", to="fx", narrowed="uint8"),
            node("MatMul", "fx", "v", to="y", macs=16),
            constants=("w", "c"),
        )
    )
    assert found.wholly
    assert found.before == {}


def test_a_product_in_float_is_inside_wherever_it_stands():
    tensors = {"x": "float32", "w": "float32", "y": "float32"}
    found = floats(graph(tensors, node("MatMul", "x", "w", to="y", macs=16), constants=("w",)))
    assert found.inside == {"MatMul": 1}


def test_moving_values_keeps_them_quantized():
    tensors = {"q": "int8", "f": "float32", "r": "float32", "w": "float32", "y": "float32"}
    found = floats(
        graph(
            tensors,
            node("DequantizeLinear", "q", to="f"),
            node("Reshape", "f", to="r"),
            node("MatMul", "r", "w", to="y", macs=16),
            constants=("w",),
        )
    )
    assert found.wholly
