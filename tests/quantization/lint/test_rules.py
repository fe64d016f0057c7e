"""Each rule finds what it is for in a real frozen graph, and is silent where nothing is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.exporters.tracing import trace_model
from edgekit.quantization.condition.graph import Graph
from edgekit.quantization.lint.finding import Finding
from edgekit.quantization.lint.linting import lint, lint_trace


@pytest.fixture
def findings(tmp_path):
    """Trace a Keras model and lint it on samples (noise without any): rule → finding."""

    def run(model, samples=None) -> dict[str, Finding]:
        trace, _ = trace_model(model, tmp_path)
        if samples is None:
            return {f.rule: f for f in lint_trace(tmp_path, None).findings}
        graph = Graph(trace.graph_def(), [trace.inputs[0].name], list(trace.output_tensors))
        return {f.rule: f for f in lint(graph, {trace.inputs[0].name: samples})}

    return run


def picture():
    import keras

    return keras.Input((8, 8, 3), name="image")


def samples(low=0.0, high=1.0):
    return np.random.default_rng(0).uniform(low, high, (4, 8, 8, 3)).astype(np.float32)


def sized(model, layer, peaks):
    """Give each output channel of a layer another largest weight."""
    kernel, *rest = model.get_layer(layer).get_weights()
    channels = kernel.reshape(-1, kernel.shape[-1])
    kernel = kernel / np.abs(channels).max(axis=0) * np.float32(peaks)
    model.get_layer(layer).set_weights([kernel, *rest])
    return model


def plain():
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    image = picture()
    x = layers.Conv2D(6, 3, padding="same", use_bias=False, name="conv")(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.Conv2D(6, 3, activation="relu", name="second")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(4, name="logits")(x))


def test_a_plain_network_has_no_finding(findings):
    assert findings(plain(), samples()) == {}


def test_noise_over_the_inputs_range_does_where_there_is_no_data(findings):
    assert findings(plain()) == {}


def test_dead_channels_are_counted_behind_the_batch_norm_that_killed_them(findings):
    model = plain()
    gamma, *rest = model.layers[2].get_weights()
    gamma[[1, 4]] = 0.0
    model.layers[2].set_weights([gamma, *rest])
    found = findings(model, samples())["dead-channels"]
    assert found.figure == "2 of 6 output channels of conv_1/convolution are zero"
    assert len(found.ops) == 1


def test_an_outlier_names_its_layer_and_what_is_lost_beside_it(findings):
    model = plain()
    kernel, bias = model.get_layer("second").get_weights()
    kernel[0, 0, 0, 2] = 10_000 * np.median(np.abs(kernel[..., 2]))
    model.get_layer("second").set_weights([kernel, bias])
    found = findings(model, samples())["weight-outliers"]
    assert [op.rpartition("/")[0][-8:] for op in found.ops] == ["second_1"]
    assert found.value == pytest.approx(10_000, rel=0.1)
    assert "in channel 2 of second_1" in found.figure
    assert "98 % of the others round to 0" in found.figure


def test_uneven_channels_are_measured_by_their_ratio(findings):
    model = sized(plain(), "second", [100, 1, 1, 1, 1, 1])
    assert findings(model, samples())["uneven-channels"].value == pytest.approx(100)
    assert "uneven-channels" not in findings(sized(plain(), "second", [9, 1, 1, 1, 1, 1]))


def test_boxes_beside_scores_share_a_scale(findings):
    import keras
    from keras import layers

    image = picture()
    boxes = layers.Rescaling(320.0)(layers.Conv2D(4, 1, activation="sigmoid")(image))
    scores = layers.Conv2D(2, 1, activation="sigmoid")(image)
    joined = layers.Concatenate(name="joined")([boxes, scores])
    found = findings(keras.Model(image, joined), samples())["shared-scale"]
    assert found.ops[0].endswith("joined_1/concat")
    assert found.value > 100
    even = layers.Concatenate()([scores, layers.Conv2D(3, 1, activation="sigmoid")(image)])
    assert "shared-scale" not in findings(keras.Model(image, even), samples())


@pytest.mark.parametrize(("activation", "rule"), [("silu", "silu"), ("hard_swish", "hard-swish")])
def test_activations_are_counted_with_their_values(findings, activation, rule):
    import keras
    from keras import layers

    image = picture()
    x = layers.Conv2D(4, 3, padding="same", activation=activation)(image)
    x = layers.Conv2D(4, 3, padding="same", activation=activation)(x)
    found = findings(keras.Model(image, x), samples(-3, 3))
    assert {"silu", "hard-swish"} & set(found) == {rule}
    assert len(found[rule].ops) == 2
    assert found[rule].value == 2 * 8 * 8 * 4
    assert "of 255 steps" in found[rule].figure


def test_a_gate_that_is_not_fed_by_what_it_multiplies_is_no_activation(findings):
    import keras
    from keras import layers

    image = picture()
    x = layers.Conv2D(4, 3, padding="same")(image)
    squeeze = layers.GlobalAveragePooling2D(keepdims=True)(x)
    for gate in ("sigmoid", "hard_sigmoid"):
        gated = layers.Multiply()([x, layers.Conv2D(4, 1, activation=gate)(squeeze)])
        assert not {"silu", "hard-swish"} & set(findings(keras.Model(image, gated), samples()))


def test_padding_far_outside_the_range_takes_steps(findings):
    import keras

    image = picture()
    padded = keras.ops.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-50.0)
    found = findings(keras.Model(image, padded), samples())["padding-constants"]
    assert found.value == pytest.approx(51, rel=0.05)
    zeros = keras.ops.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    assert "padding-constants" not in findings(keras.Model(image, zeros), samples())


def test_zeros_beside_values_far_from_zero_are_padding_too(findings):
    import keras

    image = picture()
    padded = keras.ops.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    assert "padding-constants" in findings(keras.Model(image, padded), samples(100, 120))


def test_a_mask_of_minus_a_billion_drowns_what_it_is_added_to(findings):
    import keras

    image = picture()
    masked = image + keras.ops.cast(image > 0.5, "float32") * -1e9
    found = findings(keras.Model(image, masked), samples())["mask-constants"]
    assert found.value > 1e8


def test_an_epsilon_beside_a_variance_is_no_mask(findings):
    import keras
    from keras import layers

    image = picture()
    normed = layers.LayerNormalization(epsilon=1e-6)(image)
    assert "mask-constants" not in findings(keras.Model(image, normed), samples())


def test_a_softmax_at_the_end_is_told_its_step_and_one_of_attention_is_not(findings):
    import keras
    from keras import layers

    image = picture()
    flat = layers.Flatten()(image)
    shares = layers.Softmax()(layers.Dense(512)(flat))
    found = findings(keras.Model(image, shares), samples())["softmax-step"]
    assert found.value == 512
    assert "the mean share is 0.5 steps" in found.figure
    tokens = layers.Reshape((64, 3))(image)
    attended = layers.MultiHeadAttention(1, 3)(tokens, tokens)
    assert "softmax-step" not in findings(keras.Model(image, attended), samples())


def test_every_finding_says_op_figure_reason_target_and_rewrite(findings):
    model = sized(plain(), "second", [1000, 1, 1, 1, 1, 0])
    found = findings(model, samples())
    assert {"dead-channels", "uneven-channels"} <= set(found)
    for finding in found.values():
        assert finding.ops
        assert finding.figure
        assert finding.why
        assert finding.targets
        assert finding.rewrite
        assert Finding.from_json(finding.to_json()).ops == finding.ops
