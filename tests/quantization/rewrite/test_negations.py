"""Negations: what 8 bits have no operator for, as products."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.quantization.rewrite.rewriting import outputs, rewrite

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def signal():
    return {"signal": np.random.default_rng(2).normal(0, 2, (5, 6, 8)).astype(np.float32)}


def model(*inner):
    import keras

    source = keras.Input((6, 8), name="signal")
    x = source
    for layer in inner:
        x = layer(x)
    return keras.Model(source, keras.layers.Dense(3)(x))


def kinds(graph):
    return [node.op for node in graph.order]


def test_a_layer_normalisation_has_no_negation_left_and_gives_the_same_bits(freeze):
    from keras import layers

    graph, _ = freeze(model(layers.LayerNormalization(), layers.LayerNormalization(center=False)))
    assert kinds(graph).count("Neg") == 2
    found, (applied,) = rewrite(graph, signal())
    assert (applied.name, applied.places, applied.exact_db) == ("negations", 2, None)
    assert "Neg" not in kinds(found)
    for mine, theirs in zip(outputs(found, signal()), outputs(graph, signal()), strict=True):
        assert np.array_equal(mine, theirs)


def test_the_negation_that_gelu_is_known_by_stays(freeze):
    from keras import layers

    graph, _ = freeze(model(layers.Dense(16, activation="gelu")))
    assert kinds(graph).count("Neg") == 1
    assert rewrite(graph, signal())[1] == ()


def test_negated_whole_numbers_are_left_alone(freeze):
    import keras
    from keras import ops

    source = keras.Input((4,), dtype="int32", name="signal")
    graph, _ = freeze(keras.Model(source, ops.cast(ops.negative(source), "float32")))
    assert kinds(graph).count("Neg") == 1
    numbers = {"signal": np.arange(12, dtype=np.int32).reshape(3, 4)}
    assert rewrite(graph, numbers)[1] == ()
