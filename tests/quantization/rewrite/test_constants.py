"""Constants that take the steps of an 8-bit range: beside a pooling, and in front of a softmax."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.quantization.rewrite.rewriting import outputs, rewrite

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def pictures():
    return np.random.default_rng(2).normal(0, 1, (3, 8, 8, 3)).astype(np.float32)


def pooled(before, pads, *, constant=-1e9, window=3, stride=2):
    """A convolution, padding with a constant, and max pooling of what is inside."""
    import keras
    from keras import layers, ops

    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 1, activation=before)(image)
    pad = ((0, 0), (pads, pads), (pads, pads), (0, 0))
    x = layers.Lambda(lambda v: ops.pad(v, pad, constant_values=constant))(x)
    x = layers.MaxPooling2D(window, stride, "valid")(x)
    return keras.Model(image, layers.Conv2D(2, 1)(x))


def fill(graph):
    """What paddings of a graph fill up with."""
    pads = (node for node in graph.order if node.op == "PadV2")
    return [float(graph.constant(node.input[2])) for node in pads]


def rewritten_alike(freeze, model, samples):
    """The rewritten graph and what was applied; its outputs are the same to the bit."""
    graph, _ = freeze(model)
    found, applied = rewrite(graph, samples)
    for mine, theirs in zip(outputs(found, samples), outputs(graph, samples)):  # noqa: B905
        assert np.array_equal(mine, theirs)
    return found, applied


def test_behind_a_relu_a_maximum_is_filled_up_with_zero(freeze):
    model = pooled("relu", 1, stride=3)
    graph, (applied,) = rewritten_alike(freeze, model, {"image": pictures()})
    assert (applied.name, applied.places) == ("padding-constants", 1)
    assert applied.exact_db is None
    assert fill(graph) == [0.0]


def test_padding_that_same_pooling_does_by_itself_is_left_to_it(freeze):
    model = pooled(None, 1, stride=1)
    graph, (applied,) = rewritten_alike(freeze, model, {"image": pictures()})
    assert applied.name == "padding-constants"
    (pool,) = (node for node in graph.order if node.op == "MaxPool")
    assert pool.attr["padding"].s == b"SAME"
    assert fill(graph) == []


@pytest.mark.parametrize(
    "model",
    [
        lambda: pooled(None, 1, stride=3),  # what lies inside may be below any constant but −∞
        lambda: pooled("relu", 3, window=3),  # windows in the padding alone give the constant
        lambda: pooled("relu", 1, constant=2.0),  # wins
    ],
)
def test_other_paddings_are_left_alone(freeze, model):
    graph, _ = freeze(model())
    assert rewrite(graph, {"image": pictures()})[1] == ()


def tokens(masked):
    rows = np.random.default_rng(3).integers(1, 20, (4, 6)).astype(np.int32)
    for number, row in enumerate(rows):
        row[6 - number if masked else 6 :] = 0
    return rows


def attention(*, added=None, product=False, hidden=lambda v: v == 0):
    """Keras's attention over an embedding; with `added`, one whose mask is added."""
    import keras
    from keras import layers, ops

    keras.utils.set_random_seed(3)
    text = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.Embedding(20, 8, mask_zero=added is None)(text)
    if added is None:
        return keras.Model(text, layers.MultiHeadAttention(2, 4)(x, x))
    scores = layers.Dot(axes=2)([x, x])
    there = layers.Lambda(lambda v: ops.cast(hidden(v), "float32")[:, None, :])(text)
    if product:  # of something that is neither 0 nor 1
        there = layers.Lambda(lambda v: v * 0.5)(there)
    scores = layers.Lambda(lambda v: v[0] + v[1] * added)([scores, there])
    y = layers.Lambda(lambda v: ops.matmul(ops.softmax(v[0]), v[1]))([scores, x])
    return keras.Model(text, layers.Dense(3)(y))


def constants(graph):
    """The lowest number of a graph."""
    values = [graph.constant(node.name) for node in graph.order if node.op == "Const"]
    return min(float(v.min()) for v in values if v.dtype.kind == "f" and v.size)


@pytest.mark.parametrize("added", [None, -1e9])
def test_a_mask_becomes_as_small_as_hides_it_in_float32(freeze, added):
    samples = {"tokens": tokens(masked=True)}
    graph, _ = freeze(attention(added=added))
    found, (applied,) = rewrite(graph, samples)
    assert (applied.name, applied.places, applied.problem) == ("mask-constants", 1, "")
    assert constants(graph) <= -1e9
    assert -40 < constants(found) <= -24
    (mine,), (theirs,) = outputs(found, samples), outputs(graph, samples)
    assert np.abs(mine - theirs).max() <= 1e-6


@pytest.mark.parametrize("model", [{"added": -24.0}, {"added": -1e9, "product": True}])
def test_other_masks_are_left_alone(freeze, model):
    graph, _ = freeze(attention(**model))
    assert rewrite(graph, {"tokens": tokens(masked=True)})[1] == ()


def test_a_mask_that_decides_where_all_is_hidden_is_kept(freeze):
    """−1e9 makes all hidden scores equal, a small constant does not: that is another function."""
    rows = tokens(masked=False) % 10
    rows[0] = np.arange(10, 16)
    graph, _ = freeze(attention(added=-1e9, hidden=lambda v: v >= 10))
    found, (applied,) = rewrite(graph, {"tokens": rows})
    assert applied.problem.startswith("outputs differ, ")
    assert constants(found) <= -1e9
