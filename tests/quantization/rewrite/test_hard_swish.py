"""Random small networks stay the same function; where a factor cannot go, nothing changes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.exporters.tracing import Trace
from edgekit.quantization.condition.fold import fold
from edgekit.quantization.condition.graph import Graph
from edgekit.quantization.rewrite.rewriting import outputs, rewrite, rewrite_trace

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIXTH = np.float32(1 / 6)


def swish(x):
    """In a way that Keras itself writes it: a keyword of a layer."""
    from keras import layers

    return layers.Activation("hard_swish")(x)


def torch_like(x):
    """x · clip(x + 3, 0, 6) / 6, the division last."""
    from keras import layers, ops

    return layers.Lambda(lambda v: v * ops.clip(v + 3.0, 0.0, 6.0) / 6.0)(x)


def early(x):
    """(x / 6) · relu6(x + 3)."""
    from keras import layers, ops

    return layers.Lambda(lambda v: (v * SIXTH) * ops.relu6(v + 3.0))(x)


def gate(x):
    """x · hard_sigmoid(x), as clip(x/6 + 1/2, 0, 1)."""
    from keras import layers, ops

    return layers.Lambda(lambda v: v * ops.minimum(ops.maximum(v * SIXTH + 0.5, 0.0), 1.0))(x)


SPELLINGS = (swish, torch_like, early, gate)


def conv(x, act):
    from keras import layers

    x = layers.Conv2D(6, 3, padding="same", use_bias=False)(x)
    return act(layers.BatchNormalization()(x))


def depthwise(x, act):
    from keras import layers

    x = layers.ZeroPadding2D(1)(x)
    return act(layers.BatchNormalization()(layers.DepthwiseConv2D(3, use_bias=False)(x)))


def excite(x, act):
    """Squeeze and excite with a hard sigmoid of its own."""
    from keras import layers

    s = layers.GlobalAveragePooling2D(keepdims=True)(x)
    s = layers.Conv2D(2, 1, activation="relu")(s)
    s = layers.Conv2D(x.shape[-1], 1, activation="hard_sigmoid")(s)
    return layers.Conv2D(6, 1)(layers.Multiply()([x, s]))


def residual(x, act):
    from keras import layers

    y = layers.Conv2D(x.shape[-1], 1)(act(layers.Conv2D(4, 1)(x)))
    return layers.Add()([x, y])


def twins(x, act):
    """A sum of two hard-swish: both carry the same factor."""
    from keras import layers

    parts = [act(layers.Conv2D(5, 1)(x)) for _ in range(2)]
    return layers.Conv2D(6, 1)(layers.Add()(parts))


def pool(x, act):
    from keras import layers

    return layers.AveragePooling2D(2, 1, "same")(layers.MaxPooling2D(2, 1, "same")(act(x)))


BLOCKS = (conv, depthwise, excite, residual, twins, pool)


def network(blocks, spellings):
    import keras
    from keras import layers

    keras.utils.set_random_seed(len(blocks))
    image = keras.Input((6, 6, 3), name="image")
    x = layers.Conv2D(6, 1)(image)
    for block, act in zip(blocks, spellings):  # noqa: B905  as many as there are blocks
        x = block(x, act)
    x = layers.Flatten()(layers.Conv2D(2, 1)(x))
    return keras.Model(image, layers.Dense(3, name="logits")(x))


def pictures(count=3):
    return np.random.default_rng(2).normal(0, 3, (count, 6, 6, 3)).astype(np.float32)


def ops(graph: Graph) -> Counter[str]:
    return Counter(node.op for node in graph.order if node.op != "Const")


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    blocks=st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=4),
    spellings=st.lists(st.sampled_from(SPELLINGS), min_size=4, max_size=4),
)
def test_a_rewritten_network_is_the_same_function(freeze, blocks, spellings):
    graph, _ = freeze(network(blocks, spellings))
    samples = {"image": pictures()}
    (wanted,) = outputs(graph, samples)
    rewritten, applied = rewrite(graph, samples)
    (given_,) = outputs(rewritten, samples)
    assert np.abs(given_ - wanted).max() <= 1e-5 * max(1.0, np.abs(wanted).max())
    assert all(not entry.problem for entry in applied)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_loses_its_sixth_to_the_kernels(freeze, spelling):
    graph, _ = freeze(network((conv, depthwise, twins, excite), [spelling] * 4))
    rewritten, (applied,) = rewrite(graph, {"image": pictures()})
    # Four hard-swish and the gate of squeeze-and-excite.
    assert applied.name == "hard-swish"
    assert applied.places == 5
    found = ops(rewritten)
    assert found["Relu6"] == 5
    assert found["Mul"] == 5  # x·t four times, and the excitation: nothing scales any more
    assert not found["RealDiv"] + found["Minimum"] + found["Maximum"] + found["ClipByValue"]


def test_the_three_of_a_gate_goes_into_the_bias_before_it(freeze):
    graph, _ = freeze(network((excite,), SPELLINGS))
    rewritten, _ = rewrite(graph, {"image": pictures()})
    (gate_,) = (node for node in rewritten.order if node.op == "Relu6")
    assert rewritten.nodes[gate_.input[0]].op == "BiasAdd"


def softmax_behind(x):
    from keras import layers

    return layers.Softmax()(swish(x))


def mixed_sum(x):
    """A residual sum of which only one side carries the factor."""
    from keras import layers

    return layers.Add()([x, swish(layers.Conv2D(x.shape[-1], 1)(x))])


def another_swish(x):
    return swish(swish(x))


def exact(x):
    """The model gives the product itself."""
    return swish(x)


@pytest.mark.parametrize("block", [softmax_behind, mixed_sum, exact])
def test_where_no_kernel_can_take_the_factor_the_graph_is_left_alone(freeze, block):
    import keras
    from keras import layers

    image = keras.Input((6, 6, 3), name="image")
    graph, _ = freeze(keras.Model(image, block(layers.Conv2D(3, 1)(image))))
    folded = Graph(graph.definition(), graph.inputs, graph.outputs)
    fold(folded)
    rewritten, applied = rewrite(graph, {"image": pictures()})
    assert applied == ()
    assert ops(rewritten) == ops(folded)


def test_of_two_hard_swish_in_a_row_the_second_is_rewritten(freeze):
    import keras
    from keras import layers

    image = keras.Input((6, 6, 3), name="image")
    x = another_swish(layers.Conv2D(3, 1)(image))
    graph, _ = freeze(keras.Model(image, layers.Conv2D(2, 1)(x)))
    rewritten, (applied,) = rewrite(graph, {"image": pictures()})
    assert applied.places == 1
    assert ops(rewritten)["RealDiv"] == 1  # the first: its product goes into a sum with 3


def test_another_shift_than_three_is_no_hard_swish(freeze):
    import keras
    from keras import layers
    from keras import ops as k

    image = keras.Input((6, 6, 3), name="image")
    x = layers.Lambda(lambda v: v * k.relu6(v + 2.0) / 6.0)(layers.Conv2D(3, 1)(image))
    graph, _ = freeze(keras.Model(image, layers.Conv2D(2, 1)(x)))
    assert rewrite(graph, {"image": pictures()})[1] == ()


def test_a_rewrite_that_changes_the_function_is_dropped_and_says_so(freeze, monkeypatch):
    from edgekit.quantization.rewrite import rewriting

    def wrong(graph, _):
        (conv_,) = (node for node in graph.order if node.op == "Conv2D")
        value = graph.constant(conv_.input[1])
        graph.set_input(conv_, 1, graph.add_constant("wrong", value * np.float32(1.01)))
        return (conv_.name,)

    monkeypatch.setattr(rewriting, "REWRITES", {"wrong": wrong})
    import keras
    from keras import layers

    image = keras.Input((6, 6, 3), name="image")
    graph, _ = freeze(keras.Model(image, layers.Conv2D(2, 1)(image)))
    rewritten, (applied,) = rewrite(graph, {"image": pictures()})
    assert "outputs differ, 4" in applied.problem  # 1 %, with a bias that stays: 40 dB and more
    samples = {"image": pictures()}
    assert np.array_equal(outputs(rewritten, samples)[0], outputs(graph, samples)[0])
    assert str(applied).startswith("wrong: 1 place, dropped: ")


def test_the_graph_given_is_not_changed(freeze):
    graph, _ = freeze(network((conv, depthwise), SPELLINGS))
    before = graph.definition().SerializeToString(deterministic=True)
    rewrite(graph, {"image": pictures()})
    assert graph.definition().SerializeToString(deterministic=True) == before


def test_a_trace_is_written_only_where_something_was_rewritten(freeze, tmp_path):
    _, plain = freeze(network((), ()))
    assert rewrite_trace(plain.folder, None, tmp_path / "plain") == ()
    assert not (tmp_path / "plain").exists()
    _, trace = freeze(network((conv,), SPELLINGS))
    (applied,) = rewrite_trace(trace.folder, None, tmp_path / "rewritten")
    assert applied.places == 1
    assert Trace.read(tmp_path / "rewritten").outputs == trace.outputs
