from __future__ import annotations

import numpy as np
import pytest

from edgekit.exporters import tracing
from edgekit.quantization.condition.execution import (
    Executor,
    Samples,
    execute,
    register_functions,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def executed(graph, samples, together):
    """Every tensor of the graph for all samples, executed together or one by one."""
    import tensorflow as tf

    executor = Executor(graph.constant)
    nodes = [
        n for n in graph.order if n.name not in graph.inputs and graph.constant(n.name) is None
    ]

    def walk(rows, run):
        values = {graph.inputs[0]: tf.constant(rows)}
        for node in nodes:
            operands = [values[n] if n in values else graph.constant(n) for n in node.input]
            for place, value in enumerate(run(node, operands)):
                values[f"{node.name}:{place}" if place else node.name] = value
        return values

    alone = [walk(row[None], execute) for row in samples]
    if not together:
        return alone
    for node in nodes:
        pair = [
            [values[n] if n in values else graph.constant(n) for n in node.input]
            for values in (alone[0], alone[-1])
        ]
        executor.probe(node, *pair)
    return walk(samples, lambda node, operands: executor.run(node, operands, len(samples)))


def transposing():
    """Ops that mix, move and drop the axis of samples."""
    import keras
    from keras import layers, ops

    image = keras.Input((4, 6, 3), name="image")
    x = layers.Reshape((24, 3))(image)
    x = layers.Dense(4)(x)
    y = ops.transpose(x, (2, 1, 0))  # samples last
    y = ops.transpose(ops.softmax(y, axis=1), (2, 1, 0))
    z = layers.MultiHeadAttention(2, 2)(y, x)
    total = ops.squeeze(ops.max(z, axis=(0, 1, 2), keepdims=True))  # no axis left
    token = ops.ones((1, 1, 4))
    return keras.Model(image, layers.Flatten()(ops.concatenate([z * total, token], axis=1)))


def test_samples_together_give_what_each_gives_alone(freeze):
    graph, _ = freeze(transposing())
    samples = np.random.default_rng(0).normal(size=(5, 4, 6, 3)).astype(np.float32)
    alone = executed(graph, samples, together=False)
    together = executed(graph, samples, together=True)
    for name, value in together.items():
        wanted = [np.asarray(values[name]) for values in alone]
        found = value.parts if isinstance(value, Samples) else np.split(np.asarray(value), 5)
        for one, other in zip(wanted, found, strict=True):
            np.testing.assert_allclose(np.asarray(other), one, atol=1e-5, err_msg=name)


def test_loops_and_several_outputs_are_executed(freeze):
    import keras
    from keras import layers, ops

    readings = keras.Input((4, 3), name="readings")
    x = layers.LSTM(2, return_sequences=True)(readings)  # stays a loop
    best, place = ops.top_k(x, 1)
    model = keras.Model(readings, best + ops.cast(place, "float32"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "UNROLL_LIMIT", 0)
        graph, _ = freeze(model)
    assert any(node.op.endswith("While") for node in graph.order)
    register_functions(graph.functions)
    samples = np.random.default_rng(0).normal(size=(3, 4, 3)).astype(np.float32)
    alone = executed(graph, samples, together=False)
    together = executed(graph, samples, together=True)
    found = np.asarray(together[graph.outputs[0]])
    wanted = np.concatenate([np.asarray(v[graph.outputs[0]]) for v in alone])
    np.testing.assert_allclose(found, wanted, atol=1e-5)
