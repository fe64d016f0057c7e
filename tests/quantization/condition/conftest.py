"""Frozen graphs of small Keras models, and what they compute."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.exporters.tracing import Trace, trace_model
from edgekit.quantization.condition.graph import Graph


@pytest.fixture
def freeze(tmp_path_factory):
    """Trace and freeze a Keras model; non-trivial batch norms and biases, the same each time."""

    def make(model, *, random=True) -> tuple[Graph, Trace]:
        if random:
            unsettle(model)
        trace, _ = trace_model(model, tmp_path_factory.mktemp("trace"))
        return _graph_of(trace), trace

    return make


@pytest.fixture
def graph_of():
    """The graph of a trace."""
    return _graph_of


@pytest.fixture
def compute():
    """What a graph gives for samples, one by one: a list of [N, ...] per output."""

    def run(graph: Graph, samples) -> list[np.ndarray]:
        import tensorflow as tf

        definition = graph.definition()
        wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
        function = wrapped.prune(
            [f"{graph.inputs[0]}:0"], [n if ":" in n else f"{n}:0" for n in graph.outputs]
        )
        rows = [function(tf.constant(row[None])) for row in samples]
        return [np.concatenate([np.asarray(v) for v in column]) for column in zip(*rows)]  # noqa: B905

    return run


def _graph_of(trace: Trace) -> Graph:
    names = [spec.name for spec in trace.inputs]
    return Graph(trace.graph_def(), names, list(trace.output_tensors))


def unsettle(model) -> None:
    """Give every weight that Keras begins at 0 or 1 another value."""
    random = np.random.default_rng(3)
    for variable in model.weights:
        name = variable.path.rsplit("/", 1)[-1]
        if name in ("gamma", "moving_variance"):
            variable.assign(random.uniform(0.3, 3.0, variable.shape))
        elif name in ("beta", "moving_mean", "bias"):
            variable.assign(random.normal(0, 0.5, variable.shape))
